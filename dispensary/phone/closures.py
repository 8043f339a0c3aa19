"""Telling everybody who is booked on days that a place closes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import notifications.service
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import tasks
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from notifications.queries import contact_details
from scheduling.models import Booking


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
    for client_id, until in {ClientId(one.holder_id): one.starts_at for one in reversed(bookings)}.items():
        notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=client_id,
            kind=kind,
            reason_key=f"closure:{site.id}:{first_day}:{last_day}:{client_id}",
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


def _gets_texts(session: ReadSession, client_id: ClientId) -> bool:
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return contact is not None and contact.consented_at is not None and contact.opted_out_at is None
