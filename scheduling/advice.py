"""How many people a slot should take, from the place's own service times and absences, with its confidence.

The capacity of a slot of L minutes at c windows, with a service of m minutes (standard deviation s) and a share p of
the booked who do not come, is the largest k with k(1-p)m + 1.645 sqrt(k[(1-p)s² + p(1-p)m²]) <= cL: the work of those
who come then fits into 95 of 100 such slots. The mean alone promises more than the windows can do half of the time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from math import exp, log, sqrt
from statistics import fmean, quantiles, stdev

CONFIDENCE = 0.95
Z = 1.645
"""Of the standard normal distribution, 95 % lie below it."""
ENOUGH = 100
"""Fewer services, or bookings, than this say too little for an advice."""
_FAR_OUT = 3
"""Tukey's outer fence: so many quartile ranges beyond the quartiles, a stamp is a slip and no service."""
_NEVER_A_SLIP = log(3)
"""Between a third and three times the median nothing is cut off, however alike the rest."""


def most(minutes: float, windows: int, mean: float, sd: float, absent: float = 0) -> int:
    """The k of the formula: how many people may be booked into a slot; 0 when not even one surely fits.

    Minutes throughout; `absent` is a share from 0 up to, not including, 1. Raises ValueError for anything else.
    """
    if not (minutes > 0 and windows >= 1 and mean > 0 and sd >= 0 and 0 <= absent < 1):
        raise ValueError("a slot has minutes and windows, a service a mean above 0, and somebody comes")
    room = windows * minutes
    each, spread = (1 - absent) * mean, Z * sqrt((1 - absent) * sd**2 + absent * (1 - absent) * mean**2)
    root = (sqrt(spread**2 + 4 * each * room) - spread) / (2 * each)
    k = max(0, int(root**2))
    while k and _needs(k, each, spread) > room + 1e-9:  # one rounding error must not promise a place too many
        k -= 1
    while _needs(k + 1, each, spread) <= room + 1e-9:
        k += 1
    return k


def _needs(k: int, each: float, spread: float) -> float:
    return k * each + spread * sqrt(k)


@dataclass(frozen=True)
class Stamps:
    """A visit's own times, as they were stamped."""

    arrived_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True)
class Service:
    """How long one service took, in minutes, and when on its day's clock it began."""

    weekday: int
    begun: time
    minutes: float


@dataclass(frozen=True)
class Duration:
    """The mean of services, with the bound that it stays below with 95 % confidence."""

    n: int
    mean: float
    sd: float
    upper: float
    left_out: int
    """Stamps that were trimmed as slips: forgotten, or pressed twice."""


@dataclass(frozen=True)
class Absence:
    """Of so many booked, so many did not come; the limits hold with 95 % confidence each (Wilson)."""

    n: int
    missed: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.missed / self.n if self.n else 0.0


def services(day: Sequence[Stamps]) -> list[Service]:
    """The services of one day at one place that began while somebody else waited.

    When nobody waits there is time to talk, and the stamps say how quiet the morning was, not how long a service takes.
    It is judged at the start: judged at the end, long services would count more often, since more people arrive during
    them. A visit without both stamps, or that ends no later than it began, says nothing. Moments are on the clock of
    the place.
    """
    known = [each for each in day if each.started_at is not None or each.ended_at is not None]
    came = sorted(each.arrived_at for each in known)
    left = sorted(each.started_at or each.ended_at or each.arrived_at for each in known)
    return [
        Service(
            each.started_at.weekday(), each.started_at.time(), (each.ended_at - each.started_at).total_seconds() / 60
        )
        for each in known
        if each.started_at is not None
        and each.ended_at is not None
        and each.ended_at > each.started_at
        and bisect_right(came, each.started_at) > bisect_right(left, each.started_at)
    ]


def duration(minutes: Iterable[float]) -> Duration | None:
    """The mean service, or none when fewer than ENOUGH are left after trimming."""
    every = sorted(minutes)
    if len(every) < ENOUGH:
        return None
    logs = [log(each) for each in every]
    low, middle, high = quantiles(logs, n=4, method="inclusive")
    reach = _FAR_OUT * (high - low)
    floor, ceiling = min(low - reach, middle - _NEVER_A_SLIP), max(high + reach, middle + _NEVER_A_SLIP)
    kept = [each for each in every if exp(floor) <= each <= exp(ceiling)]
    if len(kept) < ENOUGH:
        return None
    mean, sd = fmean(kept), stdev(kept)
    return Duration(len(kept), mean, sd, mean + Z * sd / sqrt(len(kept)), len(every) - len(kept))


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many in a hundred lie, between neighbours; as PostgreSQL's percentile_cont has it."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * percent / 100
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def absence(n: int, missed: int) -> Absence | None:
    """The share that does not come, with Wilson's limits; none when fewer than ENOUGH bookings tell of it."""
    if n < ENOUGH:
        return None
    share, z2 = missed / n, Z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z / (1 + z2 / n) * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return Absence(n, missed, max(0.0, centre - half), min(1.0, centre + half))


