"""The day's dispensing log on paper, as 21 CFR 1304.24 wants it, with the register, the counts and the close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.stock.queries import books
from dispensary.supplies.printing.reading import (
    Closed,
    Count,
    Dispensed,
    Dispenser,
    close_of,
    counts_on,
    dispensed_on,
    dispensers_on,
)
from dispensary.supplies.printing.register import draw_book
from dispensary.supplies.printing.register_rows import book_between
from dispensary.supplies.printing.report import MARGIN, WIDTH, Report, report
from dispensary.supplies.printing.sheet import leading
from dispensary.supplies.printing.table import Column
from dispensary.supplies.printing.wording import clock, day_runs, long_day, moment
from dispensary.units import SiteId
from dispensary.words import _, ngettext, pgettext


def day_log(session: ReadSession, *, site: Site, day: date, printed_at: datetime) -> bytes:
    """The PDF of a dose day: what was dispensed, the register, the counts, the close, and a line for each dispenser.

    The dispensing log has the eight fields of 21 CFR 1304.24(a): substance, strength and form, date, client's number
    (the programme's index says whose it is), amount consumed, amount and form taken home, dispenser's initials; one
    line a supply and product, and one for each lot of a dose that was poured from several. 1304.24(b) has each
    dispenser initial the print-out daily: that is what the last section is for. A day that is not closed says so. The
    same records and moment give the same bytes.
    """
    site_id = SiteId(site.id)
    lines = dispensed_on(session, site_id=site_id, day=day)
    registers = [book_between(session, book=book, first=day, last=day) for book in books(session, site_id=site_id)]
    counts = counts_on(session, site_id=site_id, day=day)
    closed = close_of(session, site_id=site_id, day=day)
    dispensers = dispensers_on(session, site_id=site_id, day=day)

    def draw(on: Report) -> None:
        if closed is None:
            on.line(_("This day is not closed: the log is not complete."), bold=True)
        _dispensing(on, lines, site.zone)
        for register in registers:
            draw_book(on, register, site.zone)
        _counting(on, counts, site.zone)
        if closed is not None:
            _closing(on, closed, site.zone)
        _initialling(on, dispensers, lines)

    def title() -> str:
        return _("Dispensing log, %(day)s", day=long_day(day))

    return report(draw, title, site=site, printed_at=printed_at)


def _dispensing(on: Report, lines: Sequence[Dispensed], zone: str) -> None:
    on.heading(_("Dispensed"))
    if not lines:
        on.line(_("Nothing was dispensed on this day."))
        return
    table = on.table(
        Column(_("Dispensed"), 34),
        Column(_("Client"), 26),
        Column(_("Substance, form, strength"), 62),
        Column(_("Consumed, mg"), 23, amounts=True),
        Column(_("Consumed, mL"), 23, amounts=True),
        Column(_("Taken home, mg"), 24, amounts=True),
        Column(_("Taken home, mL"), 24, amounts=True),
        Column(_("Form taken home"), 42),
        Column(_("By"), 15),
    )
    for line in lines:
        table.row(
            moment(line.at, zone),
            line.number,
            _product(line),
            line.consumed_mg or None,
            line.consumed_ml or None,
            line.home_mg or None,
            line.home_ml or None,
            _said(line, zone),
            line.initials,
            struck=line.voided_at is not None,
        )
    for product in sorted({line.product for line in lines}):
        counted = [line for line in lines if line.product == product and line.voided_at is None]
        table.row(
            _("Total"),
            "",
            product or _("not from this site's stock"),
            sum((line.consumed_mg for line in counted), Decimal(0)),
            sum((line.consumed_ml for line in counted), Decimal(0)),
            sum((line.home_mg for line in counted), Decimal(0)),
            sum((line.home_ml for line in counted), Decimal(0)),
            _bottles(sum(line.bottles for line in counted)),
            "",
            bold=True,
        )


def _bottles(n: int) -> str:
    return ngettext("%(n)s bottle", "%(n)s bottles", n) % {"n": n}


def _product(line: Dispensed) -> str:
    """Substance, form and strength, with the batch where another lot gave the rest of the dose."""
    named = line.product or _("not from this site's stock")
    return f"{named}, {_('batch %(batch)s', batch=line.batch)}" if line.batch else named


def extra_kinds() -> dict[str, str]:
    """What a second dose of a day is called."""
    return {
        "replacement": _("given again for a vomited dose"),
        "top_up": _("more of the same day, after an increase"),
        "in_error": _("given in error, above the order"),
    }


def _said(line: Dispensed, zone: str) -> str:
    """How it was taken home and for which days; whether it was a second dose, from paper, or voided."""
    parts = []
    if line.bottles:
        parts.append(_("%(bottles)s for %(days)s", bottles=_bottles(line.bottles), days=day_runs(line.home_days)))
    if line.extra:
        parts.append(extra_kinds()[line.extra])
    if line.late:
        parts.append(_("given on paper, entered afterwards"))
    if line.voided_at:
        parts.append(_("VOIDED %(time)s", time=clock(line.voided_at, zone)))
    return ". ".join(parts)


def _counting(on: Report, counts: Sequence[Count], zone: str) -> None:
    on.heading(_("Counted"))
    if not counts:
        on.line(_("No count was made."))
        return
    table = on.table(
        Column(_("Counted"), 34),
        Column(_("Product"), 62),
        Column(_("Batch"), 34),
        Column(_("Expected, mL"), 25, amounts=True),
        Column(_("Measured, mL"), 25, amounts=True),
        Column(_("Difference, mL"), 25, amounts=True, signed=True),
        Column(_("Reason"), 53),
        Column(_("By"), 15),
    )
    for count in counts:
        table.row(
            moment(count.at, zone),
            count.product,
            count.batch,
            count.expected,
            count.measured,
            count.difference,
            count.reason,
            count.initials,
        )


def _closing(on: Report, closed: Closed, zone: str) -> None:
    close = closed.close
    on.heading(pgettext("day", "Closed"))
    by = closed.initials or _("the program, in the night")
    on.line(_("Closed %(moment)s by %(by)s.", moment=moment(close.closed_at, zone), by=by))
    if not close.counted:
        on.line(_("The safe was not counted at the close: the count is still due."), bold=True)
    table = on.table(
        Column(_("Portions observed"), 40, amounts=True),
        Column(_("Portions at home"), 40, amounts=True),
        Column(_("Portions missed"), 40, amounts=True),
        Column(_("Portions held"), 40, amounts=True),
        Column(_("Bottles not collected"), 40, amounts=True),
    )
    table.row(*map(Decimal, (close.observed, close.taken_home, close.missed, close.held, close.unclaimed)))


def _initialling(on: Report, dispensers: Sequence[Dispenser], lines: Sequence[Dispensed]) -> None:
    on.heading(_("Initialled by each dispenser"))
    if not dispensers:
        on.line(_("Nobody dispensed on this day."))
    for dispenser in dispensers:
        on.room(11)
        sheet, y = on.sheet, on.sheet.y + 4
        supplies = ngettext("%(n)s supply", "%(n)s supplies", dispenser.supplies) % {"n": dispenser.supplies}
        own = sum(line.by == dispenser.account_id for line in lines)
        counted = ngettext("%(n)s line", "%(n)s lines", own) % {"n": own}
        sheet.text(MARGIN, y, f"{dispenser.name} ({dispenser.initials}), {supplies}, {counted}", size=9, width=105)
        for x, words, length in ((112, _("Initials"), 40), (180, _("Date and time"), 55)):
            sheet.text(MARGIN + x, y, words, size=9)
            start = x + sheet.wide(words, 9) + 2
            sheet.rule(MARGIN + start, y + leading(9), min(length, WIDTH - start))
        on.sheet.y += 11
