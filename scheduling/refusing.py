"""How a booking is declined: what cannot be booked, why, and the nearest times that can."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from scheduling import queries, rows
from scheduling.models import Booking, Place
from scheduling.rules import Code, NotBooked, Refusal, SlotTime, local_day, zone_named


def bookable(
    session: Session, place: Place, starts_at: datetime, now: datetime, groups: Collection[str] = ()
) -> SlotTime:
    """The slot that starts at this moment, when it can be booked now, free or not. Raises NotBooked."""
    zone = zone_named(place.zone)
    try:
        day = local_day(starts_at, zone)
    except OverflowError:  # off the ends of the calendar: past or too far on whatever day it is asked of
        day = local_day(now, zone)
    slot = queries.timetable(session, place.id, day, day).bookable(starts_at, now)
    if isinstance(slot, Refusal):
        raise declined(session, place.id, slot, starts_at, now, groups=groups)
    return slot


def declined(
    session: Session,
    place_id: UUID,
    refusal: Refusal,
    wanted: datetime,
    now: datetime,
    standing: Booking | None = None,
    groups: Collection[str] = (),
) -> NotBooked:
    """The refusal with the nearest free times for whoever asks."""
    alternatives = queries.free_near(session, place_id, wanted, now, groups=groups)
    return NotBooked(refusal.code, refusal.sentence, alternatives, standing.id if standing else None)


def full(session: Session, place_id: UUID, slot: SlotTime, now: datetime, groups: Collection[str]) -> NotBooked:
    """No place is left for these groups; it says when places are left that are held for others."""
    spoken = queries.timetable(session, place_id, slot.day, slot.day).spoken(slot.starts_at)
    _, places = rows.lock_slot(session, place_id, slot)
    refusal = Refusal(Code.FULL, f"The slot at {spoken} is full.")
    if places.free:
        refusal = Refusal(Code.HELD, f"The places that are left at {spoken} are held.")
    return declined(session, place_id, refusal, slot.starts_at, now, groups=groups)


def already(session: Session, place_id: UUID, wanted: datetime, now: datetime, standing: Booking | None) -> NotBooked:
    """The holder has a booking that day."""
    refusal = Refusal(Code.ALREADY_BOOKED, "There is a booking for that day already. Move it instead.")
    return declined(session, place_id, refusal, wanted, now, standing)


def over_limit(session: Session, place_id: UUID) -> NotBooked:
    """The holder has as many open bookings as one may have."""
    most = queries.booking_rules(session, place_id).most_open
    return NotBooked(
        Code.LIMIT,
        f"One person may have {most} bookings open at once, and they are. One must be given up or used first.",
    )


def not_live(session: Session, booking: Booking, wanted: datetime | None, now: datetime) -> NotBooked:
    """The booking was settled before."""
    refusal = Refusal(Code.NOT_LIVE, f"This booking was {booking.state} and cannot be changed.")
    if wanted is None:
        return NotBooked(refusal.code, refusal.sentence)
    return declined(session, booking.place_id, refusal, wanted, now)
