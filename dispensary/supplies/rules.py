"""Whether a supply may leave the counter, and what it consists of. Pure: over plain values, with every reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID

from dispensary.monitoring.refill_rules import WithIt
from dispensary.prescribing.guideline import Guideline, Ruling
from dispensary.prescribing.rules import JumpGuard, jump_refusal
from dispensary.refusals import Refusal
from dispensary.supplies.absence import Absence, Reduced, absence_refusal, judged, ordered_knowing
from dispensary.supplies.elsewhere import Elsewhere, given_elsewhere, no_bottles_here
from dispensary.supplies.exceptions_rules import nothing_carried_home, reduced_portions
from dispensary.supplies.flags_rules import Stop, stopped
from dispensary.supplies.safety_rules import identified, well_enough
from dispensary.takehome.carrying import DecisionLimits, take_home_allowed
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
    places: tuple[str, ...] | None = None
    """Where each portion is taken on a day on which the client comes: `supervised` or `take_home`.

    Nothing means the first at the counter, the others as the take-home decision allows.
    """

    @property
    def mg(self) -> Milligrams:
        return Milligrams(sum(self.portions, Decimal(0)))


@dataclass(frozen=True)
class Wanted:
    """What the counter asks to hand over, in one act."""

    observed: bool
    take_home_days: tuple[DoseDay, ...] = ()
    identified_by: str = ""
    """How the client was known: `photo`, `second_identifier`, or the birth date that they said (`how_known`)."""
    well: bool = False
    """The safety check before each dose: sober, well, no questions (WHO 2009; Australian guidelines 2003, 4.3)."""
    found: str = ""
    """What is not as it should be (`Found`), where the dispenser lets the dose go on: then `observation` says more."""
    observation: str = ""
    second_look: str = ""
    pickup_id: UUID | None = None
    collected_by: str = "client"
    """`client`, `agent`, or `carrier`: somebody of the staff, who hands it to the client at their home."""
    consent_id: UUID | None = None
    """The client's consent by which an agent collects. It names the agent, who is known by a `document`."""
    refills: tuple[WithIt, ...] = ()
    """Medicine of other treatments that is handed over in the same act."""


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
    """What was given in all on the last day before today that had its whole dose, with what came on top of it."""
    last_whole: DoseDay | None = None
    """That day."""
    guard: JumpGuard = field(default_factory=JumpGuard)
    missed_days_ask: int = 3
    limits: DecisionLimits | None = None
    carried: frozenset[DoseDay] = frozenset()
    """Dose days for which the client carries bottles that count, from this week's Monday on."""
    closed_days: frozenset[DoseDay] = frozenset()
    """Closed days whose bottles come on top: where a decision keeps only so many in a row apart, those alone."""
    day_closed: bool = False
    reduction: Reduced | None = None
    """Less than the order, as agreed with the prescriber by telephone."""
    guideline: Guideline | None = None
    """What the site follows for missed days; read only when there is an absence to judge."""
    day_of_treatment: int | None = None
    blocked: tuple[DoseDay, ...] = ()
    """Days on which something went wrong that a prescriber has not reviewed yet."""
    withheld: bool = False
    """Whether a dose was withheld today because the client did not seem safe to dose."""
    waits: bool = False
    """Whether something of today still waits for the client to be seen again."""
    stops: tuple[Stop, ...] = ()
    """Flags that withhold, on today or on a day ahead, until their owner clears them."""
    elsewhere: Mapping[DoseDay, Elsewhere] = field(default_factory=dict)
    """Days whose doses another site gives."""
    observed_only: bool = False
    """Whether the client is a guest here whom home allowed no bottles."""

    @property
    def absence(self) -> Absence:
        return Absence(
            days=days_without(self),
            last_covered=self.last_covered,
            ask_from=self.missed_days_ask,
            guideline=self.guideline,
            day_of_treatment=self.day_of_treatment,
            usual_mg=self.last_mg,
        )


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
    extra: bool = False
    """Beside the day's dose: an entry of its own, which names one lot."""


def due_portions(moment: Moment, day: DoseDay) -> tuple[int, ...]:
    """The portions of a day that are ordered and not covered, in the order in which they are taken."""
    order = moment.orders.get(day)
    if order is None:
        return ()
    has = moment.covered.get(day, frozenset())
    return tuple(p for p in range(1, len(order.portions) + 1) if p not in has)


