"""What a country's law asks of labels and registers, read from the documents in `laws/`. Pure.

Each has its source and how sure it is; a heading is printed as the document has it, in no other language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from dispensary.documents import BadDocument, Reader, read_toml, shipped_documents


class Field(StrEnum):
    """What a label may leave off, unless a law asks for it. All else is on every label."""

    NAME = "name"
    ADDRESS = "address"
    PHONE = "phone"
    NUMBER_OF = "number_of"
    BATCH = "batch"
    PACKED = "packed"
    CHECKED = "checked"
    PRESCRIBER = "prescriber"
    RETURN_EMPTY = "return_empty"


class Sure(StrEnum):
    """How sure we are of what a document says."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Shown(StrEnum):
    """What a column of a register shows."""

    LINE = "line"
    SERIAL_NO = "serial_no"
    DATE = "date"
    SUBSTANCE = "substance"
    STRENGTH = "strength"
    FORM = "form"
    PRODUCT = "product"
    CLIENT = "client"
    NAME = "name"
    PERSON = "person"
    OBTAINED_FROM = "obtained_from"
    SUPPLIED_TO = "supplied_to"
    PRESCRIBER = "prescriber"
    REFERENCE = "reference"
    SERIALS = "serials"
    CONSUMED = "consumed"
    TAKEN_HOME = "taken_home"
    IN = "in"
    OUT = "out"
    BALANCE = "balance"
    COLLECTED_BY = "collected_by"
    ID_REQUESTED = "id_requested"
    ID_PROVIDED = "id_provided"
    BY = "by"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Heading:
    """A column: what it shows, what stands above it, its width in mm."""

    shows: Shown
    text: str
    width: int


@dataclass(frozen=True)
class Layout:
    """A register as a law prints it; without columns, as the programme does."""

    key: str
    law: str
    title: str
    source: str
    sure: Sure
    names: bool
    """Whether clients stand in it by name: the law's book is not complete without."""
    bound_book: bool
    supplies_only: bool
    notes: tuple[str, ...]
    columns: tuple[Heading, ...]


@dataclass(frozen=True)
class Inventory:
    """How a law calls the count of all stock, and what it asks of it."""

    title: str
    source: str
    note: str


@dataclass(frozen=True)
class Law:
    """What one country asks for."""

    law: str
    title: str
    label_source: str
    label_sure: Sure
    fields: frozenset[Field]
    """What no label may leave off."""
    words: tuple[str, ...]
    """What stands on each label, word for word."""
    registers: tuple[Layout, ...]
    inventory: Inventory


PAGE_WIDTH = 273
"""What the columns of a register have together, in mm."""


def parse_law(document: str) -> Law:
    """Raises BadDocument with each thing that is wrong."""
    reader = read_toml(document, "the law")
    law = reader.text("law")
    label = reader.part("label") or Reader({}, "the label")
    inventory = reader.part("inventory") or Reader({}, "the inventory")
    parsed = Law(
        law=law,
        title=reader.text("title"),
        label_source=label.text("source"),
        label_sure=label.one_of("confidence", Sure, Sure.LOW),
        fields=frozenset(label.several("fields", Field)),
        words=label.words("words"),
        registers=tuple(_layout(part, law) for part in reader.parts("register", "register")),
        inventory=Inventory(inventory.text("title"), inventory.text("source"), inventory.text("note")),
    )
    inventory.one_of("confidence", Sure, Sure.LOW)
    if not parsed.registers:
        reader.problem("has no [[register]]")
    problems = list(reader.all_problems())
    if problems:
        raise BadDocument(problems)
    return parsed


def _layout(part: Reader, law: str) -> Layout:
    columns = tuple(
        Heading(
            shows=column.one_of("key", Shown, Shown.LINE),
            text=column.text("heading"),
            width=column.whole("width", 8, 120) or 8,
        )
        for column in part.parts("columns", "column")
    )
    if sum(column.width for column in columns) not in (0, PAGE_WIDTH):
        part.problem(f"has columns that are not {PAGE_WIDTH} mm wide together")
    return Layout(
        key=part.text("key"),
        law=law,
        title=part.text("title"),
        source=part.text("source"),
        sure=part.one_of("confidence", Sure, Sure.LOW),
        names=part.yes_or_no("names", required=True),
        bound_book=part.yes_or_no("bound_book"),
        supplies_only=part.yes_or_no("supplies_only"),
        notes=part.words("notes"),
        columns=columns,
    )


@cache
def laws() -> Mapping[str, Law]:
    """Each law that the program has, by its name; `none` first."""
    read = [parse_law(document) for document in shipped_documents("dispensary.supplies.printing", "laws")]
    return {each.law: each for each in sorted(read, key=lambda each: (each.law != "none", each.title))}


@cache
def layouts() -> Mapping[str, Layout]:
    """Each layout of a register, by its key."""
    return {layout.key: layout for law in laws().values() for layout in law.registers}
