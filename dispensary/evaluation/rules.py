"""Retention: how long a stay lasted, and the Kaplan-Meier estimate over stays. Pure.

A stay is read out of the days that a client had a dose for, not out of the day on which somebody noticed an exit. The
arithmetic is decimal and does not depend on the machine, so that a figure computed again is the same to its last digit.
Kaplan and Meier 1958; variance by Greenwood 1926; 95 % limits on the log-log scale (Kalbfleisch and Prentice 1980).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from uuid import UUID

from dispensary.units import months_after

Z95 = Decimal("1.959963984540054")
"""The 97.5 % point of the normal distribution."""
MARKS = (0, 1, 3, 6, 12, 18, 24, 36)
"""Months at which a table of retention speaks."""
_HALF = Decimal("0.5")
DROPPED_OUT = "dropped_out"
IN_TREATMENT = "in_treatment"
_PART_OF_MONTH = 31  # no month is longer, so that months and days past them fit one number in their order


class Role(StrEnum):
    """What an exit for a reason counts as."""

    EVENT = "event"
    COMPETING = "competing"
    """It makes the event impossible. The Kaplan-Meier estimate takes it as censored; its number is stated."""
    CENSORED = "censored"
    EXCLUDED = "excluded"
    """Whoever left so is not in the cohort at all. Some published tables do this; it looks into the future."""


DEFAULT_ROLES: Mapping[str, Role] = {
    DROPPED_OUT: Role.EVENT,
    "ended_by_programme": Role.EVENT,
    "died": Role.COMPETING,
    "imprisoned": Role.COMPETING,
    "completed": Role.COMPETING,
    "transferred": Role.CENSORED,
}
"""The roles unless the evaluator says otherwise. A reason that is not here is an event."""


@dataclass(frozen=True)
class Scale:
    """How months are counted: by the calendar, or as so many days each."""

    month_days: Decimal | None = None

    def time(self, first: date, on: date) -> int:
        """How long from `first` to `on`, as one number that grows with every day.

        By the calendar it is whole months and the days past them; a month after 31 January is the end of February.
        """
        if self.month_days is not None:
            return (on - first).days
        months = (on.year - first.year) * 12 + on.month - first.month
        if months_after(first, months) > on:
            months -= 1
        return months * _PART_OF_MONTH + (on - months_after(first, months)).days

    def mark(self, months: int) -> int:
        """The time at which so many months are over. A part of a day counts as a day."""
        if self.month_days is None:
            return months * _PART_OF_MONTH
        return int((months * self.month_days).to_integral_value("ROUND_CEILING"))

    def months(self, time: int) -> Decimal:
        """A time in months, for a drawing: a day is a 31st of a calendar month."""
        return (time / (self.month_days or Decimal(_PART_OF_MONTH))).quantize(Decimal("0.0001"))


@dataclass(frozen=True, slots=True)
class Stay:
    """A client's time with doses, without a gap longer than the rule allows."""

    client_id: UUID
    number: int
    """1 for a client's first stay."""
    first_day: date
    last_day: date
    """The last day for which the client had a dose."""
    came_back: bool
    """Whether another stay follows."""
    ended_on: date | None
    exit_reason: str | None
    """What a person stated about the end of it, when anybody did."""
    as_of_day: date


@dataclass(frozen=True, slots=True)
class Observed:
    """What the estimate takes of a stay."""

    days: int
    time: int
    """The same on the scale in use."""
    event: bool
    ending: str
    """The reason of the exit, or `in_treatment`."""
    role: Role
    until: date
    """The day on which the stay ended, or on which nobody looked any further."""

    @property
    def cause(self) -> str | None:
        """Why the stay ended, for the incidence of each cause; nothing where it is censored."""
        return self.ending if self.role in (Role.EVENT, Role.COMPETING) else None


def observe(stay: Stay, *, gap_days: int, roles: Mapping[str, Role], scale: Scale) -> Observed:
    """How long a stay was observed and how it ended.

    It ends on the day after the last dose day, or on the stated day of the exit when that is earlier (bottles at home
    do not prolong it). Without a stated reason it ended by dropping out once more than `gap_days` whole days passed
    without a dose; until then, and for as long as it is going on, it is censored at the as-of day.
    """
    without = (stay.as_of_day - stay.last_day).days - 1
    reason = stay.exit_reason or (DROPPED_OUT if stay.came_back or without > gap_days else None)
    if reason is None:
        return until(stay, stay.as_of_day, scale, IN_TREATMENT, Role.CENSORED)
    ends = stay.last_day + timedelta(days=1)
    if stay.ended_on is not None:
        ends = max(min(ends, stay.ended_on), stay.first_day + timedelta(days=1))
    return until(stay, ends, scale, reason, roles.get(reason, Role.EVENT))


