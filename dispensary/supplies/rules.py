"""Whether a supply may leave the counter, and what it consists of. Pure: over plain values, with every reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from dispensary.prescribing.rules import JumpGuard, jump_refusal
from dispensary.refusals import Refusal
from dispensary.takehome.rules import DecisionLimits, take_home_allowed
from dispensary.units import DoseDay, Milligrams, plain

LONGEST_SUPPLY = 28
"""No supply reaches further ahead, whatever was decided: the longest band of 42 CFR 8.12(i)(3)."""


@dataclass(frozen=True)
class OrderInForce:
    """The order of a dose day as the counter needs it."""

    order_id: UUID
    portions: tuple[Milligrams, ...]
    begins: date
    ordered_on: date
    """The dose day on which it was written (its first, for imported history): of what came later it knows nothing."""

    @property
    def mg(self) -> Milligrams:
        return Milligrams(sum(self.portions, Decimal(0)))


@dataclass(frozen=True)
class Wanted:
    """What the counter asks to hand over, in one act."""

    observed: bool
    take_home_days: tuple[DoseDay, ...] = ()
    identified_by: str = ""
    """`photo` or `second_identifier`: how the client was known at the moment of handing over."""
    well: bool = False
    """The safety check before each dose: sober, well, no questions (WHO 2009; Australian guidelines 2003, 4.3)."""
    observation: str = ""
    second_look: str = ""
    pickup_id: UUID | None = None


@dataclass(frozen=True)
class Moment:
    """Everything about a client that decides whether a supply may leave, read under the client's lock."""

    today: DoseDay
    orders: Mapping[DoseDay, OrderInForce]
    covered: Mapping[DoseDay, frozenset[int]]
    """Portions that the client already has, by dose day."""
    held: Mapping[DoseDay, str] = field(default_factory=dict)
    """Reasons of a prescriber's hold, by dose day."""
    last_covered: DoseDay | None = None
    last_mg: Decimal | None = None
    """The whole dose of the last covered day before today."""
    guard: JumpGuard = field(default_factory=JumpGuard)
    missed_days_ask: int = 3
    limits: DecisionLimits | None = None
    carried: frozenset[DoseDay] = frozenset()
    """Dose days for which the client carries bottles that count, from this week's Monday on."""
    closed_days: frozenset[DoseDay] = frozenset()
    day_closed: bool = False


@dataclass(frozen=True)
class DosePlan:
    """One dose that will leave: a portion of a dose day."""

    day: DoseDay
    portion: int
    portions: int
    kind: str
    mg: Milligrams
    order_id: UUID
    closed_day: bool


def due_portions(moment: Moment, day: DoseDay) -> tuple[int, ...]:
    """The portions of a day that are ordered and not covered, in the order in which they are taken."""
    order = moment.orders.get(day)
    if order is None:
        return ()
    has = moment.covered.get(day, frozenset())
    return tuple(p for p in range(1, len(order.portions) + 1) if p not in has)


def days_without(moment: Moment) -> int:
    """How many days before today passed without any dose; 0 when there never was one."""
    return (moment.today - moment.last_covered).days - 1 if moment.last_covered else 0


def may_dispense(moment: Moment, wanted: Wanted) -> tuple[Refusal, ...]:
    """Every reason why this supply may not leave; empty when it may.

    Nothing here looks at test results, bookings or missed pickups: they never block a dose.
    """
    faults = [*_asked_well(moment, wanted), *_safe_to_hand_over(wanted)]
    if wanted.observed:
        faults += _day_allows(moment, moment.today, "take today")
    for day in wanted.take_home_days:
        faults += _day_allows(moment, day, "carry home")
    faults += _jumps(moment, wanted)
    faults += _absence(moment, wanted)
    if wanted.take_home_days:
        faults += _take_home(moment, wanted.take_home_days)
    return tuple(faults)


def may_prepare(moment: Moment, wanted: Wanted) -> tuple[Refusal, ...]:
    """Every reason why bottles may not be packed for collection; identity and safety are asked when they leave."""
    faults = _asked_well(moment, wanted)
    for day in wanted.take_home_days:
        faults += _day_allows(moment, day, "carry home")
    if wanted.take_home_days:
        faults += _take_home(moment, wanted.take_home_days)
    return tuple(faults)


def _asked_well(moment: Moment, wanted: Wanted) -> list[Refusal]:
    faults = []
    if not wanted.observed and not wanted.take_home_days:
        faults.append(Refusal("nothing-asked", "Nothing was chosen to hand over.", "Choose the dose or the bottles."))
    if moment.day_closed:
        faults.append(
            Refusal(
                "day-closed", f"The dose day {moment.today} is closed.", "Dose on the next day.", {"day": moment.today}
            )
        )
    if len(set(wanted.take_home_days)) != len(wanted.take_home_days):
        faults.append(Refusal("day-twice", "A day was chosen twice.", "Choose each day once."))
    far = [day for day in wanted.take_home_days if not 0 <= (day - moment.today).days <= LONGEST_SUPPLY]
    if far:
        faults.append(
            Refusal(
                "day-out-of-reach",
                f"Bottles are for today's later portions up to {LONGEST_SUPPLY} days ahead, not for {far[0]}.",
                "Choose other days.",
                {"days": far},
            )
        )
    return faults


