"""What a client's imported history becomes: orders, doses, missed days. Pure: over plain values, with every reason.

The file knows only what was taken. The orders are read out of it: as long as the amount stays the same it is one order,
which the next amount supersedes on its first day. A day without a dose, between the first day and the last, was missed
under the order then in force. Nothing that is already on record is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from dispensary.prescribing.rules import TEN_FOLD
from dispensary.supplies.dose_files import DoseLine, Problem
from dispensary.units import ClientId, DoseDay, Milligrams, plain

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class LastOrder:
    """The order with which earlier imported history ends, and which later history goes on from."""

    order_id: UUID
    ends: date
    """The day after its last."""
    mg: Milligrams


@dataclass(frozen=True)
class Known:
    """What is already on record of a client."""

    client_id: ClientId
    covered: Mapping[date, Decimal] = field(default_factory=dict)
    """mg that the client has, by dose day."""
    uncovered: frozenset[date] = frozenset()
    """Days that were closed without a dose."""
    episode_id: UUID | None = None
    """The running imported episode, when there is one to go on with."""
    last_order: LastOrder | None = None
    last_day: date | None = None
    """The last day of which anything is on record."""
    kept_by_clinic: str = ""
    """Why no history can be added behind `last_day`; nothing when it can."""


@dataclass(frozen=True)
class Run:
    """An order to be made: the same amount from its first day to the day before `ends`."""

    begins: date
    ends: date
    mg: Milligrams
    superseded: bool
    """Whether another order follows on its end; otherwise the history ends with it."""


@dataclass(frozen=True)
class Taken:
    """A dose day of the history: what was ordered and what was taken, 0 for a missed day."""

    day: DoseDay
    run: int
    """Which of the runs was in force; -1 for the order that is already on record."""
    ordered: Milligrams
    mg: Milligrams


@dataclass(frozen=True)
class ClientPlan:
    """What the lines of one client add."""

    number: str
    known: Known | None
    runs: tuple[Run, ...] = ()
    days: tuple[Taken, ...] = ()
    last_order_ends: date | None = None
    """Where the order that is already on record ends now."""
    last_order_superseded: bool = False
    already_there: int = 0
    zero_before_first: int = 0
    """Lines of 0 mg before the first dose: no order was in force, so nothing was missed."""
    longest_gap: int = 0
    """The most days in a row without a dose."""
    problems: tuple[Problem, ...] = ()

    @property
    def doses(self) -> int:
        return sum(1 for taken in self.days if taken.mg)

    @property
    def missed(self) -> int:
        return len(self.days) - self.doses


def plan_client(number: str, known: Known | None, lines: Sequence[DoseLine], *, today: date) -> ClientPlan:
    """What the lines of one client add to what is known of them. Each day occurs once in `lines`."""
    new: list[DoseLine] = []
    problems: list[Problem] = []
    already = 0
    for line in sorted(lines, key=lambda one: one.day):
        if known and _says_the_same(known, line):
            already += 1
        elif reason := _why_not(known, line, today):
            problems.append(Problem(line.line, reason))
        else:
            new.append(line)
    last = known.last_order if known else None
    if last and new and (first := next((line for line in new if line.mg), None)) and first.mg >= TEN_FOLD * last.mg:
        reason = f"{plain(first.mg)} mg is ten times client {number}'s last dose ({plain(last.mg)} mg) or more"
        problems += [Problem(line.line, f"{reason} (line {first.line})") for line in new]
        new = []
    return _planned(number, known, new, already, tuple(problems))


def _says_the_same(known: Known, line: DoseLine) -> bool:
    return known.covered.get(line.day) == line.mg if line.mg else line.day in known.uncovered


def _why_not(known: Known | None, line: DoseLine, today: date) -> str:
    if line.day >= today:
        return f"{line.day} is not over yet: history ends with yesterday"
    if known is None:
        return ""
    who = f"client {line.number}"
    if line.day in known.covered:
        return f"{who} already has {plain(known.covered[line.day])} mg on {line.day}, the file says {plain(line.mg)} mg"
    if line.day in known.uncovered:
        return f"{line.day} is already closed for {who} without a dose"
    if known.last_day and line.day <= known.last_day:
        return f"{who} is already on record up to {known.last_day}: nothing is added on {line.day}"
    return f"{who} {known.kept_by_clinic}" if known.kept_by_clinic else ""


def _planned(
    number: str, known: Known | None, lines: Sequence[DoseLine], already: int, problems: tuple[Problem, ...]
) -> ClientPlan:
    last = known.last_order if known else None
    before = 0
    if last is None:
        first = next((at for at, line in enumerate(lines) if line.mg), len(lines))
        before, lines = first, lines[first:]
    if not lines:
        return ClientPlan(number, known, already_there=already, zero_before_first=before, problems=problems)
    taken = {line.day: line.mg for line in lines}
    begun: list[tuple[date, Milligrams]] = []
    days: list[Taken] = []
    in_force = last.mg if last else lines[0].mg
    if last is None:
        begun.append((lines[0].day, in_force))
    day, gap, longest = (last.ends if last else lines[0].day), 0, 0
    while day <= lines[-1].day:
        mg = taken.get(DoseDay(day), Milligrams(Decimal(0)))
        if mg and mg != in_force:
            in_force = mg
            begun.append((day, mg))
        days.append(Taken(DoseDay(day), len(begun) - 1, in_force, mg))
        gap = 0 if mg else gap + 1
        longest = max(longest, gap)
        day += _DAY
    ends = [*(begins for begins, _ in begun[1:]), day]
    runs = tuple(Run(begins, end, mg, superseded=end != day) for (begins, mg), end in zip(begun, ends, strict=False))
    return ClientPlan(
        number,
        known,
        runs,
        tuple(days),
        last_order_ends=(runs[0].begins if runs else day) if last else None,
        last_order_superseded=bool(runs),
        already_there=already,
        zero_before_first=before,
        longest_gap=longest,
        problems=problems,
    )
