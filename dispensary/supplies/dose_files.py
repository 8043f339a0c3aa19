"""Reading dose history from a file: client, day and mg out of CSV or XLSX, with every bad line named.

Nothing here touches the database. What a line cannot mean is a problem with its number and reason; what a whole file
cannot mean (no such column, not a table at all) is one `BadInput`.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import islice
from pathlib import Path
from statistics import median_low
from typing import IO, cast
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from dispensary.clients.rules import plain_number
from dispensary.prescribing.rules import TEN_FOLD
from dispensary.refusals import BadInput, Refusal
from dispensary.units import BadAmount, DoseDay, Milligrams, milligrams, plain

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "client": ("client", "clientnumber", "clientno", "clientid", "number", "no", "who", "id"),
    "day": ("day", "doseday", "date", "dosedate"),
    "mg": ("mg", "dosemg", "dose", "dailydose", "dailydosemg", "amountmg"),
}
"""What is read, and the headers by which it is guessed, the surest first; compared without case, spaces and signs."""

FIRST_DAY = date(1960, 1, 1)
"""No methadone programme is older (Dole and Nyswander began in 1964): an earlier day is a slip."""
LONGEST_NUMBER = 24

_AMOUNT = re.compile(r"-?\d{1,9}(?:\.\d{1,9})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"-?\d{1,9},\d{1,2}", re.ASCII)
_ISO_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0+)?)?)?", re.ASCII)
_DAY_NUMBER = re.compile(r"-?\d{1,5}(?:\.0+)?", re.ASCII)

Cell = str | int | float | bool | datetime | date | None


@dataclass(frozen=True, slots=True)
class DoseLine:
    """One line of the file that can be meant: what a client had on a day; 0 mg says that the day was missed."""

    line: int
    number: str
    day: DoseDay
    mg: Milligrams


@dataclass(frozen=True, slots=True)
class Problem:
    """A line that is not kept, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True)
class Reading:
    """What a file says: the lines that can be meant, and the others with their reasons."""

    lines: tuple[DoseLine, ...]
    problems: tuple[Problem, ...]
    columns: Mapping[str, str]
    """The header that was taken for each of client, day and mg."""
    repeated: int
    """Lines that say again what an earlier line says: kept once."""


