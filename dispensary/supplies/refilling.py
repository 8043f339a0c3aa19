"""Medicine of other treatments that leaves with a supply: judged with it, written with it, taken back with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.refills import refill, refill_faults, take_back_with, theirs
from dispensary.monitoring.treatment_models import Medication
from dispensary.refusals import Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId, DoseDay


def refills_refused(
    session: ReadSession, *, actor: Actor, client_id: ClientId, wanted: Wanted, today: DoseDay
) -> tuple[Refusal, ...]:
    """Everything that stands against the refills of a supply; each names its medicine in the evidence.

    They are handed to the client alone: somebody else who collects learns nothing of other treatments.
    """
    if not wanted.refills:
        return ()
    if wanted.collected_by != "client":
        return (
            Refusal("refill-to-client", "Other medicine is handed to the client alone.", "Leave it for their visit."),
        )
    known = theirs(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        medication_ids=[each.medication_id for each in wanted.refills],
    )
    faults = []
    for each in wanted.refills:
        found = _of_one(session, known, each.medication_id, each.days, each.observed, today)
        faults += [
            Refusal(
                fault.code,
                fault.sentence,
                fault.remedy,
                {**fault.evidence, "medicine": str(each.medication_id)},
                field=_field(fault, each.medication_id),
            )
            for fault in found
        ]
    twice = Counter((each.medication_id, each.observed) for each in wanted.refills)
    if any(times > 1 for times in twice.values()):
        faults.append(Refusal("refill-twice", "One medicine is handed over twice.", "Name it once.", field="refills"))
    return tuple(faults)


def _of_one(
    session: ReadSession,
    known: Mapping[UUID, Medication],
    medication_id: UUID,
    days: int,
    observed: bool,
    today: DoseDay,
) -> list[Refusal]:
    if medication_id not in known:
        return [Refusal("no-medicine", "The client has no such medicine here.", "Open the client again.")]
    return refill_faults(session, medicine=known[medication_id], on=today, days=days, observed=observed, today=today)


def _field(fault: Refusal, medication_id: UUID) -> str:
    return f"days_{medication_id}" if fault.field == "days" else "refills"


def write_refills(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    wanted: Wanted,
    supply_id: UUID,
    key: str,
    today: DoseDay,
    at: datetime,
) -> None:
    """Writes the refills that came with a supply, under its key, and judges the client's health anew."""
    for each in wanted.refills:
        refill(
            session,
            actor=actor,
            medication_id=each.medication_id,
            on=today,
            days=each.days,
            observed=each.observed,
            key=f"supply:{'here' if each.observed else 'home'}:{key}",
            supply_id=supply_id,
            today=today,
            at=at,
        )
    if wanted.refills:
        judge_health(session, site_id=actor.site_id, on=today, at=at, client_ids=[client_id])


def take_back_refills(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    supply_id: UUID,
    reason: str,
    today: DoseDay,
    at: datetime,
) -> int:
    """Takes back what came with a supply that is void now, and judges the client's health anew; how many there were."""
    taken_back = take_back_with(session, actor=actor, supply_id=supply_id, reason=reason, at=at)
    if taken_back:
        judge_health(session, site_id=actor.site_id, on=today, at=at, client_ids=[client_id])
    return taken_back
