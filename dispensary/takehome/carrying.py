"""What the counter may hand over on a take-home decision: the rule that the database has the last word on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from dispensary.refusals import Refusal


@dataclass(frozen=True)
class DecisionLimits:
    """What a decision allows the counter to hand over, in dose days."""

    per_supply: int
    per_week: int | None
    """From Monday to Sunday; nothing means no weekly limit."""
    closed_days_apart: bool
    consecutive: int | None = None
    """Days in a row; nothing means no such limit."""
    weekdays: frozenset[int] | None = None
    """The weekly pattern, Monday is 0; nothing means any day."""


def take_home_allowed(
    limits: DecisionLimits,
    wanted_days: Collection[date],
    carried_days: Collection[date],
    closed_days: Collection[date],
    *,
    today: date,
) -> tuple[Refusal, ...]:
    """Why bottles for these dose days may not leave together; empty when they may.

    `carried_days` are the dose days for which the client already carries bottles that count, from the Monday of the
    week of `today` on; those that are still to come are in hand and count against what may be carried at once, so that
    two supplies never add up to more than was decided. It is the rule of the trigger `take_home_within_decision`, which
    has the last word: dose days are counted once however many portions they have, and days on which the site is closed
    are left out where the policy keeps them apart.
    """
    apart = set(closed_days) if limits.closed_days_apart else set()
    counted, carried = set(wanted_days) - apart, set(carried_days) - apart
    faults = [*_off_the_pattern(limits, counted), *_too_many_in_a_row(limits, wanted_days, carried_days, apart, today)]
    in_hand = {day for day in carried if day >= today}
    if len(in_hand | counted) > limits.per_supply and counted:
        over = len(in_hand | counted) - limits.per_supply
        faults.append(
            Refusal(
                "take-home-per-supply",
                f"{len(in_hand | counted)} take-home days at once, decided: {limits.per_supply}.",
                f"Leave out {min(over, len(counted))}, or ask the doctor for another decision.",
                {"wanted": sorted(counted), "in_hand": sorted(in_hand), "per_supply": limits.per_supply},
            )
        )
    if limits.per_week is None:
        return tuple(faults)
    for monday in sorted({monday_of(day) for day in wanted_days}):
        that_week = {day for day in carried | counted if monday_of(day) == monday}
        if len(that_week) > limits.per_week:
            faults.append(
                Refusal(
                    "take-home-per-week",
                    f"{len(that_week)} take-home days in the week of {monday}, decided: {limits.per_week}.",
                    f"Leave out {len(that_week) - limits.per_week}, or ask the doctor for another decision.",
                    {"carried": sorted(carried), "wanted": sorted(counted), "per_week": limits.per_week},
                )
            )
    return tuple(faults)


def _off_the_pattern(limits: DecisionLimits, counted: Collection[date]) -> Iterator[Refusal]:
    off = sorted(day for day in counted if limits.weekdays is not None and day.weekday() not in limits.weekdays)
    if off:
        yield Refusal(
            "take-home-weekday",
            f"Not a day of the weekly pattern: {', '.join(map(str, off))}.",
            "Leave it out, or ask the doctor for another decision.",
            {"wanted": off, "weekdays": sorted(limits.weekdays or ())},
        )


def _too_many_in_a_row(
    limits: DecisionLimits,
    wanted_days: Collection[date],
    carried_days: Collection[date],
    apart: Collection[date],
    today: date,
) -> Iterator[Refusal]:
    """Days kept apart join a run and do not count in it. Only the runs that a wanted day is in are judged."""
    if limits.consecutive is None:
        return
    days = sorted({*wanted_days, *(day for day in carried_days if day >= today)})
    for _, numbered in groupby(enumerate(days), lambda each: each[1].toordinal() - each[0]):
        run = [day for _, day in numbered]
        counting = [day for day in run if day not in apart]
        if len(counting) > limits.consecutive and not set(run).isdisjoint(wanted_days):
            yield Refusal(
                "take-home-consecutive",
                f"{len(counting)} take-home days in a row from {run[0]} on, decided: {limits.consecutive}.",
                "Leave a day between, or ask the doctor for another decision.",
                {"days": run, "consecutive": limits.consecutive},
            )


def monday_of(day: date) -> date:
    """The first day of the day's week, as limits count weeks."""
    return day - timedelta(days=day.weekday())
