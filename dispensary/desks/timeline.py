"""A client's last months as one chart: the dose, what became of each day, take-home, and what happened beside them.

Pure. The page draws it as SVG and says the same as two tables. Each kind of thing has a lane of its own with its name
beside it, so that nothing depends on colour, and a lane without anything in it is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from uuid import UUID

PERIODS = {1: 31, 3: 91, 6: 182, 12: 365}
"""Months that can be asked for, and the days that are drawn for them."""
USUAL = 3

LEFT, DAYS_WIDE, NAMES_WIDE = 8, 1092, 124
"""In units of the drawing: what is free at the left, what the days take, and the names of the lanes at the right."""
WIDTH = LEFT + DAYS_WIDE + NAMES_WIDE
TOP, FLOOR = 22, 64
"""Where the highest dose and a dose of nothing are drawn."""
BAND_HIGH = 18
LANE_HIGH = 16
_FIRST_LANE = FLOOR + 8
_FIGURE_WIDE = 56
_LEAST_FOR_MARKS = 9.0
"""A day at least this wide has a mark of its own shape; narrower days are drawn as bars of days in a row."""


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


class Lane(StrEnum):
    """What happened beside the doses, by kind, in the order in which the lanes are drawn."""

    ORDER = "order"
    HOLD = "hold"
    REDUCED = "reduced"
    MISHAP = "mishap"
    BOTTLES = "bottles"
    ALERT = "alert"
    ASSESSED = "assessed"
    REVIEW = "review"
    STAY = "stay"


@dataclass(frozen=True)
class Happening:
    """Something that happened on a day, or lasted for some."""

    lane: Lane
    what: str
    """Which of the lane's kinds: `ordered`, `plan`, `vomited`, `passed` and so on."""
    first: date
    last: date | None
    """Its last day; nothing while it goes on."""
    mg: Decimal | None = None
    said: str = ""
    """The words of whoever wrote it down."""
    by: UUID | None = None


@dataclass(frozen=True)
class Allowed:
    """A take-home decision on the days on which it was in force."""

    first: date
    last: date | None
    kind: str
    per_supply: int
    per_week: int | None
    reason: str = ""


@dataclass(frozen=True)
class Known:
    """All that the chart is drawn from, day by day."""

    became: Mapping[date, Became]
    """A day that is not in it had no order."""
    ordered: Mapping[date, Decimal]
    given: Mapping[date, Decimal] = field(default_factory=dict)
    """Days for which something else was given than was ordered."""
    allowed: Sequence[Allowed] = ()
    happened: Sequence[Happening] = ()


@dataclass(frozen=True)
class Step:
    """Days in a row with one ordered dose, drawn as a level line; its figure is written where there is room for it."""

    mg: Decimal
    x1: float
    x2: float
    y: float
    figure_at: float | None
    riser: float | None
    """How high the line before it ended, when it joins this one: a step is then drawn between them."""


@dataclass(frozen=True)
class Given:
    """A day on which something else was given than was ordered."""

    day: date
    mg: Decimal
    ordered: Decimal | None
    x: float
    y: float


@dataclass(frozen=True)
class Mark:
    """One day, drawn by the shape of what became of it."""

    day: date
    became: Became
    mg: Decimal | None
    x: float


@dataclass(frozen=True)
class Bar:
    """Days in a row of which the same became, drawn as one bar."""

    first: date
    last: date
    became: Became
    x: float
    width: float


@dataclass(frozen=True)
class Attendance:
    """The lane of one thing that became of days."""

    became: Became
    y: float
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Piece:
    """A happening where it is drawn: a mark on its day, and a bar as far as it lasted."""

    happening: Happening
    x: float
    width: float
    """Nothing for what took one day."""


@dataclass(frozen=True)
class Events:
    """The lane of one kind of happenings."""

    lane: Lane
    y: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Band:
    """A decision where it is drawn."""

    allowed: Allowed
    x: float
    width: float


@dataclass(frozen=True)
class Tick:
    """Where a day is written under the chart."""

    day: date
    x: float


@dataclass(frozen=True)
class Stretch:
    """Days in a row of which the same became, with the same dose: a row of the table."""

    first: date
    last: date
    days: int
    became: Became
    mg: Decimal | None


@dataclass(frozen=True)
class Timeline:
    """The drawing and the tables."""

    months: int
    first: date
    last: date
    steps: tuple[Step, ...]
    given: tuple[Given, ...]
    bands: tuple[Band, ...]
    band_y: float
    attendance: tuple[Attendance, ...]
    events: tuple[Events, ...]
    ticks: tuple[Tick, ...]
    height: float
    stretches: tuple[Stretch, ...]
    """The newest first."""
    happened: tuple[Happening, ...]
    """What happened in these days, the newest first."""
    counts: Mapping[Became, int]
    width: int = WIDTH


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


class _Scale:
    """Where a day stands."""

    def __init__(self, last: date, days: int) -> None:
        self.days = [last - timedelta(days=n) for n in range(days - 1, -1, -1)]
        self.first, self.last = self.days[0], last
        self.wide = DAYS_WIDE / days

    def left(self, day: date) -> float:
        """Where the day begins; a day outside of the chart stands at its edge."""
        n = max(0, min(len(self.days), (day - self.first).days))
        return round(LEFT + n * self.wide, 2)

    def middle(self, day: date) -> float:
        return round(self.left(day) + self.wide / 2, 2)

    def span(self, first: date, last: date | None) -> tuple[float, float]:
        """Where days from the first to the last begin, and how wide they are."""
        x = self.left(first)
        return x, round(self.left((last or self.last) + timedelta(days=1)) - x, 2)

    def shows(self, first: date, last: date | None) -> bool:
        return first <= self.last and (last is None or last >= self.first)


