"""A take-home policy as data: what its document says, read strictly, so that a slip cannot become a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from math import inf

from dispensary.documents import BadDocument, Reader, Status, shipped_documents, toml_table
from dispensary.takehome.measures import (
    AT_LEAST,
    AT_MOST,
    LONGEST_RECORD,
    WINDOWED,
    Concern,
    Fact,
    Measure,
    bounds,
    fits,
)
from dispensary.takehome.parameters import Parameter, take_parameters

MOST_PER_SUPPLY = 28
MOST_PER_WEEK = 7


class SetBy(StrEnum):
    """Who set the limits. Only those of the law cannot be exceeded by a prescriber who states a reason."""

    LAW = "law"
    PROGRAMME = "programme"
    CLINIC = "clinic"


class Kind(StrEnum):
    """What follows when a criterion is not met: no level, a reason to be written, or nothing."""

    REQUIRED = "required"
    EXCLUSION = "exclusion"
    """No level either. Its text says what rules somebody out, and a practitioner's “yes” says that it does."""
    CONSIDERATION = "consideration"
    ADVICE = "advice"

    @property
    def bars(self) -> bool:
        """Whether nothing is handed over on the policy's word while the criterion is not met."""
        return self in (Kind.REQUIRED, Kind.EXCLUSION)


Needs = Mapping[Measure, Decimal]


@dataclass(frozen=True)
class Level:
    """How much may be carried by whoever has at least what it needs and at most what it bears."""

    name: str
    needs: Needs
    at_most: Needs
    requires: tuple[str, ...]
    """Criteria, by name, that must be met for this level and need not be for the others."""
    per_supply: int
    """Dose days handed over at once."""
    per_week: int | None
    """Dose days from Monday to Sunday; nothing where the policy has no weekly limit."""
    consecutive: int | None
    """Dose days in a row; nothing where the policy has no such limit."""
    source: str
    is_open: bool
    """Whether its figures are still to be set by whoever adopts the policy."""

    @property
    def cut_points(self) -> bool:
        """Whether it asks anything of the record or of a practitioner."""
        return bool(self.needs or self.at_most or self.requires)


@dataclass(frozen=True)
class Criterion:
    """Something that a policy asks of a client beside the level."""

    name: str
    kind: Kind
    text: str
    source: str
    reads: tuple[Fact, ...] = ()
    needs: Needs = field(default_factory=dict)
    at_most: Needs = field(default_factory=dict)
    judged: bool = False
    """Whether a practitioner must answer it; what the record says is then evidence for the answer."""
    about: Concern | None = None
    is_open: bool = False
    """Whether its kind is still to be set by whoever adopts the policy."""


@dataclass(frozen=True)
class Law:
    """What the law sets as the most, beside a programme's levels, whatever the reason. Nothing means no limit."""

    per_supply: int
    per_week: int | None
    consecutive: int | None
    source: str


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
    closed_days_in_a_row: int | None
    """How many closed days in a row are kept apart; nothing means all of them."""
    window_days: int
    """Days before the assessment over which coverage is counted."""
    levels: tuple[Level, ...]
    criteria: tuple[Criterion, ...]
    law: Law | None
    parameters: tuple[Parameter, ...]
    values_set_by: str
    """Who answers for the values of its parameters; empty where it has none."""
    note: str

    def in_force(self, day: date) -> bool:
        return (self.effective_from or date.min) <= day < (self.effective_to or date.max)

    def all_needs(self) -> list[Needs]:
        """What its levels and criteria ask of the record, at least and at most."""
        parts: list[Level | Criterion] = [*self.levels, *self.criteria]
        return [part.needs for part in parts] + [part.at_most for part in parts]

    @cached_property
    def deciding(self) -> frozenset[str]:
        """The criteria, by name, that decide on a level: what bars every level, and what one of them requires."""
        barring = {criterion.name for criterion in self.criteria if criterion.kind.bars}
        return frozenset(barring.union(*(level.requires for level in self.levels)))

    @cached_property
    def looks_ahead(self) -> int:
        """So many days after today, nothing that it counts gets any better: its window and the longest time it asks."""
        times = [
            int(figure) * (31 if measure is Measure.MONTHS_OF_TREATMENT else 1)
            for needs in self.all_needs()
            for measure, figure in needs.items()
            if measure is not Measure.DISTANCE_KM
        ]
        return self.window_days + max(times, default=0) + 1

    @cached_property
    def asked(self) -> frozenset[Measure]:
        """The figures that it asks for."""
        return frozenset(measure for needs in self.all_needs() for measure in needs)


