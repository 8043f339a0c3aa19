"""The pack list: what is poured for which client on a day, to tick while it is prepared and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby

from dispensary.staff.models import Site
from dispensary.supplies.printing.label_text import portion_name
from dispensary.supplies.printing.report import Report, report
from dispensary.supplies.printing.table import Column
from dispensary.supplies.printing.wording import clock, day_runs, long_day
from dispensary.words import _, ngettext


@dataclass(frozen=True)
class PackBottle:
    """A bottle to pour, or one that was poured."""

    day: date
    portion: int
    portions: int
    mg: Decimal
    ml: Decimal
    lot: str


@dataclass(frozen=True)
class PackRow:
    """What one client collects, and when they come; nobody knows when where they booked no time."""

    at: datetime | None
    number: str
    initials: str
    bottles: Sequence[PackBottle]


def pack_list_pdf(rows: Sequence[PackRow], *, site: Site, day: date, printed_at: datetime) -> bytes:
    """The PDF for a day of collection: clients by the time when they come, each amount and lot on its own line.

    Clients stand by number and initials. A box is left for who prepared a line and another for who checked it, and the
    lots are added up at the end, so that what is taken out of the safe is known before.
    """

    def draw(on: Report) -> None:
        on.heading(_("To collect on %(day)s", day=long_day(day)))
        if not rows:
            on.line(_("Nobody collects on this day."))
            return
        _clients(on, sorted(rows, key=lambda row: (row.at is None, row.at or printed_at, row.number)), site.zone)
        _lots(on, rows)

    return report(draw, lambda: _("Pack list"), site=site, printed_at=printed_at)


def _clients(on: Report, rows: Sequence[PackRow], zone: str) -> None:
    table = on.table(
        Column(_("Time"), 18),
        Column(_("Client"), 38),
        Column(_("Bottles"), 22, amounts=True),
        Column(_("For"), 65),
        Column(_("mg each"), 22, amounts=True),
        Column(_("mL each"), 22, amounts=True),
        Column(_("Lot"), 32),
        Column(_("Prepared"), 26),
        Column(_("Checked by"), 28),
    )
    for row in rows:
        first = True
        for (lot, portions, portion, mg, ml), alike in groupby(sorted(row.bottles, key=_alike), key=_alike):
            bottles = list(alike)
            days = day_runs(bottle.day for bottle in bottles)
            table.row(
                (clock(row.at, zone) if row.at else _("no time")) if first else "",
                f"{row.number} {row.initials}" if first else "",
                Decimal(len(bottles)),
                ", ".join(filter(None, (days, portion_name(portion, portions)))),
                mg,
                ml,
                lot,
                _BOX,
                _BOX,
            )
            first = False


_BOX = "[      ]"


def _alike(bottle: PackBottle) -> tuple[str, int, int, Decimal, Decimal]:
    return bottle.lot, bottle.portions, bottle.portion, bottle.mg, bottle.ml


def _lots(on: Report, rows: Sequence[PackRow]) -> None:
    on.heading(_("By lot"))
    table = on.table(
        Column(_("Lot"), 60),
        Column(_("Bottles"), 40),
        Column(_("mg"), 34, amounts=True),
        Column(_("mL"), 34, amounts=True),
    )
    bottles = sorted((bottle for row in rows for bottle in row.bottles), key=lambda bottle: bottle.lot)
    for lot, group in groupby(bottles, key=lambda bottle: bottle.lot):
        poured = list(group)
        table.row(
            lot,
            ngettext("%(n)s bottle", "%(n)s bottles", len(poured)) % {"n": len(poured)},
            sum((bottle.mg for bottle in poured), Decimal(0)),
            sum((bottle.ml for bottle in poured), Decimal(0)),
        )
