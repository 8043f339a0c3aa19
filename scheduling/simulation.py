"""Many days of one queue, drawn from a seed: who waits how long under which plan, with so many windows.

The same people come to every plan with the same service times, the same punctuality and the same absences, so that what
differs between two plans is the plans. Who is called next is decided as at the windows: everybody has a turn, the start
of their slot or some minutes after they came, less what their group comes sooner by; whose turn has come goes first, by
that turn, then everybody else as they came. Nobody is called in vain here. Minutes throughout, counted from the first
opening of the day; the clock starts before it, since people do.

A day may have breaks: it is then one Clinic for each stretch. Who waits when a stretch ends is served in the break.

Where the clinic has no stamps of its own, the arrivals are those of the model clinic: the booked come 4 minutes before
their slot (standard deviation 6); of those without one 35 % come in the half hour before opening, 40 % after it, fewer
and fewer (exponential, mean 40 minutes), and 25 % evenly over the day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from itertools import accumulate
from math import exp, inf, log, sqrt
from random import Random
from statistics import fmean

from scheduling.advice import percentile
from scheduling.plans import Clinic, Day, Plan, advised, chosen, dome, flat, walk_in

EARLY, PUNCTUALITY = -4.0, 6.0
BEFORE_OPENING, AFTER_OPENING = 0.35, 0.40
BEFORE_MINUTES, AFTER_MEAN = 30.0, 40.0


@dataclass(frozen=True)
class Person:
    """What chance has in store for one client on one morning, whatever the plan."""

    service: float
    lateness: float
    """Against their slot; below 0 is early."""
    own_time: float
    """When they come if they have no slot."""
    sooner: float = 0.0
    """By how many minutes their group comes sooner."""


def draw(clinic: Clinic, chance: Random) -> list[Person | None]:
    """One morning's people, the absent among them as nothing. The order is that in which they booked."""
    spread = log(1 + clinic.service_cv**2)
    mu, sigma = log(clinic.service_mean) - spread / 2, sqrt(spread)
    people: list[Person | None] = []
    for _ in range(clinic.clients):
        comes = chance.random() >= clinic.absent
        # Drawn for the absent too, so that another share of them leaves everybody else's morning as it was.
        service, lateness = exp(chance.gauss(mu, sigma)), chance.gauss(EARLY, PUNCTUALITY)
        own_time = _own_time(clinic.opening, chance)
        sooner = _sooner(clinic.groups, chance.random()) if clinic.groups else 0.0
        people.append(Person(service, lateness, own_time, sooner) if comes else None)
    return people


def _sooner(groups: Sequence[tuple[float, float]], where: float) -> float:
    for share, minutes in groups:
        if where < share:
            return minutes
        where -= share
    return 0.0


def _own_time(opening: float, chance: Random) -> float:
    kind, where = chance.random(), chance.random()
    if kind < BEFORE_OPENING:
        return -BEFORE_MINUTES * where
    if kind < BEFORE_OPENING + AFTER_OPENING:
        return -AFTER_MEAN * log(1 - where * (1 - exp(-opening / AFTER_MEAN)))  # none of them after closing
    return opening * where


@dataclass(frozen=True)
class Arrivals:
    """Everybody who comes in one stretch, in the order in which they come."""

    at: list[float]
    turn: list[float]
    """From when each goes before all who have no turn yet; infinity for who never does."""
    service: list[float]
    sooner: list[float] | None = None
    """By how many minutes each counts as come sooner than they did; nothing where nobody does."""


