"""Telling everybody who is booked on days that a place closes, and that they are open after all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.queries
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import tasks
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from notifications.models import Message, State
from notifications.queries import contact_details
from scheduling.models import Booking
from scheduling.service import Reopened


@dataclass(frozen=True)
class Told:
    """Whom a closure concerns."""

    texted: list[ClientId]
    by_other_means: list[ClientId]
    """Those who get no texts; each is on the front desk's list."""


def tell_closure(
    session: WriteSession,
    *,
    site: Place,
    bookings: Sequence[Booking],
    first_day: date,
    last_day: date,
    at: datetime,
) -> Told:
    """Texts each client who is booked on these days, once for this closure; call it with what `close` returned.

    Their bookings stand until they move them: the time that they choose after SLOTS is where the booking goes.
    """
    kind, fields = "closure", {"day": first_day}
    if last_day > first_day:
        kind, fields = "closure_days", {"day": first_day, "last": last_day}
    told = Told([], [])
    closure_id = scheduling.queries.newest_closure(session, site.id, first_day, last_day)
    assert closure_id is not None, "the days were closed before anybody is told"
    for client_id, until in {ClientId(one.holder_id): one.starts_at for one in reversed(bookings)}.items():
        notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind=kind,
            reason_key=_about(closure_id, client_id),
            fields=fields,
            zone=ZoneInfo(site.zone),
            now=at,
            valid_until=until,
        )
        if _gets_texts(session, client_id):
            told.texted.append(client_id)
        else:
            tasks.leave_task(session, cause=tasks.SHUT, client_id=client_id, site_id=site.id, at=at)
            told.by_other_means.append(client_id)
    return told


def tell_reopening(
    session: WriteSession, *, site: Place, closure_id: UUID, reopened: Reopened, at: datetime
) -> list[ClientId]:
    """Withdraws the texts of a closure that still wait, and returns whom the front desk is to tell: call it once.

    Whoever is still booked on these days and may have heard that they are shut gets on the front desk's list; there is
    no text for it. Those who gave their booking up are left alone: they have made other plans.
    """
    booked = {ClientId(one.holder_id) for one in reopened.standing}
    spared = _withdraw(session, closure_id, booked | {ClientId(each) for each in reopened.given_up}, at)
    to_tell = sorted(booked - spared)
    for client_id in to_tell:
        tasks.leave_task(session, cause=tasks.OPEN_AGAIN, client_id=client_id, site_id=site.id, at=at)
    return to_tell


def _withdraw(session: WriteSession, closure_id: UUID, clients: set[ClientId], at: datetime) -> set[ClientId]:
    """Those whose text of this closure had not been tried yet: it is not sent any more."""
    keys = [_about(closure_id, client_id) for client_id in clients]
    # A sender that claims texts passes over what is locked here; one that it has claimed is not `queued` any more.
    waiting = select(Message).where(Message.reason_key.in_(keys), Message.state == State.QUEUED).with_for_update()
    spared = set()
    for message in session.scalars(waiting.order_by(Message.id)).all():
        notifications.service.move(
            session, message_id=message.id, state=State.EXPIRED, code=tasks.WITHDRAWN, provider_id=None, now=at
        )
        assert message.recipient_id is not None, "a closure is told to somebody we know"
        spared.add(ClientId(message.recipient_id))
    return spared


def _about(closure_id: UUID, client_id: ClientId) -> str:
    """A closure that is made again after it was opened is told again: it has another id."""
    return f"closure:{closure_id}:{client_id}"


def _gets_texts(session: ReadSession, client_id: ClientId) -> bool:
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return contact is not None and contact.consented_at is not None and contact.opted_out_at is None
