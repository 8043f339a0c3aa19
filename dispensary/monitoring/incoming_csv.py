"""Results out of a CSV table with a header line, one value a line. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO

from dispensary.monitoring.incoming import (
    MOST_RESULTS,
    Format,
    Incoming,
    Mapped,
    Sent,
    bounded,
    counted,
    limits_of,
    unreadable,
)
from dispensary.refusals import BadInput, Refusal

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "client": ("client", "clientnumber", "clientno", "clientid", "patientid", "number", "id"),
    "test": ("test", "analyte", "testname", "parameter", "loinc", "code"),
    "value": ("value", "result"),
    "unit": ("unit", "units"),
    "day": ("day", "date", "takenon", "collected", "collectiondate", "sampledate"),
    "lower": ("lower", "low", "lowerlimit"),
    "upper": ("upper", "high", "upperlimit", "uln"),
    "range": ("range", "referencerange", "reference", "normalrange"),
    "laboratory": ("laboratory", "lab"),
    "given": ("resultid", "labnumber", "accession", "specimen"),
}
"""What is read, and the headers by which it is guessed, compared without case, spaces and signs."""
NEEDED = ("client", "test", "value", "day")
DAYS: Mapping[str, str] = {"iso": "2026-01-31", "dmy": "31/01/2026", "mdy": "01/31/2026"}
"""How a laboratory may write a day, each with an example. It is chosen, never guessed."""
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ].{0,20})?", re.ASCII)
_PARTS = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-](\d{4})(?: .{0,20})?", re.ASCII)


def read_csv(content: bytes, mapped: Mapped = Mapped()) -> Incoming:
    """Every line of the table. Raises BadInput when it is none, or a column that is needed is not there."""
    text = _text(bounded(content))
    header, _, _ = text.partition("\n")
    parted_by = max(",;\t", key=header.count)
    results: list[Sent] = []
    columns: dict[str, int] = {}
    try:
        reader = csv.reader(StringIO(text, newline=""), delimiter=parted_by, strict=True)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if not columns:
                columns = _columns(row, mapped.columns)
                continue
            results.append(_sent(reader.line_num, row, columns, mapped.day))
            if len(results) > MOST_RESULTS:
                break
    except csv.Error as reason:
        raise unreadable(f"This is not a CSV table: {reason}.", "Save it again as CSV.") from None
    return Incoming(Format.CSV, counted(results))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeError:
        raise unreadable("The file is not text in UTF-8.", "Save it as “CSV UTF-8”.") from None


def _folded(header: str) -> str:
    return "".join(sign for sign in header.casefold() if sign.isalnum())


def _columns(headers: Sequence[str], named: Mapping[str, str]) -> dict[str, int]:
    folded = [_folded(header) for header in headers]
    found: dict[str, int] = {}
    faults = []
    for what, guesses in COLUMNS.items():
        names = (_folded(named[what]),) if named.get(what) else guesses
        at = next((folded.index(name) for name in names if name and name in folded), None)
        if at is not None and at not in found.values():
            found[what] = at
        elif what in NEEDED or named.get(what):
            there = ", ".join(header.strip() for header in headers if header.strip())[:300]
            asked = f"“{named[what]}”" if named.get(what) else f"for {what}"
            faults.append(
                Refusal("no-column", f"There is no column {asked}.", f"Columns here: {there}.", field=f"column_{what}")
            )
    if faults:
        raise BadInput(*faults)
    return found


def _sent(line: int, row: Sequence[str], columns: Mapping[str, int], written: str) -> Sent:
    def cell(what: str) -> str:
        at = columns.get(what)
        return row[at].strip() if at is not None and at < len(row) else ""

    on, fault = day_of(cell("day"), written)
    if len(row) > max(columns.values()) + 40:
        fault = "The line has more fields than the header."
    lower, upper = limits_of(cell("range"))
    return Sent(
        line=line,
        numbers=(cell("client"),) if cell("client") else (),
        test=cell("test"),
        value=cell("value"),
        unit=cell("unit"),
        lower=cell("lower") or lower,
        upper=cell("upper") or upper,
        on=on,
        given=cell("given"),
        panel=f"{cell('client')} {on} {cell('given')}",
        laboratory=cell("laboratory"),
        fault=fault,
    )


def day_of(text: str, written: str) -> tuple[date | None, str]:
    """The day that a text means as it is written here, or why it means none."""
    found = (_ISO if written == "iso" else _PARTS).fullmatch(text)
    if found is None:
        return None, f"“{text[:20]}” is not a day like {DAYS[written]}." if text else "The day is missing."
    first, second, third = (int(part) for part in found.groups())
    year, month, day = {"iso": (first, second, third), "dmy": (third, second, first)}.get(
        written, (third, first, second)
    )
    try:
        return date(year, month, day), ""
    except ValueError:
        return None, f"There is no day “{text[:20]}”."
