"""Many mornings of one queue, drawn from a seed: who waits how long under which plan, with so many windows.

The same people come to every plan with the same service times, the same punctuality and the same absences, so that what
differs between two plans is the plans. The booked whose slot has begun go first, by its start, then everybody else as
they came; what a place's own queue setting adds to that, such as groups who come sooner, is left out. Minutes
throughout, counted from the opening; the clock starts before it, since people do.

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

from scheduling.advice import most, percentile

WITHOUT = -1
"""In a plan, the slot of somebody who has none."""
EARLY, PUNCTUALITY = -4.0, 6.0
BEFORE_OPENING, AFTER_OPENING = 0.35, 0.40
BEFORE_MINUTES, AFTER_MEAN = 30.0, 40.0
DOME = 0.2
"""How much lighter the first and last slot of a dome are than an even one, and how much fuller its middle."""


@dataclass(frozen=True)
class Clinic:
    """One morning's frame. `absent` and `unbooked` are shares: of all who do not come, of those who never book."""

    clients: int
    opening: float
    windows: int
    service_mean: float
    service_cv: float = 0.4
    absent: float = 0.0
    unbooked: float = 0.0
    slot_minutes: int = 15
    advice: int | None = None
    """What a slot should take, where stamps say it better than the figures here."""

    @property
    def slots(self) -> int:
        return max(1, int(self.opening // self.slot_minutes))

    @property
    def advised(self) -> int:
        """The most that a slot should take; see scheduling.advice."""
        if self.advice is not None:
            return self.advice
        sd = self.service_mean * self.service_cv
        return most(self.slot_minutes, self.windows, self.service_mean, sd, self.absent)

    @property
    def bookers(self) -> int:
        """How many of the clients book."""
        return self.clients - round(self.clients * self.unbooked)


MODEL = Clinic(clients=200, opening=180, windows=2, service_mean=1.5, service_cv=0.4, absent=0.1)


@dataclass(frozen=True)
class Plan:
    """When everybody is asked to come: the people of each slot. Who is in none comes when they like."""

    name: str
    slot_minutes: int
    people: tuple[int, ...]

    @property
    def booked(self) -> int:
        return sum(self.people)


def walk_in(clinic: Clinic) -> Plan:
    """Nobody has a time."""
    return Plan("walk-in", clinic.slot_minutes, ())


def flat(clinic: Clinic, minutes: int = 0) -> Plan:
    """Every slot takes the same number, as few as let everybody in, and fills from the first on."""
    length = minutes or clinic.slot_minutes
    slots = max(1, int(clinic.opening // length))
    each = -(-clinic.bookers // slots)
    return Plan(f"flat, {length} min", length, _filled(clinic.bookers, [each] * slots))


def dome(clinic: Clinic) -> Plan:
    """Fewer in the first and last slots, more in the middle."""
    n = clinic.slots
    weights = [1 + DOME * (2 * (1 - abs(2 * (slot + 0.5) / n - 1)) - 1) for slot in range(n)]
    ends = [round(clinic.bookers * part / sum(weights)) for part in accumulate(weights)]
    return Plan("dome", clinic.slot_minutes, tuple(b - a for a, b in zip([0, *ends], ends, strict=False)))


def bailey_welch(clinic: Clinic) -> Plan:
    """One more for each window at the opening, so that none starts idle; then even slots."""
    even = flat(clinic).people[0]
    caps = [even + clinic.windows] + [even] * (clinic.slots - 1)
    return Plan("Bailey-Welch", clinic.slot_minutes, _filled(clinic.bookers, caps))


def advised_places(clinic: Clinic) -> int:
    """How many of a slot's advised places can be booked; the others are held for those who come without."""
    return max(0, clinic.advised - round((clinic.clients - clinic.bookers) / clinic.slots))


def advised(clinic: Clinic) -> Plan:
    """No slot is booked by more than is advised, and the slots fill from the first on.

    That is the hardest day which the advice allows: everybody takes the earliest time there is. Who finds no place
    comes without one.
    """
    return Plan("advised", clinic.slot_minutes, _filled(clinic.bookers, [advised_places(clinic)] * clinic.slots))


def _filled(people: int, caps: Sequence[int]) -> tuple[int, ...]:
    filled = []
    for cap in caps:
        filled.append(min(cap, people))
        people -= filled[-1]
    return tuple(filled)


@dataclass(frozen=True)
class Person:
    """What chance has in store for one client on one morning, whatever the plan."""

    service: float
    lateness: float
    """Against their slot; below 0 is early."""
    own_time: float
    """When they come if they have no slot."""


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
        people.append(Person(service, lateness, own_time) if comes else None)
    return people


def _own_time(opening: float, chance: Random) -> float:
    kind, where = chance.random(), chance.random()
    if kind < BEFORE_OPENING:
        return -BEFORE_MINUTES * where
    if kind < BEFORE_OPENING + AFTER_OPENING:
        return -AFTER_MEAN * log(1 - where * (1 - exp(-opening / AFTER_MEAN)))  # none of them after closing
    return opening * where


@dataclass(frozen=True)
class Arrivals:
    """Everybody who comes on one morning, in the order in which they come."""

    at: list[float]
    slot: list[float]
    """When the slot of each begins; infinity for who has none."""
    service: list[float]


def arrivals(plan: Plan, people: Sequence[Person | None]) -> Arrivals:
    """Where the plan puts these people. The last of them never booked, or found no place."""
    starts = [n * float(plan.slot_minutes) for n, k in enumerate(plan.people) for _ in range(k)]
    starts += [inf] * (len(people) - len(starts))
    came = [
        (person.own_time if start == inf else start + person.lateness, start, person.service)
        for start, person in zip(starts, people, strict=True)
        if person is not None
    ]
    came.sort()
    return Arrivals([c[0] for c in came], [c[1] for c in came], [c[2] for c in came])


def serve(come: Arrivals, windows: int, opens: float = 0.0) -> list[float]:
    """When each person's service begins. Whoever comes before `opens` waits for it; nobody is interrupted.

    A window that comes free takes whoever is next at that moment. People of equal rank go in the order of the list.
    """
    if all(slot == inf for slot in come.slot):
        return _in_order(come, windows, opens)
    at, slot, service = come.at, come.slot, come.service
    n = len(at)
    starts = [0.0] * n
    free = [opens] * windows
    heapify(free)
    begun: list[tuple[float, int]] = []  # here, and their slot has begun: by its start
    early: list[tuple[float, int]] = []  # here before it has
    others: list[int] = []  # here, as they came; the first `gone` of them are served or have begun
    waiting = arrived = gone = 0
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
            if slot[arrived] <= now:
                heappush(begun, (slot[arrived], arrived))
            else:
                others.append(arrived)
                if slot[arrived] != inf:
                    heappush(early, (slot[arrived], arrived))
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
            while moved[others[gone]]:
                gone += 1
            chosen = others[gone]
            gone += 1
            moved[chosen] = True
        waiting -= 1
        starts[chosen] = now
        heapreplace(free, now + service[chosen])
    return starts


def _in_order(come: Arrivals, windows: int, opens: float) -> list[float]:
    """The same where nobody has a slot: first come, first served."""
    free = [opens] * windows
    starts = []
    for at, service in zip(come.at, come.service, strict=True):
        start = free[0] if free[0] > at else at
        heapreplace(free, start + service)
        starts.append(start)
    return starts


@dataclass(frozen=True)
class Outcome:
    """What a plan did on so many mornings. Waits are from arrival to the start of the service, in minutes."""

    plan: Plan
    clinic: Clinic
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
    """How long after closing the last person was served, on average; 0 on a morning that ended in time."""
    queue: tuple[float, ...]
    """How many people waited on average, at each whole minute from QUEUE_FROM before opening on."""

    @property
    def unplaced(self) -> int:
        """People who would have booked and found no place."""
        return max(0, self.clinic.bookers - self.plan.booked) if self.plan.people else 0


QUEUE_FROM = 45
"""The picture of a day begins so many minutes before opening, and ends as many after closing."""

Making = Callable[[Clinic], Plan]
USUAL: tuple[Making, ...] = (walk_in, flat, dome, advised)


def compare(
    clinic: Clinic,
    makings: Sequence[Making] = USUAL,
    *,
    mornings: int = 1000,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Each plan's outcome over the same mornings. The same seed gives the same figures again."""
    chance = Random(seed)  # noqa: S311 - drawn from a seed on purpose
    tallies = [_Tally(making(clinic), clinic) for making in makings]
    for number in range(mornings):
        people = draw(clinic, chance)
        for tally in tallies:
            come = arrivals(tally.plan, people)
            tally.count(come, serve(come, clinic.windows))
        progress(number + 1, mornings)
    return [tally.outcome() for tally in tallies]


class _Tally:
    """Adds up mornings of one plan."""

    def __init__(self, plan: Plan, clinic: Clinic) -> None:
        self.plan, self.clinic = plan, clinic
        self.waits: list[float] = []
        self.means: list[float] = []
        self.longest: list[float] = []
        self.most: list[int] = []
        self.overtime: list[float] = []
        self.changes = [0] * (int(clinic.opening) + 2 * QUEUE_FROM + 2)

    def count(self, come: Arrivals, starts: Sequence[float]) -> None:
        waits = [start - at for start, at in zip(starts, come.at, strict=True)]
        if not waits:
            return
        self.waits += waits
        self.means.append(fmean(waits))
        self.longest.append(max(waits))
        ends = max(start + service for start, service in zip(starts, come.service, strict=True))
        self.overtime.append(max(0.0, ends - self.clinic.opening))
        self.most.append(_most_at_once(come.at, starts))
        changes, last = self.changes, len(self.changes) - 1
        for at, start in zip(come.at, starts, strict=True):
            if start > at:
                changes[min(last, max(0, int(at + QUEUE_FROM) + 1))] += 1
                changes[min(last, max(0, int(start + QUEUE_FROM) + 1))] -= 1

    def outcome(self) -> Outcome:
        n = len(self.means)
        if not n:
            return Outcome(self.plan, self.clinic, 0, 0, 0, 0, 0, 0, 0, tuple(0.0 for _ in self.changes[:-1]))
        mean = fmean(self.waits)
        error = sqrt(sum((each - mean) ** 2 for each in self.means) / max(1, n - 1) / n)
        return Outcome(
            plan=self.plan,
            clinic=self.clinic,
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
