"""What is not as usual in the demonstration today, each by the act that a person would use for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select

import scheduling.service
from dispensary.database import Database
from dispensary.demo.course import Life
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, Role
from dispensary.supplies import exceptions
from dispensary.supplies.handover import hand_over
from dispensary.supplies.models import Dose
from dispensary.supplies.recalls import call_back
from dispensary.supplies.rules import Wanted
from dispensary.supplies.wrong_doses import Wrong
from dispensary.takehome.deciding import decide
from dispensary.takehome.service import assess_client
from dispensary.takehome.suspending import suspend
from dispensary.takehome.terms import Occasion
from dispensary.units import ClientId, DoseDay, Milligrams
from dispensary.web.unusual_acts import wrong_dose

SETTLED = timedelta(days=14)
UNCERTAIN_MG = 40
"""Up to this dose tolerance is uncertain (Australian national guidelines 2003, 4.4)."""
VOMITED_AFTER = 12
"""Minutes after the dose."""


@dataclass
class Unusual:
    """A morning on which hardly anything is as usual; everybody it is about is about one thing alone."""

    database: Database
    site: Place
    actors: Mapping[Role, Actor]
    here: Sequence[Life]
    today: DoseDay
    now: datetime
    taken: set[ClientId] = field(default_factory=set)

    def ago(self, minutes: int) -> datetime:
        """So many minutes ago; never before the day began, and then still in their order."""
        began, _ = self.site.window_of(self.today)
        return self.now - min(timedelta(minutes=minutes), (self.now - began) * minutes / 120)

    def happens(self) -> set[ClientId]:
        """Everything at once. Returns whom it was about, who are nobody's usual visit today."""
        self._come_back()
        self._bottles_are_called_back()
        self._too_much_is_given()
        self._a_dose_is_vomited()
        self._somebody_is_not_well()
        self._take_home_is_suspended()
        self._somebody_travels()
        self.taken.update(life.client_id for life in self.here if life.planned)
        return self.taken

    def _one(self, suits: Callable[[Life], bool]) -> Life:
        """The first by number whom nothing else is about and for whom it is true."""
        return next(life for life in self.here if life.client_id not in self.taken and suits(life) and self._take(life))

    def _take(self, life: Life) -> bool:
        self.taken.add(life.client_id)
        return True

    def _comes_today(self, life: Life) -> bool:
        """Whether they come for a whole dose that has been the same for two weeks."""
        person = life.person
        usual = not (person.leaves_on or person.away_from or person.split or life.planned or life.without)
        settled = life.changed_on is not None and life.changed_on < self.today - SETTLED
        return usual and settled and self.today not in life.covered

    def _come_back(self) -> None:
        away = [life for life in self.here if life.person.away_from]
        for minutes, life in zip((14, 12), away, strict=True):
            self._take(life)
            with self.database.writing() as session:
                scheduling.service.check_in(
                    session, place_id=self.site.id, holder_id=life.client_id, now=self.ago(minutes)
                )

    def _bottles_are_called_back(self) -> None:
        def has_bottles(life: Life) -> bool:
            ahead = [day for day, kind in life.covered.items() if kind == "take_home" and day >= self.today]
            return not life.person.leaves_on and len(ahead) >= 2

        life, (began, _) = self._one(has_bottles), self.site.window_of(self.today)
        with self.database.writing() as session:
            call_back(
                session,
                actor=self.actors[Role.DOCTOR],
                client_id=life.client_id,
                cause="check",
                from_day=self.today,
                bring_by=self.today,
                at=began - timedelta(hours=14),
            )

    def _a_dose_is_vomited(self) -> None:
        life = self._one(self._comes_today)
        pharmacist, client_id = self.actors[Role.PHARMACIST], life.client_id
        with self.database.writing() as session:
            hand_over(
                session,
                actor=pharmacist,
                client_id=client_id,
                wanted=Wanted(observed=True, identified_by="photo", well=True),
                key=f"demo-{self.today}-before",
                today=self.today,
                zone=self.site.zone,
                at=self.ago(20 + VOMITED_AFTER),
            )
        with self.database.writing() as session:
            dose = session.scalars(
                select(Dose.id).where(
                    Dose.client_id == client_id, Dose.dose_day == self.today, Dose.voided_at.is_(None)
                )
            ).one()
            exceptions.vomited(
                session,
                actor=pharmacist,
                client_id=client_id,
                dose_id=dose,
                minutes=Decimal(VOMITED_AFTER),
                witnessed=True,
                key=f"demo-{self.today}-vomited",
                today=self.today,
                at=self.ago(20),
            )

    def _somebody_is_not_well(self) -> None:
        life = self._one(self._comes_today)
        with self.database.writing() as session:
            exceptions.withhold(
                session,
                actor=self.actors[Role.PHARMACIST],
                client_id=life.client_id,
                observation="Drowsy, words slurred, smells of alcohol. Sat down with water; comes back later today.",
                key=f"demo-{self.today}-withheld",
                today=self.today,
                at=self.ago(50),
            )

    def _too_much_is_given(self) -> None:
        """More than half above the order, to somebody with a low dose: the guideline has them observed for hours."""
        life = self._one(lambda life: self._comes_today(life) and life.orders[-1].mg <= UNCERTAIN_MG)
        ordered = life.orders[-1].mg
        with self.database.writing() as session:
            wrong_dose(
                session,
                actor=self.actors[Role.PHARMACIST],
                client_id=life.client_id,
                wrong=Wrong(
                    given_mg=Milligrams(ordered + ordered * 3 / 5),
                    happened="Two cups stood ready, and the wrong one was handed over.",
                ),
                key=f"demo-{self.today}-wrong",
                today=self.today,
                at=self.ago(40),
            )

    def _carries(self, life: Life) -> bool:
        return self._comes_today(life) and bool(life.limits and life.limits.per_supply and life.decision_id)

    def _take_home_is_suspended(self) -> None:
        life = self._one(self._carries)
        with self.database.writing() as session:
            suspend(
                session,
                actor=self.actors[Role.DOCTOR],
                client_id=life.client_id,
                from_day=self.today,
                reason="Moves house this week, and has nowhere to lock doses away. Agreed with the client.",
                review_on=self.today + timedelta(days=14),
                at=self.ago(30),
            )

    def _somebody_travels(self) -> None:
        life = self._one(self._carries)
        doctor, at = self.actors[Role.DOCTOR], self.ago(28)
        with self.database.writing() as session:
            assessment = assess_client(session, actor=doctor, client_id=life.client_id, on=self.today, at=at)
            decide(
                session,
                actor=doctor,
                assessment_id=assessment.id,
                days_from=self.today,
                days_until=self.today + timedelta(days=8),
                per_supply=7,
                per_week=7,
                reason="A daughter marries in Kuching; away for a week.",
                occasion=Occasion.TRAVEL,
                at=at,
            )
