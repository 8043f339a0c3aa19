"""A directory of places as a file has it, line by line. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from dispensary.refusals import Refusal

COLUMNS: Final = ("code", "name", "services", "address", "phone")
NEEDED: Final = COLUMNS[:3]
LONGEST: Final = {"code": 24, "name": 120, "address": 200, "phone": 40}
MOST_LINES: Final = 2_000
LARGEST_FILE: Final = 1_000_000


@dataclass(frozen=True)
class Place:
    """A place as it was typed or read."""

    code: str
    name: str
    services: tuple[str, ...]
    address: str = ""
    phone: str = ""

    def faults(self, known: Collection[str]) -> list[Refusal]:
        """What is wrong with it, field by field; `known` are the services that there are."""
        faults = []
        for field in ("code", "name"):
            if not getattr(self, field):
                faults.append(Refusal(f"{field}-missing", "This is missing.", "Fill it in.", field=field))
        for field, most in LONGEST.items():
            if len(getattr(self, field)) > most:
                faults.append(Refusal("too-long", f"This is longer than {most} letters.", "Shorten it.", field=field))
        strange = [each for each in self.services if each not in known]
        if strange or not self.services:
            said = f"“{strange[0][:40]}” is no service." if strange else "It offers nothing."
            remedy = f"There are {', '.join(known)}."
            faults.append(Refusal("centre-service", said, remedy, field="services"))
        return faults


def read_places(content: bytes, known: Collection[str]) -> tuple[list[Place], list[Refusal]]:
    """The places of a CSV file in UTF-8 with the columns of COLUMNS, services parted by blanks, commas or semicolons.

    All of it or nothing: the faults name their line.
    """
    if len(content) > LARGEST_FILE:
        return [], [Refusal("file-large", "The file is larger than 1 MB.", "Send a smaller one.", field="file")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [Refusal("file-text", "The file is not in UTF-8.", "Save it as “CSV UTF-8”.", field="file")]
    reader = csv.DictReader(io.StringIO(text), delimiter=_delimiter(text))
    headers = [each.strip().lower() for each in reader.fieldnames or ()]
    if missing := [each for each in NEEDED if each not in headers]:
        said = f"The first line has no column “{missing[0]}”."
        return [], [Refusal("file-columns", said, f"It needs {', '.join(COLUMNS)}.", field="file")]
    reader.fieldnames = headers
    places: list[Place] = []
    faults: list[Refusal] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(reader, start=2):
        if number > MOST_LINES + 1:
            faults.append(Refusal("file-long", f"There are more than {MOST_LINES} lines.", field="file"))
            break
        place = _place(row)
        own = place.faults(known)
        if place.code.casefold() in seen:
            own.append(Refusal("code-twice", f"“{place.code}” stands on line {seen[place.code.casefold()]} too."))
        seen.setdefault(place.code.casefold(), number)
        faults += [
            Refusal(each.code, f"Line {number}, {each.field or 'code'}: {each.sentence}", each.remedy, field="file")
            for each in own
        ]
        places.append(place)
    if not places and not faults:
        faults.append(Refusal("file-empty", "There is no line below the first.", "Add the places.", field="file"))
    return ([], faults) if faults else (places, [])


def _delimiter(text: str) -> str:
    first = text.split("\n", 1)[0]
    return ";" if first.count(";") > first.count(",") else ","


def _place(row: dict[str, str | None]) -> Place:
    def cell(name: str) -> str:
        return " ".join((row.get(name) or "").split())

    parted: Sequence[str] = cell("services").replace(",", " ").replace(";", " ").lower().split()
    return Place(cell("code"), cell("name"), tuple(dict.fromkeys(parted)), cell("address"), cell("phone"))
