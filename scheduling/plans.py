"""How the people of one stretch of opening may be asked to come: nobody with a time, even slots, a dome, the advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from scheduling.advice import most

DOME = 0.2
"""How much lighter the first and last slot of a dome are than an even one, and how much fuller its middle."""


@dataclass(frozen=True)
class Clinic:
    """The frame of one stretch of opening.

    `absent` and `unbooked` are shares of all: of who does not come, of who never books.
    """

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
    begins: float = 0.0
    """When it opens, after the first opening of its day."""
    walk_in_minutes: float = inf
    """After so many minutes somebody without a slot stands among the booked as if their slot began then."""
    groups: tuple[tuple[float, float], ...] = ()
    """The shares of people who come sooner, each with by how many minutes."""
    wishes: tuple[float, ...] = ()
    """How the booked share themselves out among the slots when they choose, in any measure; evenly where it is none."""

    @property
    def closes(self) -> float:
        return self.begins + self.opening

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


Day = Sequence[Clinic]
"""The stretches of one day, the earliest first."""

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


def chosen(clinic: Clinic) -> Plan:
    """The advised plan on a usual day: people take the times that they like, the next one where theirs is full."""
    wishes = clinic.wishes if len(clinic.wishes) == clinic.slots and sum(clinic.wishes) > 0 else (1.0,) * clinic.slots
    ends = [round(clinic.bookers * part / sum(wishes)) for part in accumulate(wishes)]
    wanted = [b - a for a, b in zip([0, *ends], ends, strict=False)]
    cap = advised_places(clinic)
    people = [min(cap, each) for each in wanted]
    for slot, each in enumerate(wanted):
        over = each - min(cap, each)
        for other in sorted(range(clinic.slots), key=lambda n, slot=slot: (abs(n - slot), n)):  # type: ignore[misc]
            taken = min(over, cap - people[other])
            people[other] += taken
            over -= taken
    return Plan("advised, usual", clinic.slot_minutes, tuple(people))


def _filled(people: int, caps: Sequence[int]) -> tuple[int, ...]:
    filled = []
    for cap in caps:
        filled.append(min(cap, people))
        people -= filled[-1]
    return tuple(filled)
