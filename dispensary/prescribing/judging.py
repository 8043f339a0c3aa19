"""A step of a dose held against the guideline that the site follows, and against its guard against slips. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dispensary.prescribing.course import Course
from dispensary.prescribing.guideline import Guideline, Ruling
from dispensary.prescribing.lengths import order_length
from dispensary.prescribing.rules import JumpGuard, jump_refusal
from dispensary.prescribing.sections import Topic, Verdict
from dispensary.prescribing.steps import Tolerance, start, step
from dispensary.prescribing.tapering import taper_step
from dispensary.refusals import Refusal
from dispensary.units import plain

NO_GUIDELINE = Guideline(
    guideline="no guideline",
    version="",
    jurisdiction="",
    title="",
    source_date="",
    effective_from=None,
    effective_to=None,
    note="",
)
"""Of a site that follows none: it has no limits, and the warnings that hold everywhere."""


@dataclass(frozen=True)
class About:
    """What the prescriber says of the client that the limits depend on."""

    tolerance: Tolerance = Tolerance.UNCERTAIN
    at_risk: bool = False
    """Whether sedatives, alcohol or something else adds to the risk."""
    pregnant: bool = False


NOTHING_SAID = About()
"""Tolerance counts as uncertain until somebody says otherwise: the smallest first dose."""


@dataclass(frozen=True)
class Held:
    """The guidelines that a step is held against; nothing where the site follows none for the topic."""

    induction: Guideline | None = None
    taper: Guideline | None = None
    split: Guideline | None = None
    prescription: Guideline | None = None

    def of(self, topic: Topic) -> Guideline | None:
        found: Guideline | None = getattr(self, topic.value, None)
        return found


def ruling_of(
    held: Held, course: Course, *, day: date, mg: Decimal, about: About, tapering: bool = False, reason: str = ""
) -> Ruling:
    """What the site's guideline says of a dose from this day on, as first dose, rise, or step of a taper.

    A fall outside of a taper is no step of a guideline: a dose is cut for a reason of its own. Without a guideline it
    is a referral to the prescriber, with the warnings that hold everywhere.
    """
    last = course.before(day)
    if last is None or course.first_given is None:
        return start(
            held.induction or NO_GUIDELINE, mg=mg, tolerance=about.tolerance, at_risk=about.at_risk, reason=reason
        )
    changed = course.changed_before(day)
    since = (day - changed).days if changed else 0
    if tapering and mg < last.mg:
        return taper_step(
            held.taper or NO_GUIDELINE,
            current_mg=last.mg,
            new_mg=mg,
            days_since_change=since,
            pregnant=about.pregnant,
            reason=reason,
        )
    return step(
        held.induction or NO_GUIDELINE,
        current_mg=last.mg,
        new_mg=mg,
        days_since_change=since,
        start_mg=course.start_mg(day),
        day_of_treatment=course.day_of_treatment(day),
        mg_a_week_ago=course.a_week_before(day),
        reason=reason,
    )


def outside(ruling: Ruling, *, mg_field: str = "mg", why_field: str = "outside") -> Refusal | None:
    """The refusal of what a guideline does not allow: for good, or until somebody says why it is right.

    Where the guideline leaves it to the prescriber there is nothing to refuse: they are the one who orders.
    """
    evidence = {"guideline": ruling.guideline, "version": ruling.version, "source": ruling.source}
    if ruling.answer is Verdict.REFUSE:
        return Refusal("guideline-refuses", ruling.sentence, "Order within the limit.", evidence, field=mg_field)
    if ruling.reason_needed:
        return Refusal(
            "outside-guideline",
            f"Outside {ruling.guideline}: {ruling.sentence}",
            "If it is right for this client, say why.",
            evidence,
            field=why_field,
        )
    return None


def too_long(held: Held, *, first_day: date, until_day: date | None, reason: str) -> Refusal | None:
    """The refusal of an order, or of a plan as a whole, that runs longer than the site's guideline has it."""
    if held.prescription is None:
        return None
    last = date.fromordinal(until_day.toordinal() - 1) if until_day is not None else None
    ruling = order_length(held.prescription, first_day=first_day, last_day=last, reason=reason)
    return outside(ruling, mg_field="until_day")


def longest_days(held: Held) -> int | None:
    """How many days one order may cover; nothing where no guideline says so."""
    guideline = held.prescription
    if guideline is None or guideline.prescription is None or not guideline.answers(Topic.PRESCRIPTION):
        return None
    return guideline.prescription.longest_days


@dataclass(frozen=True)
class Judged:
    """What is said of one step: the guideline's ruling, and every refusal that stands in its way."""

    ruling: Ruling
    refusals: tuple[Refusal, ...]


def judge(
    held: Held,
    course: Course,
    guard: JumpGuard,
    *,
    day: date,
    mg: Decimal,
    about: About,
    tapering: bool = False,
    second_look: str = "",
    reason: str = "",
) -> Judged:
    """Holds one step against the jump guard and the guideline, both of which a reason may open, never a hard limit."""
    ruling = ruling_of(held, course, day=day, mg=mg, about=about, tapering=tapering, reason=reason)
    found = (jump_refusal(course.compared_with(day), mg, guard, second_look), outside(ruling))
    return Judged(ruling, tuple(refusal for refusal in found if refusal))


def said_of(judged: Judged) -> dict[str, object]:
    """The ruling as it is kept beside a step that was signed."""
    ruling = judged.ruling
    return {
        "answer": ruling.answer.value,
        "sentence": ruling.sentence,
        "limits": list(ruling.limits),
        "source": ruling.source,
        "mg": plain(ruling.mg) if ruling.mg is not None else None,
    }
