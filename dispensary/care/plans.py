"""Schedules of sessions as data, and the days that one comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec

from dispensary.documents import BadDocument
from dispensary.monitoring.sources import Sourced, document
from dispensary.units import months_after

Range = tuple[int, int]
"""The least and the most; the same where there is nothing to choose."""
MINUTES: Final[Range] = (5, 240)
TIMES: Final[Range] = (1, 60)
"""Guards against what was mistyped, where no source says how long a session takes or how many there are."""


class BadPlan(ValueError):
    """A choice that a plan does not leave; `field` is what was chosen."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


class PlanPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many sessions, so far apart."""

    times: Range | None = None
    """Nothing where no source says how many: whoever begins the plan does."""
    every_days: Range | None = None
    every_months: Range | None = None

    @property
    def every(self) -> Range:
        """How far apart; of a single session nothing is, and it counts as one day."""
        return self.every_days or self.every_months or (1, 1)


class SessionPlan(Sourced, frozen=True, kw_only=True):
    """A schedule as the program ships it."""

    key: str
    name: str
    minutes: Range | None = None
    """How long a session takes; nothing where no source says it: whoever begins the plan does."""
    part: tuple[PlanPart, ...]


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    plan: tuple[SessionPlan, ...]


@lru_cache(maxsize=1)
def plans() -> Mapping[str, SessionPlan]:
    """Those that come with the program, by their key."""
    return read_plans(document("session_plans", room="dispensary.care"))


def read_plans(table: Mapping[str, Any]) -> Mapping[str, SessionPlan]:
    """The schedules of a document, by their key. Raises BadDocument."""
    try:
        return {each.key: each for each in msgspec.convert(table, _Document).plan}
    except msgspec.ValidationError as reason:
        raise BadDocument([f"A schedule of sessions cannot be read: {reason}."]) from None


@dataclass(frozen=True)
class Chosen:
    """What whoever begins a part chose within its ranges."""

    times: int
    every: int


def usual(plan: SessionPlan) -> tuple[Chosen, ...]:
    """The least of each range: what stands in the form. Nought sessions where no source says how many."""
    return tuple(Chosen(part.times[0] if part.times else 0, part.every[0]) for part in plan.part)


def days_of(plan: SessionPlan, first: date, chosen: Sequence[Chosen]) -> list[date]:
    """The days of all sessions, from the first on. Raises BadPlan for a choice outside of the plan's ranges.

    Each session is so far from the one before it; a later part goes on from the last day of the part before. Months are
    counted from there as a whole, so that a session on the 31st does not drift to the 28th for good.
    """
    return list(_days(plan, first, chosen))


def _days(plan: SessionPlan, first: date, chosen: Sequence[Chosen]) -> Iterator[date]:
    day = first
    for number, (part, choice) in enumerate(zip(plan.part, chosen, strict=True), start=1):
        for field, value, (least, most) in (
            (f"times_{number}", choice.times, part.times or TIMES),
            (f"every_{number}", choice.every, part.every),
        ):
            if not least <= value <= most:
                raise BadPlan(
                    field, f"This plan has {least} to {most} here." if least < most else f"It is {least} here."
                )
        begins = day
        for count in range(choice.times):
            ahead = count if number == 1 else count + 1
            if part.every_months is not None:
                day = months_after(begins, ahead * choice.every)
            else:
                day = begins + timedelta(days=ahead * choice.every)
            yield day
