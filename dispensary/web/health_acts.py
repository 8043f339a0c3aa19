"""What is done for a client's health, for pages and API alike: results, medicines, treatments, refills, looks, alerts.

Each function is one act within the caller's unit of work, and ends with judging the client anew, so that nobody sees a
value without what follows from it. The same act by the same person is found done, and is not done a second time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.monitoring import alerts, refills, results, service, treatments
from dispensary.monitoring.interactions import plain_name
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.models import Alert
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import Measurement
from dispensary.monitoring.treatment_models import Medication, Refill, ScheduledLook, Treatment
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from dispensary.web import consultation


@dataclass(frozen=True)
class When:
    """The day and moment of an act; `today` is the site's dose day."""

    today: date
    at: datetime


def enter(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    taken_on: date,
    measurements: Sequence[Measurement],
    key: UUID,
    when: When,
    laboratory: str = "",
    sure: bool = False,
) -> Sequence[HealthResult]:
    """Keeps what was measured on a day, by a laboratory of this name or by nobody named. Raises BadInput, NotThere."""
    place = results.laboratory(session, actor=actor, name=laboratory) if laboratory.strip() else None
    rows = results.enter_results(
        session,
        actor=actor,
        client_id=client_id,
        taken_on=taken_on,
        measurements=measurements,
        key=str(key),
        today=when.today,
        at=when.at,
        laboratory_id=place.id if place else None,
        sure=sure,
    )
    _judge(session, actor, client_id, when)
    return rows


def correct(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    result_id: UUID,
    value: str,
    unit: str,
    reason: str,
    when: When,
    sure: bool = False,
) -> HealthResult:
    """Puts a value in the place of another, or with none takes it back. Raises BadInput, NotThere, Refused."""
    _theirs(session, HealthResult, result_id, client_id, "no-result", "There is no such result of this client.")
    row = results.correct_result(
        session, actor=actor, result_id=result_id, value=value, unit=unit, reason=reason, at=when.at, sure=sure
    )
    _judge(session, actor, client_id, when)
    return row


def start_treatment(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: str,
    substances: Sequence[str],
    started_on: date,
    when: When,
) -> Treatment:
    """Begins a treatment with its medicines. Raises BadInput, and Refused when another of its kind runs."""
    lock_client(session, client_id, actor.site_id)
    wanted = {plain_name(each) for each in substances if each.strip()}
    for known in treatments.treatments_of(session, client_id=client_id):
        if (known.kind, known.started_on, known.entered_by) != (kind, started_on, actor.account_id):
            continue
        if known.stopped_on is None and wanted and _names_of(session, known) == wanted:
            return known
    treatment = treatments.start_treatment(
        session,
        actor=actor,
        client_id=client_id,
        kind=kind,
        substances=substances,
        started_on=started_on,
        today=when.today,
        at=when.at,
    )
    _judge(session, actor, client_id, when)
    return treatment


def switch(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    treatment_id: UUID,
    stop: Sequence[UUID],
    start: Sequence[str],
    on: date,
    reason: str,
    when: When,
) -> Treatment:
    """Changes medicines of a treatment on one day: these stop for the reason, those start. Raises BadInput, NotThere.

    A treatment is never left without a medicine: that is its end, and has an act of its own.
    """
    lock_client(session, client_id, actor.site_id)
    treatment = _theirs(
        session, Treatment, treatment_id, client_id, "no-treatment", "The client has no such treatment."
    )
    mine = {
        each.id: each
        for each in treatments.medicines_of(session, client_id=client_id)
        if each.treatment_id == treatment_id
    }
    faults = []
    if treatment.stopped_on is not None:
        faults.append(Refusal("ended", "This treatment has ended.", "Begin a new one."))
    if any(each not in mine for each in stop):
        faults.append(Refusal("no-medicine", "This is no medicine of the treatment.", "Look again.", field="stop"))
    new = [each for each in start if each.strip()]
    if not new and not stop:
        faults.append(Refusal("nothing", "Nothing was changed.", "Choose what stops, or write what starts."))
    goes_on = [each for each in mine.values() if each.stopped_on is None and each.id not in stop]
    if not new and not goes_on:
        faults.append(Refusal("nothing-left", "No medicine would be left.", "Write what starts, or end the treatment."))
    if faults:
        raise BadInput(*faults)
    for each in stop:
        treatments.stop_medicine(
            session, actor=actor, medication_id=each, stopped_on=on, reason=reason, today=when.today, at=when.at
        )
    for substance in new:
        treatments.start_medicine(
            session,
            actor=actor,
            client_id=client_id,
            substance=substance,
            started_on=on,
            treatment_id=treatment_id,
            today=when.today,
            at=when.at,
        )
    _judge(session, actor, client_id, when)
    return treatment


