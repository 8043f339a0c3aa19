"""Results, treatments and refills of the demonstration: a few clients of whom something is to be seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispensary.database import WriteSession
from dispensary.demo.course import Life
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.refills import refill
from dispensary.monitoring.results import Measurement, enter_results, laboratory, set_limit
from dispensary.monitoring.treatment_models import Medication
from dispensary.monitoring.treatments import medicines_of, start_medicine, start_treatment, stop_medicine
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, DoseDay

LABORATORY = "Makmal Harapan"
LIMITS = (("alt", "", "45"), ("ast", "", "40"), ("bilirubin", "", "21"))
EVERY = 30
"""Days that a refill lasts."""


@dataclass(frozen=True)
class _Health:
    """The people's health, written as doctor and pharmacist would have written it."""

    session: WriteSession
    doctor: Actor
    pharmacist: Actor
    today: DoseDay
    now: datetime

    def measures(self, life: Life, ago: int, values: Mapping[str, str]) -> None:
        from_ = laboratory(self.session, actor=self.doctor, name=LABORATORY)
        day = max(self.today - timedelta(days=ago), life.person.enrolled_on)
        enter_results(
            self.session,
            actor=self.doctor,
            client_id=ClientId(life.client_id),
            taken_on=day,
            measurements=[Measurement(code, value) for code, value in values.items()],
            key=f"demo {ago}",
            today=self.today,
            at=self.now - timedelta(days=ago),
            laboratory_id=from_.id,
        )

    def treats(self, life: Life, kind: str, substances: Sequence[str], ago: int, refills: Sequence[int]) -> None:
        """A treatment that began so many days ago, with refills of all its parts so many days ago."""
        client_id = ClientId(life.client_id)
        began = max(self.today - timedelta(days=ago), life.person.enrolled_on)
        start_treatment(
            self.session,
            actor=self.doctor,
            client_id=client_id,
            kind=kind,
            substances=substances,
            started_on=began,
            today=self.today,
            at=self.now - timedelta(days=ago),
        )
        for medicine in medicines_of(self.session, client_id=client_id):
            for each in refills:
                day = self.today - timedelta(days=each)
                if medicine.treatment_id is not None and day >= began:
                    refill(
                        self.session,
                        actor=self.pharmacist,
                        medication_id=medicine.id,
                        on=day,
                        days=EVERY,
                        key=f"demo {each}",
                        today=self.today,
                        at=self.now - timedelta(days=each),
                    )

    def takes(self, life: Life, substance: str, ago: int) -> Medication:
        day = max(self.today - timedelta(days=ago), life.person.enrolled_on)
        return start_medicine(
            self.session,
            actor=self.doctor,
            client_id=ClientId(life.client_id),
            substance=substance,
            started_on=day,
            today=self.today,
            at=self.now - timedelta(days=ago),
        )


def watch(
    session: WriteSession, actors: Mapping[Role, Actor], here: Sequence[Life], *, today: DoseDay, now: datetime
) -> None:
    """Writes the health of those who have a condition, and of a few beside them, and judges everybody once."""
    health = _Health(session, actors[Role.DOCTOR], actors[Role.PHARMACIST], today, now)
    place = laboratory(session, actor=health.doctor, name=LABORATORY)
    for analyte, lower, upper in LIMITS:
        set_limit(
            session,
            actor=health.doctor,
            laboratory_id=place.id,
            analyte=analyte,
            sex="",
            lower=lower,
            upper=upper,
            unit="",
            at=now,
        )
    hiv = [life for life in here if "hiv" in life.person.conditions]
    liver = [life for life in here if "hepatitis_c" in life.person.conditions and life not in hiv]
    others = [life for life in here if not life.person.conditions]
    _of_liver(health, liver)
    _of_hiv(health, hiv)
    _of_tb(health, others[:2])
    _of_heart(health, others[2:])
    for number, life in enumerate([*hiv, *liver, *others[:2]]):
        if number % 6:  # of every sixth it is late
            health.measures(life, 20 + number * 3, {"qt": str(380 + number % 30), "heart_rate": str(62 + number % 20)})
    judge_health(session, site_id=health.doctor.site_id, on=today, at=now)


def _of_liver(health: _Health, lives: Sequence[Life]) -> None:
    """Tests each half year; of one the last is far above the limit, of one it is late."""
    for number, life in enumerate(lives):
        last = 210 if number == 1 else 40 + 9 * number % 120
        for turn, ago in enumerate((last + 320, last + 160, last)):
            alt = 38 + (number * 17 + turn * 9) % 50
            if number == 0 and ago == last:
                alt = 268
            values = {"alt": str(alt), "ast": str(30 + alt // 2), "platelets": str(230 - number * 7 % 90)}
            health.measures(life, ago, values)


def _of_hiv(health: _Health, lives: Sequence[Life]) -> None:
    """ART with refills on the days of pickups: one with efavirenz since last week, one whose refill ran out."""
    for number, life in enumerate(lives):
        efavirenz = number == 1
        parts = ["tenofovir", "lamivudine", "efavirenz" if efavirenz else "dolutegravir"]
        began = 6 if efavirenz else 300
        refills = [began] if efavirenz else [285 - 30 * n for n in range(10)]
        if number == 2:
            refills = [each + 45 for each in refills if each + 45 < 290]
        if not efavirenz:
            refills = [max(each - 3, 0) for each in refills]
        health.treats(life, "art", parts, began, sorted(set(refills), reverse=True))
        for ago, copies in ((200, "<40"), (40, "2400" if number == 2 else "<40")):
            health.measures(life, ago, {"viral_load": copies, "cd4": str(420 + 30 * number)})


def _of_tb(health: _Health, lives: Sequence[Life]) -> None:
    """Rifampicin that goes on, and one that stopped four days ago."""
    for number, life in enumerate(lives):
        ago = 18 if number == 0 else 190
        health.treats(life, "tb", ["rifampicin", "isoniazid"], ago, [ago])
        health.measures(life, min(ago, 12), {"alt": "52", "ast": "41", "bilirubin": "14"})
        if number == 1:
            for medicine in medicines_of(health.session, client_id=ClientId(life.client_id)):
                if medicine.name == "rifampicin":
                    stop_medicine(
                        health.session,
                        actor=health.doctor,
                        medication_id=medicine.id,
                        stopped_on=health.today - timedelta(days=4),
                        reason="finished",
                        today=health.today,
                        at=health.now - timedelta(days=4),
                    )


def _of_heart(health: _Health, lives: Sequence[Life]) -> None:
    """ECGs; of one the QT time is long, and a sedative and an antipsychotic add up; of some it is late."""
    for number, life in enumerate(lives):
        if number < 6:
            health.measures(life, 330, {"qt": "402", "heart_rate": "66"})
        if number % 6 != 5:
            health.measures(life, 14 + number * 2, {"qt": "468" if number == 0 else "396", "heart_rate": "72"})
        if number == 0:
            health.takes(life, "diazepam", 60)
            health.takes(life, "haloperidol", 20)
