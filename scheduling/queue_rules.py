"""Who is called when: the figures that a place sets, what it measures of its waiting, and how long somebody waits now.

Everybody who waits has a turn: the moment from which nobody who came later, with a booking or without, goes before
them. Since it is fixed when they arrive, only so many can ever stand before anybody, and nobody starves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil

from scheduling.rules import BadHours

MOST_GROUPS, LONGEST_WORD, MOST_WINDOWS, LONGEST_NAME = 8, 40, 20, 20
LONGEST_START = 240
"""Nobody comes sooner by more minutes than this."""


@dataclass(frozen=True)
class Group:
    """A word that may be given at arrival, and by how many minutes its people come sooner."""

    word: str
    minutes: int


@dataclass(frozen=True)
class QueueRules:
    """A place's figures. Those that stand here hold where it has set none; no source gives one for every place."""

    walk_in_minutes: int = 30
    """After so many minutes somebody without a booking stands among the booked as if their time began then."""
    back_minutes: int = 5
    most_skips: int = 3
    missed_in_a_row: int = 3
    groups: tuple[Group, ...] = ()
    windows: tuple[str, ...] = field(default=())

    def minutes_of(self, word: str) -> int:
        """By how many minutes who was given this word comes sooner; none for a word that is not on the list."""
        return next((group.minutes for group in self.groups if group.word == word), 0)

    def name_of(self, window: int) -> str:
        """What this window is called besides its number, or nothing."""
        return self.windows[window - 1] if 0 < window <= len(self.windows) else ""


def faults_in(rules: QueueRules) -> list[tuple[str, str]]:
    """What cannot be kept of these figures: the field and a sentence each."""
    bounds = {"walk_in_minutes": (0, 240), "back_minutes": (0, 60), "most_skips": (1, 9), "missed_in_a_row": (1, 30)}
    faults = [
        (name, f"This is {least} to {most}.")
        for name, (least, most) in bounds.items()
        if not least <= getattr(rules, name) <= most
    ]
    words = [group.word for group in rules.groups]
    if len(words) > MOST_GROUPS or len(set(words)) < len(words):
        faults.append(("groups", f"At most {MOST_GROUPS} groups, each with a word of its own."))
    for group in rules.groups:
        if not 1 <= len(group.word) <= LONGEST_WORD or not 1 <= group.minutes <= LONGEST_START:
            faults.append(
                ("groups", f"A group has a word of at most {LONGEST_WORD} letters and 1 to {LONGEST_START} minutes.")
            )
            break
    if len(rules.windows) > MOST_WINDOWS or any(len(name) > LONGEST_NAME for name in rules.windows):
        faults.append(("windows", f"At most {MOST_WINDOWS} windows, with names of at most {LONGEST_NAME} letters."))
    return faults


def refuse(rules: QueueRules) -> None:
    """Raises BadHours (`bad-queue`) for figures that cannot be kept."""
    for _, sentence in faults_in(rules):
        raise BadHours("bad-queue", sentence)


ENOUGH = 5
"""With fewer services of today than this, how long somebody waits is not known."""
LOOK_BACK = timedelta(minutes=30)
"""A window at which nobody was called for so long is not counted as open."""
LONGEST_SERVICE = timedelta(minutes=30)
"""A longer one was not that of somebody who stood at a window: it was left open, and says nothing."""
NEWEST = 40


@dataclass(frozen=True)
class Service:
    """A visit that was called to a window or served there."""

    window: int
    arrived_at: datetime
    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Pace:
    """How fast the windows work now, from the day's own stamps."""

    services: int
    mean: timedelta
    windows: int
    busy: int

    def minutes(self, ahead: int) -> int | None:
        """About how many minutes somebody waits who has so many before them; none where nobody can know.

        With a window free it is their turn; else as many must be finished as stand before them and one more.
        """
        if self.services < ENOUGH or self.windows == 0:
            return None
        to_finish = ahead + 1 - max(0, self.windows - self.busy)
        if to_finish <= 0:
            return 0
        minutes = ceil(to_finish * self.mean / self.windows / timedelta(minutes=1))
        return minutes if minutes <= 10 else 5 * ceil(minutes / 5)