def stop_treatment(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    treatment_id: UUID,
    stopped_on: date,
    reason: str,
    when: When,
) -> Treatment:
    """Ends a treatment and its medicines. Raises BadInput, NotThere."""
    _theirs(session, Treatment, treatment_id, client_id, "no-treatment", "The client has no such treatment.")
    treatment = treatments.stop_treatment(
        session,
        actor=actor,
        treatment_id=treatment_id,
        stopped_on=stopped_on,
        reason=reason,
        today=when.today,
        at=when.at,
    )
    _judge(session, actor, client_id, when)
    return treatment


def set_observed(
    session: WriteSession, *, actor: Actor, client_id: ClientId, treatment_id: UUID, observed: bool, when: When
) -> Treatment:
    """Says whether doses of a treatment are swallowed at the counter. Raises NotThere, Refused."""
    _theirs(session, Treatment, treatment_id, client_id, "no-treatment", "The client has no such treatment.")
    return treatments.set_observed(session, actor=actor, treatment_id=treatment_id, observed=observed, at=when.at)


def start_medicine(
    session: WriteSession, *, actor: Actor, client_id: ClientId, substance: str, started_on: date, when: When
) -> Medication:
    """Writes down that a client takes something beside methadone. Raises BadInput, NotThere."""
    medicine = treatments.start_medicine(
        session,
        actor=actor,
        client_id=client_id,
        substance=substance,
        started_on=started_on,
        today=when.today,
        at=when.at,
    )
    _judge(session, actor, client_id, when)
    return medicine


def stop_medicine(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    medication_id: UUID,
    stopped_on: date,
    reason: str,
    when: When,
) -> Medication:
    """Writes down that a client does not take something any more. Raises BadInput, NotThere."""
    _their_medicine(session, medication_id, client_id)
    medicine = treatments.stop_medicine(
        session,
        actor=actor,
        medication_id=medication_id,
        stopped_on=stopped_on,
        reason=reason,
        today=when.today,
        at=when.at,
    )
    _judge(session, actor, client_id, when)
    return medicine


def refill(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    medication_id: UUID,
    on: date,
    days: int,
    key: UUID,
    when: When,
    observed: bool = False,
) -> Refill:
    """Writes down a refill, or a dose that was swallowed under observation. Raises BadInput, NotThere."""
    _their_medicine(session, medication_id, client_id)
    row = refills.refill(
        session,
        actor=actor,
        medication_id=medication_id,
        on=on,
        days=days,
        observed=observed,
        key=str(key),
        today=when.today,
        at=when.at,
    )
    _judge(session, actor, client_id, when)
    return row


def void_refill(
    session: WriteSession, *, actor: Actor, client_id: ClientId, refill_id: UUID, reason: str, when: When
) -> Refill:
    """Takes a refill back that was written down by mistake. Raises BadInput, NotThere."""
    theirs = select(Refill.medication_id).where(Refill.id == refill_id)
    medication_id = session.scalar(theirs)
    if medication_id is None:
        raise NotThere(Refusal("no-refill", "There is no such refill of this client.", "Look at the list again."))
    _their_medicine(session, medication_id, client_id)
    row = refills.void_refill(session, actor=actor, refill_id=refill_id, reason=reason, at=when.at)
    _judge(session, actor, client_id, when)
    return row


