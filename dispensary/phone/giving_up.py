"""What a client has booked is given up as a whole, by the same steps when a stay ends and when they move elsewhere.

The caller has locked the client, and writes down what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.queries
import scheduling.service
import scheduling.standing
import scheduling.waitlist
from dispensary.database import ReadSession, WriteSession
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from scheduling.models import Booking
from scheduling.rules import NotBooked
from scheduling.waiting_models import Standing, Wait, WaitState


def waits_of(session: ReadSession, *, client_id: ClientId, site: Place) -> Sequence[Wait]:
    """The client's wishes for a place at a site that still wait, the first to be asked for first."""
    waits = select(Wait).where(Wait.place_id == site.id, Wait.holder_id == client_id, Wait.state == WaitState.WAITING)
    return session.scalars(waits.order_by(Wait.id)).all()


def leave_lines(session: WriteSession, *, client_id: ClientId, site: Place, at: datetime) -> Sequence[Wait]:
    """Withdraws the client's wishes for a place at a site; what was kept for them goes to the next."""
    waits = waits_of(session, client_id=client_id, site=site)
    for wait in waits:
        scheduling.waitlist.withdraw(session, wait_id=wait.id, now=at)
    return waits


def end_weekly(
    session: WriteSession, *, client_id: ClientId, site: Place, at: datetime
) -> tuple[Sequence[Standing], Sequence[Booking]]:
    """Ends the client's weekly times at a site, and gives up what was booked from them. Nobody is told by this."""
    return scheduling.standing.end(session, place_id=site.id, holder_id=client_id, from_day=site.dose_day(at), now=at)


def tell_weekly_ended(session: WriteSession, *, ended: Sequence[Standing], site: Place, at: datetime) -> None:
    """Texts that the weekly times have ended."""
    key = f"regular-ended:{ended[0].id}"
    _text(session, site, ClientId(ended[0].holder_id), "regular_ended", key, {}, at, at + timedelta(days=2))


def drop_bookings(
    session: WriteSession, *, client_id: ClientId, site: Place, tell: bool, at: datetime
) -> Sequence[Booking]:
    """Gives up what the client has booked at a site from now on; with `tell` a text says of each that it is dropped.

    A booking by which they have just come is none to give up any more.
    """
    dropped = []
    for booking in scheduling.queries.bookings_of(session, client_id, at):
        if booking.place_id == site.id:
            with suppress(NotBooked):
                dropped.append(scheduling.service.drop(session, booking_id=booking.id, now=at))
    for booking in dropped if tell else ():
        until = max(booking.starts_at, at + timedelta(hours=1))
        fields: dict[str, object] = {"at": booking.starts_at}
        _text(session, site, client_id, "booking_dropped", f"dropped:{booking.id}", fields, at, until)
    return dropped


def _text(
    session: WriteSession,
    site: Place,
    client_id: ClientId,
    kind: str,
    reason_key: str,
    fields: dict[str, object],
    at: datetime,
    until: datetime,
) -> None:
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind=kind,
        reason_key=reason_key,
        fields=fields,
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=until,
    )