class Basis(StrEnum):
    """How near to the slot the figures were taken."""

    SLOT = "slot"
    WEEKDAY = "weekday"
    PLACE = "place"
    NONE = "none"


@dataclass(frozen=True)
class SlotOfWeek:
    """A slot as the hours have it, on one weekday (0 is Monday), by the wall clock."""

    weekday: int
    starts: time
    ends: time
    minutes: int
    windows: int
    capacity: int

    def holds(self, weekday: int, moment: time) -> bool:
        return weekday == self.weekday and self.starts <= moment < self.ends


@dataclass(frozen=True)
class Ended:
    """How many bookings for one weekday and time of day were come to, and how many were missed."""

    weekday: int
    starts: time
    came: int
    missed: int


@dataclass(frozen=True)
class Past:
    """What the stamps of a place say."""

    services: Sequence[Service] = ()
    bookings: Sequence[Ended] = ()


@dataclass(frozen=True)
class Advice:
    """What a slot should take, and what that stands on.

    Where too few services were stamped there is no duration: `k` is then the capacity that the hours have, and nothing
    is claimed of it. An absence of which too few bookings tell counts as none: everybody is expected.
    """

    k: int
    duration: Duration | None
    duration_of: Basis
    absence: Absence | None
    absence_of: Basis
    counted: int
    """Services that could be counted at the whole place."""
    confidence: float = CONFIDENCE

    @property
    def advised(self) -> bool:
        return self.duration is not None

    @property
    def n(self) -> int:
        """Services that the figure stands on."""
        return self.duration.n if self.duration else self.counted


def advise(slots: Iterable[SlotOfWeek], past: Past) -> dict[SlotOfWeek, Advice]:
    """The advice for each slot, from its own stamps where they are enough, else its weekday's, else the whole place's.

    The mean counts with the upper end of its uncertainty and the absence with the lower end of its own, so that little
    knowledge promises fewer places and never more. At least 1 is advised: nobody is helped by a slot for no one.
    """
    known = _Known(past)
    return {slot: known.of(slot) for slot in slots}


class _Known:
    """Each figure is worked out once, for the place, a weekday or a slot."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.lengths: dict[int | None, tuple[Basis, Duration | None]] = {}
        self.absences: dict[int | None, tuple[Basis, Absence | None]] = {}

    def of(self, slot: SlotOfWeek) -> Advice:
        own = duration(s.minutes for s in self.past.services if slot.holds(s.weekday, s.begun))
        taken, length = (Basis.SLOT, own) if own else self._length(slot.weekday)
        theirs = _absence([each for each in self.past.bookings if slot.holds(each.weekday, each.starts)])
        missed, share = (Basis.SLOT, theirs) if theirs else self._absence(slot.weekday)
        k = slot.capacity
        if length:
            k = max(1, most(slot.minutes, slot.windows, length.upper, length.sd, share.low if share else 0))
        return Advice(k, length, taken, share, missed, len(self.past.services))

    def _length(self, weekday: int | None) -> tuple[Basis, Duration | None]:
        if weekday not in self.lengths:
            found = duration(s.minutes for s in self.past.services if weekday in (None, s.weekday))
            here = Basis.PLACE if weekday is None else Basis.WEEKDAY
            wider = (Basis.NONE, None) if weekday is None else self._length(None)
            self.lengths[weekday] = (here, found) if found else wider
        return self.lengths[weekday]

    def _absence(self, weekday: int | None) -> tuple[Basis, Absence | None]:
        if weekday not in self.absences:
            found = _absence([each for each in self.past.bookings if weekday in (None, each.weekday)])
            here = Basis.PLACE if weekday is None else Basis.WEEKDAY
            wider = (Basis.NONE, None) if weekday is None else self._absence(None)
            self.absences[weekday] = (here, found) if found else wider
        return self.absences[weekday]


def _absence(ended: Sequence[Ended]) -> Absence | None:
    missed = sum(each.missed for each in ended)
    return absence(sum(each.came for each in ended) + missed, missed)