def arrivals(plan: Plan, people: Sequence[Person | None], clinic: Clinic | None = None) -> Arrivals:
    """Where the plan puts these people. The last of them never booked, or found no place.

    `clinic` says when its stretch begins and by which rule people are called; without it the booked go first, and
    everybody else as they came.
    """
    begins, patience = (clinic.begins, clinic.walk_in_minutes) if clinic else (0.0, inf)
    starts = [n * float(plan.slot_minutes) for n, k in enumerate(plan.people) for _ in range(k)]
    booked = bool(starts)
    starts += [inf] * (len(people) - len(starts))
    came = [
        (person.own_time if start == inf else start + person.lateness, start, person.service, person.sooner)
        for start, person in zip(starts, people, strict=True)
        if person is not None
    ]
    came.sort()
    at = [begins + c[0] for c in came]
    service = [c[2] for c in came]
    sooner = [c[3] for c in came] if any(c[3] for c in came) else None
    if sooner is None and not booked:  # then whose turn comes first is who came first
        return Arrivals(at, [inf] * len(at), service)
    turn = [min(begins + c[1], here + patience) - c[3] for c, here in zip(came, at, strict=True)]
    return Arrivals(at, turn, service, sooner)


def serve(come: Arrivals, windows: int, opens: float = 0.0) -> list[float]:
    """When each person's service begins. Whoever comes before `opens` waits for it; nobody is interrupted.

    A window that comes free takes whoever is next at that moment. People of equal rank go in the order of the list.
    """
    return _served(come, [opens] * windows)


def serve_day(day: Sequence[tuple[Clinic, Arrivals]]) -> list[list[float]]:
    """The same for each stretch of a day: a window that is late with one of them begins the next one late."""
    free: list[float] = []
    starts = []
    for clinic, come in day:
        late = sorted(max(clinic.begins, each) for each in free)[: clinic.windows]
        free = late + [clinic.begins] * (clinic.windows - len(late))
        heapify(free)
        starts.append(_served(come, free))
    return starts


def _served(come: Arrivals, free: list[float]) -> list[float]:
    """`free` is a heap: when each window is free. It is left as it is when the last person is gone."""
    if come.sooner is None and all(turn == inf for turn in come.turn):
        return _in_order(come, free)
    at, turn, service = come.at, come.turn, come.service
    came = at if come.sooner is None else [here - sooner for here, sooner in zip(at, come.sooner, strict=True)]
    n = len(at)
    starts = [0.0] * n
    begun: list[tuple[float, int]] = []  # here, and their turn has come: by that
    early: list[tuple[float, int]] = []  # here before it has
    others: list[tuple[float, int]] = []  # the same people and who has no turn, as they came
    waiting = arrived = 0
    moved = [False] * n
    for _ in range(n):
        now = free[0]
        if not waiting:
            if at[arrived] > now:
                now = at[arrived]
            if arrived + 1 == n or at[arrived + 1] > now:  # alone: no question who is next
                starts[arrived] = now
                heapreplace(free, now + service[arrived])
                arrived += 1
                continue
        while arrived < n and at[arrived] <= now:
            if turn[arrived] <= now:
                heappush(begun, (turn[arrived], arrived))
            else:
                heappush(others, (came[arrived], arrived))
                if turn[arrived] != inf:
                    heappush(early, (turn[arrived], arrived))
            arrived += 1
            waiting += 1
        while early and early[0][0] <= now:
            each = heappop(early)
            if not moved[each[1]]:
                moved[each[1]] = True
                heappush(begun, each)
        if begun:
            chosen = heappop(begun)[1]
        else:
            chosen = heappop(others)[1]
            while moved[chosen]:
                chosen = heappop(others)[1]
            moved[chosen] = True
        waiting -= 1
        starts[chosen] = now
        heapreplace(free, now + service[chosen])
    return starts


def _in_order(come: Arrivals, free: list[float]) -> list[float]:
    """The same where nobody has a turn: first come, first served."""
    starts = []
    for at, service in zip(come.at, come.service, strict=True):
        start = free[0] if free[0] > at else at
        heapreplace(free, start + service)
        starts.append(start)
    return starts


@dataclass(frozen=True)
class Outcome:
    """What a plan did on so many mornings. Waits are from arrival to the start of the service, in minutes."""

    plans: tuple[Plan, ...]
    """One for each stretch of the day."""
    day: Day
    mornings: int
    mean: float
    error: float
    """The standard error of the mean, from one morning to the next."""
    p95: float
    longest: float
    """The longest wait of a morning, on average over the mornings."""
    waiting: float
    """The most people who waited at once on a morning, on average."""
    overtime: float
    """How long after the day's last closing the last person was served, on average; 0 where it ended in time."""
    queue: tuple[float, ...]
    """How many people waited on average, at each whole minute from QUEUE_FROM before opening on."""

    @property
    def name(self) -> str:
        return self.plans[0].name

    @property
    def unplaced(self) -> int:
        """People who would have booked and found no place."""
        return sum(
            max(0, clinic.bookers - plan.booked)
            for clinic, plan in zip(self.day, self.plans, strict=True)
            if plan.people
        )