def portions_on(moment: Moment, day: DoseDay) -> tuple[Milligrams, ...]:
    """What each portion of a day is, in mg: as ordered, or less where less was agreed; none without an order."""
    order = moment.orders.get(day)
    if order is None:
        return ()
    if moment.reduction is None or day < moment.reduction.from_day:
        return order.portions
    return reduced_portions(order.portions, moment.reduction.mg)


def portion_here(moment: Moment) -> int | None:
    """The portion that is taken at the counter now: the first due one that is supervised, or else the first due one."""
    due, order = due_portions(moment, moment.today), moment.orders.get(moment.today)
    if not due or order is None:
        return None
    here = [p for p in due if order.places and order.places[p - 1] == "supervised"]
    return (here or list(due))[0]


def carried_on(moment: Moment, day: DoseDay, *, observed: bool) -> tuple[int, ...]:
    """The portions of a day that go into bottles: all that are due on a day ahead.

    Of today, on which the client comes, not the one that is taken here, nor one whose order says that it is supervised.
    """
    due, order = due_portions(moment, day), moment.orders.get(day)
    if day != moment.today or order is None:
        return due
    here = portion_here(moment) if observed else None
    supervised = [p for p in due if order.places and order.places[p - 1] == "supervised"]
    return tuple(p for p in due if p != here and p not in supervised)


def ruling_on(moment: Moment) -> Ruling | None:
    """What the site's guideline says of the client's absence, for today's order, unless the order knows of it."""
    order = moment.orders.get(moment.today)
    if order is None or ordered_knowing(moment.absence, order.mg, order.ordered_on):
        return None
    return judged(moment.absence, order.mg)


def days_without(moment: Moment) -> int:
    """How many days before today passed without any dose; 0 when there never was one."""
    return (moment.today - moment.last_covered).days - 1 if moment.last_covered else 0


def may_dispense(moment: Moment, wanted: Wanted) -> tuple[Refusal, ...]:
    """Every reason why this supply may not leave; empty when it may.

    Nothing here looks at test results, bookings or missed pickups: they never block a dose.
    """
    faults = [*_asked_well(moment, wanted), *_safe(wanted)]
    if wanted.observed:
        faults += _day_allows(moment, moment.today, "take today")
    for day in wanted.take_home_days:
        faults += _day_allows(moment, day, "carry home")
        faults += _something_to_carry(moment, day, observed=wanted.observed)
    faults += _blocked(moment)
    faults += _stopped(moment, wanted)
    faults += _jumps(moment, wanted)
    faults += _absence(moment, wanted)
    if wanted.take_home_days:
        faults += _take_home(moment, wanted.take_home_days)
        faults += [nothing_carried_home()] if moment.withheld else []
    return tuple(faults)


def _safe(wanted: Wanted) -> tuple[Refusal, ...]:
    who = () if wanted.collected_by == "agent" else identified(wanted.identified_by)
    return (*who, *well_enough(well=wanted.well, found=wanted.found, observation=wanted.observation))


def may_give_extra(moment: Moment, *, identified_by: str, well: bool) -> tuple[Refusal, ...]:
    """Why nothing may be given beside the day's dose; empty when it may. How much is the prescriber's word."""
    faults = [*identified(identified_by), *well_enough(well=well)]
    faults += given_elsewhere(moment.elsewhere, moment.today)
    if moment.day_closed:
        faults.append(_day_closed(moment))
    if moment.today in moment.held:
        faults.append(_held(moment, moment.today))
    return (*faults, *_blocked(moment), *_stopped(moment, Wanted(observed=True)))


def may_prepare(moment: Moment, wanted: Wanted) -> tuple[Refusal, ...]:
    """Every reason why bottles may not be packed for collection; identity and safety are asked when they leave."""
    faults = _asked_well(moment, wanted)
    for day in wanted.take_home_days:
        faults += _day_allows(moment, day, "carry home")
    if wanted.take_home_days:
        faults += _take_home(moment, wanted.take_home_days)
        faults += _stopped(moment, wanted)
    return tuple(faults)


def _stopped(moment: Moment, wanted: Wanted) -> tuple[Refusal, ...]:
    return stopped(moment.stops, today=moment.today, observed=wanted.observed, take_home_days=wanted.take_home_days)


