"""A plan of doses: the steps that a guideline proposes, and what the prescriber signs as one. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from itertools import pairwise

from dispensary.prescribing.course import Course, Leg
from dispensary.prescribing.guideline import Guideline, everywhere
from dispensary.prescribing.judging import NO_GUIDELINE, NOTHING_SAID, About
from dispensary.prescribing.rules import MOST_PORTIONS
from dispensary.prescribing.sections import Induction, Topic, Verdict
from dispensary.prescribing.steps import start, step
from dispensary.prescribing.tapering import taper_plan
from dispensary.refusals import Refusal
from dispensary.units import Milligrams, plain

MOST_STEPS = 120
_LONGEST_WAIT = 28
"""Days that a proposal looks ahead for the first on which a rise is within the guideline."""


class PlanKind(StrEnum):
    INDUCTION = "induction"
    TITRATION = "titration"
    STABILISATION = "stabilisation"
    TAPER = "taper"
    SPLIT = "split"
    WEEKDAYS = "weekdays"


TOPIC: Mapping[PlanKind, Topic] = {
    PlanKind.INDUCTION: Topic.INDUCTION,
    PlanKind.TITRATION: Topic.INDUCTION,
    PlanKind.STABILISATION: Topic.INDUCTION,
    PlanKind.TAPER: Topic.TAPER,
    PlanKind.SPLIT: Topic.SPLIT,
    PlanKind.WEEKDAYS: Topic.INDUCTION,
}
"""Which of a site's guidelines a plan is signed under."""


@dataclass(frozen=True)
class Step:
    """One dose of a plan, from a day until the next step's."""

    first_day: date
    mg: Milligrams
    parts: tuple[Milligrams, ...] = ()
    places: tuple[str, ...] = ()
    why: str = ""
    """Why it is right, where it jumps or leaves the guideline."""


@dataclass(frozen=True)
class Draft:
    """A plan as it was written, before it is signed."""

    kind: PlanKind
    steps: tuple[Step, ...]
    until_day: date | None = None
    """The first day without a dose of this plan; without it the last step holds until somebody orders again."""
    outside: str = ""
    """Why it is right that the plan as a whole runs longer than the guideline has it."""
    about: About = NOTHING_SAID
    trough_ng_ml: Decimal | None = None
    peak_ng_ml: Decimal | None = None


@dataclass(frozen=True)
class Proposed:
    """Steps to begin with, and what is said where the guideline goes no further."""

    steps: tuple[Step, ...]
    until_day: date | None = None
    """The first day without a dose, where the plan reaches 0 mg."""
    note: str = ""


@dataclass(frozen=True)
class Aim:
    """What a proposal is made from. What is left open comes from the guideline; where that is silent, it stays open."""

    kind: PlanKind
    first_day: date
    current_mg: Decimal | None = None
    start_mg: Decimal | None = None
    target_mg: Decimal | None = None
    step_mg: Decimal | None = None
    days_between: int | None = None
    portions: int = 1
    about: About = NOTHING_SAID


def propose(aim: Aim, course: Course, guideline: Guideline | None) -> Proposed:
    """The steps of an induction, a titration, a taper, a stabilisation or a division of the dose, to be edited.

    Every step of an induction or a titration that it proposes is one that the guideline allows without a reason.
    """
    if aim.kind is PlanKind.TAPER:
        return _taper(aim, guideline)
    if aim.kind in (PlanKind.INDUCTION, PlanKind.TITRATION):
        return _rises(aim, course, guideline or NO_GUIDELINE)
    mg = aim.start_mg or aim.current_mg
    if mg is None:
        return Proposed((), note="Type the dose.")
    parts = tuple(equal_portions(mg, aim.portions)) if aim.portions > 1 else ()
    return Proposed((Step(aim.first_day, Milligrams(mg), parts),))


def within(proposed: Proposed, longest_days: int | None) -> Proposed:
    """As much of a proposal as one signature may cover, where the site's guideline limits the days of an order."""
    if longest_days is None or not proposed.steps:
        return proposed
    end = proposed.steps[0].first_day + timedelta(days=longest_days)
    if proposed.until_day is not None and proposed.until_day <= end:
        return proposed
    steps = tuple(one for one in proposed.steps if one.first_day < end)
    short = len(steps) < len(proposed.steps) or proposed.until_day is not None
    note = f"One signature covers {longest_days} days: the plan goes on with another." if short else ""
    return Proposed(steps, end, " ".join(part for part in (proposed.note, note) if part))


