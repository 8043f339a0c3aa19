"""What a medicine that starts or stops does to methadone: the alert of it, the days to look, and what is over by it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import WriteSession
from dispensary.monitoring.alerts import alerts_are_over, keep_alerts
from dispensary.monitoring.interactions import Moment, interaction, looks, substance_of
from dispensary.monitoring.judged import Caused, worth_an_alert
from dispensary.monitoring.treatment_models import Medication, ScheduledLook
from dispensary.staff.rules import Actor, Role
from dispensary.units import new_id

STOPPED, STARTED_AGAIN = "The medicine was stopped.", "The medicine was started again."


def moves(session: WriteSession, *, actor: Actor, medicine: Medication, moment: Moment, on: date, at: datetime) -> None:
    """Opens the alert of what a start or a stop does, and writes down the days to look.

    What was said of the opposite before is over, and is closed with that as its reason: of a start when the medicine
    stops, of a stop when the same medicine starts again.
    """
    if moment is Moment.STOP:
        _is_over(session, actor, medicine, Moment.START, STOPPED, at)
    else:
        for earlier in session.scalars(
            select(Medication).where(Medication.client_id == medicine.client_id, Medication.stopped_on.is_not(None))
        ):
            if substance_of(earlier.substance) == substance_of(medicine.substance):
                _is_over(session, actor, earlier, Moment.STOP, STARTED_AGAIN, at)
    findings = [
        Caused(f"{moment.value} {medicine.id}", Role.DOCTOR, finding, (str(medicine.id), moment.value))
        for finding in interaction(medicine.substance, moment)
        if moment is Moment.START or finding.finding != "unknown"
    ]
    grave = worth_an_alert(findings)
    keep_alerts(session, {medicine.client_id: grave}, site_id=medicine.site_id, at=at)
    days = looks(medicine.substance, moment, on)
    if days:
        session.execute(
            upsert(ScheduledLook)
            .values(
                [
                    {
                        "id": new_id(),
                        "client_id": medicine.client_id,
                        "site_id": medicine.site_id,
                        "medication_id": medicine.id,
                        "moment": moment.value,
                        "on_day": day.on,
                        "why": day.why,
                        "found": "",
                    }
                    for day in days
                ]
            )
            .on_conflict_do_nothing()
        )


def _is_over(
    session: WriteSession, actor: Actor, medicine: Medication, moment: Moment, reason: str, at: datetime
) -> None:
    for look in session.scalars(
        select(ScheduledLook).where(
            ScheduledLook.medication_id == medicine.id,
            ScheduledLook.moment == moment.value,
            ScheduledLook.done_at.is_(None),
        )
    ):
        look.done_at, look.done_by, look.found = at, actor.account_id, reason
    cause = f"{moment.value} {medicine.id}"
    alerts_are_over(session, actor=actor, client_id=medicine.client_id, causes=[cause], reason=reason, at=at)
