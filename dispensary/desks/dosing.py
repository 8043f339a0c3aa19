"""What the order page and the plan page have in common: the guideline in view, and how their fields are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from dispensary.database import ReadSession
from dispensary.desks.record import Record
from dispensary.prescribing.course import Course
from dispensary.prescribing.guideline import everywhere
from dispensary.prescribing.judging import About, Held, longest_days
from dispensary.prescribing.queries import course_of, held_by
from dispensary.prescribing.rules import MOST_PORTIONS, PlaceOf
from dispensary.prescribing.sections import Everywhere, Induction, Prescription, Split, Taper, Topic
from dispensary.prescribing.steps import Tolerance
from dispensary.units import Milligrams, SiteId
from dispensary.web.dosing_acts import Bottles, last_given
from dispensary.web.forms import one
from dispensary.web.typed import Typed

PORTION_NUMBERS = tuple(range(1, MOST_PORTIONS + 1))


@dataclass(frozen=True)
class Basis:
    """What a change of the dose is held against, as the page shows it before anything is signed."""

    held: Held
    course: Course
    first_day: date
    """The first day on which a change can begin."""

    @property
    def current_mg(self) -> Decimal | None:
        """What is ordered before a change: the dose that a step is compared with."""
        last = self.course.before(self.first_day)
        return last.mg if last else None

    @property
    def changed_on(self) -> date | None:
        return self.course.changed_before(self.first_day)

    @property
    def first_dose(self) -> bool:
        """Whether nothing of this stay has been taken yet: then tolerance is asked for."""
        return self.course.first_given is None

    @property
    def longest(self) -> int | None:
        """Days that one order may cover."""
        return longest_days(self.held)

    @property
    def last_day(self) -> date | None:
        """The last day that an order from the first day on may have, where the site's guideline limits it."""
        return self.first_day + timedelta(days=self.longest - 1) if self.longest else None

    @property
    def induction(self) -> Induction | None:
        guideline = self.held.induction
        return guideline.induction if guideline and guideline.answers(Topic.INDUCTION) else None

    @property
    def taper(self) -> Taper | None:
        guideline = self.held.taper
        return guideline.taper if guideline and guideline.answers(Topic.TAPER) else None

    @property
    def split(self) -> Split | None:
        guideline = self.held.split
        return guideline.split if guideline and guideline.answers(Topic.SPLIT) else None

    @property
    def prescription(self) -> Prescription | None:
        guideline = self.held.prescription
        return guideline.prescription if guideline and guideline.answers(Topic.PRESCRIPTION) else None

    @property
    def everywhere(self) -> Everywhere:
        return everywhere()


def basis_of(session: ReadSession, record: Record, site_id: SiteId) -> Basis:
    """Reads it for one client."""
    first = record.first_free_day
    course = Course()
    if record.episode is not None:
        given = last_given(session, client_id=record.window.face.client_id, before=first)
        course = course_of(session, episode_id=record.episode.id, last_given=given)
    return Basis(held_by(session, site_id=site_id, day=first), course, first)


def about_of(form: Mapping[str, Any]) -> About:
    """What the prescriber says of the client; tolerance that nobody speaks of counts as uncertain."""
    told = one(form, "tolerance")
    return About(
        tolerance=Tolerance(told) if told in list(Tolerance) else Tolerance.UNCERTAIN,
        at_risk=one(form, "at_risk") == "yes",
        pregnant=one(form, "pregnant") == "yes",
    )


def bottles_of(form: Mapping[str, Any], name: str = "bottles") -> Bottles:
    """What becomes of the bottles at home; nothing where nobody has said."""
    told = one(form, name)
    return Bottles(told) if told in list(Bottles) else Bottles.UNSAID


def milligrams_or_none(typed: Typed, form: Mapping[str, Any], name: str) -> Milligrams | None:
    """An amount that may be left open."""
    return typed.milligrams(name) if one(form, name) else None


def places_typed(typed: Typed, form: Mapping[str, Any], portions: int) -> list[str]:
    """The place of each portion, `place_1` and so on; none where all of them are left to the take-home decision."""
    told = [one(form, f"place_{number}") for number in PORTION_NUMBERS]
    if not any(told):
        return []
    if not all(told[:portions]) or any(told[portions:]) or any(place not in ["", *PlaceOf] for place in told):
        typed.fault(
            "places",
            "places",
            "A portion has no place, or a place no portion.",
            "Say of each portion whether it is taken at the counter or at home, or of none.",
        )
        return []
    return told[:portions]
