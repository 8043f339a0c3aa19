"""Other treatments and medicines: started, switched, stopped, looked after while an effect comes or goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.interactions import Moment, plain_name
from dispensary.monitoring.moved import moves
from dispensary.monitoring.results import EARLIEST
from dispensary.monitoring.treatment_models import Medication, Refill, ScheduledLook, Treatment
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, new_id

KINDS = ("art", "tb", "hcv")
LONGEST_NAME = 120


def start_treatment(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    kind: str,
    substances: Sequence[str],
    started_on: date,
    today: date,
    at: datetime,
) -> Treatment:
    """Begins a treatment with its medicines. One of the same medicines that is running already becomes part of it.

    Raises BadInput, and Refused when a treatment of the kind is running.
    """
    lock_client(session, client_id, actor.site_id)
    faults = day_faults("started_on", started_on, today)
    if kind not in KINDS:
        faults.append(Refusal("kind", f"“{kind}” is no treatment that is kept here.", "Choose one.", field="kind"))
    if not any(each.strip() for each in substances):
        faults.append(Refusal("no-medicine", "The treatment has no medicine.", "Write one.", field="substances"))
    if faults:
        raise BadInput(*faults)
    if _running_treatment(session, client_id, kind) is not None:
        raise Refused(Refusal("running", "Such a treatment is running already.", "Switch its medicines, or stop it."))
    treatment = Treatment(
        id=new_id(),
        client_id=client_id,
        site_id=actor.site_id,
        kind=kind,
        started_on=started_on,
        stop_reason="",
        observed=False,
        entered_by=actor.account_id,
        entered_at=at,
    )
    session.add(treatment)
    session.flush()
    for substance in substances:
        if substance.strip():
            start_medicine(
                session,
                actor=actor,
                client_id=client_id,
                substance=substance,
                started_on=started_on,
                treatment_id=treatment.id,
                today=today,
                at=at,
            )
    _write_down(session, actor, client_id, "began treatment", at, {"kind": kind})
    return treatment


def start_medicine(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    substance: str,
    started_on: date,
    today: date,
    at: datetime,
    treatment_id: UUID | None = None,
) -> Medication:
    """Writes down that a client takes something, with what it does to methadone as an alert, and the days to look.

    The same medicine again is the one that is running. Raises BadInput or NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    written = " ".join(substance.split())
    faults = day_faults("started_on", started_on, today)
    if not 1 <= len(written) <= LONGEST_NAME:
        faults.append(
            Refusal(
                "substance", f"A medicine has a name of 1 to {LONGEST_NAME} letters.", "Write it.", field="substance"
            )
        )
    if treatment_id is not None:
        treatment = session.get(Treatment, treatment_id)
        if treatment is None or treatment.client_id != client_id:
            raise NotThere(Refusal("no-treatment", "The client has no such treatment."))
    if faults:
        raise BadInput(*faults)
    name = plain_name(written)
    running = session.scalar(
        select(Medication).where(
            Medication.client_id == client_id, Medication.name == name, Medication.stopped_on.is_(None)
        )
    )
    if running is not None:
        if treatment_id is not None:
            running.treatment_id = treatment_id
            session.flush()
        return running
    medicine = Medication(
        id=new_id(),
        client_id=client_id,
        site_id=actor.site_id,
        treatment_id=treatment_id,
        substance=written,
        name=name,
        started_on=started_on,
        stop_reason="",
        entered_by=actor.account_id,
        entered_at=at,
    )
    session.add(medicine)
    session.flush()
    moves(session, actor=actor, medicine=medicine, moment=Moment.START, on=started_on, at=at)
    _write_down(session, actor, client_id, "started medicine", at, {"medicine": str(medicine.id)})
    return medicine


def stop_medicine(
    session: WriteSession,
    *,
    actor: Actor,
    medication_id: UUID,
    stopped_on: date,
    reason: str,
    today: date,
    at: datetime,
) -> Medication:
    """Ends a medicine, with what changes back as an alert and the days to look; those of its start are over.

    Stopped already, it stays as it was. Raises BadInput or NotThere.
    """
    medicine = session.get(Medication, medication_id)
    if medicine is None or medicine.site_id != actor.site_id:
        raise NotThere(Refusal("no-medicine", "There is no such medicine here.", "Look at the client's list again."))
    lock_client(session, medicine.client_id, actor.site_id)
    session.refresh(medicine)
    if medicine.stopped_on is not None:
        return medicine
    faults = day_faults("stopped_on", stopped_on, today)
    if stopped_on < medicine.started_on:
        faults.append(
            Refusal("before-start", f"It started on {medicine.started_on}.", "Write a later day.", field="stopped_on")
        )
    swallowed = _last_swallowed(session, medication_id)
    if swallowed is not None and stopped_on <= swallowed:
        faults.append(
            Refusal(
                "swallowed-since",
                f"A dose of it was swallowed here on {swallowed}.",
                "The first day without it is later.",
                field="stopped_on",
            )
        )
    if not reason.strip():
        faults.append(Refusal("reason", "Say why it was stopped.", "Write a word.", field="reason"))
    if faults:
        raise BadInput(*faults)
    medicine.stopped_on, medicine.stop_reason = stopped_on, reason.strip()
    session.flush()
    moves(session, actor=actor, medicine=medicine, moment=Moment.STOP, on=stopped_on, at=at)
    _write_down(session, actor, medicine.client_id, "stopped medicine", at, {"medicine": str(medication_id)})
    return medicine


