"""The rows behind the use cases: the locks in their one order, and the statements that take and give back a place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, LiteralString, Protocol
from uuid import UUID

from psycopg import Cursor
from sqlalchemy import Text, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scheduling import queries
from scheduling.models import HOLDS_A_PLACE, Booking, BookingState, Place, Slot, TicketCounter, Visit
from scheduling.rules import Code, NotBooked, NotFound, SlotTime
from scheduling.shares import OPEN, Places, brought_up, held_of
from scheduling.waiting_models import Standing, StandingSkip

SERVED = """
WITH today AS (
    SELECT id AS place_id, (CAST(%(now)s AS timestamptz) AT TIME ZONE zone)::date AS day FROM place WHERE id = %(place)s
), ended AS (
    UPDATE visit SET ended_at = %(now)s,
        started_at = coalesce(started_at, CASE WHEN at_window IS NOT NULL THEN last_called_at END), aside_at = NULL
    FROM today
    WHERE visit.place_id = today.place_id AND visit.day = today.day AND holder_id = %(holder)s AND ended_at IS NULL
    RETURNING visit.*
), arrived AS (
    UPDATE booking SET state = 'arrived', changed_at = %(now)s FROM today
    WHERE booking.place_id = today.place_id AND booking.day = today.day AND holder_id = %(holder)s AND state = 'booked'
        AND NOT EXISTS (SELECT 1 FROM ended)
)
SELECT ended.id, ended.called_at, ended.ended_at FROM today LEFT JOIN ended ON true
"""
_FRESH = {"populate_existing": True}
_PLACE = 7_301_446
"""The first half of the lock of a place."""


class Runs(Protocol):
    """A unit of work that also takes SQL as it is, with named values such as `%(place)s`, and gives plain rows."""

    def run(self, statement: LiteralString, values: Mapping[str, Any]) -> Cursor[tuple[Any, ...]]: ...


class OverLimit(Exception):
    """The holder has as many open bookings as one may have."""


class DayTaken(Exception):
    """Another booking of the holder for that day was committed first."""


def lock_place(session: Session, place_id: UUID, *, changing: bool = False) -> Place:
    """Bookings share the place; a change of its hours or closures waits for them, and they for it. Raises NotFound.

    Whoever comes while a change waits is behind it. The lock of the row alone would let those who share it pass by
    without end, and a closure would wait for as long as people go on booking. It is taken as well: an earlier program
    that still runs beside this one, in an upgrade, knows it and no other.
    """
    lock = func.pg_advisory_xact_lock if changing else func.pg_advisory_xact_lock_shared
    session.execute(select(lock(_PLACE, func.hashtext(str(place_id)))))
    wanted = select(Place).where(Place.id == place_id)
    locked = wanted.with_for_update(key_share=True) if changing else wanted.with_for_update(read=True)
    place = session.scalars(locked, execution_options=_FRESH).one_or_none()
    if place is None:
        raise NotFound("no-place", "There is no such place.")
    return place


def lock_standing(session: Session, standing_id: UUID | None) -> None:
    """The standing booking that a booking was made from, if any: giving up a day of it waits for who makes bookings."""
    if standing_id is not None:
        session.execute(select(Standing.id).where(Standing.id == standing_id).with_for_update(key_share=True))


def skip(session: Session, booking: Booking) -> None:
    """The standing booking that this was made from, if any, makes none for its day again."""
    if booking.standing_id is not None:
        put = insert(StandingSkip).values(standing_id=booking.standing_id, day=booking.day)
        session.execute(put.on_conflict_do_nothing())


def lock_booking(session: Session, booking_id: UUID) -> Booking:
    """The booking as it is now, ours until the unit ends. Raises NotBooked."""
    wanted = select(Booking).where(Booking.id == booking_id).with_for_update(key_share=True)
    booking = session.scalar(wanted, execution_options=_FRESH)
    if booking is None:
        raise NotBooked(Code.NOT_LIVE, "There is no such booking.")
    return booking


def lock_visit(session: Session, visit_id: UUID) -> Visit:
    """The visit as it is now, ours until the unit ends. Raises NotFound."""
    wanted = select(Visit).where(Visit.id == visit_id).with_for_update(key_share=True)
    visit = session.scalar(wanted, execution_options=_FRESH)
    if visit is None:
        raise NotFound("no-visit", "There is no such visit.")
    return visit


def lock_slots(session: Session, place_id: UUID, *starts: datetime) -> None:
    """Two moves in opposite directions would otherwise each hold what the other wants."""
    wanted = select(Slot.starts_at).where(Slot.place_id == place_id, Slot.starts_at.in_(starts))
    session.execute(wanted.order_by(Slot.starts_at).with_for_update(key_share=True))


def lock_slot(session: Session, place_id: UUID, slot: SlotTime) -> tuple[Slot, Places]:
    """The slot's row, ours until the unit ends, and its places as the hours have them now. The first makes the row."""
    row = insert(Slot).values(
        place_id=place_id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        day=slot.day,
        capacity=slot.capacity,
        booked=0,
        held={},
        held_booked={},
    )
    session.execute(row.on_conflict_do_nothing())
    wanted = select(Slot).where(Slot.place_id == place_id, Slot.starts_at == slot.starts_at)
    found = session.scalars(wanted.with_for_update(key_share=True), execution_options=_FRESH).one()
    held_booked = held_of(found.held_booked)
    return found, brought_up(slot.capacity, slot.held, booked=found.booked, held_booked=held_booked)