def have_looked(
    session: WriteSession, *, actor: Actor, client_id: ClientId, look_id: UUID, found: str, when: When
) -> ScheduledLook:
    """Says what was seen on a day to look. Raises BadInput, NotThere."""
    _theirs(session, ScheduledLook, look_id, client_id, "no-look", "The client has no such day to look.")
    return treatments.have_looked(session, actor=actor, look_id=look_id, found=found, at=when.at)


def note_condition(
    session: WriteSession, *, actor: Actor, client_id: ClientId, kind: str, noted_on: date, when: When
) -> None:
    """Notes a condition that decides what is watched. Raises BadInput, NotThere."""
    lock_client(session, client_id, actor.site_id)
    if noted_on > when.today:
        raise BadInput(
            Refusal("day-to-come", f"{noted_on} is still to come.", "Write a day up to today.", field="noted_on")
        )
    service.note_condition(session, actor=actor, client_id=client_id, kind=kind, noted_on=noted_on, at=when.at)
    _judge(session, actor, client_id, when)


def end_condition(
    session: WriteSession, *, actor: Actor, client_id: ClientId, kind: str, ended_on: date, when: When
) -> None:
    """Ends a condition, as after a cure. Raises BadInput, NotThere."""
    lock_client(session, client_id, actor.site_id)
    if ended_on > when.today:
        raise BadInput(
            Refusal("day-to-come", f"{ended_on} is still to come.", "Write a day up to today.", field="ended_on")
        )
    service.end_condition(session, actor=actor, client_id=client_id, kind=kind, ended_on=ended_on, at=when.at)
    _judge(session, actor, client_id, when)


def read_alert(session: WriteSession, *, actor: Actor, client_id: ClientId, alert_id: UUID, when: When) -> Alert:
    """Says that somebody has read an alert; it stays open. Raises NotThere."""
    _theirs(session, Alert, alert_id, client_id, "no-alert", "There is no such open alert.")
    return alerts.read_alert(session, actor=actor, alert_id=alert_id, at=when.at)


def close_alert(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    alert_id: UUID,
    resolution: str,
    when: When,
    dismissed: bool = False,
) -> Alert:
    """Closes an alert with what was done, or why it was not worth acting on. Raises BadInput, NotThere."""
    return consultation.resolve(
        session,
        actor=actor,
        client_id=client_id,
        alert_id=alert_id,
        resolution=resolution,
        dismissed=dismissed,
        at=when.at,
    )


def _judge(session: WriteSession, actor: Actor, client_id: ClientId, when: When) -> None:
    judge_health(session, site_id=actor.site_id, on=when.today, at=when.at, client_ids=[client_id])


def _names_of(session: WriteSession, treatment: Treatment) -> set[str]:
    theirs = treatments.medicines_of(session, client_id=treatment.client_id)
    return {each.name for each in theirs if each.treatment_id == treatment.id and each.stopped_on is None}


Row = TypeVar("Row", HealthResult, Medication, Treatment, ScheduledLook, Alert)


def _theirs(session: WriteSession, kind: type[Row], row_id: UUID, client_id: ClientId, code: str, sentence: str) -> Row:
    """The row, when it is of this client. What is of somebody else is not there. Raises NotThere."""
    row = session.get(kind, row_id)
    if row is None or row.client_id != client_id:
        raise NotThere(Refusal(code, sentence, "Look at the client's page again."))
    return row


def _their_medicine(session: WriteSession, medication_id: UUID, client_id: ClientId) -> Medication:
    return _theirs(session, Medication, medication_id, client_id, "no-medicine", "The client has no such medicine.")
