"""The last days of a client as a strip: what became of each day, the dose that was ordered, and where they are drawn.

Pure. The page draws it as SVG, and says the same as a table of stretches of equal days.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

DAYS = 90
CELL = 12
"""Width of a day, in the units of the drawing."""
_LEFT = 8
_TOP, _FLOOR = 22, 54
"""Where the highest dose and a dose of nothing are drawn."""
MARKS_AT = 70
_LABEL_WIDTH = 52


class Became(StrEnum):
    """What became of a dose day."""

    OBSERVED = "observed"
    TAKE_HOME = "take_home"
    PARTLY = "partly"
    """Some portions of the day were covered, others missed."""
    MISSED = "missed"
    HELD = "held"
    OPEN = "open"
    """Ordered, nothing given, and not closed yet."""
    NO_ORDER = "no_order"


@dataclass(frozen=True)
class Mark:
    """A day and where it stands."""

    day: date
    became: Became
    mg: Decimal | None
    x: float


@dataclass(frozen=True)
class Step:
    """Days in a row with one ordered dose, drawn as a level line; its figure is written where there is room for it."""

    mg: Decimal
    x1: float
    x2: float
    y: float
    figure_at: float | None


@dataclass(frozen=True)
class Stretch:
    """Days in a row of which the same became, with the same dose: a row of the table."""

    first: date
    last: date
    days: int
    became: Became
    mg: Decimal | None


@dataclass(frozen=True)
class Strip:
    """The drawing and the table."""

    first: date
    last: date
    width: int
    marks: tuple[Mark, ...]
    steps: tuple[Step, ...]
    mondays: tuple[Mark, ...]
    """Every second Monday from the first on: where the days are written."""
    stretches: tuple[Stretch, ...]
    """The newest first."""
    counts: Mapping[Became, int]


def became(outcomes: Collection[str], given: Collection[str], portions: int, *, ordered: bool, passed: bool) -> Became:
    """What became of a day: from its frozen outcomes when it has closed, else from the doses given (their kinds)."""
    covered = {"observed", "take_home"}
    if outcomes:
        has = covered & set(outcomes)
        if "missed" in outcomes:
            return Became.PARTLY if has else Became.MISSED
        if not has:
            return Became.HELD
        return Became.OBSERVED if "observed" in has else Became.TAKE_HOME
    if given:
        if passed and len(given) < portions:
            return Became.PARTLY
        return Became.OBSERVED if "observed" in given else Became.TAKE_HOME
    return Became.OPEN if ordered else Became.NO_ORDER


def strip(first: date, became_of: Mapping[date, Became], mg_of: Mapping[date, Decimal], *, days: int = DAYS) -> Strip:
    """Places the days from the first on. A day that is not in `became_of` had no order."""
    marks = []
    for n in range(days):
        day = first + timedelta(days=n)
        x = _LEFT + CELL * n + CELL / 2
        marks.append(Mark(day, became_of.get(day, Became.NO_ORDER), mg_of.get(day), x))
    return Strip(
        first=first,
        last=marks[-1].day,
        width=2 * _LEFT + CELL * days,
        marks=tuple(marks),
        steps=_steps(marks),
        mondays=tuple([mark for mark in marks if mark.day.weekday() == 0][::2]),
        stretches=_stretches(marks),
        counts=Counter(mark.became for mark in marks),
    )


def _steps(marks: list[Mark]) -> tuple[Step, ...]:
    highest = max((mark.mg for mark in marks if mark.mg is not None), default=Decimal(0))
    steps = []
    free_from = 0.0
    for mg, run in groupby(marks, key=lambda mark: mark.mg):
        days = list(run)
        if mg is None or not highest:
            continue
        x1, x2 = days[0].x - CELL / 2, days[-1].x + CELL / 2
        y = _FLOOR - float(mg / highest) * (_FLOOR - _TOP)
        figure_at = min(x1, marks[-1].x + CELL / 2 - _LABEL_WIDTH)
        steps.append(Step(mg, x1, x2, round(y, 1), figure_at if figure_at >= free_from else None))
        if figure_at >= free_from:
            free_from = figure_at + _LABEL_WIDTH
    return tuple(steps)


def _stretches(marks: list[Mark]) -> tuple[Stretch, ...]:
    found = []
    for (state, mg), run in groupby(marks, key=lambda mark: (mark.became, mark.mg)):
        days = [mark.day for mark in run]
        found.append(Stretch(days[0], days[-1], len(days), state, mg))
    return tuple(reversed(found))
