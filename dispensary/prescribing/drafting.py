"""What is said of each step of a plan before it is signed: the guideline's ruling, what stands in its way. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dispensary.prescribing.course import Course, Leg
from dispensary.prescribing.guideline import Ruling
from dispensary.prescribing.judging import Held, Judged, judge, outside, said_of, too_long
from dispensary.prescribing.plans import Draft, PlanKind, Review, Step, reviews_of, steps_follow
from dispensary.prescribing.rules import JumpGuard, places_of, portions_of
from dispensary.prescribing.splitting import split
from dispensary.refusals import Refusal
from dispensary.units import plain

_BESIDE = {"second_look": "why", "outside": "why"}
"""One field of a step answers whatever asks for a reason."""


@dataclass(frozen=True)
class Said:
    """What is said of one step, and what somebody looks at because of it."""

    judged: Judged
    divided: Ruling | None
    """What the guideline says of dividing the dose, where the plan does that."""
    refusals: tuple[Refusal, ...]
    reviews: tuple[Review, ...]

    @property
    def rulings(self) -> tuple[Ruling, ...]:
        return (self.judged.ruling, self.divided) if self.divided else (self.judged.ruling,)

    def kept(self, step: Step) -> dict[str, object]:
        """The step as it is kept in the plan that was signed."""
        return {
            "from": step.first_day.isoformat(),
            "mg": plain(step.mg),
            "portions": [plain(part) for part in step.parts],
            "places": list(step.places),
            "why": step.why.strip(),
            "ruling": said_of(self.judged),
            "reviews": [{"due": one.due.isoformat(), "sentence": one.sentence} for one in self.reviews],
        }


def said_of_steps(draft: Draft, course: Course, held: Held, guard: JumpGuard) -> list[Said]:
    """Holds each step against the one before it, as though that had been taken, and against the client's course.

    A field of a refusal is the step's own, counted from nought: `mg_0`, `why_2`.
    """
    reviews = reviews_of(draft.steps, held.induction, course)
    found = []
    for number, step in enumerate(draft.steps):
        judged = judge(
            held,
            course,
            guard,
            day=step.first_day,
            mg=step.mg,
            about=draft.about,
            tapering=draft.kind is PlanKind.TAPER,
            second_look=step.why,
            reason=step.why,
        )
        divided = _divided(draft, course, held, step) if draft.kind is PlanKind.SPLIT else None
        portions = portions_of(step.mg, step.parts)
        faults = (
            *judged.refusals,
            outside(divided) if divided else None,
            portions if isinstance(portions, Refusal) else places_of(len(portions), step.places),
        )
        # A pattern of weekdays rises every week: only its first dose is a thing to look at.
        due = reviews[number] if draft.kind is not PlanKind.WEEKDAYS or number == 0 else ()
        found.append(Said(judged, divided, tuple(_of_step(fault, number) for fault in faults if fault), due))
        course = replace(
            course.then(Leg(step.first_day, step.mg)), first_given=course.first_given or draft.steps[0].first_day
        )
    return found


def faults_of_whole(draft: Draft, held: Held) -> list[Refusal]:
    """What is wrong with the days of a plan as a whole, its length among them."""
    faults = steps_follow(draft.kind, draft.steps, draft.until_day)
    if draft.steps and not faults:
        first = draft.steps[0].first_day
        long = too_long(held, first_day=first, until_day=draft.until_day, reason=draft.outside)
        faults += [long] if long else []
    return faults


def _divided(draft: Draft, course: Course, held: Held, step: Step) -> Ruling | None:
    if held.split is None or len(step.parts) < 2:
        return None
    changed = course.changed_before(step.first_day)
    return split(
        held.split,
        trough_ng_ml=draft.trough_ng_ml,
        peak_ng_ml=draft.peak_ng_ml,
        days_on_dose=(step.first_day - changed).days if changed else None,
        portions=len(step.parts),
        pregnant=draft.about.pregnant,
        reason=step.why,
    )


def _of_step(fault: Refusal, number: int) -> Refusal:
    return replace(fault, field=f"{_BESIDE.get(fault.field, fault.field)}_{number}")
