"""The register in the columns of a country's law: each column's cell for a line, and the notes that tie lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from dispensary.supplies.printing.law import Layout, Shown
from dispensary.supplies.printing.register import left_out, line_kinds, sums
from dispensary.supplies.printing.register_rows import BookPages, Entry
from dispensary.supplies.printing.report import Report
from dispensary.supplies.printing.table import Cell, Column
from dispensary.supplies.printing.wording import short_local
from dispensary.supplies.serials import spoken_serial
from dispensary.units import plain
from dispensary.words import _, ngettext

AMOUNTS = frozenset({Shown.IN, Shown.OUT, Shown.BALANCE})
_FORMS = ("oral solution", "tablets", "tablet", "injection", "ampoules")
_LEAST_MG = Decimal("0.01")
_CONCENTRATION = re.compile(r"\s*[\d.]+ mg(?:/mL)?$")


def substance_and_form(product: str) -> tuple[str, str]:
    """The register's name of a product without its strength, taken apart: methadone, oral solution."""
    name = _CONCENTRATION.sub("", product)
    form = next((form for form in _FORMS if name.endswith(" " + form)), "")
    return name.removesuffix(form).strip(), form


def draw_by_law(on: Report, pages: BookPages, zone: str, layout: Layout) -> None:
    """A book's lines in the layout's columns, under what the law says of them.

    What is no movement to or from a person (a count, a destruction, a note) keeps its line with its reason, and a
    correction stands below the line that it corrects, with its date and initials. A layout that has supplies alone
    leaves out the rest.
    """
    on.heading(_("%(title)s: %(product)s", title=layout.title, product=pages.product))
    on.line(layout.source)
    for note in layout.notes:
        on.line(note, bold=layout.bound_book and note == layout.notes[0])
    columns = [Column(each.text, each.width, amounts=each.shows in AMOUNTS) for each in layout.columns]
    table = on.table(*columns)
    shows = [each.shows for each in layout.columns]
    entries = [entry for entry in pages.entries if entry.kind == "supplied" or not layout.supplies_only]
    if not layout.supplies_only:
        table.row(*_carried(shows, _("Brought forward"), {Shown.BALANCE: pages.brought_forward}), bold=True)
    expected = entries[0].seq if entries else 0
    for entry in entries:
        if entry.seq != expected and not layout.supplies_only:
            table.note(left_out(expected, entry))
        table.row(*(_CELLS[shown](entry, pages.product, zone) for shown in shows), number=entry.seq)
        for note in _notes(entry, zone):
            table.note(note)
        expected = entry.seq + 1
    if not entries:
        table.note(_("No entries."))
    if not layout.supplies_only:
        ins, outs = sums(pages)
        ends = {Shown.IN: ins, Shown.OUT: outs, Shown.BALANCE: pages.balance}
        table.row(*_carried(shows, _("At the end"), ends), bold=True)
    table.ends()


def _carried(shows: list[Shown], words: str, amounts: dict[Shown, Decimal]) -> list[Cell]:
    """A row of sums: its words in the first column that is wide enough for them and holds no amount."""
    cells: list[Cell] = [amounts.get(shown, None if shown in AMOUNTS else "") for shown in shows]
    wide = (Shown.PERSON, Shown.OBTAINED_FROM, Shown.TAKEN_HOME)
    cells[next(n for n, shown in enumerate(shows) if shown in wide)] = words
    return cells


def _notes(entry: Entry, zone: str) -> list[str]:
    """What stands in the margin of a line."""
    said = []
    if entry.corrects is not None:
        said.append(
            _(
                "%(day)s %(by)s: corrects line %(line)s. %(reason)s",
                day=short_local(entry.at, zone),
                by=_who(entry),
                line=entry.corrects,
                reason=entry.reason,
            )
        )
    elif entry.reason:
        kind = line_kinds()[entry.kind]
        said.append(f"{short_local(entry.at, zone)} {_who(entry)}: {kind}. {entry.reason}")
    if entry.correction is not None:
        later = entry.correction
        said.append(
            _(
                "%(day)s %(by)s: corrected by line %(line)s. %(reason)s",
                day=short_local(later.at, zone),
                by=later.initials,
                line=later.seq,
                reason=later.reason,
            )
        )
    return said