def _safe_to_hand_over(wanted: Wanted) -> list[Refusal]:
    faults = []
    if wanted.identified_by not in ("photo", "second_identifier"):
        faults.append(
            Refusal(
                "not-identified",
                "The client was not identified at the moment of handing over.",
                "Compare the photo, or ask for the second identifier, and say which.",
                field="identified_by",
            )
        )
    if not wanted.well:
        faults.append(
            Refusal(
                "not-well",
                "The safety check was not passed: sober, well, no questions.",
                "Withhold for now, write what you saw, and see the client again later today; call the prescriber.",
                field="well",
            )
        )
    return faults


def _day_allows(moment: Moment, day: DoseDay, doing: str) -> list[Refusal]:
    order = moment.orders.get(day)
    if order is None:
        return [
            Refusal(
                "no-order",
                f"No order is in force for {day}: nothing to {doing}.",
                "Call the prescriber; the dose waits for a signed order.",
                {"day": day},
            )
        ]
    if day in moment.held:
        return [
            Refusal(
                "held",
                f"The prescriber holds the dose of {day}: {moment.held[day]}",
                "Send the client to the prescriber before anything is prepared.",
                {"day": day},
            )
        ]
    if not due_portions(moment, day):
        return [
            Refusal(
                "already-covered",
                f"The client already has the dose of {day} ({plain(order.mg)} mg).",
                "Do not dose again. Look at the record: who handed it over, and when.",
                {"day": day, "portions": sorted(moment.covered.get(day, frozenset()))},
            )
        ]
    return []


def _jumps(moment: Moment, wanted: Wanted) -> list[Refusal]:
    days = ([moment.today] if wanted.observed else []) + list(wanted.take_home_days)
    amounts = dict.fromkeys(moment.orders[day].mg for day in days if day in moment.orders)
    faults = [jump_refusal(moment.last_mg, mg, moment.guard, wanted.second_look) for mg in amounts]
    return [fault for fault in faults if fault]


def _absence(moment: Moment, wanted: Wanted) -> list[Refusal]:
    absent, last = days_without(moment), moment.last_covered
    if last is None or absent < moment.missed_days_ask:
        return []
    days = ([moment.today] if wanted.observed else []) + list(wanted.take_home_days)
    enough = last + timedelta(days=moment.missed_days_ask)
    if all(moment.orders[day].ordered_on > enough for day in days if day in moment.orders):
        return []  # the prescriber has ordered since, and knew of the absence; a step planned before does not
    return [
        Refusal(
            "absent",
            f"{absent} days passed without a dose (last on {last}): tolerance may be lost.",
            "Do not give the dose of the old order. Call the prescriber, who orders again from today.",
            {"days_without": absent, "last_covered": last},
        )
    ]


def _take_home(moment: Moment, days: Collection[DoseDay]) -> list[Refusal]:
    if moment.limits is None:
        return [
            Refusal(
                "no-decision",
                "No take-home decision is in force for this client.",
                "Give today's dose at the counter. The doctor decides on take-home.",
            )
        ]
    return list(take_home_allowed(moment.limits, list(days), moment.carried, moment.closed_days, today=moment.today))


def doses_of(moment: Moment, wanted: Wanted) -> list[DosePlan]:
    """What a permitted supply consists of: the next portion observed, every other portion asked in bottles."""
    plans = []
    first_today = due_portions(moment, moment.today)[:1] if wanted.observed else ()
    for portion in first_today:
        plans.append(_plan(moment, moment.today, portion, "observed"))
    for day in sorted(wanted.take_home_days):
        for portion in due_portions(moment, day):
            if not (day == moment.today and portion in first_today):
                plans.append(_plan(moment, day, portion, "take_home"))
    return plans


def proposed_days(moment: Moment) -> tuple[DoseDay, ...]:
    """The take-home days from tomorrow on that the decision in force allows, one after the other; none without one.

    It stops at the first day that has no order, is held, is covered or goes beyond the decision.
    """
    chosen: list[DoseDay] = []
    for ahead in range(1, LONGEST_SUPPLY + 1) if moment.limits else ():
        day = DoseDay(moment.today + timedelta(days=ahead))
        if _day_allows(moment, day, "carry home") or _take_home(moment, [*chosen, day]):
            break
        chosen.append(day)
    return tuple(chosen)


def _plan(moment: Moment, day: DoseDay, portion: int, kind: str) -> DosePlan:
    order = moment.orders[day]
    return DosePlan(
        day=day,
        portion=portion,
        portions=len(order.portions),
        kind=kind,
        mg=order.portions[portion - 1],
        order_id=order.order_id,
        closed_day=day in moment.closed_days,
    )
