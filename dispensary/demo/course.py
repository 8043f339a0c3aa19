"""How a year goes for a client of the demonstration: doses, bottles, absences and re-starts, day by day. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from uuid import UUID

from dispensary.demo.people import Person
from dispensary.takehome.carrying import DecisionLimits, take_home_allowed
from dispensary.units import ClientId, new_id

LONG_ABSENCE = 3
"""After so many days without a dose the doctor orders again, at half (Australian national guidelines 2003, 3.5)."""
STEP_MG = Decimal(10)
STEP_DAYS = 5
"""Titration by 10 mg every five days (ASAM 2020)."""


@dataclass
class Order:
    """A dose order as the year writes it."""

    id: UUID
    from_day: date
    mg: Decimal
    parts: tuple[Decimal, ...]
    why: str
    until: date | None = None
    end_reason: str | None = None


@dataclass(frozen=True)
class Came:
    """A visit: the portions observed, and the days that bottles were carried home for."""

    day: date
    order: Order
    bottles: tuple[tuple[date, int], ...]
    """Dose day and portion of each bottle."""


@dataclass(eq=False)
class Life:
    """A client through the year."""

    person: Person
    client_id: ClientId
    episode_id: UUID
    orders: list[Order] = field(default_factory=list)
    covered: dict[date, str] = field(default_factory=dict)
    """Days with a dose, and whether it was `observed` or `take_home`."""
    limits: DecisionLimits | None = None
    decision_id: UUID | None = None
    changed_on: date | None = None
    away: int = 0
    without: int = 0
    carried: set[date] = field(default_factory=set)
    later: set[date] = field(default_factory=set)
    """Days whose later portions were carried home after the first was taken at the counter."""
    planned: bool = False
    """Whether the doctor has signed a plan, which nothing else follows any more."""

    def follow(self, plan: Sequence[Order]) -> None:
        """From its first day on the client comes every day for the doses of a plan."""
        for order, after in pairwise([self.orders[-1], *plan]):
            order.until, order.end_reason = after.from_day, "superseded"
        self.orders += plan
        self.planned = True

    def outcome(self, day: date, portion: int) -> str:
        """What became of a portion of a day: `observed`, `take_home` or `missed`."""
        kind = self.covered.get(day, "missed")
        if kind == "observed" and portion > 1:
            return "take_home" if day in self.later else "missed"
        return kind

    def in_care(self, day: date) -> bool:
        ends = self.ends_on
        return self.person.enrolled_on <= day and (ends is None or day < ends)

    @property
    def ends_on(self) -> date | None:
        """The day of exit: a month after the last dose for somebody who just stopped coming."""
        last = self.person.leaves_on
        if last is None:
            return None
        return last + timedelta(days=30) if self.person.leaves_because == "dropped_out" else last

    def live(self, day: date, random: Random) -> Came | None:
        """One day. Returns the visit, or nothing for a day at home or away."""
        if day in self.covered:
            self.without = 0
            return None
        if self._stays_away(day, random):
            self.without += 1
            return None
        order = self._order_for(day)
        self.without = 0
        self.covered[day] = "observed"
        return Came(day, order, tuple(self._bottles(day, order)))

    def _stays_away(self, day: date, random: Random) -> bool:
        person = self.person
        if day == person.enrolled_on or self.planned:
            return False
        if person.away_from is not None and day >= person.away_from - timedelta(days=1):
            return day >= person.away_from
        if person.leaves_on is not None and day >= person.leaves_on:
            return True
        if self.away == 0 and random.random() < person.misses:
            self.away = random.choices((1, 2, 4), weights=(9, 2, 1))[0]
        if self.away:
            self.away -= 1
            return True
        return False

    def _order_for(self, day: date) -> Order:
        if self.planned:
            return next(order for order in reversed(self.orders) if order.from_day <= day)
        target = self.person.target_mg
        if not self.orders:
            return self._order(day, min(target, Decimal(30) if target > 30 else Decimal(20)), "first dose")
        last = self.orders[-1]
        at_home = any(later > day for later in self.covered)
        if self.without >= LONG_ABSENCE:
            return self._order(day, max(Decimal(20), Decimal(5 * round(last.mg / 10))), "after days without a dose")
        if last.mg < target and not at_home and self.changed_on and (day - self.changed_on).days >= STEP_DAYS:
            return self._order(day, min(target, last.mg + STEP_MG), "titration")
        return last

    def _order(self, day: date, mg: Decimal, why: str) -> Order:
        if self.orders:
            self.orders[-1].until, self.orders[-1].end_reason = day, "superseded"
        split = self.person.split and mg == self.person.target_mg and self.limits is not None
        parts = (Decimal(5 * round(mg * 3 / 25)), mg - Decimal(5 * round(mg * 3 / 25))) if split else (mg,)
        order = Order(new_id(), day, mg, parts, why)
        self.orders.append(order)
        self.changed_on = day
        return order

    def _bottles(self, day: date, order: Order) -> list[tuple[date, int]]:
        """What is carried home: later portions of today, and on the weekday of collection the days that follow."""
        if self.limits is None or self.planned:
            return []
        chosen: list[date] = []
        wanted = [day] if len(order.parts) > 1 else []
        if day.weekday() == self.person.collects_on and order.mg == self.person.target_mg:
            wanted += [day + timedelta(days=n) for n in range(1, 15)]
        for ahead in wanted:
            leaves = self.person.leaves_on or self.person.away_from
            if ahead != day and (ahead in self.covered or (leaves is not None and ahead >= leaves)):
                break
            if take_home_allowed(self.limits, [*chosen, ahead], self.carried, (), today=day):
                break
            chosen.append(ahead)
        for ahead in chosen:
            self.carried.add(ahead)
            if ahead == day:
                self.later.add(day)
            else:
                self.covered[ahead] = "take_home"
        return [
            (ahead, portion) for ahead in chosen for portion in range(2 if ahead == day else 1, len(order.parts) + 1)
        ]
