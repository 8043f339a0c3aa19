"""What was ordered day by day in one stay, and what a new step is compared with. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Leg:
    """The whole day's dose in mg from a day on, until the day before `until` or openly."""

    first_day: date
    mg: Decimal
    until: date | None = None


@dataclass(frozen=True)
class Given:
    """The last day on which the client had a whole day's dose, and how much that was in mg."""

    day: date
    mg: Decimal


@dataclass(frozen=True)
class Course:
    """The orders of one stay, the first to begin first; and whether anything of them was taken."""

    legs: tuple[Leg, ...] = ()
    first_given: date | None = None
    """The first day of the stay on which anything was given."""
    last_given: Given | None = None

    def on(self, day: date) -> Decimal | None:
        """What is ordered for a day."""
        return next(
            (leg.mg for leg in self.legs if leg.first_day <= day and (leg.until is None or day < leg.until)), None
        )

    def before(self, day: date) -> Leg | None:
        """The last order that began before a day, whether or not it still runs."""
        return next((leg for leg in reversed(self.legs) if leg.first_day < day), None)

    def changed_before(self, day: date) -> date | None:
        """Since when the dose has been what it was before a day: an order that only goes on is no change."""
        runs: date | None = None
        last = self.before(day)
        for leg in reversed(self.legs):
            if last is None or leg.first_day >= day:
                continue
            if leg.mg != last.mg:
                break
            runs = leg.first_day
        return runs

    def compared_with(self, day: date) -> Decimal | None:
        """The dose in mg that a step on this day is a jump from; nothing for a first order.

        What the client last had as a whole, where that was on the order before: neither a single portion nor an order
        from which less was given. An order that nobody has had a dose of counts as it is written.
        """
        leg = self.before(day)
        if leg is None:
            return None
        given = self.last_given
        return given.mg if given is not None and leg.first_day <= given.day < day else leg.mg

    def then(self, step: Leg) -> Course:
        """The same with one more order, before which the others give way."""
        kept = tuple(
            replace(leg, until=min(leg.until, step.first_day) if leg.until else step.first_day)
            for leg in self.legs
            if leg.first_day < step.first_day
        )
        return replace(self, legs=(*kept, step))

    def start_mg(self, day: date) -> Decimal | None:
        """The dose with which the stay began, or begins on this day."""
        if self.first_given is not None and (found := self.on(self.first_given)) is not None:
            return found
        return self.legs[0].mg if self.legs and self.legs[0].first_day <= day else None

    def day_of_treatment(self, day: date) -> int | None:
        """Which day this is, the first dose day (or, before any dose, the first ordered one) being day 1."""
        first = self.first_given or (self.legs[0].first_day if self.legs else None)
        return (day - first).days + 1 if first is not None and first <= day else None

    def a_week_before(self, day: date) -> Decimal | None:
        return self.on(day - timedelta(days=7))
