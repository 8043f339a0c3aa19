"""A take-home policy as data: what its document says, read strictly, so that a slip cannot become a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from math import inf

from dispensary.documents import BadDocument, Reader, Status, read_toml, shipped_documents

LONGEST_RECORD = 365
"""Days of a client's record that an assessment reads; no policy may count over more."""
MOST_PER_SUPPLY = 28
MOST_PER_WEEK = 7
_MOST_DAYS = 36_500


class SetBy(StrEnum):
    """Who set the limits. Only those of the law cannot be exceeded by a prescriber who states a reason."""

    LAW = "law"
    PROGRAMME = "programme"
    CLINIC = "clinic"


class Kind(StrEnum):
    """What follows when a criterion is not met: no level, a reason to be written, or nothing."""

    REQUIRED = "required"
    CONSIDERATION = "consideration"
    ADVICE = "advice"


class Measure(StrEnum):
    """A figure of a client's record of which a policy asks for at least so much.

    None of them rises when a day becomes a missed one; that is why an assessment cannot.
    """

    DAY_OF_TREATMENT = "day_of_treatment"
    """Day 1 is the day of the first dose of the episode."""
    ADHERENCE_PERCENT = "adherence_percent"
    """Covered days of every 100 covered or missed ones, within the policy's window."""
    COVERED_DAYS = "covered_days"
    """Covered days within the policy's window."""
    DOSE_STABLE_DAYS = "dose_stable_days"
    """Days for which the same daily dose has been ordered, the day of the assessment included."""


class Fact(StrEnum):
    """Something that the record says yes or no to, or that nobody has asked."""

    ATTENDANCE = "attendance"
    LOCKBOX = "lockbox"
    HOUSING_STABLE = "housing_stable"
    EMPLOYED = "employed"
    HEALTH_STABLE = "health_stable"
    NO_OPEN_ALERTS = "no_open_alerts"


_WINDOWED = (Measure.ADHERENCE_PERCENT, Measure.COVERED_DAYS)
Needs = Mapping[Measure, Decimal]


@dataclass(frozen=True)
class Level:
    """How much may be carried by whoever has at least what it needs."""

    name: str
    needs: Needs
    per_supply: int
    """Dose days handed over at once."""
    per_week: int | None
    """Dose days from Monday to Sunday; nothing where the policy has no weekly limit."""
    source: str


@dataclass(frozen=True)
class Criterion:
    """Something that a policy asks of a client beside the level."""

    name: str
    kind: Kind
    text: str
    source: str
    reads: tuple[Fact, ...] = ()
    needs: Needs = field(default_factory=dict)
    judged: bool = False
    """Whether a practitioner must answer it; what the record says is then evidence for the answer."""


@dataclass(frozen=True)
class Policy:
    """One version of a programme's take-home rules. Levels rise: each allows at least what the one before allows."""

    policy: str
    version: str
    jurisdiction: str
    title: str
    source: str
    source_date: str
    effective_from: date | None
    effective_to: date | None
    """The first day on which it was not in force any more."""
    status: Status
    confidence: str
    limits_set_by: SetBy
    closed_days_apart: bool
    """Whether bottles for days on which the site is closed are not counted."""
    window_days: int
    """Days before the assessment over which coverage is counted."""
    levels: tuple[Level, ...]
    criteria: tuple[Criterion, ...]
    note: str

    def in_force(self, day: date) -> bool:
        return (self.effective_from or date.min) <= day < (self.effective_to or date.max)

    def all_needs(self) -> list[Needs]:
        """What its levels and criteria ask of the record."""
        return [level.needs for level in self.levels] + [criterion.needs for criterion in self.criteria]


@lru_cache(maxsize=64)
def parse(document: str) -> Policy:
    """The policy that a TOML document describes. Raises BadDocument, which names every problem, not only the first."""
    reader = read_toml(document, "the policy")
    policy = Policy(
        policy=reader.text("policy"),
        version=reader.text("version"),
        jurisdiction=reader.text("jurisdiction"),
        title=reader.text("title"),
        source=reader.text("source"),
        source_date=reader.text("source_date"),
        effective_from=reader.day("effective_from"),
        effective_to=reader.day("effective_to"),
        status=reader.one_of("status", Status, Status.DRAFT),
        confidence=reader.text("confidence"),
        limits_set_by=reader.one_of("limits_set_by", SetBy, SetBy.CLINIC),
        closed_days_apart=reader.yes_or_no("closed_days_apart", required=True),
        window_days=reader.whole("window_days", 1, LONGEST_RECORD) or LONGEST_RECORD,
        levels=tuple(_level(part) for part in reader.parts("levels", "level")),
        criteria=tuple(_criterion(part) for part in reader.parts("criteria", "criterion")),
        note=reader.text("note", required=False),
    )
    problems = [*reader.all_problems(), *_contradictions(policy, counts_over=reader.has("window_days"))]
    if problems:
        raise BadDocument(problems)
    return policy


