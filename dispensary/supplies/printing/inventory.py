"""The inventory on paper: what was measured of each lot, under the last entry of its register, counted and signed."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.staff.models import Site
from dispensary.stock.models import Lot, RegisterBook, RegisterLine
from dispensary.stock.queries import books
from dispensary.supplies.printing.law import Law
from dispensary.supplies.printing.reading import Count, counts_on
from dispensary.supplies.printing.report import MARGIN, WIDTH, Report, report
from dispensary.supplies.printing.sheet import leading
from dispensary.supplies.printing.table import Column
from dispensary.supplies.printing.wording import long_day, moment
from dispensary.units import SiteId, plain
from dispensary.words import _


def inventory_pdf(session: ReadSession, *, site: Site, day: date, law: Law, printed_at: datetime) -> bytes:
    """The PDF of a dose day's inventory: for each register its last entry, each lot, what was counted, and by whom.

    A lot that nobody counted on that day has its figure left open, to be measured and written by hand.
    """
    registers = books(session, site_id=SiteId(site.id))
    counted = {(count.product, count.batch): count for count in counts_on(session, site_id=SiteId(site.id), day=day)}
    found = [(book, _last(session, book, day), _lots(session, book)) for book in registers]

    def draw(on: Report) -> None:
        on.heading(_("%(title)s on %(day)s", title=law.inventory.title, day=long_day(day)))
        on.line(law.inventory.source)
        on.line(law.inventory.note)
        if not found:
            on.line(_("The site has no register."))
        for book, last, lots in found:
            _book(on, site.zone, book, last, lots, counted)
        _signatures(on)

    return report(draw, lambda: law.inventory.title, site=site, printed_at=printed_at)


def _last(session: ReadSession, book: RegisterBook, day: date) -> RegisterLine | None:
    return session.scalar(
        select(RegisterLine)
        .where(RegisterLine.book_id == book.id, RegisterLine.dose_day <= day)
        .order_by(RegisterLine.seq.desc())
        .limit(1)
    )


def _lots(session: ReadSession, book: RegisterBook) -> list[Lot]:
    return list(
        session.scalars(select(Lot).where(Lot.book_id == book.id, Lot.balance > 0).order_by(Lot.expires_on, Lot.batch))
    )


def _book(
    on: Report,
    zone: str,
    book: RegisterBook,
    last: RegisterLine | None,
    lots: list[Lot],
    counted: dict[tuple[str, str], Count],
) -> None:
    on.heading(_("Register: %(product)s", product=book.product))
    if last is not None:
        on.line(
            _(
                "Last entry: line %(line)s, %(moment)s, balance %(balance)s mL.",
                line=last.seq,
                moment=moment(last.at, zone),
                balance=plain(last.balance),
            )
        )
    table = on.table(
        Column(_("Batch"), 50),
        Column(_("Expires"), 36),
        Column(_("Expected, mL"), 32, amounts=True),
        Column(_("Measured, mL"), 32, amounts=True),
        Column(_("Difference, mL"), 32, amounts=True, signed=True),
        Column(_("Counted"), 45),
        Column(_("By"), 20),
    )
    batches = {lot.batch: lot for lot in lots}
    for batch in [*batches, *(batch for product, batch in counted if product == book.product and batch not in batches)]:
        count, lot = counted.get((book.product, batch)), batches.get(batch)
        table.row(
            batch,
            lot.expires_on.isoformat() if lot else "",
            count.expected if count else None,
            count.measured if count else None,
            count.difference if count else None,
            moment(count.at, zone) if count else _("to be measured"),
            count.initials if count else "",
        )
    if not batches and not counted:
        table.note(_("Nothing is in the safe."))


def _signatures(on: Report) -> None:
    on.heading(_("Counted and signed"))
    for _line in range(2):
        on.room(12)
        sheet, y = on.sheet, on.sheet.y + 5
        for x, words, length in ((0, _("Name"), 70), (95, _("Signature"), 65), (190, _("Date and time"), 50)):
            sheet.text(MARGIN + x, y, words, size=9)
            start = x + sheet.wide(words, 9) + 2
            sheet.rule(MARGIN + start, y + leading(9), min(length, WIDTH - start))
        on.sheet.y += 12
