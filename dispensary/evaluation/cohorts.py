"""Stays taken together: curve, incidence of each cause, and a test between groups, of which small ones hide. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from uuid import UUID

from dispensary.evaluation.incidence_rules import IncidenceAtMark, Incidences, aalen_johansen
from dispensary.evaluation.log_rank_rules import Levels, LogRank, log_rank
from dispensary.evaluation.rules import AtMark, Curve, Observed, Role, Scale, Stay, at_marks, kaplan_meier
from dispensary.evaluation.small_cells import Cell, Count, hidden_cells

ANY_EVENT = "any_event"
"""All exits that count as events, as one cause."""
KINDS = ("first", "all")
"""Each client's first stay, and every stay."""

Seen = tuple[Stay, Observed]
Key = tuple[UUID, int]
"""A stay: whose, and which."""


@dataclass(frozen=True)
class Cohort:
    """The stays of one kind, how they ended, and what follows."""

    observed: tuple[Seen, ...]
    curve: Curve
    marks: tuple[AtMark, ...]
    endings: Mapping[str, int]
    """How many stays ended for each reason, and how many are going on."""
    scale: Scale
    months: tuple[int, ...]

    @property
    def clients(self) -> int:
        return len({stay.client_id for stay, _ in self.observed})

    @cached_property
    def incidence(self) -> Incidences:
        """The share that had left for each cause that is an event or competes with one, and for any event at all."""
        events = {seen.ending for _, seen in self.observed if seen.role is Role.EVENT}
        return aalen_johansen(
            ((seen.time, seen.cause) for _, seen in self.observed), together={ANY_EVENT: events} if events else None
        )

    @cached_property
    def incidence_marks(self) -> tuple[IncidenceAtMark, ...]:
        """The incidence of each cause at the months of the table."""
        return self.incidence.at_marks(self.scale, self.months)


@dataclass(frozen=True)
class Group:
    """The stays that have these values of the strata."""

    levels: Levels
    shown: bool
    """Hidden where it would speak of too few people, or give back another that does."""
    first: Cohort
    all: Cohort

    def cohort(self, kind: str) -> Cohort:
        return self.first if kind == "first" else self.all


@dataclass(frozen=True)
class Split:
    """Stays by the values of strata."""

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    log_rank: Mapping[str, LogRank | None]
    """Of the first stays and of all, between the groups that are shown; nothing where these are fewer than two."""

    @property
    def shown(self) -> Iterator[Group]:
        return (group for group in self.groups if group.shown)

    @property
    def hidden(self) -> tuple[Levels, ...]:
        return tuple(group.levels for group in self.groups if not group.shown)


def cohort(observed: Sequence[Seen], *, scale: Scale, months: tuple[int, ...]) -> Cohort:
    """What follows from these stays."""
    curve = kaplan_meier((seen.time, seen.event) for _, seen in observed)
    endings = Counter(seen.ending for _, seen in observed)
    marks = at_marks(curve, scale, months)
    return Cohort(tuple(observed), curve, marks, dict(sorted(endings.items())), scale, months)


def both(observed: Sequence[Seen], *, scale: Scale, months: tuple[int, ...]) -> tuple[Cohort, Cohort]:
    """First stays and all stays: one and the same where nobody came back."""
    every = cohort(observed, scale=scale, months=months)
    first = [pair for pair in observed if pair[0].number == 1]
    return (every if len(first) == len(observed) else cohort(first, scale=scale, months=months)), every


def split(
    observed: Sequence[Seen],
    levels: Mapping[Key, Levels],
    *,
    by: tuple[str, ...],
    scale: Scale,
    months: tuple[int, ...],
    least: int,
) -> Split:
    """The stays group by group. A group is shown when it and its complement speak of at least so many people."""
    members = defaultdict[Levels, list[Seen]](list)
    for stay, seen in observed:
        members[levels[stay.client_id, stay.number]].append((stay, seen))
    hidden = _hidden(members, least)
    groups = tuple(
        Group(of, of not in hidden, *both(members[of], scale=scale, months=months)) for of in sorted(members)
    )
    tested: dict[str, LogRank | None] = dict.fromkeys(KINDS, _tested(groups, "first"))
    if any(group.first is not group.all for group in groups):
        tested["all"] = _tested(groups, "all")
    return Split(by, groups, tested)


def _tested(groups: Sequence[Group], kind: str) -> LogRank | None:
    return log_rank(
        {
            group.levels: [(seen.time, seen.event) for _, seen in group.cohort(kind).observed]
            for group in groups
            if group.shown
        }
    )


def hidden_levels(found: Split, *, least: int) -> frozenset[tuple[str, str]]:
    """The values of each stratum that are hidden when it is looked at alone, as the stratum and the value."""
    hidden = set[tuple[str, str]]()
    for n, key in enumerate(found.by):
        members = defaultdict[Levels, list[Seen]](list)
        for group in found.groups:
            members[group.levels[n],].extend(group.all.observed)
        hidden |= {(key, level) for (level,) in _hidden(members, least)}
    return frozenset(hidden)


def _hidden(members: Mapping[Levels, Sequence[Seen]], least: int) -> set[Levels]:
    """A group is hidden with both kinds of its stays. Margins over some of the strata may be known from elsewhere.

    What is hidden for one kind of stays is not shown for the other either, so that both settle on the same groups.
    """
    hidden = set[Levels]()
    while True:
        before = len(hidden)
        for kind in KINDS:
            hidden |= _hidden_of(kind, members, hidden, least)
        if len(hidden) == before:
            return hidden


def _hidden_of(kind: str, members: Mapping[Levels, Sequence[Seen]], before: set[Levels], least: int) -> set[Levels]:
    stays, people = Counter[Cell](), defaultdict[Cell, set[UUID]](set)
    for levels, observed in members.items():
        of = [stay for stay, _ in observed if kind == "all" or stay.number == 1]
        for kept in product((True, False), repeat=len(levels)):
            cell = (kind, tuple(level if keeps else None for level, keeps in zip(levels, kept, strict=True)))
            stays[cell] += len(of)
            people[cell].update(stay.client_id for stay in of)
    counts = {cell: Count(count, len(people[cell]), published=cell[1] not in before) for cell, count in stays.items()}
    return {tuple(level or "" for level in levels) for _, levels in hidden_cells(counts, least=least) if all(levels)}