def pace_of(services: Sequence[Service], now: datetime) -> Pace:
    """How fast the windows work: the mean of the newest services, and the windows that called somebody lately.

    Where somebody waited already when a service ended, it lasted until the next one was called to that window: what
    passes between two people is part of what the second one waits for.
    """
    by_window: dict[int, list[Service]] = {}
    for service in sorted(services, key=lambda service: service.began_at):
        by_window.setdefault(service.window, []).append(service)
    lasted: list[tuple[datetime, timedelta]] = []
    for row in by_window.values():
        for one, following in pairwise([*row, None]):
            if one is None or one.ended_at is None:
                continue
            until = one.ended_at
            if following is not None and following.arrived_at <= one.ended_at <= following.began_at:
                until = following.began_at
            if timedelta(0) < until - one.began_at <= LONGEST_SERVICE:
                lasted.append((one.began_at, until - one.began_at))
    newest = [length for _, length in sorted(lasted)[-NEWEST:]]
    lately = {
        window for window, row in by_window.items() if row[-1].began_at > now - LOOK_BACK or _ended_since(row, now)
    }
    busy = {
        window
        for window in lately
        if by_window[window][-1].ended_at is None and by_window[window][-1].began_at > now - LONGEST_SERVICE
    }
    mean = sum(newest, timedelta(0)) / len(newest) if newest else timedelta(0)
    return Pace(len(newest), mean, len(lately), len(busy))


def _ended_since(row: Sequence[Service], now: datetime) -> bool:
    ended = row[-1].ended_at
    return ended is not None and ended > now - LOOK_BACK


@dataclass(frozen=True)
class Stamps:
    """What is known of a visit's times."""

    arrived_at: datetime
    slot_at: datetime | None
    """When the booked slot began, for who had one."""
    started_at: datetime | None
    ended_at: datetime | None
    left: bool


@dataclass(frozen=True)
class Measure:
    """Of the waits that are known: the median and the 95th percentile (interpolated), and shares over two limits."""

    median: timedelta | None
    p95: timedelta | None
    over_15: float | None
    over_30: float | None


@dataclass(frozen=True)
class Waits:
    """How long people waited on a day, and which of the day's visits cannot say.

    `n`, `missing`, `negative`, `left` and `unserved` add up to all visits of the day. Both measures are of the `n`
    alone, and nothing when `n` is 0.
    """

    n: int
    missing: int
    """Served without a start ever being stamped."""
    negative: int
    """Stamped as started before they arrived."""
    left: int
    """Left without being served."""
    unserved: int
    """Neither served nor known to have left: they still wait, or went without a word."""
    arrival: Measure
    """From arrival to the start at the window."""
    due: Measure
    """From arrival, the slot's start or the opening, whichever was last, to the start; not less than nothing."""

    @property
    def median(self) -> timedelta | None:
        return self.arrival.median

    @property
    def p95(self) -> timedelta | None:
        return self.arrival.p95


def waits_of(visits: Sequence[Stamps], opens: Sequence[datetime]) -> Waits:
    """The waiting of a day, by both measures; `opens` are the moments at which the place opened, earliest first."""
    left = [visit for visit in visits if visit.left]
    stayed = [visit for visit in visits if not visit.left]
    started = [(visit, visit.started_at) for visit in stayed if visit.started_at is not None]
    known = [(visit, start) for visit, start in started if start >= visit.arrived_at]
    return Waits(
        n=len(known),
        missing=sum(visit.started_at is None and visit.ended_at is not None for visit in stayed),
        negative=len(started) - len(known),
        left=len(left),
        unserved=sum(visit.started_at is None and visit.ended_at is None for visit in stayed),
        arrival=_measure([start - visit.arrived_at for visit, start in known]),
        due=_measure([max(timedelta(0), start - _due(visit, start, opens)) for visit, start in known]),
    )


def _due(visit: Stamps, start: datetime, opens: Sequence[datetime]) -> datetime:
    """From when on they could have been served: not before they came, their slot began and the doors were open."""
    opening = next((opened for opened in reversed(opens) if opened <= start), visit.arrived_at)
    return max(visit.arrived_at, opening, visit.slot_at or visit.arrived_at)


def _measure(waits: Sequence[timedelta]) -> Measure:
    if not waits:
        return Measure(None, None, None, None)
    ordered = sorted(waits)

    def percentile(share: float) -> timedelta:
        position = share * (len(ordered) - 1)
        below = int(position)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (position - below) * (ordered[above] - ordered[below])

    def over(minutes: int) -> float:
        return sum(wait > timedelta(minutes=minutes) for wait in ordered) / len(ordered)

    return Measure(percentile(0.5), percentile(0.95), over(15), over(30))