def _asked_well(moment: Moment, wanted: Wanted) -> list[Refusal]:
    faults = []
    if not wanted.observed and not wanted.take_home_days:
        faults.append(Refusal("nothing-asked", "Nothing was chosen to hand over.", "Choose the dose or the bottles."))
    if moment.day_closed and wanted.collected_by != "carrier":  # what happened at a home may be entered late
        faults.append(_day_closed(moment))
    faults += given_elsewhere(moment.elsewhere, moment.today)
    if moment.observed_only and wanted.take_home_days:
        faults.append(no_bottles_here())
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


def _day_closed(moment: Moment) -> Refusal:
    return Refusal(
        "day-closed", f"The dose day {moment.today} is closed.", "Dose on the next day.", {"day": moment.today}
    )


def _held(moment: Moment, day: DoseDay) -> Refusal:
    return Refusal(
        "held",
        f"The prescriber holds the dose of {day}: {moment.held[day]}",
        "Send the client to the prescriber before anything is prepared.",
        {"day": day},
    )


def _day_allows(moment: Moment, day: DoseDay, doing: str) -> list[Refusal]:
    if day != moment.today and day in moment.elsewhere:
        return given_elsewhere(moment.elsewhere, day)
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
        return [_held(moment, day)]
    if not due_portions(moment, day):
        return [
            Refusal(
                "already-covered",
                f"The client already has the dose of {day} ({plain(order.mg)} mg ordered).",
                "Do not dose again. Look at the record: who handed it over, and when.",
                {"day": day, "portions": sorted(moment.covered.get(day, frozenset()))},
            )
        ]
    return []


def _something_to_carry(moment: Moment, day: DoseDay, *, observed: bool) -> list[Refusal]:
    if day != moment.today or not due_portions(moment, day) or carried_on(moment, day, observed=observed):
        return []
    if observed and len(due_portions(moment, day)) == 1:
        return []  # the last portion is taken here: nothing of today is left to carry
    return [
        Refusal(
            "supervised-portion",
            f"What is left of {day} is ordered to be taken at the counter.",
            "Do not let it be carried home: the client comes again, or the prescriber orders otherwise.",
            {"day": day},
        )
    ]


def _blocked(moment: Moment) -> list[Refusal]:
    return [
        Refusal(
            "review-first",
            f"Another dose than ordered was given on {day}, and no prescriber has reviewed it yet.",
            "Do not dose. Call the prescriber, who closes it with what is to be done.",
            {"day": day},
        )
        for day in moment.blocked
    ]


def _jumps(moment: Moment, wanted: Wanted) -> list[Refusal]:
    amounts = dict.fromkeys(
        order.mg for day, order in _asked_orders(moment, wanted) if portions_on(moment, day) == order.portions
    )  # what was agreed to be less is no slip of the pen
    faults = [jump_refusal(moment.last_mg, mg, moment.guard, wanted.second_look) for mg in amounts]
    return [fault for fault in faults if fault]


def _absence(moment: Moment, wanted: Wanted) -> list[Refusal]:
    absence = moment.absence
    unknowing = {
        order.order_id: order
        for _, order in _asked_orders(moment, wanted)
        if not ordered_knowing(absence, order.mg, order.ordered_on)
    }
    # An order of several days ahead may differ from today's: what it would give is judged too.
    faults = [absence_refusal(absence, order.mg, moment.reduction) for order in unknowing.values()]
    return [fault for fault in faults if fault][:1]


def _asked_orders(moment: Moment, wanted: Wanted) -> list[tuple[DoseDay, OrderInForce]]:
    days = ([moment.today] if wanted.observed else []) + list(wanted.take_home_days)
    return [(day, moment.orders[day]) for day in days if day in moment.orders]


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
    """What a permitted supply consists of: the portion taken here, and every other portion that is asked in bottles."""
    plans = []
    here = portion_here(moment) if wanted.observed else None
    if here is not None:
        plans.append(_plan(moment, moment.today, here, "observed"))
    for day in sorted(wanted.take_home_days):
        for portion in carried_on(moment, day, observed=wanted.observed):
            plans.append(_plan(moment, day, portion, "take_home"))
    return plans


def _plan(moment: Moment, day: DoseDay, portion: int, kind: str) -> DosePlan:
    order = moment.orders[day]
    return DosePlan(
        day=day,
        portion=portion,
        portions=len(order.portions),
        kind=kind,
        mg=portions_on(moment, day)[portion - 1],
        order_id=order.order_id,
        closed_day=day in moment.closed_days,
    )
