"""What a measure is: its definition in words, what may be asked of it, and the query that answers. Pure.

A measure is one file in `measures/`, which is found by itself. Its query gives one row for each thing that is counted
(`indicator`, `client_id`, `numerator`, `denominator`), and everybody adds up those rows in the same way: over all, or
split by strata, with small cells hidden.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from dispensary.refusals import Refusal

Value = int | Decimal | str


@dataclass(frozen=True)
class Whole:
    """A parameter that is a whole number within bounds."""

    key: str
    meaning: str
    default: int
    least: int
    most: int

    @property
    def bounds(self) -> str:
        return f"{self.least} to {self.most}"

    def read(self, typed: str) -> Value | Refusal:
        """The value that was typed, or what is wrong with it."""
        written = typed.strip()
        if not re.fullmatch(r"-?[0-9]{1,9}", written) or not self.least <= int(written) <= self.most:
            return _fault(self, typed)
        return int(written)


@dataclass(frozen=True)
class Amount:
    """A parameter that is an exact number within bounds."""

    key: str
    meaning: str
    default: Decimal
    least: Decimal
    most: Decimal

    @property
    def bounds(self) -> str:
        return f"{self.least} to {self.most}"

    def read(self, typed: str) -> Value | Refusal:
        """The value that was typed, or what is wrong with it."""
        try:
            value = Decimal(typed.strip()) if len(typed) <= 20 else None
        except InvalidOperation:
            value = None
        if value is None or not value.is_finite() or not self.least <= value <= self.most:
            return _fault(self, typed)
        return value


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of a few words, each with what it means."""

    key: str
    meaning: str
    default: str
    choices: Mapping[str, str]

    @property
    def bounds(self) -> str:
        return "; ".join(f"{word}: {says}" for word, says in self.choices.items())

    def read(self, typed: str) -> Value | Refusal:
        """The value that was typed, or what is wrong with it."""
        written = typed.strip().lower()
        return written if written in self.choices else _fault(self, typed)


Parameter = Whole | Amount | Choice


def _fault(parameter: Parameter, typed: str) -> Refusal:
    of = ", ".join(parameter.choices) if isinstance(parameter, Choice) else parameter.bounds
    return Refusal(
        "parameter",
        f"{parameter.key} cannot be “{typed[:20]}”.",
        f"{parameter.meaning} It is {of}.",
        {"parameter": parameter.key},
        field=parameter.key,
    )


class Figure(StrEnum):
    """What is made of the rows of an indicator."""

    COUNT = "count"
    """The value is the sum of the numerators; there is no denominator."""
    SHARE = "share"
    """The value is the sum of the numerators over the sum of the denominators."""
    MEDIAN = "median"
    """The least value of a row that at least half of the rows do not exceed; the denominator is the number of rows."""
    P95 = "p95"
    """The same of 95 in 100 rows."""
    RETENTION = "retention"
    """Kaplan-Meier over stays, with their times as numerators and whether they ended in an event as denominators."""


@dataclass(frozen=True)
class Indicator:
    """One figure of a measure."""

    key: str
    says: str
    """What the numerator counts, and of what."""
    figure: Figure = Figure.SHARE
    unit: str = ""
    """Of the value, where it is neither a number of people nor a share."""
    people: bool = True
    """Each client counts once, with a numerator of 0 or 1: so that who is not counted is a group of people too."""
    of: str = ""
    """The indicator whose numerator is this one's denominator, where there is one."""
    per: str = ""
    """The parameter that the sum is divided by, where it is."""
    at: int = 0
    """Of retention: after how many months."""
    rows: str = ""
    """Under which name the query gives its rows, where that is not its key."""

    @property
    def source(self) -> str:
        return self.rows or self.key


@dataclass(frozen=True)
class Exclusion:
    """Who or what is left out; the query gives a row for each, under this name."""

    key: str
    says: str


@dataclass(frozen=True)
class OwnStratum:
    """A column of the measure's own query by which it can be split."""

    key: str
    says: str


@dataclass(frozen=True)
class Relation:
    """Indicators whose numerators add up to the same: what one may compute from the others."""

    left: tuple[str, ...]
    right: tuple[str, ...]


@dataclass(frozen=True)
class Measure:
    """A measure with all that somebody needs to know to trust and repeat it."""

    key: str
    title: str
    version: str
    source: str
    """Whose definition it is."""
    says: str
    numerator: str
    denominator: str
    indicators: tuple[Indicator, ...]
    query: str
    """SQL that gives indicator, client_id, numerator, denominator, and the measure's own strata.

    It may use the tables `site_day` (site_id, today, on_day) and `person` (client_id, site_id, today, on_day), which
    has everybody who was on record, and binds :as_of, :from_day, :until_day and each parameter.
    """
    parameters: tuple[Parameter, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    strata: tuple[str, ...] = ()
    """The common strata that it can be split by (see `strata.py`)."""
    own_strata: tuple[OwnStratum, ...] = ()
    relations: tuple[Relation, ...] = ()
    prepared: Callable[[Any, Any], Mapping[str, object]] | None = None
    """What the query binds beside the parameters, where it rests on more than SQL: made from session and question."""
    nameless: bool = False
    """Its rows are of answers that belong to nobody: `client_id` is the answer's own id, and `site_id` says where."""

    def definition(self) -> dict[str, object]:
        """The definition in words, as the manifest has it."""
        return {
            "name": self.key,
            "title": self.title,
            "version": self.version,
            "source": self.source,
            "says": self.says,
            "numerator": self.numerator,
            "denominator": self.denominator,
            "indicators": {each.key: each.says for each in self.indicators},
            "parameters": {each.key: f"{each.meaning} ({each.bounds}; {each.default})" for each in self.parameters},
        }