def shipped_policies() -> list[str]:
    """The documents of the policies that come with the program, word for word, by file name."""
    return shipped_documents("dispensary.takehome", "policies")


def _level(reader: Reader) -> Level:
    per_week = reader.whole("per_week", 0, MOST_PER_WEEK)
    per_supply = reader.whole("per_supply", 0, MOST_PER_SUPPLY)
    if per_supply is None and per_week is None:
        reader.problem("has neither per_supply nor per_week")
    return Level(
        name=reader.text("name"),
        needs=_needs(reader),
        # A policy that counts by the week alone does not mean that two weeks' bottles leave at once.
        per_supply=per_supply if per_supply is not None else per_week or 0,
        per_week=per_week,
        source=reader.text("source", required=False),
    )


def _criterion(reader: Reader) -> Criterion:
    criterion = Criterion(
        name=reader.text("name"),
        kind=reader.one_of("kind", Kind, Kind.ADVICE),
        text=reader.text("text"),
        source=reader.text("source"),
        reads=_facts(reader),
        needs=_needs(reader),
        judged=reader.yes_or_no("judged"),
    )
    if not (criterion.reads or criterion.needs or criterion.judged):
        reader.problem("reads nothing, needs nothing and is judged by nobody")
    return criterion


def _contradictions(policy: Policy, *, counts_over: bool) -> Iterator[str]:
    if not policy.levels:
        yield "A policy has at least one level."
    for part, names in (
        ("level", [level.name for level in policy.levels]),
        ("criterion", [criterion.name for criterion in policy.criteria]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"Two parts of the kind {part} are called “{name}”."
    for lower, higher in zip(policy.levels, policy.levels[1:], strict=False):
        more = higher.per_supply >= lower.per_supply and _weekly(higher) >= _weekly(lower)
        if not more:
            yield f"Level “{higher.name}” allows less than “{lower.name}” before it."
    if policy.effective_from and policy.effective_to and policy.effective_to <= policy.effective_from:
        yield "The policy ends before it begins."
    if policy.status is Status.DRAFT:
        return
    for level in policy.levels:
        if not level.needs:
            yield f"Level “{level.name}” has no cut point (needs); only a draft may lack it."
        if not level.source:
            yield f"Level “{level.name}” names no source."
    if not counts_over and any(measure in needs for needs in policy.all_needs() for measure in _WINDOWED):
        yield "The policy counts covered days but does not say over how many (window_days)."


def _weekly(level: Level) -> float:
    return inf if level.per_week is None else level.per_week


def _is_number(value: object, *, whole: bool) -> bool:
    return type(value) is int or (not whole and isinstance(value, Decimal) and value.is_finite())


def _most(measure: str) -> int:
    if measure == Measure.ADHERENCE_PERCENT:
        return 100
    return LONGEST_RECORD if measure == Measure.COVERED_DAYS else _MOST_DAYS


def _facts(reader: Reader) -> tuple[Fact, ...]:
    value = reader.take("reads")
    if value is None:
        return ()
    if not isinstance(value, list) or any(name not in list(Fact) for name in value):
        reader.problem(f"reads something unknown; it may read {', '.join(Fact)}")
        return ()
    return tuple(Fact(name) for name in value)


def _needs(reader: Reader) -> Needs:
    value = reader.take("needs")
    if value is None:
        return {}
    if not isinstance(value, dict):
        reader.problem("needs a table for needs, such as { day_of_treatment = 15 }")
        return {}
    needs = {}
    for name, least in value.items():
        if name not in list(Measure):
            reader.problem(f"needs “{name}”, which is not measured; it may need {', '.join(Measure)}")
        elif not _is_number(least, whole=name != Measure.ADHERENCE_PERCENT) or not 0 <= least <= _most(name):
            reader.problem(f"needs a number from 0 to {_most(name)} for {name}, whole unless it is per cent")
        else:
            needs[Measure(name)] = Decimal(least)
    return needs
