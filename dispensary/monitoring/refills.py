"""Refills: medicine of another treatment that was handed over for so many days, or swallowed before somebody's eyes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.treatment_models import Medication, Refill, Treatment
from dispensary.monitoring.treatments import day_faults
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, SiteId, new_id

MOST_DAYS = 366
BROKEN = {
    "uq_refill_observed_once": Refusal(
        "swallowed-already", "A dose of it was swallowed here today already.", "Look at its refills."
    ),
    "refill_of_its_supply": Refusal(
        "supply-void", "The hand-over that it came with was taken back a moment ago.", "Open the client again."
    ),
}
"""What PostgreSQL's own refusals mean."""


def refill_faults(
    session: ReadSession, *, medicine: Medication, on: date, days: int, observed: bool, today: date
) -> list[Refusal]:
    """All that stands against a refill of a medicine, or a dose of it that is swallowed here."""
    faults = day_faults("on", on, today)
    most = 1 if observed else MOST_DAYS
    if not 1 <= days <= most:
        faults.append(Refusal("days", f"A refill lasts 1 to {most} days.", "Write the days.", field="days"))
    if on < medicine.started_on or (medicine.stopped_on is not None and on >= medicine.stopped_on):
        faults.append(
            Refusal(
                "not-taken",
                f"{medicine.substance} was not taken on {on}.",
                "Look at what the client takes.",
                field="on",
            )
        )
    if observed:
        faults += _observed_faults(session, medicine, on)
    return faults


def _observed_faults(session: ReadSession, medicine: Medication, on: date) -> list[Refusal]:
    treatment = session.get(Treatment, medicine.treatment_id) if medicine.treatment_id else None
    if treatment is None or not treatment.observed:
        return [
            Refusal(
                "not-observed",
                f"Doses of {medicine.substance} are not swallowed here.",
                "Say on the treatment's page that they are, or hand it over.",
                field="observed",
            )
        ]
    if swallowed_on(session, medication_ids=[medicine.id], on=on):
        return [
            Refusal(
                "swallowed-already",
                f"A dose of {medicine.substance} was swallowed here on {on} already.",
                "It counts once a day.",
                field="observed",
            )
        ]
    return []


def swallowed_on(session: ReadSession, *, medication_ids: Sequence[UUID], on: date) -> frozenset[UUID]:
    """Of which of these medicines a dose was swallowed here on a day."""
    standing = (Refill.on_day == on, Refill.observed, Refill.voided_at.is_(None))
    return frozenset(
        session.scalars(select(Refill.medication_id).where(Refill.medication_id.in_(medication_ids), *standing))
    )


def refill(
    session: WriteSession,
    *,
    actor: Actor,
    medication_id: UUID,
    on: date,
    days: int,
    key: str,
    today: date,
    at: datetime,
    observed: bool = False,
    supply_id: UUID | None = None,
) -> Refill:
    """Writes down that medicine for so many days was handed over, or one dose of it swallowed under observation.

    The same `key` is the same refill. Raises BadInput or NotThere.
    """
    medicine = session.get(Medication, medication_id)
    if medicine is None or medicine.site_id != actor.site_id:
        raise NotThere(Refusal("no-medicine", "There is no such medicine here.", "Look at the client's list again."))
    lock_client(session, medicine.client_id, actor.site_id)
    session.refresh(medicine)
    known = session.scalar(select(Refill).where(Refill.medication_id == medication_id, Refill.source_key == key))
    if known is not None:
        return known
    faults = refill_faults(session, medicine=medicine, on=on, days=days, observed=observed, today=today)
    if faults:
        raise BadInput(*faults)
    row = Refill(
        id=new_id(),
        medication_id=medication_id,
        on_day=on,
        days=days,
        observed=observed,
        supply_id=supply_id,
        source_key=key,
        given_by=actor.account_id,
        given_at=at,
    )
    session.add(row)
    session.flush()
    _write_down(session, actor, medicine, "refilled medicine", at)
    return row


def void_refill(session: WriteSession, *, actor: Actor, refill_id: UUID, reason: str, at: datetime) -> Refill:
    """Takes back a refill that was written down by mistake; it stays on record. Raises BadInput or NotThere."""
    row = session.get(Refill, refill_id)
    medicine = session.get(Medication, row.medication_id) if row is not None else None
    if row is None or medicine is None or medicine.site_id != actor.site_id:
        raise NotThere(Refusal("no-refill", "There is no such refill here."))
    lock_client(session, medicine.client_id, actor.site_id)
    session.refresh(row)
    if row.voided_at is not None:
        return row
    if not reason.strip():
        raise BadInput(Refusal("reason", "Say why it is taken back.", "Write it.", field="reason"))
    row.voided_at, row.void_reason = at, reason.strip()
    session.flush()
    _write_down(session, actor, medicine, "voided refill", at)
    return row


def take_back_with(session: WriteSession, *, actor: Actor, supply_id: UUID, reason: str, at: datetime) -> int:
    """Takes back every refill that came with a supply, for the reason for which that is void; how many there were.

    The caller has the client locked, and judges their health anew.
    """
    standing = select(Refill).where(Refill.supply_id == supply_id, Refill.voided_at.is_(None)).order_by(Refill.id)
    rows = session.scalars(standing).all()
    for row in rows:
        row.voided_at, row.void_reason = at, reason.strip()
        session.flush()
        _write_down(session, actor, session.get_one(Medication, row.medication_id), "voided refill", at)
    return len(rows)


def refills_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Refill]:
    """The refills of all a client's medicines that were not taken back, the oldest first."""
    theirs = select(Medication.id).where(Medication.client_id == client_id)
    return session.scalars(
        select(Refill)
        .where(Refill.medication_id.in_(theirs), Refill.voided_at.is_(None))
        .order_by(Refill.on_day, Refill.given_at)
    ).all()


def came_with(session: ReadSession, *, supply_id: UUID) -> Sequence[tuple[Refill, str]]:
    """What came with a supply, with the name of each medicine; also what was taken back with it."""
    rows = session.execute(
        select(Refill, Medication.substance)
        .join(Medication, Medication.id == Refill.medication_id)
        .where(Refill.supply_id == supply_id)
        .order_by(Medication.substance, Refill.observed)
    )
    return [(row, substance) for row, substance in rows]


def theirs(
    session: ReadSession, *, site_id: SiteId, client_id: ClientId, medication_ids: Sequence[UUID]
) -> dict[UUID, Medication]:
    """Which of these are medicines of the client at this site."""
    rows = session.scalars(
        select(Medication).where(
            Medication.id.in_(medication_ids), Medication.client_id == client_id, Medication.site_id == site_id
        )
    )
    return {row.id: row for row in rows}


def _write_down(session: WriteSession, actor: Actor, medicine: Medication, act: str, at: datetime) -> None:
    details = {"medicine": str(medicine.id)}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=medicine.client_id, at=at, details=details)