@lru_cache(maxsize=64)
def parse(document: str) -> Policy:
    """The policy that a TOML document describes. Raises BadDocument, which names every problem, not only the first."""
    table, parameters, problems = take_parameters(toml_table(document))
    reader = Reader(table, "the policy")
    law = reader.part("law")
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
        closed_days_in_a_row=reader.whole("closed_days_in_a_row", 1, MOST_PER_SUPPLY),
        window_days=reader.whole("window_days", 1, LONGEST_RECORD) or LONGEST_RECORD,
        levels=tuple(_level(part, is_open=_is_open(parameters)) for part in reader.parts("levels", "level")),
        criteria=tuple(
            _criterion(part, is_open=_is_open(parameters)) for part in reader.parts("criteria", "criterion")
        ),
        law=_law(law) if law else None,
        parameters=parameters,
        values_set_by=reader.text("values_set_by", required=False),
        note=reader.text("note", required=False),
    )
    problems += reader.all_problems()
    problems += _contradictions(policy)
    problems += _unfinished(policy, counts_over=reader.has("window_days"))
    if problems:
        raise BadDocument(problems)
    return policy


def shipped_policies() -> list[str]:
    """The documents of the policies that come with the program, word for word, by file name."""
    return shipped_documents("dispensary.takehome", "policies")


def _is_open(parameters: tuple[Parameter, ...]) -> bool:
    return any(parameter.value is None for parameter in parameters)


def _level(reader: Reader, *, is_open: bool) -> Level:
    per_week = reader.whole("per_week", 0, MOST_PER_WEEK)
    per_supply = reader.whole("per_supply", 0, MOST_PER_SUPPLY)
    observed = reader.whole("observed_per_week", 0, MOST_PER_WEEK)
    if observed is not None:
        left = MOST_PER_WEEK - observed
        if per_week is not None and per_week > left:
            reader.problem(f"allows {per_week} a week and asks for {observed} observed days of the same seven")
        per_week = left if per_week is None else per_week
    unset = per_supply is None and per_week is None
    if unset and not is_open:
        reader.problem("has neither per_supply nor per_week")
    return Level(
        name=reader.text("name"),
        needs=_figures(reader, "needs", AT_LEAST),
        at_most=_figures(reader, "at_most", AT_MOST),
        requires=reader.words("requires"),
        # A policy that counts by the week alone does not mean that two weeks' bottles leave at once.
        per_supply=per_supply if per_supply is not None else per_week or 0,
        per_week=per_week,
        consecutive=reader.whole("consecutive", 0, MOST_PER_SUPPLY),
        source=reader.text("source", required=False),
        is_open=unset,
    )


def _criterion(reader: Reader, *, is_open: bool) -> Criterion:
    criterion = Criterion(
        name=reader.text("name"),
        # Whose kind is still to be set is shown as the strictest; a draft judges nobody by it.
        kind=Kind.REQUIRED if is_open and not reader.has("kind") else reader.one_of("kind", Kind, Kind.ADVICE),
        text=reader.text("text"),
        source=reader.text("source"),
        reads=reader.several("reads", Fact),
        needs=_figures(reader, "needs", AT_LEAST),
        at_most=_figures(reader, "at_most", AT_MOST),
        judged=reader.yes_or_no("judged"),
        about=reader.one_of("about", Concern, Concern.DRUG_TESTS) if reader.has("about") else None,
        is_open=is_open and not reader.has("kind"),
    )
    if not (criterion.reads or criterion.needs or criterion.at_most or criterion.judged or is_open):
        reader.problem("reads nothing, needs nothing and is judged by nobody")
    if criterion.about is Concern.DRUG_TESTS and criterion.kind.bars:
        reader.problem("is about drug tests, which never refuse by themselves: it can be a consideration or advice")
    if criterion.kind is Kind.EXCLUSION and criterion.needs:
        reader.problem("rules somebody out and cannot need something; it can have at_most")
    return criterion


