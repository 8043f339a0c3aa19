"""Adherence support: written down, taken back, and read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.results import EARLIEST
from dispensary.monitoring.support_models import AdherenceSupport, SupportKind
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, new_id

LONGEST_NOTE = 500


def give_support(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    on: date,
    kind: str,
    note: str,
    key: str,
    today: date,
    at: datetime,
) -> AdherenceSupport:
    """Writes down that a client was helped to take their medicines; the same `key` is the same entry.

    Raises BadInput or NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(
        select(AdherenceSupport).where(AdherenceSupport.client_id == client_id, AdherenceSupport.source_key == key)
    )
    if known is not None:
        return known
    faults = []
    if kind not in list(SupportKind):
        faults.append(Refusal("support", "There is no such support.", "Choose one.", field="support"))
    if on > today:
        faults.append(Refusal("day-to-come", f"{on} is still to come.", "Write a day up to today.", field="support_on"))
    elif on < EARLIEST:
        faults.append(Refusal("too-early", f"{on} is too long ago.", "Look at the year again.", field="support_on"))
    if len(note.strip()) > LONGEST_NOTE:
        faults.append(
            Refusal("too-long", f"A note has {LONGEST_NOTE} letters at most.", "Shorten it.", field="support_note")
        )
    if faults:
        raise BadInput(*faults)
    row = AdherenceSupport(
        id=new_id(),
        client_id=client_id,
        site_id=actor.site_id,
        on_day=on,
        kind=kind,
        note=note.strip(),
        source_key=key,
        given_by=actor.account_id,
        given_at=at,
    )
    session.add(row)
    session.flush()
    details: dict[str, object] = {"support": str(row.id), "kind": kind}
    audit.record(
        session,
        actor=actor,
        act="gave adherence support",
        subject="client",
        subject_id=client_id,
        at=at,
        details=details,
    )
    return row


def take_support_back(
    session: WriteSession, *, actor: Actor, support_id: UUID, reason: str, at: datetime
) -> AdherenceSupport:
    """Takes back support that was written down by mistake; it stays on record. Raises BadInput or NotThere."""
    row = session.get(AdherenceSupport, support_id)
    if row is None:
        raise NotThere(Refusal("no-support", "There is no such support here.", "Open the client's health again."))
    lock_client(session, row.client_id, actor.site_id)
    session.refresh(row)
    if row.voided_at is not None:
        return row
    if not reason.strip():
        raise BadInput(Refusal("reason", "Say why it is taken back.", "Write it.", field="reason"))
    row.voided_at, row.voided_by, row.void_reason = at, actor.account_id, reason.strip()
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="took adherence support back",
        subject="client",
        subject_id=row.client_id,
        at=at,
        details={"support": str(support_id)},
    )
    return row


def support_of(session: ReadSession, *, client_id: ClientId) -> Sequence[AdherenceSupport]:
    """A client's support, the newest first, that too which was taken back."""
    return session.scalars(
        select(AdherenceSupport)
        .where(AdherenceSupport.client_id == client_id)
        .order_by(AdherenceSupport.on_day.desc(), AdherenceSupport.given_at.desc(), AdherenceSupport.id)
    ).all()