def stop_treatment(
    session: WriteSession, *, actor: Actor, treatment_id: UUID, stopped_on: date, reason: str, today: date, at: datetime
) -> Treatment:
    """Ends a treatment and each of its medicines that runs. Raises BadInput or NotThere."""
    treatment = session.get(Treatment, treatment_id)
    if treatment is None or treatment.site_id != actor.site_id:
        raise NotThere(Refusal("no-treatment", "The client has no such treatment.", "Look at the client's page again."))
    lock_client(session, treatment.client_id, actor.site_id)
    session.refresh(treatment)
    if treatment.stopped_on is not None:
        return treatment
    faults = day_faults("stopped_on", stopped_on, today)
    if stopped_on < treatment.started_on:
        faults.append(
            Refusal("before-start", f"It began on {treatment.started_on}.", "Write a later day.", field="stopped_on")
        )
    if not reason.strip():
        faults.append(Refusal("reason", "Say why it ended: finished, switched, not tolerated.", field="reason"))
    if faults:
        raise BadInput(*faults)
    for medicine in medicines_of(session, client_id=treatment.client_id):
        if medicine.treatment_id == treatment_id and medicine.stopped_on is None:
            stop_medicine(
                session,
                actor=actor,
                medication_id=medicine.id,
                stopped_on=max(stopped_on, medicine.started_on),
                reason=reason,
                today=today,
                at=at,
            )
    treatment.stopped_on, treatment.stop_reason = stopped_on, reason.strip()
    session.flush()
    _write_down(session, actor, treatment.client_id, "ended treatment", at, {"kind": treatment.kind})
    return treatment


def set_observed(session: WriteSession, *, actor: Actor, treatment_id: UUID, observed: bool, at: datetime) -> Treatment:
    """Says whether doses of a treatment are swallowed here, before somebody's eyes. Raises NotThere or Refused."""
    treatment = session.get(Treatment, treatment_id)
    if treatment is None or treatment.site_id != actor.site_id:
        raise NotThere(Refusal("no-treatment", "The client has no such treatment.", "Look at the client's page again."))
    lock_client(session, treatment.client_id, actor.site_id)
    session.refresh(treatment)
    if treatment.stopped_on is not None:
        raise Refused(Refusal("ended", "This treatment has ended.", "Begin a new one."))
    if treatment.observed == observed:
        return treatment
    treatment.observed = observed
    session.flush()
    _write_down(
        session,
        actor,
        treatment.client_id,
        "treatment is observed" if observed else "treatment is not observed any more",
        at,
        {"kind": treatment.kind},
    )
    return treatment


def have_looked(session: WriteSession, *, actor: Actor, look_id: UUID, found: str, at: datetime) -> ScheduledLook:
    """Says what was seen on a day to look. Done already, it stays as it was. Raises BadInput or NotThere."""
    look = session.get(ScheduledLook, look_id, with_for_update=True)
    if look is None or look.site_id != actor.site_id:
        raise NotThere(Refusal("no-look", "There is no such day to look."))
    if look.done_at is not None:
        return look
    if not found.strip():
        raise BadInput(Refusal("found", "Say what was seen.", "Write a sentence.", field="found"))
    look.done_at, look.done_by, look.found = at, actor.account_id, found.strip()[:1000]
    session.flush()
    _write_down(session, actor, look.client_id, "looked for an effect", at, {"look": str(look_id)})
    return look


def medicines_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Medication]:
    """All that a client takes or took, the newest first."""
    return session.scalars(
        select(Medication)
        .where(Medication.client_id == client_id)
        .order_by(Medication.started_on.desc(), Medication.id)
    ).all()


def treatments_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Treatment]:
    """A client's treatments, the newest first."""
    return session.scalars(
        select(Treatment).where(Treatment.client_id == client_id).order_by(Treatment.started_on.desc(), Treatment.id)
    ).all()


def open_looks_of(session: ReadSession, *, client_id: ClientId) -> Sequence[ScheduledLook]:
    """The days to look that nobody has said anything of, the earliest first."""
    return session.scalars(
        select(ScheduledLook)
        .where(ScheduledLook.client_id == client_id, ScheduledLook.done_at.is_(None))
        .order_by(ScheduledLook.on_day)
    ).all()


def _running_treatment(session: ReadSession, client_id: ClientId, kind: str) -> Treatment | None:
    return session.scalar(
        select(Treatment).where(
            Treatment.client_id == client_id, Treatment.kind == kind, Treatment.stopped_on.is_(None)
        )
    )


def _last_swallowed(session: ReadSession, medication_id: UUID) -> date | None:
    return session.scalar(
        select(func.max(Refill.on_day)).where(
            Refill.medication_id == medication_id, Refill.observed, Refill.voided_at.is_(None)
        )
    )


def day_faults(field: str, day: date, today: date) -> list[Refusal]:
    """What is wrong with the day of something that has happened."""
    if day > today:
        return [Refusal("day-to-come", f"{day} is still to come.", "Write a day up to today.", field=field)]
    if day < EARLIEST:
        return [Refusal("too-early", f"{day} is too long ago.", "Look at the year again.", field=field)]
    return []


def _write_down(
    session: WriteSession, actor: Actor, client_id: ClientId, act: str, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
