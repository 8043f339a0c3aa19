"""What people said after their visits, on one sheet for the waiting room: counts of months that enough answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date

from dispensary.staff.models import Site
from dispensary.supplies.printing.report import Report, report
from dispensary.supplies.printing.table import Cell, Column
from dispensary.words import _, language


@dataclass(frozen=True)
class SaidInMonth:
    """A month of which enough people answered to be shown."""

    month: date
    answered: int
    visit: Sequence[int]
    """Good, fair and poor."""
    wait: Sequence[int]
    """Short, fair and too long; empty when too few answered that."""


def told_us_pdf(months: Sequence[SaidInMonth], *, site: Site, printed_at: datetime) -> bytes:
    """The PDF. It hangs where everybody reads it: it says nothing of what the place is for, and nothing of anybody."""

    def draw(on: Report) -> None:
        on.heading(_("What you told us"))
        on.line(_("Two questions by text after a visit, to those who want them. Nobody knows who answered what."))
        if not months:
            on.line(_("Too few have answered so far."))
            return
        table = on.table(
            Column(_("Month"), 45),
            Column(_("Answers"), 30, amounts=True),
            Column(_("Visit: good"), 32, amounts=True),
            Column(_("Fair"), 28, amounts=True),
            Column(_("Poor"), 28, amounts=True),
            Column(_("Wait: short"), 32, amounts=True),
            Column(_("Fair"), 28, amounts=True),
            Column(_("Too long"), 32, amounts=True),
        )
        for each in months:
            wait: list[Cell] = [Decimal(count) for count in each.wait] or ["", "", ""]
            month = format_date(each.month, "LLLL y", locale=language())
            table.row(month, Decimal(each.answered), *(Decimal(count) for count in each.visit), *wait)

    return report(draw, lambda: _("What you told us"), site=site, printed_at=printed_at)
