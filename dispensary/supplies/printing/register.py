"""The register in the programme's own layout: every line with its running balance, none left out, none rewritten."""

from __future__ import annotations

from decimal import Decimal

from dispensary.supplies.printing.register_rows import BookPages, Entry
from dispensary.supplies.printing.report import Report
from dispensary.supplies.printing.table import Cell, Column
from dispensary.supplies.printing.wording import moment
from dispensary.units import plain
from dispensary.words import _


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
            table.row("", "", "", left_out(expected, entry), "", None, None, entry.balance - entry.ml, "")
        table.row(*_cells(entry, zone), number=entry.seq)
        expected = entry.seq + 1
    if not pages.entries:
        table.row("", "", "", _("No entries."), "", None, None, None, "")
    ins, outs = sums(pages)
    table.row("", "", "", _("At the end"), "", ins, outs, pages.balance, "", bold=True)
    table.ends()


def left_out(expected: int, entry: Entry) -> str:
    """Names the lines between the last one that was printed and this one."""
    return _("Lines %(first)s to %(last)s belong to other days", first=expected, last=entry.seq - 1)


def sums(pages: BookPages) -> tuple[Decimal, Decimal]:
    """What came in and what went out between the two days."""
    ins = sum((entry.ml for entry in pages.entries if entry.ml > 0), Decimal(0))
    outs = -sum((entry.ml for entry in pages.entries if entry.ml < 0), Decimal(0))
    return ins, outs


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
        "sent": _("sent to another site"),
        "returned": _("back in stock"),
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
    if entry.correction is not None:
        parts.append(_("See correction in line %(line)s", line=entry.correction.seq))
    return ". ".join(parts)
