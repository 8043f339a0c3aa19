"""What people said after their visits and to the site's own questions, for the waiting room: counts alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from babel.dates import format_date

from dispensary.staff.models import Site
from dispensary.supplies.printing.report import MARGIN, WIDTH, Report, report
from dispensary.supplies.printing.sheet import leading
from dispensary.supplies.printing.table import Cell, Column
from dispensary.words import _, language, spoken

_SQUARE = 40.0
"""Of the address of the page, in mm: read from a wall at arm's length."""
_ON_A_WALL = 15.0
"""The letters of a sheet that hangs where people wait: they are read standing."""


@dataclass(frozen=True)
class SaidInMonth:
    """A month of which enough people answered to be shown."""

    month: date
    answered: int
    visit: Sequence[int]
    """Good, fair and poor."""
    wait: Sequence[int]
    """Short, fair and too long; empty when too few answered that."""


@dataclass(frozen=True)
class SaidOf:
    """One of the site's own questions, in the language of the sheet."""

    says: str
    answers: Sequence[tuple[str, int]]
    """Each answer with how often it was chosen; empty when too few answered."""


def survey_told_pdf(
    title: str,
    said: Sequence[SaidOf],
    *,
    people: int,
    address: str,
    read_in: str,
    site: Site,
    printed_at: datetime,
) -> bytes:
    """What came of one survey, in one of its languages, to hang up; a telephone reads the same behind the square.

    It says nothing of what the place is for, and nothing of anybody. An address that is empty prints no square.
    """

    def draw(on: Report) -> None:
        top = on.sheet.y
        if address:
            on.sheet.qr(MARGIN + WIDTH - _SQUARE, top, _SQUARE, address)
        wide = WIDTH - _SQUARE - 6
        for line in on.sheet.lines(title, wide, size=24, bold=True):
            on.heading(line, size=24)
        with spoken(read_in):
            on.line(_("What you told us: %(people)s people", people=people), wide=wide, size=_ON_A_WALL)
            for asked in said:
                answers = " · ".join(f"{words}: {count}" for words, count in asked.answers)
                on.sheet.y += 2
                on.room(3 * leading(_ON_A_WALL))
                on.line(asked.says, bold=True, wide=wide, size=_ON_A_WALL)
                on.line(answers or _("Too few have answered so far."), wide=wide, size=_ON_A_WALL)

    return report(draw, lambda: "", site=site, printed_at=printed_at)


def told_us_pdf(
    months: Sequence[SaidInMonth], *, site: Site, printed_at: datetime, own: Sequence[SaidOf] = (), people: int = 0
) -> bytes:
    """The PDF. It hangs where everybody reads it: it says nothing of what the place is for, and nothing of anybody."""

    def draw(on: Report) -> None:
        if own:
            on.heading(_("What you told us: %(people)s people", people=people))
            for asked in own:
                said = " · ".join(f"{words}: {count}" for words, count in asked.answers)
                on.line(asked.says, bold=True)
                on.line(said or _("Too few have answered so far."))
        on.heading(_("After a visit"))
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
            month = format_date(each.month, "MMMM y", locale=language())
            table.row(month, Decimal(each.answered), *(Decimal(count) for count in each.visit), *wait)

    return report(draw, lambda: _("What you told us"), site=site, printed_at=printed_at)