def timeline(known: Known, *, today: date, months: int = USUAL) -> Timeline:
    """Places the days up to today, and what happened in them. `months` is one of PERIODS."""
    at = _Scale(today, PERIODS[months])
    marks = [
        Mark(day, known.became.get(day, Became.NO_ORDER), known.ordered.get(day), at.middle(day)) for day in at.days
    ]
    height = _height_of([*known.ordered.values(), *known.given.values()])
    bands = tuple(Band(one, *at.span(one.first, one.last)) for one in known.allowed if at.shows(one.first, one.last))
    y = _FIRST_LANE + (BAND_HIGH + 4 if bands else 0) + LANE_HIGH / 2
    attendance, y = _attendance(marks, at, y)
    shown = [one for one in known.happened if at.shows(one.first, one.last)]
    events, y = _events(shown, at, y + 4)
    return Timeline(
        months=months,
        first=at.first,
        last=today,
        steps=_steps(marks, at, height),
        given=tuple(
            Given(day, mg, known.ordered.get(day), at.middle(day), height(mg))
            for day, mg in sorted(known.given.items())
            if at.first <= day <= today
        ),
        bands=bands,
        band_y=_FIRST_LANE,
        attendance=attendance,
        events=events,
        ticks=_ticks(at, months),
        height=y + 12,
        stretches=_stretches(marks),
        happened=tuple(sorted(shown, key=lambda one: one.first, reverse=True)),
        counts=Counter(mark.became for mark in marks),
    )


def _height_of(amounts: Iterable[Decimal]) -> Callable[[Decimal], float]:
    """How high an amount is drawn, when the highest of these is drawn at the top."""
    highest = max(amounts, default=Decimal(0))
    return lambda mg: round(FLOOR - (float(mg / highest) if highest else 0) * (FLOOR - TOP), 1)


def _steps(marks: Sequence[Mark], at: _Scale, height: Callable[[Decimal], float]) -> tuple[Step, ...]:
    steps: list[Step] = []
    free_from = 0.0
    for mg, run in groupby(marks, key=lambda mark: mark.mg):
        days = [mark.day for mark in run]
        if mg is None:
            continue
        x1, width = at.span(days[0], days[-1])
        before = steps[-1] if steps and steps[-1].x2 == x1 else None
        figure_at = min(x1, LEFT + DAYS_WIDE - _FIGURE_WIDE)
        fits = figure_at >= free_from
        steps.append(
            Step(mg, x1, round(x1 + width, 2), height(mg), figure_at if fits else None, before.y if before else None)
        )
        if fits:
            free_from = figure_at + _FIGURE_WIDE
    return tuple(steps)


def _attendance(marks: Sequence[Mark], at: _Scale, y: float) -> tuple[tuple[Attendance, ...], float]:
    """A lane for each thing that became of days. What is not given yet stands with what is taken at the counter."""
    single = at.wide >= _LEAST_FOR_MARKS
    lanes = []
    for state in (Became.OBSERVED, Became.TAKE_HOME, Became.PARTLY, Became.MISSED, Became.HELD):
        also = {state, Became.OPEN, Became.NO_ORDER} if state is Became.OBSERVED else {state}
        own = [mark for mark in marks if mark.became in also]
        if not any(mark.became in (state, Became.OPEN) for mark in own):
            continue
        bars = () if single else tuple(_bars(marks, at, also - {Became.NO_ORDER}))
        lanes.append(Attendance(state, y, tuple(own) if single else (), bars))
        y += LANE_HIGH
    return tuple(lanes), y


def _bars(marks: Sequence[Mark], at: _Scale, states: Collection[Became]) -> Iterable[Bar]:
    for state, run in groupby(marks, key=lambda mark: mark.became):
        days = [mark.day for mark in run]
        if state in states:
            yield Bar(days[0], days[-1], state, *at.span(days[0], days[-1]))


def _events(shown: Sequence[Happening], at: _Scale, y: float) -> tuple[tuple[Events, ...], float]:
    lanes = []
    for lane in Lane:
        own = sorted((one for one in shown if one.lane is lane), key=lambda one: one.first)
        if not own:
            continue
        lanes.append(Events(lane, y, tuple(_piece(one, at) for one in own)))
        y += LANE_HIGH
    return tuple(lanes), y


def _piece(one: Happening, at: _Scale) -> Piece:
    if one.last == one.first:
        return Piece(one, at.middle(one.first), 0)
    x, width = at.span(one.first, one.last)
    return Piece(one, x, width)


def _ticks(at: _Scale, months: int) -> tuple[Tick, ...]:
    """Mondays where days are wide, firsts of a month where they are not; none so near to the edge that it is cut."""
    if months >= 6:
        days = [day for day in at.days if day.day == 1]
    else:
        days = [day for day in at.days if day.weekday() == 0][:: 2 if months > 1 else 1]
    return tuple(Tick(day, at.middle(day)) for day in days if 24 < at.middle(day) < LEFT + DAYS_WIDE - 20)


def _stretches(marks: Sequence[Mark]) -> tuple[Stretch, ...]:
    found = []
    for (state, mg), run in groupby(marks, key=lambda mark: (mark.became, mark.mg)):
        days = [mark.day for mark in run]
        found.append(Stretch(days[0], days[-1], len(days), state, mg))
    return tuple(reversed(found))
