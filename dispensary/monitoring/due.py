"""Which test is due when, by rules that are data. Pure.

A rule has moments counted from a day (`after_months`, `after_days`), an interval that goes on from the last result
(`every_months`), or both. A result counts for the moment to which it is nearest; a later one makes up for an earlier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

import msgspec

from dispensary.monitoring.sources import Sourced, document
from dispensary.units import months_after

SOON = timedelta(days=14)
"""From when on a test that is due is shown as due soon, so that it can be put on the day of a pickup. Not clinical."""


class DueRule(Sourced, frozen=True):
    """What makes a test due. `on` are the circumstances of which any one makes it apply."""

    key: str
    test: str
    on: tuple[str, ...]
    since: str = ""
    """The circumstance whose day the moments are counted from; else the day of the one that applies."""
    after_months: tuple[int, ...] = ()
    after_days: tuple[int, ...] = ()
    every_months: int | None = None
    counts_before_months: int = 0
    """For how many months before the first moment a result counts for it, as before treatment begins."""

    @property
    def speaks(self) -> bool:
        """Whether it can say a day: a draft without an interval cannot."""
        return self.used and bool(self.after_months or self.after_days or self.every_months)


class When(StrEnum):
    LATE = "late"
    SOON = "soon"
    LATER = "later"


def when_due(on: date, today: date) -> When:
    """How near the day is on which a test is due."""
    if on < today:
        return When.LATE
    return When.SOON if on - today <= SOON else When.LATER


@dataclass(frozen=True)
class Due:
    """A test that is due on a day, by a rule."""

    test: str
    on: date
    rule: DueRule

    def when(self, today: date) -> When:
        return when_due(self.on, today)


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[DueRule, ...]


@lru_cache(maxsize=1)
def rules() -> Sequence[DueRule]:
    """The rules that come with the program; a site may set an interval of its own, or turn one off."""
    return msgspec.convert(document("due"), _Rules).rule


def next_due(rule: DueRule, since: date, done: Sequence[date]) -> date | None:
    """The day on which the next result is due by one rule, given since when it applies and the days of all results."""
    moments = sorted(
        [months_after(since, months) for months in rule.after_months]
        + [since + timedelta(days=days) for days in rule.after_days]
    )
    last = max(done, default=None)
    if not moments:
        if rule.every_months is None:
            return None
        return since if last is None else max(since, months_after(last, rule.every_months))
    met = -1
    for number, moment in enumerate(moments):
        if number:
            opens = moments[number - 1] + (moment - moments[number - 1]) / 2
        else:
            opens = (
                months_after(moment, -rule.counts_before_months) if rule.counts_before_months else _first(since, moment)
            )
        if last is not None and last >= opens:
            met = number
    if met + 1 < len(moments):
        return moments[met + 1]
    return months_after(last, rule.every_months) if rule.every_months and last is not None else None


def _first(since: date, moment: date) -> date:
    """From when on a result counts for the first moment: half way to it."""
    return since + (moment - since) / 2


def due(
    circumstances: Mapping[str, date],
    done: Mapping[str, Sequence[date]],
    *,
    by: Sequence[DueRule] | None = None,
) -> list[Due]:
    """What is due for somebody, each test once, on the earliest day that a rule names; the earliest first.

    `circumstances` says since when each holds; `done` has the days of the results of each test.
    """
    earliest: dict[str, Due] = {}
    for rule in by if by is not None else rules():
        days = [circumstances[name] for name in rule.on if name in circumstances]
        if not days or not rule.speaks:
            continue
        since = circumstances.get(rule.since, min(days))
        on = next_due(rule, since, done.get(rule.test, ()))
        if on is not None and (rule.test not in earliest or on < earliest[rule.test].on):
            earliest[rule.test] = Due(rule.test, on, rule)
    return sorted(earliest.values(), key=lambda each: (each.on, each.test))
