"""What can be measured, in which units, and how a value that somebody typed or a laboratory sent is read. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import msgspec

from dispensary.monitoring.sources import document


class Comparator(StrEnum):
    """Which side of the written number the value lies on, where a laboratory can say no more."""

    EXACT = ""
    BELOW = "<"
    ABOVE = ">"


class BadValue(ValueError):
    """A value that is not one of this test: no number, out of bounds, another unit, no such choice."""


class Analyte(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test. It has either a unit or choices."""

    code: str
    name: str
    unit: str = ""
    """The unit that is kept."""
    units: dict[str, Decimal] = {}
    """What a value in another unit is multiplied by."""
    logs: tuple[str, ...] = ()
    """Units in which the decimal logarithm of the kept value is written."""
    possible: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    plausible: tuple[Decimal, Decimal] = (Decimal(0), Decimal(0))
    places: int = 0
    choices: tuple[str, ...] = ()
    loinc: tuple[str, ...] = ()
    loinc_log: tuple[str, ...] = ()
    group: str

    def is_plausible(self, value: Decimal) -> bool:
        """Whether a number, in the kept unit, is taken without a second look."""
        low, high = self.plausible
        return low <= value <= high

    def all_units(self) -> tuple[str, ...]:
        return (self.unit, *self.units, *self.logs)


class _Analytes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    analyte: tuple[Analyte, ...]


@lru_cache(maxsize=1)
def analytes() -> Mapping[str, Analyte]:
    """Every test by its code."""
    found = msgspec.convert(document("analytes"), _Analytes).analyte
    return MappingProxyType({each.code: each for each in found})


@lru_cache(maxsize=1)
def _by_loinc() -> Mapping[str, Analyte]:
    return {code: each for each in analytes().values() for code in (*each.loinc, *each.loinc_log)}


def by_loinc(code: str) -> Analyte | None:
    """The test that a LOINC code names; nothing for a code that is not known for sure."""
    return _by_loinc().get(code)


@dataclass(frozen=True)
class Value:
    """A value as it is kept: a number in the test's unit, with what the laboratory wrote before it, or a choice."""

    number: Decimal | None = None
    comparator: Comparator = Comparator.EXACT
    choice: str = ""


def read_value(analyte: Analyte, typed: str, unit: str = "") -> Value:
    """A value as typed or sent, in the unit that is kept. An empty unit means that one.

    `<40` and `>100` are read, and a comma as the decimal sign or between groups of three digits; what can be read in
    two ways is refused, as is `<=40`, which cannot be kept. Raises BadValue.
    """
    if any(unicodedata.decomposition(sign).startswith(("<super>", "<sub>", "<fraction>")) for sign in typed):
        raise BadValue(f"{analyte.name}: “{typed[:20]}” has raised digits. Write the number in full.")
    text = " ".join(unicodedata.normalize("NFKC", typed).split())
    if analyte.choices:
        return Value(choice=_choice(analyte, text))
    comparator = next((each for each in (Comparator.BELOW, Comparator.ABOVE) if text.startswith(each.value)), None)
    digits = text.removeprefix(comparator.value if comparator else "").strip()
    number = _number(analyte, digits)
    kept = in_kept_unit(analyte, number, unit)
    low, high = analyte.possible
    if not low <= kept <= high:
        raise BadValue(f"{analyte.name}: {typed} lies outside of {low} to {high} {analyte.unit}.")
    return Value(number=kept, comparator=comparator or Comparator.EXACT)


def _choice(analyte: Analyte, text: str) -> str:
    word = text.casefold()
    same = {"pos": "positive", "neg": "negative", "reactive": "positive", "non-reactive": "negative"}
    word = {**same, "detected": "positive", "not detected": "negative", "+": "positive", "-": "negative"}.get(
        word, word
    )
    if word not in analyte.choices:
        raise BadValue(f"{analyte.name}: “{text}” is none of {', '.join(analyte.choices)}.")
    return word


_PLAIN = re.compile(r"[+-]?\d{1,16}(?:\.\d{1,16})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"-?\d{1,16},\d{1,16}", re.ASCII)
_IN_THREES = re.compile(r"[1-9]\d{0,2}(?:(?:,\d{3})+|(?: \d{3})+)(?:\.\d{1,16})?", re.ASCII)


def _number(analyte: Analyte, digits: str) -> Decimal:
    """A number as people write it, where it can be read in one way only. Raises BadValue."""
    written = digits
    if _IN_THREES.fullmatch(written):
        if analyte.places and _DECIMAL_COMMA.fullmatch(written):  # one comma, and decimals are usual
            raise BadValue(f"{analyte.name}: “{digits}” can be read in two ways. Write it without the comma.")
        written = written.replace(",", "").replace(" ", "")
    elif _DECIMAL_COMMA.fullmatch(written):
        written = written.replace(",", ".")
    number = Decimal(written) if _PLAIN.fullmatch(written) else None
    if number is None or number.adjusted() > 12:
        raise BadValue(f"{analyte.name}: “{digits[:20]}” is no number. Write digits, for example 34 or 2.5.")
    return number


_HIGHEST_LOGARITHM = 12


def in_kept_unit(analyte: Analyte, number: Decimal, unit: str) -> Decimal:
    """A number in another unit of the test, in the one that is kept, exact but for logarithms. Raises BadValue."""
    named = _same_unit(unit)
    if not named or named == _same_unit(analyte.unit):
        return number
    for other, factor in analyte.units.items():
        if _same_unit(other) == named:
            return number * factor
    if any(_same_unit(each) == named for each in analyte.logs):
        if not 0 <= number <= _HIGHEST_LOGARITHM:
            raise BadValue(f"{analyte.name}: {number} is no logarithm of it: it lies from 0 to {_HIGHEST_LOGARITHM}.")
        with localcontext() as exact:
            exact.prec = 40
            return (Decimal(10) ** number).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    known = ", ".join(each for each in analyte.all_units() if each)
    raise BadValue(f"{analyte.name}: the unit “{unit}” is not known. Known are {known}.")


def _same_unit(unit: str) -> str:
    """A unit without differences of case, blanks and the two signs for micro."""
    return unicodedata.normalize("NFKC", unit).casefold().replace(" ", "").replace("μ", "u").replace("µ", "u")