def _law(reader: Reader) -> Law:
    per_supply, per_week = reader.whole("per_supply", 0, MOST_PER_SUPPLY), reader.whole("per_week", 0, MOST_PER_WEEK)
    return Law(
        per_supply=MOST_PER_SUPPLY if per_supply is None else per_supply,
        per_week=per_week,
        consecutive=reader.whole("consecutive", 0, MOST_PER_SUPPLY),
        source=reader.text("source"),
    )


def _contradictions(policy: Policy) -> Iterator[str]:
    if not policy.levels:
        yield "A policy has at least one level."
    for part, names in (
        ("level", [level.name for level in policy.levels]),
        ("criterion", [criterion.name for criterion in policy.criteria]),
    ):
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"Two parts of the kind {part} are called “{name}”."
    for lower, higher in zip(policy.levels, policy.levels[1:], strict=False):
        if not (higher.is_open or _at_least(higher, lower)):
            yield f"Level “{higher.name}” allows less than “{lower.name}” before it."
    if policy.effective_from and policy.effective_to and policy.effective_to <= policy.effective_from:
        yield "The policy ends before it begins."
    if policy.closed_days_in_a_row and not policy.closed_days_apart:
        yield "The policy says how many closed days in a row are apart and that none are (closed_days_apart)."
    named = {criterion.name: criterion for criterion in policy.criteria}
    for level in policy.levels:
        for name in level.requires:
            if name not in named:
                yield f"Level “{level.name}” requires “{name}”, which is no criterion."
            elif named[name].about is Concern.DRUG_TESTS:
                yield f"Level “{level.name}” requires “{name}”; drug tests never refuse a level by themselves."
        yield from _above_the_law(level, policy.law)


def _above_the_law(level: Level, law: Law | None) -> Iterator[str]:
    if law is None:
        return
    within = (
        level.per_supply <= law.per_supply
        and (law.per_week is None or (level.per_week is not None and level.per_week <= law.per_week))
        and (law.consecutive is None or (level.consecutive is not None and level.consecutive <= law.consecutive))
    )
    if not within:
        yield f"Level “{level.name}” allows more than the law that the policy names."


def _at_least(higher: Level, lower: Level) -> bool:
    return (
        higher.per_supply >= lower.per_supply
        and _or_no_limit(higher.per_week) >= _or_no_limit(lower.per_week)
        and _or_no_limit(higher.consecutive) >= _or_no_limit(lower.consecutive)
    )


def _or_no_limit(figure: int | None) -> float:
    return inf if figure is None else figure


def _unfinished(policy: Policy, *, counts_over: bool) -> Iterator[str]:
    """What only a draft may lack."""
    if policy.status is Status.DRAFT:
        return
    for parameter in policy.parameters:
        if parameter.value is None:
            yield f"Parameter “{parameter.name}” has no value; only a draft may lack it."
    if policy.parameters and not policy.values_set_by:
        yield "The policy does not say who set the values of its parameters (values_set_by)."
    for level in policy.levels:
        if not level.cut_points:
            yield f"Level “{level.name}” has no cut point (needs); only a draft may lack it."
        if not level.source:
            yield f"Level “{level.name}” names no source."
    if not counts_over and any(measure in needs for needs in policy.all_needs() for measure in WINDOWED):
        yield "The policy counts covered days but does not say over how many (window_days)."


def _figures(reader: Reader, key: str, measures: tuple[Measure, ...]) -> Needs:
    value = reader.take(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        reader.problem(f"needs a table for {key}, such as {{ {measures[0]} = 15 }}")
        return {}
    needs = {}
    for name, figure in value.items():
        if name not in list(measures):
            reader.problem(f"{_VERB[key]} “{name}”, which is not measured; it may say {', '.join(measures)}")
        elif not fits(Measure(name), figure):
            most, _ = bounds(Measure(name))
            reader.problem(f"needs a number from 0 to {most} for {name}, whole unless it is per cent")
        else:
            needs[Measure(name)] = Decimal(str(figure))
    return needs


_VERB = {"needs": "needs", "at_most": "bears"}