def _who(entry: Entry) -> str:
    return ", ".join(filter(None, (entry.initials, entry.second)))


def _client(entry: Entry) -> str:
    return f"{entry.number} {entry.person}".strip()


def _person(entry: Entry) -> str:
    """From whom it came or to whom it went, or what else the line is."""
    if entry.number:
        return _client(entry)
    if entry.kind == "received":
        return _received(entry)
    return ": ".join(filter(None, (line_kinds()[entry.kind], entry.party)))


def _collected_by(entry: Entry) -> str:
    words = {"client": _("client"), "agent": _("representative"), "carrier": _("health care professional")}
    return f"{words[entry.collected_by]} {entry.agent}".strip() if entry.kind == "supplied" else ""


def _yes_no(entry: Entry, said: bool) -> str:
    if entry.kind != "supplied":
        return ""
    return _("yes") if said else _("no")


def _received(entry: Entry) -> str:
    """From whom, with the address, and which batch."""
    if entry.kind != "received":
        return ""
    return "; ".join(filter(None, (entry.party, _("batch %(batch)s", batch=entry.batch))))


def _mg(ml: Decimal, entry: Entry) -> str:
    """mg and mL. Volumes are kept to a thousandth, doses to a hundredth of a mg: so is what is read back from one."""
    return f"{plain((ml * entry.strength).quantize(_LEAST_MG))} mg ({plain(ml)} mL)" if ml else ""


def _taken_home(entry: Entry, form: str) -> str:
    if not entry.home_ml:
        return ""
    bottles = ngettext("%(n)s bottle", "%(n)s bottles", len(entry.serials)) % {"n": len(entry.serials)}
    return ", ".join(filter(None, (_mg(entry.home_ml, entry), form, bottles if entry.serials else "")))


def _quantity(entry: Entry, product: str) -> str:
    return f"{product}: {_mg(entry.consumed_ml + entry.home_ml, entry)}"


_CELLS: dict[Shown, Callable[[Entry, str, str], Cell]] = {
    Shown.LINE: lambda entry, product, zone: str(entry.seq),
    Shown.SERIAL_NO: lambda entry, product, zone: str(entry.seq),
    Shown.DATE: lambda entry, product, zone: short_local(entry.at, zone),
    Shown.SUBSTANCE: lambda entry, product, zone: substance_and_form(product)[0],
    Shown.STRENGTH: lambda entry, product, zone: f"{plain(entry.strength)} mg/mL",
    Shown.FORM: lambda entry, product, zone: substance_and_form(product)[1],
    Shown.PRODUCT: lambda entry, product, zone: _quantity(entry, product),
    Shown.CLIENT: lambda entry, product, zone: entry.number,
    Shown.NAME: lambda entry, product, zone: _client(entry),
    Shown.PERSON: lambda entry, product, zone: _person(entry),
    Shown.OBTAINED_FROM: lambda entry, product, zone: _received(entry),
    Shown.SUPPLIED_TO: lambda entry, product, zone: "" if entry.kind == "received" else _person(entry),
    Shown.PRESCRIBER: lambda entry, product, zone: entry.prescriber,
    Shown.REFERENCE: lambda entry, product, zone: entry.reference,
    Shown.SERIALS: lambda entry, product, zone: ", ".join(map(spoken_serial, entry.serials)),
    Shown.CONSUMED: lambda entry, product, zone: _mg(entry.consumed_ml, entry),
    Shown.TAKEN_HOME: lambda entry, product, zone: _taken_home(entry, substance_and_form(product)[1]),
    Shown.IN: lambda entry, product, zone: entry.ml if entry.ml > 0 else None,
    Shown.OUT: lambda entry, product, zone: -entry.ml if entry.ml < 0 else None,
    Shown.BALANCE: lambda entry, product, zone: entry.balance,
    Shown.COLLECTED_BY: lambda entry, product, zone: _collected_by(entry),
    Shown.ID_REQUESTED: lambda entry, product, zone: _yes_no(entry, entry.id_requested),
    Shown.ID_PROVIDED: lambda entry, product, zone: _yes_no(entry, entry.id_provided),
    Shown.BY: lambda entry, product, zone: _who(entry),
    Shown.SIGNATURE: lambda entry, product, zone: _who(entry),
}
"""How each column is filled from a line. A signature has the initials and room for the hand beside them."""