def until(stay: Stay, on: date, scale: Scale, ending: str, role: Role) -> Observed:
    """A stay that ended on this day, or that nobody observed any further."""
    time = scale.time(stay.first_day, on)
    return Observed((on - stay.first_day).days, time, role is Role.EVENT, ending, role, on)


def from_landmark(stay: Stay, seen: Observed, *, days: int, scale: Scale) -> Observed | None:
    """The same stay as one sees it from the landmark, so many days after it began; nothing when it was over by then.

    A stay whose observation ends on that very day has nothing left to be observed, and is over too.
    """
    landmark = stay.first_day + timedelta(days=days)
    if seen.until <= landmark:
        return None
    return replace(seen, days=seen.days - days, time=scale.time(landmark, seen.until))


@dataclass(frozen=True, slots=True)
class Point:
    """The estimate from one observed time up to the next."""

    time: int
    at_risk: int
    """Stays that were observed up to this time."""
    events: int
    censored: int
    survival: Decimal
    variance: Decimal | None
    """Greenwood's; nothing once nobody is left."""
    lower: Decimal | None
    upper: Decimal | None
    """95 % limits; nothing while the estimate is 1 or 0, where they cannot be stated."""


@dataclass(frozen=True, slots=True)
class Median:
    """When half of the stays have ended in an event; nothing of it where the curve does not come down so far."""

    time: int | None
    lower: int | None
    upper: int | None
    """95 % limits (Brookmeyer and Crowley 1982): when those of the curve come down to a half."""


@dataclass(frozen=True)
class Curve:
    """A Kaplan-Meier estimate: one point for each distinct time, in order."""

    n: int
    events: int
    points: tuple[Point, ...]

    @property
    def median(self) -> Median:
        """The first times at which the estimate and its limits are a half or less."""

        def first(values: Iterable[tuple[int, Decimal | None]]) -> int | None:
            return next((time for time, value in values if value is not None and value <= _HALF), None)

        return Median(
            first((point.time, point.survival) for point in self.points),
            first((point.time, point.lower) for point in self.points),
            first((point.time, point.upper) for point in self.points),
        )


@dataclass(frozen=True, slots=True)
class AtMark:
    """What the table says of a number of months."""

    months: int
    at_risk: int
    events: int
    censored: int
    """Up to and including this moment."""
    retention: Decimal | None
    """Nothing where nobody was observed that long."""
    variance: Decimal | None
    lower: Decimal | None
    upper: Decimal | None


def kaplan_meier(observed: Iterable[tuple[int, bool]]) -> Curve:
    """The estimate over times and whether the event happened; at equal times events come before censoring."""
    events, censored = Counter[int](), Counter[int]()
    for time, event in observed:
        (events if event else censored)[time] += 1
    n = left = events.total() + censored.total()
    survival, greenwood = Decimal(1), Decimal(0)
    lower: Decimal | None = None
    upper: Decimal | None = None
    points = []
    with localcontext() as context:
        context.prec = 28
        for time in sorted(events.keys() | censored.keys()):
            d = events[time]
            if d:
                survival = survival * (left - d) / left
                greenwood += Decimal(d) / (Decimal(left) * (left - d)) if left > d else 0
                lower, upper = limits(survival, greenwood)
            variance = survival * survival * greenwood if survival else None
            points.append(Point(time, left, d, censored[time], survival, variance, lower, upper))
            left -= d + censored[time]
    return Curve(n, events.total(), tuple(points))


def limits(share: Decimal, relative: Decimal) -> tuple[Decimal | None, Decimal | None]:
    """95 % limits on the log-log scale of an estimate whose variance over its square is `relative`."""
    if share in (0, 1):
        return None, None
    logarithm = share.ln()
    width = Z95 * relative.sqrt() / logarithm  # below zero, as the logarithm is
    return (logarithm * (-width).exp()).exp(), (logarithm * width.exp()).exp()


def at_marks(curve: Curve, scale: Scale, months: Sequence[int] = MARKS) -> tuple[AtMark, ...]:
    """The table at these months. A stay that ends on the very day on which a month is over has left by then."""
    times = [point.time for point in curve.points]
    table = []
    for month in months:
        mark = scale.mark(month)
        so_far = curve.points[: bisect_right(times, mark)]
        reaching = curve.points[bisect_left(times, mark) :]
        at_risk = reaching[0].at_risk if reaching else 0
        last = so_far[-1] if so_far else Point(0, curve.n, 0, 0, Decimal(1), Decimal(0), None, None)
        known = at_risk > 0 or (curve.n > 0 and last.survival == 0)
        table.append(
            AtMark(
                months=month,
                at_risk=at_risk,
                events=sum(point.events for point in so_far),
                censored=sum(point.censored for point in so_far),
                retention=last.survival if known else None,
                variance=last.variance if known else None,
                lower=last.lower if known else None,
                upper=last.upper if known else None,
            )
        )
    return tuple(table)