def read_doses(path: Path, *, mapping: Mapping[str, str] | None = None, start: date | None = None) -> Reading:
    """Reads a table of doses with a header line.

    `mapping` names the header of `client`, `day` or `mg` where the guess would be wrong. A day is an ISO date, or,
    with `start`, a number of days after it. Commas, semicolons or tabs part the fields; where it is not the comma, an
    amount may be written with a decimal comma. Raises BadInput when the file cannot be read as such a table.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(8)
            file.seek(0)
            if beginning.startswith(b"PK\x03\x04"):
                return _judge(_xlsx_rows(file), mapping or {}, start, decimal_comma=False)
            if beginning.startswith(b"\xd0\xcf\x11\xe0"):
                raise _unreadable("This is a workbook of the old XLS kind.", "Save it as XLSX or CSV.")
        return _read_text(
            path, "utf-16" if beginning[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", mapping, start
        )
    except OSError as reason:
        raise _unreadable(f"{path.name} cannot be read: {reason.strerror or reason}.", "Check the path.") from None


def _unreadable(sentence: str, remedy: str) -> BadInput:
    return BadInput(Refusal("file-unreadable", sentence, remedy, field="file"))


def _read_text(path: Path, encoding: str, mapping: Mapping[str, str] | None, start: date | None) -> Reading:
    try:
        with path.open(encoding=encoding, newline="") as file:
            header = file.readline()
            parted_by = max(",;\t", key=header.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=parted_by)
            rows = ((reader.line_num, row) for row in reader)
            return _judge(rows, mapping or {}, start, decimal_comma=parted_by != ",")
    except UnicodeError:
        raise _unreadable(f"{path.name} is not text in UTF-8.", "Save it as “CSV UTF-8” or as XLSX.") from None
    except csv.Error as reason:
        raise _unreadable(f"{path.name} is not a CSV table: {reason}.", "Save it again as CSV or as XLSX.") from None


def _xlsx_rows(file: IO[bytes]) -> Iterator[tuple[int, Sequence[Cell]]]:
    from openpyxl import load_workbook  # slow to import, and most files are CSV

    try:
        book = load_workbook(file, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # some programs write a dimension that leaves rows out
        rows = cast("Iterator[Sequence[Cell]]", sheet.iter_rows(values_only=True))
        yield from enumerate(rows, start=1)
    except (BadZipFile, ParseError, KeyError, IndexError, ValueError, TypeError, AttributeError):
        raise _unreadable("This is not a workbook that can be opened.", "Save it as XLSX or CSV again.") from None


def _judge(
    rows: Iterator[tuple[int, Sequence[Cell]]], mapping: Mapping[str, str], start: date | None, *, decimal_comma: bool
) -> Reading:
    header = next(((n, row) for n, row in islice(rows, 50) if any(_text(cell) for cell in row)), None)
    if header is None:
        raise _unreadable("The file is empty.", "The first line names the columns.")
    columns = _columns([_text(cell) for cell in header[1]], mapping)
    lines: list[DoseLine] = []
    problems: list[Problem] = []
    for number, row in rows:
        if not any(_text(cell) for cell in row):
            continue
        client, day, mg = (row[at] if at < len(row) else None for at in columns.values())
        try:
            lines.append(DoseLine(number, _number(client), _day(day, start), _amount(_text(mg), decimal_comma)))
        except ValueError as reason:
            problems.append(Problem(number, str(reason)))
    good, repeated = _each_day_once(lines, problems)
    good = _without_slipped_decimals(good, problems)
    names = [_text(cell) for cell in header[1]]
    problems.sort(key=lambda problem: problem.line)
    return Reading(tuple(good), tuple(problems), {what: names[at] for what, at in columns.items()}, repeated)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _folded(header: str) -> str:
    return "".join(sign for sign in header.casefold() if sign.isalnum())


def _columns(headers: Sequence[str], mapping: Mapping[str, str]) -> dict[str, int]:
    """Where client, day and mg stand. Raises BadInput, with the headers there are, when one is not found."""
    folded = [_folded(header) for header in headers]
    found, faults = {}, []
    for what, guesses in COLUMNS.items():
        names = (_folded(mapping[what]),) if what in mapping else guesses
        at = next((folded.index(name) for name in names if name in folded), None)
        if at is None:
            asked = f"“{mapping[what]}”" if what in mapping else f"for {what}"
            there = ", ".join(header for header in headers if header)
            faults.append(
                Refusal("no-column", f"There is no column {asked}.", f"Columns here: {there}.", field=f"column_{what}")
            )
        else:
            found[what] = at
    if not faults and len(set(found.values())) < len(found):
        faults.append(Refusal("same-column", "Client, day and mg are three columns.", "Correct the columns."))
    if faults:
        raise BadInput(*faults)
    return found


def _number(cell: Cell) -> str:
    number = plain_number(_text(cell))
    if not number:
        raise ValueError("the client is missing")
    if len(number) > LONGEST_NUMBER or not number.isprintable():
        raise ValueError(f"“{number[:LONGEST_NUMBER]}” is not a client number of 1 to {LONGEST_NUMBER} characters")
    return number


def _day(cell: Cell, start: date | None) -> DoseDay:
    if isinstance(cell, datetime):
        return _in_bounds(cell.date())
    return _day_of(_text(cell), start)


@lru_cache(maxsize=50_000)
def _day_of(text: str, start: date | None) -> DoseDay:
    if written := _ISO_DAY.fullmatch(text):
        try:
            day = date.fromisoformat(written[1])
        except ValueError:
            raise ValueError(f"there is no day “{text}”") from None
        return _in_bounds(day)
    if not _DAY_NUMBER.fullmatch(text):
        raise ValueError(f"“{text[:20]}” is not a day like 2026-01-31" if text else "the day is missing")
    number = int(text.split(".")[0])
    if start is None:
        raise BadInput(
            Refusal(
                "no-start",
                f"The days of this file are numbers (“{text}”), and nothing says which day is 0.",
                "Give the date of day 0 as the start.",
                field="start",
            )
        )
    if number < 0:
        raise ValueError(f"day {number} is before the start")
    return _in_bounds(start + timedelta(days=number))


def _in_bounds(day: date) -> DoseDay:
    last = date(2199, 12, 31)
    if not FIRST_DAY <= day <= last:
        raise ValueError(f"{day} is out of range: a day lies between {FIRST_DAY} and {last}")
    return DoseDay(day)


@lru_cache(maxsize=50_000)
def _amount(text: str, decimal_comma: bool) -> Milligrams:
    if not text:
        raise ValueError("the dose is missing")
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"“{text[:20]}” is not an amount in mg")
    if text.startswith("-"):
        raise ValueError(f"{text} mg is below zero")
    try:
        return milligrams(text, zero=True)
    except BadAmount as reason:
        raise ValueError(str(reason).removesuffix(".")) from None


def _each_day_once(lines: Sequence[DoseLine], problems: list[Problem]) -> tuple[list[DoseLine], int]:
    """One line a client and day. Lines that contradict each other are all problems: nobody knows which is right."""
    said: dict[tuple[str, date], list[DoseLine]] = defaultdict(list)
    for line in lines:
        said[line.number, line.day].append(line)
    good = []
    for same in said.values():
        if len({line.mg for line in same}) == 1:
            good.append(same[0])
            continue
        for line in same:
            others = ", ".join(f"{plain(o.mg)} mg in line {o.line}" for o in same if o is not line)
            problems.append(
                Problem(line.line, f"client {line.number} on {line.day} has {plain(line.mg)} mg here and {others}")
            )
    contradicting = sum(len(same) for same in said.values() if len({line.mg for line in same}) > 1)
    return good, len(lines) - contradicting - len(good)


def _without_slipped_decimals(lines: Sequence[DoseLine], problems: list[Problem]) -> list[DoseLine]:
    """Leaves out what is ten times the client's own median dose or more: 700 for 70.0 is the commonest grave slip.

    A dose far below is let through: people are started and tapered on such doses.
    """
    doses: dict[str, list[Decimal]] = defaultdict(list)
    for line in lines:
        if line.mg:
            doses[line.number].append(line.mg)
    usual = {number: median_low(amounts) for number, amounts in doses.items()}
    good = []
    for line in lines:
        if line.mg and line.mg >= TEN_FOLD * usual[line.number]:
            problems.append(
                Problem(
                    line.line,
                    f"{plain(line.mg)} mg is ten times what client {line.number} usually has"
                    f" ({plain(usual[line.number])} mg) or more: a slipped decimal?",
                )
            )
        else:
            good.append(line)
    return good
