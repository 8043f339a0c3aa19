"""What the front desk does about a client's time, and the text that tells the client of it.

A desk and the API call these: each is one act within the caller's unit of work, written into the audit trail. Asked
again for what is done already, they answer like the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.service
from dispensary.clients.groups import groups_of
from dispensary.clients.living import refuse_dead
from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.phone.offering import tell_offers
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from scheduling.models import Booking, Visit
from scheduling.rules import Code, NotBooked, NotFound

GAVE_HELD = "gave held place"
"""The act by which a place that is held for others was given; a check finds each such booking's entry."""

_REMEDIES = {
    Code.HELD: "Give a held place, or choose another time.",
    Code.LIMIT: "Give up one of the client's bookings first.",
    Code.OFFER_OVER: "Look at the waiting list again.",
    Code.FREE: "Book it in place of waiting.",
    Code.ALREADY_BOOKED: "Choose another day, or move that one.",
    Code.NOT_LIVE: "Look at the client's bookings again.",
}


def book_for(
    session: WriteSession,
    *,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    starts_at: datetime,
    at: datetime,
    give: bool = False,
) -> Booking:
    """Books a slot for a client of the site. Raises NotThere, and Refused with the nearest free times as evidence.

    Places held for one of the client's groups are theirs. With `give`, reception gives one that is held for others
    when there is no other: an act of its own in the audit trail.
    """
    client_here(session, client_id, site)
    refuse_dead(session, client_id)
    with said_like_a_desk(site):
        booking = scheduling.service.book(
            session,
            place_id=site.id,
            holder_id=client_id,
            starts_at=starts_at,
            now=at,
            channel="desk",
            groups=groups_of(session, client_id, site_id=site.id, today=site.dose_day(at)),
            give=give,
        )
    _tell(session, actor, site, booking, "booked", "booking_confirmed", at)
    return booking


def move_for(
    session: WriteSession,
    *,
    actor: Actor,
    site: Place,
    booking_id: UUID,
    starts_at: datetime,
    at: datetime,
    give: bool = False,
) -> Booking:
    """Moves a booking of the site to another slot, wholly or not at all. Raises NotThere or Refused."""
    holder = ClientId(_booking_here(session, booking_id, site).holder_id)
    groups = groups_of(session, holder, site_id=site.id, today=site.dose_day(at))
    with said_like_a_desk(site):
        booking = scheduling.service.move(
            session, booking_id=booking_id, starts_at=starts_at, now=at, groups=groups, give=give
        )
    _tell(session, actor, site, booking, "moved", "booking_moved", at)
    return booking


def drop_for(session: WriteSession, *, actor: Actor, site: Place, booking_id: UUID, at: datetime) -> Booking:
    """Gives a booking of the site up. Raises NotThere or Refused."""
    _booking_here(session, booking_id, site)
    with said_like_a_desk(site):
        booking = scheduling.service.drop(session, booking_id=booking_id, now=at)
    _tell(session, actor, site, booking, "dropped", "booking_dropped", at)
    return booking


def greet(session: WriteSession, *, actor: Actor, site: Place, client_id: ClientId, at: datetime) -> Visit:
    """Checks a client in, booked or not: a ticket, the same one until the visit ends. Raises NotThere."""
    client_here(session, client_id, site)
    with where_it_opens():
        visit, made = scheduling.service.check_in_once(session, place_id=site.id, holder_id=client_id, now=at)
    if made:
        audit.record(
            session,
            actor=actor,
            act="checked in",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"visit": visit.id},
        )
    return visit


def client_here(session: ReadSession, client_id: ClientId, site: Place) -> None:
    """Raises NotThere for a client who is not of the site."""
    if session.scalar(select(Client.id).where(Client.id == client_id, Client.site_id == site.id)) is None:
        raise NotThere(Refusal("no-client", "There is no such client at this site.", "Look for the client again."))


def _booking_here(session: ReadSession, booking_id: UUID, site: Place) -> Booking:
    booking = session.get(Booking, booking_id)
    if booking is None or booking.place_id != site.id:
        raise NotThere(Refusal("no-booking", "There is no such booking here.", "Look at the client's bookings again."))
    return booking


@contextmanager
def where_it_opens() -> Iterator[None]:
    """Says of a site without opening hours that it has none. Raises Refused."""
    try:
        yield
    except NotFound:
        raise Refused(
            Refusal(
                "no-hours",
                "This site has no opening hours yet, so there is nothing to book.",
                "An administrator sets them in the office.",
            )
        ) from None


@contextmanager
def said_like_a_desk(site: Place) -> Iterator[None]:
    """Turns the scheduling house's no into this house's, with the nearest free times in words and as evidence."""
    try:
        with where_it_opens():
            yield
    except NotBooked as reason:
        zone = ZoneInfo(site.zone)
        free = [start.astimezone(zone) for start in reason.alternatives]
        near = (
            f"Free near it: {', '.join(f'{start:%a} {start.day} {start:%b %H:%M}' for start in free)}." if free else ""
        )
        raise Refused(
            Refusal(
                reason.code,
                reason.sentence,
                _REMEDIES.get(Code(reason.code), near or "Choose another time."),
                {"alternatives": [start.isoformat() for start in free], "standing": reason.standing},
                field="starts_at",
            )
        ) from None


def _tell(
    session: WriteSession, actor: Actor, site: Place, booking: Booking, act: str, kind: str, at: datetime
) -> None:
    """Texts what was done, once for this booking, and writes it down; a repeated request finds both done."""
    if booking.changed_at != at:
        return
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=booking.holder_id,
        kind=kind,
        reason_key=f"{act}:{booking.id}",
        fields={"at": booking.starts_at},
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=max(booking.starts_at, at + timedelta(hours=1)),
    )
    tell_offers(session, site=site, at=at)
    details: dict[str, object] = {"booking": booking.id}
    if booking.given:
        act, details = GAVE_HELD, {**details, "held for": booking.share}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=booking.holder_id, at=at, details=details)
