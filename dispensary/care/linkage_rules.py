"""From the offer of a test to treatment, for HIV, hepatitis C, hepatitis B and tuberculosis, from dated steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final


class Disease(StrEnum):
    HIV = "hiv"
    HCV = "hcv"
    HBV = "hbv"
    TB = "tb"


class Step(StrEnum):
    """A step on the way, in its order; a no to the offer is one too, and ends it without any consequence."""

    OFFERED = "offered"
    DECLINED = "declined"
    TESTED = "tested"
    RESULT_GIVEN = "result_given"
    """The client was told the result, and what follows from it."""
    LINKED = "linked"
    """They were at the place that treats it."""
    ON_TREATMENT = "on_treatment"


NOTED: Final = tuple(Step)
"""All of them can be written down by hand; results, attended referrals and treatments on record say them by themselves.
"""
_TO_TREATMENT: Final = (Step.TESTED, Step.RESULT_GIVEN, Step.LINKED, Step.ON_TREATMENT)
STUCK_DAYS: Final = 14
"""After so many days without the next step somebody is on the list, where the site has set nothing: the house's own."""


@dataclass(frozen=True)
class Dated:
    """A step that was taken on a day."""

    step: Step
    on: date
    positive: bool | None = None
    """Of a test: what it found; nothing where no result is on record."""


@dataclass(frozen=True)
class Standing:
    """How far somebody has come with one disease."""

    reached: Step | None
    """The furthest step; nothing when none was taken."""
    since: date | None
    waits_for: Step | None
    """The next step that somebody is to see to; nothing where nothing is due."""
    positive: bool | None

    def stuck(self, today: date, days: int) -> bool:
        """Whether the next step is out for more than so many days."""
        return self.waits_for is not None and self.since is not None and today > self.since + timedelta(days=days)


NOWHERE: Final = Standing(None, None, None, None)


def standing(steps: Iterable[Dated]) -> Standing:
    """Where these steps have led to.

    The last test with a result says whether it was found. What was found waits for each step up to treatment, and a
    later step that was taken stands for those before it. Without it, only the offer waits for the test, and the test
    for the client being told.
    """
    taken = sorted(steps, key=_place)
    if not taken:
        return NOWHERE
    tests = [each for each in taken if each.step is Step.TESTED and each.positive is not None]
    found = tests[-1] if tests and tests[-1].positive else None
    if found is not None:
        return _to_treatment(taken, found)
    last = taken[-1]
    waits = {Step.OFFERED: Step.TESTED, Step.TESTED: Step.RESULT_GIVEN}.get(last.step)
    return Standing(last.step, last.on, waits, tests[-1].positive if tests else None)


def _place(step: Dated) -> tuple[date, int, int]:
    """Where a step stands among others; of two results of one day the one that found something comes last."""
    return step.on, list(Step).index(step.step), {None: 0, False: 1, True: 2}[step.positive]


def _to_treatment(taken: Sequence[Dated], found: Dated) -> Standing:
    """Of somebody in whom it was found: the furthest step of the way, whenever it was taken, and what comes after it.

    Being told counts from the test on that found it first; whoever was linked or treated before was known to have it.
    """
    first = min(each.on for each in taken if each.step is Step.TESTED and each.positive)
    furthest = found
    for each in taken:
        if each.step not in _TO_TREATMENT or (each.step is Step.RESULT_GIVEN and each.on < first):
            continue
        if _TO_TREATMENT.index(each.step) > _TO_TREATMENT.index(furthest.step):
            furthest = each
    since = first if furthest.step is Step.TESTED else furthest.on
    place = _TO_TREATMENT.index(furthest.step) + 1
    return Standing(furthest.step, since, _TO_TREATMENT[place] if place < len(_TO_TREATMENT) else None, True)