def take(
    session: Session, place_id: UUID, slot: SlotTime, groups: Collection[str] = (), *, give: bool = False
) -> str | None:
    """Takes a place for somebody of these groups and says from which share, or none when none is left for them.

    The row is held while it is looked at: to count first and then book would overbook. What is written is refused by
    the table where it would break the capacity or take what is held. With `give`, a place held for others will do.
    """
    row, places = lock_slot(session, place_id, slot)
    share = places.share_to_give(groups) if give else places.share_for(groups)
    if share is not None:
        put(session, row, slot, places.taken(share))
    return share


def put(session: Session, row: Slot, slot: SlotTime, places: Places) -> None:
    """Writes a locked slot's places, as its hours are now."""
    row.ends_at, row.capacity, row.booked = slot.ends_at, places.capacity, places.booked
    row.held, row.held_booked = dict(places.held), dict(places.held_booked)
    session.flush()


_RELEASE = text("""
UPDATE slot SET booked = booked - :people, held_booked = CASE WHEN :share = '' THEN held_booked
    ELSE held_booked || jsonb_build_object(:share, coalesce((held_booked ->> :share)::integer, 0) - :people) END
WHERE place_id = :place AND starts_at = :starts
""").bindparams(bindparam("share", type_=Text()))


def release(session: Session, place_id: UUID, starts_at: datetime, share: str = OPEN, people: int = 1) -> None:
    """Gives places back to the share that they were taken from. The table refuses more than were taken."""
    session.flush()
    session.execute(_RELEASE, {"people": people, "share": share, "place": place_id, "starts": starts_at})


def write(
    session: Session,
    place_id: UUID,
    holder_id: UUID,
    slot: SlotTime,
    now: datetime,
    channel: str,
    share: str,
    *,
    given: bool = False,
    moved_from: UUID | None = None,
    standing_id: UUID | None = None,
) -> Booking:
    """Records a booking whose place is taken from this share; the caller's savepoint gives the place back otherwise.

    Raises DayTaken, and OverLimit when PostgreSQL counts as many open bookings of the holder as there may be.
    """
    made = (
        insert(Booking)
        .values(
            holder_id=holder_id,
            place_id=place_id,
            starts_at=slot.starts_at,
            day=slot.day,
            state=BookingState.BOOKED,
            channel=channel,
            made_at=now,
            changed_at=now,
            moved_from=moved_from,
            share=share,
            given=given,
            standing_id=standing_id,
        )
        .on_conflict_do_nothing(index_elements=["holder_id", "place_id", "day"], index_where=text(HOLDS_A_PLACE))
        .returning(Booking)
    )
    try:
        booking = session.scalars(made).one_or_none()
    except IntegrityError as reason:
        if "as many bookings are open" in str(reason.orig):
            raise OverLimit from None
        raise
    if booking is None:
        raise DayTaken
    return booking


def settle(session: Session, booking: Booking, state: BookingState, now: datetime) -> None:
    """Takes a locked booking out of the state `booked`, for good."""
    booking.state, booking.changed_at = state, now
    session.flush()


def of_the_day(session: Session, place_id: UUID, holder_id: UUID, day: date) -> Booking | None:
    """The holder's booking of that day that was neither dropped nor moved, as the database has it now."""
    wanted = select(Booking).where(
        Booking.holder_id == holder_id,
        Booking.place_id == place_id,
        Booking.day == day,
        text(HOLDS_A_PLACE),
    )
    return session.scalars(wanted, execution_options=_FRESH).one_or_none()


def arrive(session: Session, place_id: UUID, holder_id: UUID, day: date, now: datetime) -> Booking | None:
    """The day's booking, which somebody has now come to."""
    wanted = select(Booking).where(
        Booking.holder_id == holder_id,
        Booking.place_id == place_id,
        Booking.day == day,
        Booking.state == BookingState.BOOKED,
    )
    booking = session.scalar(wanted.with_for_update(key_share=True), execution_options=_FRESH)
    if booking is not None:
        settle(session, booking, BookingState.ARRIVED, now)
    return booking


def next_ticket(session: Session, place_id: UUID, holder_id: UUID, day: date) -> int | Visit:
    """The next number, or the visit that another check-in of the same holder made while this one waited its turn.

    The counter's row is locked before looking: of two check-ins at once the second sees what the first one wrote, and
    takes no number.
    """
    counter = (TicketCounter.place_id == place_id, TicketCounter.day == day)
    session.execute(insert(TicketCounter).values(place_id=place_id, day=day, last=0).on_conflict_do_nothing())
    session.execute(select(TicketCounter.last).where(*counter).with_for_update(key_share=True))
    visit = queries.open_visit(session, place_id, holder_id, day)
    if visit is not None:
        return visit
    return session.execute(
        update(TicketCounter).where(*counter).values(last=TicketCounter.last + 1).returning(TicketCounter.last),
        execution_options={"synchronize_session": False},
    ).scalar_one()
