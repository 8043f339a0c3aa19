"""What a file of results says, whatever its format: line by line, before anybody knows whose it is. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from dispensary.monitoring.analytes import Analyte, analytes, by_loinc
from dispensary.refusals import BadInput, Refusal

LARGEST_FILE = 1_500_000
"""Bytes of a file."""
MOST_RESULTS = 5000
"""Of a file: more are sent in several."""


class Format(StrEnum):
    """How a file is written."""

    CSV = "csv"
    FHIR = "fhir"
    HL7 = "hl7"


class Said(StrEnum):
    """What the laboratory says of the state of a result."""

    FINAL = "final"
    CORRECTED = "corrected"
    WITHDRAWN = "withdrawn"
    """It was never right: another client's, an error."""
    NOT_FINAL = "not final"


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a laboratory means by its own name of a test: the test, and the unit where its files have none."""

    analyte: str
    unit: str = ""


class Mapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a laboratory writes its files: headers by what they mean, its names of tests, and how it writes a day."""

    columns: dict[str, str] = {}
    tests: dict[str, Named] = {}
    day: str = "iso"


@dataclass(frozen=True)
class Sent:
    """One value that a file has, as it stands there. `fault` says why it cannot be meant at all."""

    line: int
    numbers: tuple[str, ...] = ()
    """What may be the client's number, the surest first."""
    test: str = ""
    loinc: str = ""
    value: str = ""
    unit: str = ""
    lower: str = ""
    upper: str = ""
    on: date | None = None
    given: str = ""
    """The laboratory's own name of this very result."""
    panel: str = ""
    """What was measured at once has one."""
    said: Said = Said.FINAL
    laboratory: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Incoming:
    """All that a file says."""

    format: Format
    results: tuple[Sent, ...] = field(default=())


def unreadable(sentence: str, remedy: str = "Ask the laboratory for the file again.") -> BadInput:
    """The refusal of a file as a whole."""
    return BadInput(Refusal("file-unreadable", sentence, remedy, field="file"))


def bounded(content: bytes) -> bytes:
    """The content, when it is not too large and not empty. Raises BadInput."""
    if len(content) > LARGEST_FILE:
        raise unreadable(f"The file has more than {LARGEST_FILE // 1000} kB.", "Send it in several parts.")
    if not content.strip():
        raise unreadable("The file is empty.", "Choose another.")
    return content


def counted(results: list[Sent]) -> tuple[Sent, ...]:
    """The results, when they are some and not too many. Raises BadInput."""
    if not results:
        raise unreadable("There is no result in this file.", "Look whether it is the right one.")
    if len(results) > MOST_RESULTS:
        raise unreadable(f"The file has more than {MOST_RESULTS} results.", "Send it in several parts.")
    return tuple(_printable(each) for each in results)


LONGEST_TEXT = 120


def _printable(sent: Sent) -> Sent:
    """The same without signs that nobody can see, and without texts that are longer than any that is meant."""
    texts = ("test", "loinc", "value", "unit", "lower", "upper", "given", "panel", "laboratory", "fault")
    shown: dict[str, Any] = {name: _shown(getattr(sent, name)) for name in texts}
    return replace(sent, numbers=tuple(_shown(each) for each in sent.numbers[:20]), **shown)


def _shown(text: str) -> str:
    return "".join(sign for sign in text if sign.isprintable())[: LONGEST_TEXT * 2]


def plain_test(name: str) -> str:
    """A laboratory's name of a test, without differences of case and blanks."""
    return " ".join(name.split()).casefold()


def meant_by(sent: Sent, mapping: Mapping[str, Named]) -> tuple[Analyte | None, str]:
    """The test that is meant, if any is known, and the unit of the value."""
    own = mapping.get(plain_test(sent.test)) or mapping.get(plain_test(sent.loinc))
    if own is not None:
        return analytes().get(own.analyte), sent.unit or own.unit
    found = by_loinc(sent.loinc) if sent.loinc else None
    if found is None:
        word = plain_test(sent.test)
        found = by_loinc(sent.test.strip()) or next(
            (each for each in analytes().values() if word in (each.code, plain_test(each.name))), None
        )
    return found, sent.unit


_NUMBER = r"\d{1,9}(?:[.,]\d{1,6})?"
_FROM_TO = re.compile(rf"({_NUMBER})\s*(?:-|–|to)\s*({_NUMBER})", re.ASCII)
_UP_TO = re.compile(rf"(?:<=?|≤|up to)\s*({_NUMBER})", re.ASCII | re.IGNORECASE)
_FROM = re.compile(rf"(?:>=?|≥)\s*({_NUMBER})", re.ASCII)


def limits_of(text: str) -> tuple[str, str]:
    """The lower and the upper limit of a range such as `10-40`, `<41` or `> 3.5`; nothing of what is not one."""
    text = text.strip()
    if found := _FROM_TO.fullmatch(text):
        return found[1], found[2]
    if found := _UP_TO.fullmatch(text):
        return "", found[1]
    if found := _FROM.fullmatch(text):
        return found[1], ""
    return "", ""


def written(number: Decimal) -> str:
    """An exact number as text without an exponent where that is short."""
    return format(number, "f") if -12 < number.adjusted() < 16 else str(number)