def _rises(aim: Aim, course: Course, guideline: Guideline) -> Proposed:
    section = guideline.induction if guideline.answers(Topic.INDUCTION) else None
    begun = aim.current_mg is not None and aim.kind is PlanKind.TITRATION
    first = aim.current_mg if begun else aim.start_mg or _usual_start(guideline, aim.about)
    rise = aim.step_mg or (section.step.most if section and section.step else None)
    between = aim.days_between or (section.days_between if section else None)
    if first is None:
        return Proposed((), note="Type the dose to begin with: no guideline that the site follows names one.")
    if aim.target_mg is not None and rise is not None and between is None:
        return Proposed(_first(aim, first, begun), note="Type the days between steps: no guideline here names them.")
    steps = list(_first(aim, first, begun))
    going = course.then(Leg(aim.first_day, first)) if not begun else course
    mg, day = first, aim.first_day
    if aim.target_mg is not None and rise is not None and between is not None:
        if not begun:
            day += timedelta(days=max(between, everywhere().settle_days))
        while mg < aim.target_mg and len(steps) < MOST_STEPS:
            after = min(mg + rise, aim.target_mg)
            found = _first_allowed(guideline, section, going, day, after)
            if found is None:
                break
            day, mg = found
            going = going.then(Leg(day, mg))
            steps.append(Step(day, Milligrams(mg)))
            day += timedelta(days=max(between, everywhere().settle_days))
    short = aim.target_mg is not None and (not steps or steps[-1].mg < aim.target_mg)
    return Proposed(tuple(steps), note="The steps do not reach the target: add the others by hand." if short else "")


def _first(aim: Aim, first: Decimal, begun: bool) -> tuple[Step, ...]:
    return () if begun else (Step(aim.first_day, Milligrams(first)),)


def _first_allowed(
    guideline: Guideline, section: Induction | None, course: Course, day: date, mg: Decimal
) -> tuple[date, Decimal] | None:
    """The first day from this one on for which the guideline allows the rise; where it has no rules, this very day."""
    last = course.before(day)
    if section is None or last is None:
        return day, mg
    for later in range(_LONGEST_WAIT):
        on = day + timedelta(days=later)
        changed = course.changed_before(on)
        ruling = step(
            guideline,
            current_mg=last.mg,
            new_mg=mg,
            days_since_change=(on - changed).days if changed else 0,
            start_mg=course.start_mg(on),
            day_of_treatment=course.day_of_treatment(on),
            mg_a_week_ago=course.a_week_before(on),
        )
        if ruling.answer is Verdict.ALLOW:
            return on, mg
        if ruling.answer is Verdict.REFER:
            return day, mg
    return None


def _usual_start(guideline: Guideline, about: About) -> Decimal | None:
    """The highest first dose that the guideline allows this client without a reason."""
    section = guideline.induction
    if section is None or not guideline.answers(Topic.INDUCTION):
        return None
    ranges = (section.start_low, section.start_at_risk, section.start, section.start_high)
    tops = sorted({each.most for each in ranges if each is not None}, reverse=True)
    return next(
        (
            mg
            for mg in tops
            if start(guideline, mg=mg, tolerance=about.tolerance, at_risk=about.at_risk).answer is Verdict.ALLOW
        ),
        None,
    )


def _taper(aim: Aim, guideline: Guideline | None) -> Proposed:
    current, target = aim.current_mg or aim.start_mg, aim.target_mg if aim.target_mg is not None else Decimal(0)
    if current is None:
        return Proposed((), note="Type the dose from which the taper begins.")
    if aim.step_mg is not None and aim.days_between is not None:
        mg, day = current, aim.first_day
        steps: list[tuple[date, Decimal]] = []
        while mg > target and len(steps) <= MOST_STEPS:
            mg = max(mg - aim.step_mg, target)
            steps.append((day, mg))
            day += timedelta(days=aim.days_between)
        note = ""
    else:
        plan = taper_plan(
            guideline or NO_GUIDELINE,
            from_mg=current,
            to_mg=target,
            first_day=aim.first_day,
            pregnant=aim.about.pregnant,
        )
        steps = [(one.first_day, one.mg) for one in plan.steps]
        note = "" if plan.ruling.answer is Verdict.ALLOW else plan.ruling.sentence
    if len(steps) > MOST_STEPS:
        steps = steps[:MOST_STEPS]
        note = f"{note} These are the first {MOST_STEPS} steps; they do not reach {plain(target)} mg.".strip()
    until = next((day for day, mg in steps if mg == 0), None)
    return Proposed(tuple(Step(day, Milligrams(mg)) for day, mg in steps if mg > 0), until, note)