QUEUE_FROM = 45
"""The picture of a day begins so many minutes before opening, and ends as many after closing."""

Making = Callable[[Clinic], Plan]
USUAL: tuple[Making, ...] = (walk_in, flat, dome, chosen, advised)


def compare(
    day: Clinic | Day,
    makings: Sequence[Making] = USUAL,
    *,
    mornings: int = 1000,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Each plan's outcome over the same mornings, or whole days. The same seed gives the same figures again."""
    stretches = (day,) if isinstance(day, Clinic) else tuple(day)
    chance = Random(seed)  # noqa: S311 - drawn from a seed on purpose
    tallies = [_Tally([making(clinic) for clinic in stretches], stretches) for making in makings]
    for number in range(mornings):
        people = [draw(clinic, chance) for clinic in stretches]
        for tally in tallies:
            come = [
                (clinic, arrivals(plan, each, clinic))
                for clinic, plan, each in zip(stretches, tally.plans, people, strict=True)
            ]
            tally.count([each for _, each in come], serve_day(come))
        progress(number + 1, mornings)
    return [tally.outcome() for tally in tallies]


class _Tally:
    """Adds up mornings of one plan."""

    def __init__(self, plans: Sequence[Plan], day: Day) -> None:
        self.plans, self.day = tuple(plans), day
        self.closes = day[-1].closes
        self.waits: list[float] = []
        self.means: list[float] = []
        self.longest: list[float] = []
        self.most: list[int] = []
        self.overtime: list[float] = []
        self.changes = [0] * (int(self.closes) + 2 * QUEUE_FROM + 2)

    def count(self, come: Sequence[Arrivals], served: Sequence[Sequence[float]]) -> None:
        at = [moment for each in come for moment in each.at]
        starts = [moment for each in served for moment in each]
        services = [minutes for each in come for minutes in each.service]
        waits = [start - here for start, here in zip(starts, at, strict=True)]
        if not waits:
            return
        self.waits += waits
        self.means.append(fmean(waits))
        self.longest.append(max(waits))
        ends = max(start + service for start, service in zip(starts, services, strict=True))
        self.overtime.append(max(0.0, ends - self.closes))
        self.most.append(_most_at_once(sorted(at), starts))
        changes, last = self.changes, len(self.changes) - 1
        for here, start in zip(at, starts, strict=True):
            if start > here:
                changes[min(last, max(0, int(here + QUEUE_FROM) + 1))] += 1
                changes[min(last, max(0, int(start + QUEUE_FROM) + 1))] -= 1

    def outcome(self) -> Outcome:
        n = len(self.means)
        if not n:
            return Outcome(self.plans, self.day, 0, 0, 0, 0, 0, 0, 0, tuple(0.0 for _ in self.changes[:-1]))
        mean = fmean(self.waits)
        error = sqrt(sum((each - mean) ** 2 for each in self.means) / max(1, n - 1) / n)
        return Outcome(
            plans=self.plans,
            day=self.day,
            mornings=n,
            mean=mean,
            error=error,
            p95=percentile(self.waits, 95),
            longest=fmean(self.longest),
            waiting=fmean(self.most),
            overtime=fmean(self.overtime),
            queue=tuple(change / n for change in accumulate(self.changes[:-1])),
        )


def _most_at_once(at: Sequence[float], starts: Sequence[float]) -> int:
    """The most who had come and not begun; `at` is in order."""
    begun = sorted(starts)
    gone = most_waiting = 0
    for number, moment in enumerate(at, 1):
        while gone < len(begun) and begun[gone] <= moment:
            gone += 1
        most_waiting = max(most_waiting, number - gone)
    return most_waiting
