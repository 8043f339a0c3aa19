"""The controlled-drug register on paper: every line with its running balance, none left out, none rewritten."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from dispensary.database import ReadSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.models import Site
from dispensary.stock.models import RegisterBook
from dispensary.supplies.printing.reading import BookPages, Entry, book_between
from dispensary.supplies.printing.report import Report, report
from dispensary.supplies.printing.table import Cell, Column
from dispensary.supplies.printing.wording import moment, short_day
from dispensary.units import plain
from dispensary.words import _


def register_pdf(
    session: ReadSession, *, book_id: UUID, first: date, last: date, site: Site, printed_at: datetime
) -> bytes:
    """The PDF of a register between two dose days, both included: the same lines and moment, the same bytes.

    A correction stands as the line that it is, and beside the line that it corrects. Raises NotThere for a book of
    another site, BadInput when the days are the wrong way round.
    """
    if last < first:
        raise BadInput(Refusal("days", f"{last} is before {first}.", "Turn the days round.", field="last"))
    book = session.get(RegisterBook, book_id)
    if book is None or book.site_id != site.id:
        raise NotThere(Refusal("no-book", "There is no such register at this site.", "Choose one from the list."))
    pages = book_between(session, book=book, first=first, last=last)

    def draw(on: Report) -> None:
        draw_book(on, pages, site.zone)

    def title() -> str:
        if first == last:
            return _("Register, %(day)s", day=short_day(first))
        return _("Register, %(first)s to %(last)s", first=short_day(first), last=short_day(last))

    return report(draw, title, site=site, printed_at=printed_at)


def draw_book(on: Report, pages: BookPages, zone: str) -> None:
    """A book's lines under its name. Lines of other days that were written in between are named as left out here."""
    on.heading(_("Register: %(product)s", product=pages.product))
    table = on.table(
        Column(_("Line"), 13),
        Column(_("Written"), 34),
        Column(_("Entry"), 22),
        Column(_("Client, reason"), 82),
        Column(_("Batch"), 32),
        Column(_("In, mL"), 22, amounts=True),
        Column(_("Out, mL"), 22, amounts=True),
        Column(_("Balance, mL"), 26, amounts=True),
        Column(_("By"), 20),
    )
    table.row("", "", "", _("Brought forward"), "", None, None, pages.brought_forward, "", bold=True)
    expected = pages.entries[0].seq if pages.entries else 0
    for entry in pages.entries:
        if entry.seq != expected:
            other = _("Lines %(first)s to %(last)s belong to other days", first=expected, last=entry.seq - 1)
            table.row("", "", "", other, "", None, None, entry.balance - entry.ml, "")
        table.row(*_cells(entry, zone))
        expected = entry.seq + 1
    if not pages.entries:
        table.row("", "", "", _("No entries."), "", None, None, None, "")
    ins = sum((entry.ml for entry in pages.entries if entry.ml > 0), Decimal(0))
    outs = -sum((entry.ml for entry in pages.entries if entry.ml < 0), Decimal(0))
    table.row("", "", "", _("At the end"), "", ins, outs, pages.balance, "", bold=True)


def _cells(entry: Entry, zone: str) -> tuple[Cell, ...]:
    return (
        str(entry.seq),
        moment(entry.at, zone),
        line_kinds()[entry.kind],
        _words(entry),
        entry.batch,
        entry.ml if entry.ml > 0 else None,
        -entry.ml if entry.ml < 0 else None,
        entry.balance,
        ", ".join(filter(None, (entry.initials, entry.second))),
    )


def line_kinds() -> dict[str, str]:
    """What the kinds of a register's lines are called, on paper and on the page."""
    return {
        "received": _("received"),
        "supplied": _("supplied"),
        "corrected": _("corrected"),
        "counted": _("counted"),
        "destroyed": _("destroyed"),
        "lost": _("lost"),
        "note": _("note"),
    }


def _words(entry: Entry) -> str:
    """Whom a line is about and why it was written, with the notes that tie it to another line."""
    parts = []
    if entry.number:
        amounts = []
        if entry.consumed_ml:
            amounts.append(_("consumed %(ml)s mL", ml=plain(entry.consumed_ml)))
        if entry.home_ml:
            amounts.append(_("taken home %(ml)s mL", ml=plain(entry.home_ml)))
        parts.append(f"{entry.number}: {', '.join(amounts)}")
    if entry.corrects is not None:
        parts.append(_("Corrects line %(line)s", line=entry.corrects))
    if entry.reason:
        parts.append(entry.reason)
    if entry.corrected_by is not None:
        parts.append(_("See correction in line %(line)s", line=entry.corrected_by))
    return ". ".join(parts)