def equal_portions(mg: Decimal, portions: int) -> list[Milligrams]:
    """So many portions of whole mg where they divide so, the first the largest; they add up exactly."""
    count = max(1, min(portions, MOST_PORTIONS))
    each = (mg / count).to_integral_value(ROUND_DOWN)
    if each <= 0:
        each = (mg / count).quantize(Decimal("0.01"), ROUND_DOWN)
    return [Milligrams(mg - each * (count - 1)), *[Milligrams(each)] * (count - 1)]


def by_weekday(pattern: Sequence[Step], first_day: date, until_day: date) -> Iterator[Step]:
    """The dated steps of a pattern of seven, Monday first; days that follow each other with the same dose are one."""
    before: Step | None = None
    day = first_day
    while day < until_day:
        one = pattern[day.weekday()]
        if before is None or (one.mg, one.parts, one.places) != (before.mg, before.parts, before.places):
            before = Step(day, one.mg, one.parts, one.places, one.why)
            yield before
        day += timedelta(days=1)


def steps_follow(kind: PlanKind, steps: Sequence[Step], until_day: date | None) -> list[Refusal]:
    """What is wrong with the days of a plan as a whole; nothing when each step begins after the one before."""
    faults = []
    if not steps:
        faults.append(Refusal("plan-empty", "The plan has no step.", "Propose steps, or type them."))
    if len(steps) > MOST_STEPS:
        faults.append(
            Refusal("plan-long", f"A plan has at most {MOST_STEPS} steps.", "Sign it in parts.", field="until_day")
        )
    for number, (one, after) in enumerate(pairwise(steps), 1):
        if after.first_day <= one.first_day:
            faults.append(
                Refusal(
                    "step-order",
                    f"This step begins on {after.first_day}, not after the one before ({one.first_day}).",
                    "Correct the day.",
                    field=f"day_{number}",
                )
            )
    if steps and until_day is not None and until_day <= steps[-1].first_day:
        faults.append(
            Refusal("ends-before", "The plan ends before its last step.", "Correct the last day.", field="until_day")
        )
    if kind is PlanKind.WEEKDAYS and until_day is None:
        faults.append(
            Refusal("no-last-day", "A pattern of weekdays has a last day.", "Add the last day.", field="until_day")
        )
    return faults


@dataclass(frozen=True)
class Review:
    """Something that somebody looks at on a day of the plan."""

    due: date
    sentence: str


def reviews_of(steps: Sequence[Step], guideline: Guideline | None, course: Course) -> list[tuple[Review, ...]]:
    """What is to be looked at for each step: the observation after a first dose where the guideline states its hours,
    and, on the day before a rise, how the client does on the dose so far.
    """
    last = course.before(steps[0].first_day) if steps else None
    section = guideline.induction if guideline is not None and guideline.answers(Topic.INDUCTION) else None
    found: list[tuple[Review, ...]] = []
    before = last.mg if last else None
    for number, one in enumerate(steps):
        reviews = []
        if number == 0 and course.first_given is None and section is not None and section.observe_hours is not None:
            hours = section.observe_hours
            spell = f"{plain(hours.least)} to {plain(hours.most)}" if hours.least is not None else plain(hours.most)
            reviews.append(Review(one.first_day, f"First dose: observe the client for {spell} hours."))
        if number > 0 and before is not None and one.mg > before:
            due = one.first_day - timedelta(days=1)
            sentence = f"Before the rise from {plain(before)} to {plain(one.mg)} mg on {one.first_day}: see the client."
            reviews.append(Review(due, sentence))
        found.append(tuple(reviews))
        before = one.mg
    return found
