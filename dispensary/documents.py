"""Reading rules that are kept as TOML documents: strictly, and naming every problem of a document at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files
from typing import TypeVar

Choice = TypeVar("Choice", bound=StrEnum)


class BadDocument(ValueError):
    """A document that cannot be relied on. `problems` names each thing that is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class Status(StrEnum):
    """Whether a document may be relied on. A draft answers nothing but “refer to the prescriber”."""

    ACTIVE = "active"
    SUPERSEDED = "superseded"
    DRAFT = "draft"


def shipped_documents(package: str, folder: str) -> list[str]:
    """The documents that come with the program in a package's folder, word for word, by file name."""
    found = files(package).joinpath(folder).iterdir()
    named = sorted((entry for entry in found if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return [entry.read_text(encoding="utf-8") for entry in named]


def toml_table(document: str) -> dict[str, object]:
    """The document's table, whose numbers are exact. Raises BadDocument when it is not TOML."""
    try:
        return tomllib.loads(document, parse_float=Decimal)
    except tomllib.TOMLDecodeError as reason:
        raise BadDocument([f"The document is not TOML: {reason}."]) from None


def read_toml(document: str, where: str) -> Reader:
    """A reader of the document. Raises BadDocument when it is not TOML."""
    return Reader(toml_table(document), where)


class Reader:
    """Reads the keys of one TOML table, keeping every problem. A key that nobody read is a problem too."""

    def __init__(self, table: Mapping[str, object], where: str) -> None:
        self._table = table
        self._where = where
        self._unread = set(table)
        self._problems: list[str] = []
        self._parts: list[Reader] = []

    def problem(self, what: str) -> None:
        self._problems.append(f"{self._where[0].upper()}{self._where[1:]} {what}.")

    def all_problems(self) -> Iterator[str]:
        yield from self._problems
        for key in sorted(self._unread):
            yield f"{self._where[0].upper()}{self._where[1:]} has “{key}”, which means nothing here."
        for part in self._parts:
            yield from part.all_problems()

    def take(self, key: str, *, required: bool = False) -> object:
        self._unread.discard(key)
        if required and key not in self._table:
            self.problem(f"has no {key}")
        return self._table.get(key)

    def has(self, key: str) -> bool:
        return key in self._table

    def text(self, key: str, *, required: bool = True) -> str:
        value = self.take(key, required=required)
        if value is None:
            return ""
        if not isinstance(value, str) or (required and not value.strip()):
            self.problem(f"needs words for {key}")
            return ""
        return value.strip()

    def day(self, key: str) -> date | None:
        value = self.take(key)
        if value is None or type(value) is date:
            return value
        self.problem(f"needs a date such as 2024-04-02 for {key}")
        return None

    def yes_or_no(self, key: str, *, required: bool = False) -> bool:
        value = self.take(key, required=required)
        if value is not None and not isinstance(value, bool):
            self.problem(f"needs true or false for {key}")
        return value is True

    def whole(self, key: str, least: int, most: int) -> int | None:
        value = self.take(key)
        if value is None:
            return None
        if type(value) is not int or not least <= value <= most:
            self.problem(f"needs a whole number from {least} to {most} for {key}")
            return None
        return value

    def amount(self, key: str, least: int, most: int) -> Decimal | None:
        value = self.take(key)
        if value is None:
            return None
        fits = type(value) is int or (isinstance(value, Decimal) and value.is_finite())
        if not fits or not least <= Decimal(str(value)) <= most:
            self.problem(f"needs a number from {least} to {most} for {key}")
            return None
        return Decimal(str(value))

    def one_of(self, key: str, choices: type[Choice], otherwise: Choice) -> Choice:
        value = self.take(key, required=True)
        if value in list(choices):
            return choices(str(value))
        if value is not None:
            self.problem(f"needs one of {', '.join(choices)} for {key}")
        return otherwise

    def several(self, key: str, choices: type[Choice]) -> tuple[Choice, ...]:
        """A list of words, each one of the choices; empty where the key is not there."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or any(word not in list(choices) for word in value):
            self.problem(f"needs a list of {', '.join(choices)} for {key}")
            return ()
        return tuple(choices(word) for word in value)

    def words(self, key: str) -> tuple[str, ...]:
        """A list of words; empty where the key is not there."""
        value = self.take(key)
        if value is None:
            return ()
        if not isinstance(value, list) or any(not isinstance(word, str) or not word.strip() for word in value):
            self.problem(f"needs a list of words for {key}")
            return ()
        return tuple(value)

    def part(self, key: str) -> Reader | None:
        """The table under a key; nothing where the document has none."""
        value = self.take(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.problem(f"needs a table [{key}]")
            return None
        self._parts.append(Reader(value, f"{self._where}, {key}"))
        return self._parts[-1]

    def parts(self, key: str, what: str) -> Iterator[Reader]:
        value = self.take(key)
        if value is not None and (not isinstance(value, list) or any(not isinstance(part, dict) for part in value)):
            self.problem(f"needs a list of tables [[{key}]]")
            return
        for number, part in enumerate(value or (), 1):
            self._parts.append(Reader(part, f"{what} {number}"))
            yield self._parts[-1]
