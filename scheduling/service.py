"""What is done with a place's time: hours, closures, bookings, check-in and calling people to the counter.

Rows are locked in the same order everywhere, so that nobody waits in a circle: the place, the ticket counter, a visit,
standing bookings, offers, bookings, wishes for a place, slots by their start. A call that is declined leaves nothing
behind, also when its caller goes on and commits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from scheduling import closing, queries, refusing, rows, waitlist
from scheduling.models import Booking, BookingState, Closure, Opening, Place, Slot, Visit, new_id
from scheduling.rules import (
    BadHours,
    Code,
    Hours,
    NotBooked,
    NotFound,
    fault_in,
    zone_named,
)
from scheduling.shares import OPEN


class Served(NamedTuple):
    """The visit that the counter has ended by serving its holder."""

    id: UUID
    called_at: datetime | None
    ended_at: datetime


class CheckedIn(NamedTuple):
    """A visit, and whether it was this check-in that made it."""

    visit: Visit
    made: bool


class Reopened(NamedTuple):
    """The days that a closure shuts no more, and what became of their bookings."""

    first_day: date
    last_day: date
    standing: list[Booking]
    given_up: list[Booking]
    """Those that were dropped or moved away by holders who have none on these days now; it stays so."""
    still_shut: list[date]
    """Those of the days that stay shut for another reason."""


_FRESH = {"populate_existing": True}


def add_place(session: Session, *, place_id: UUID, zone: str, lead_minutes: int = 0, horizon_days: int = 60) -> Place:
    """A place with no hours yet. Raises BadHours, also when there is one of this id.

    A slot can be booked until `lead_minutes` (0 to 20,160: two weeks) before it starts, and `horizon_days` (1 to 400)
    ahead.
    """
    zone_named(zone)
    if not (0 <= lead_minutes <= 20_160 and 1 <= horizon_days <= 400):
        raise BadHours("bad-place", "The lead is 0 to 20160 minutes and the horizon 1 to 400 days.")
    place = session.scalars(
        insert(Place)
        .values(id=place_id, zone=zone, lead_minutes=lead_minutes, horizon_days=horizon_days)
        .on_conflict_do_nothing()
        .returning(Place)
    ).one_or_none()
    if place is None:
        raise BadHours("bad-place", "This place is there already.")
    return place


def set_hours(session: Session, *, place_id: UUID, hours: Sequence[Hours], from_day: date) -> list[Booking]:
    """Gives the place this week from a day on, in place of what it had; the days before keep their hours.

    Returns the standing bookings, from that day on, whose slot is no longer there, so that their holders can be told;
    they stay booked until moved or dropped. Raises BadHours (`bad-hours`) and NotFound.
    """
    fault = fault_in(hours)
    if fault:
        raise BadHours("bad-hours", fault)
    rows.lock_place(session, place_id, changing=True)
    session.execute(
        update(Opening)
        .where(Opening.place_id == place_id, or_(Opening.until_day.is_(None), Opening.until_day > from_day))
        .values(until_day=func.greatest(Opening.from_day, from_day)),
        execution_options={"synchronize_session": False},
    )
    if hours:
        stretches = [
            {"id": new_id(), "place_id": place_id, "from_day": from_day} | vars(each) | {"held": dict(each.held)}
            for each in hours
        ]
        session.execute(insert(Opening), stretches)
    return _displaced(session, place_id, from_day)


def _displaced(session: Session, place_id: UUID, from_day: date) -> list[Booking]:
    standing = queries.standing_between(session, place_id, from_day, None)
    if not standing:
        return []
    known = queries.timetable(session, place_id, from_day, standing[-1].day)
    starts = {slot.starts_at for day in {booking.day for booking in standing} for slot in known.slots_on(day)}
    return [booking for booking in standing if booking.starts_at not in starts]


def close(session: Session, *, place_id: UUID, first_day: date, last_day: date, reason: str) -> list[Booking]:
    """Shuts the place from one day to another inclusive, and returns the standing bookings of these days.

    They stay booked, and each has a case that is open until somebody has settled where it goes (`scheduling.closing`).
    Nobody can book these days any more, nor take what is offered there. A closure of the same days for the same reason
    is made once. Raises BadHours (`bad-closure`) and NotFound.
    """
    if last_day < first_day or not reason.strip():
        raise BadHours("bad-closure", "A closure has a first day, a last day that is not earlier, and a reason.")
    rows.lock_place(session, place_id, changing=True)
    described = {"place_id": place_id, "first_day": first_day, "last_day": last_day, "reason": reason.strip()}
    standing = queries.standing_between(session, place_id, first_day, last_day)
    if session.scalar(select(Closure.id).filter_by(**described)) is None:
        closure = Closure(id=new_id(), **described)
        closing.open_cases(session, place_id=place_id, closure_id=closure.id, bookings=standing)
        session.add(closure)
        session.flush()
    return standing


def reopen(session: Session, *, place_id: UUID, closure_id: UUID, today: date) -> Reopened:
    """Opens the days of a closure again, from today on; of one that has begun, the days before today stay shut.

    What its days were booked for stands as it did: a place that was given up is free for others, and not given back to
    whoever had it. A day that another closure or the weekly rest keeps shut is named. Raises NotFound (`no-closure`,
    also when it was opened before), and BadHours (`closure-over`) when its last day has passed.
    """
    rows.lock_place(session, place_id, changing=True)
    wanted = select(Closure).where(Closure.id == closure_id, Closure.place_id == place_id)
    closure = session.scalars(wanted, execution_options=_FRESH).one_or_none()
    if closure is None:
        raise NotFound("no-closure", "There is no such closure, or it was opened again before.")
    first_day, last_day = max(closure.first_day, today), closure.last_day
    if last_day < today:
        raise BadHours("closure-over", "This closure is over; its days stay as they were.")
    if closure.first_day < today:
        closure.last_day = today - timedelta(days=1)
    else:
        session.delete(closure)
    session.flush()
    return Reopened(
        first_day,
        last_day,
        queries.standing_between(session, place_id, first_day, last_day),
        queries.given_up_between(session, place_id, first_day, last_day),
        queries.closed_days(session, place_id, first_day, last_day),
    )


def book(
    session: Session,
    *,
    place_id: UUID,
    holder_id: UUID,
    starts_at: datetime,
    now: datetime,
    channel: str,
    groups: Collection[str] = (),
    give: bool = False,
) -> Booking:
    """Takes a place in the slot that starts at this moment. Raises NotBooked with the nearest free starts; NotFound.

    A holder has one booking a day at a place. Asked again for the very slot they have, they get the booking they have,
    so that a repeated text or click is answered like the first. Places held for one of `groups` are theirs; with
    `give`, one that is held for others is given to them when there is no other, and the booking says so.
    """
    place = rows.lock_place(session, place_id)
    slot = refusing.bookable(session, place, starts_at, now, groups)
    standing = rows.of_the_day(session, place_id, holder_id, slot.day)
    if standing is None:
        try:
            with session.begin_nested():
                waitlist.met(session, place_id=place_id, holder_id=holder_id, slot=slot, now=now)
                share = rows.take(session, place_id, slot, groups, give=give)
                if share is None:
                    raise refusing.full(session, place_id, slot, now, groups)
                given = share != OPEN and share not in groups
                return rows.write(session, place_id, holder_id, slot, now, channel, share, given=given)
        except rows.OverLimit:
            raise refusing.over_limit(session, place_id) from None
        except rows.DayTaken:
            standing = rows.of_the_day(session, place_id, holder_id, slot.day)
    if standing is not None and standing.starts_at == starts_at:
        return standing
    raise refusing.already(session, place_id, starts_at, now, standing)


def move(
    session: Session,
    *,
    booking_id: UUID,
    starts_at: datetime,
    now: datetime,
    groups: Collection[str] = (),
    give: bool = False,
) -> Booking:
    """Exchanges a booking for one in another slot, wholly or not at all. Raises NotBooked with the nearest free starts.

    A repeated move to the same slot returns the booking that the first one made. The place that was left goes to the
    first in line for it. `groups` and `give` as in `book`.
    """
    known = session.get(Booking, booking_id)
    if known is None:
        raise NotBooked(Code.NOT_LIVE, "There is no such booking.")
    place_id = known.place_id
    place = rows.lock_place(session, place_id)
    rows.lock_standing(session, known.standing_id)
    old = rows.lock_booking(session, booking_id)
    if old.state is BookingState.MOVED:
        successor = session.scalar(select(Booking).where(Booking.moved_from == old.id), execution_options=_FRESH)
        if successor and successor.starts_at == starts_at and successor.state is BookingState.BOOKED:
            return successor
    if old.state is not BookingState.BOOKED:
        raise refusing.not_live(session, old, starts_at, now)
    if old.starts_at == starts_at:
        return old
    slot = refusing.bookable(session, place, starts_at, now, groups)
    standing = rows.of_the_day(session, place_id, old.holder_id, slot.day)
    if standing is not None and standing.id != old.id:
        raise refusing.already(session, place_id, starts_at, now, standing)
    try:
        with session.begin_nested():
            waitlist.met(session, place_id=place_id, holder_id=old.holder_id, slot=slot, now=now)
            rows.lock_slots(session, place_id, old.starts_at, starts_at)
            share = rows.take(session, place_id, slot, groups, give=give)
            if share is None:
                raise refusing.full(session, place_id, slot, now, groups)
            given = share != OPEN and share not in groups
            rows.settle(session, old, BookingState.MOVED, now)
            rows.release(session, place_id, old.starts_at, old.share)
            if old.day != slot.day:
                rows.skip(session, old)
            booking = rows.write(
                session,
                place_id,
                old.holder_id,
                slot,
                now,
                old.channel,
                share,
                given=given,
                moved_from=old.id,
                standing_id=old.standing_id,
            )
    except rows.DayTaken:
        raise refusing.already(session, place_id, starts_at, now, None) from None
    waitlist.pass_on(session, place_id=place_id, starts_at=old.starts_at, now=now)
    return booking


def drop(session: Session, *, booking_id: UUID, now: datetime) -> Booking:
    """Gives a booking up; its place goes to the first in line for it, or is free. Raises NotBooked.

    One that was dropped already is returned as it is. The standing booking that it was made from goes on.
    """
    known = session.get(Booking, booking_id)
    if known is not None:
        rows.lock_place(session, known.place_id)
        rows.lock_standing(session, known.standing_id)
    booking = rows.lock_booking(session, booking_id)
    if booking.state is BookingState.DROPPED:
        return booking
    if booking.state is not BookingState.BOOKED:
        raise refusing.not_live(session, booking, None, now)
    rows.settle(session, booking, BookingState.DROPPED, now)
    rows.skip(session, booking)
    rows.release(session, booking.place_id, booking.starts_at, booking.share)
    waitlist.pass_on(session, place_id=booking.place_id, starts_at=booking.starts_at, now=now)
    return booking


def check_in(session: Session, *, place_id: UUID, holder_id: UUID, now: datetime) -> Visit:
    """Somebody has come: the visit of `check_in_once`, whoever made it."""
    return check_in_once(session, place_id=place_id, holder_id=holder_id, now=now).visit


def check_in_once(session: Session, *, place_id: UUID, holder_id: UUID, now: datetime) -> CheckedIn:
    """Somebody has come: an anonymous ticket, from 1 without gaps each day, whether they have a booking or not.

    Until that visit ends, checking in again returns the same ticket, and of several at once one made it. The day's
    booking, if there is one, becomes `arrived`. Raises NotFound for an unknown place only: being early, late or
    without booking turns nobody away.
    """
    day = queries.day_at(session, place_id, now)
    visit = queries.open_visit(session, place_id, holder_id, day)
    if visit is not None:
        return CheckedIn(visit, made=False)
    ticket = rows.next_ticket(session, place_id, holder_id, day)
    if isinstance(ticket, Visit):
        return CheckedIn(ticket, made=False)
    booking = rows.arrive(session, place_id, holder_id, day, now)
    visit = Visit(place_id=place_id, holder_id=holder_id, day=day, ticket=ticket, arrived_at=now)
    visit.booking_id = booking.id if booking else None
    session.add(visit)
    session.flush()
    return CheckedIn(visit, made=True)


def start(session: Session, *, visit_id: UUID, now: datetime, window: int | None = None) -> Visit:
    """Their turn has begun, at this window; the first start's time and window stay. Raises NotFound.

    An ended visit stays as it is. Who was set aside is there after all.
    """
    visit = rows.lock_visit(session, visit_id)
    if visit.ended_at is None and visit.started_at is None:
        visit.started_at, visit.at_window, visit.aside_at = now, window or visit.at_window, None
        session.flush()
    return visit


def finish(session: Session, *, visit_id: UUID, now: datetime) -> Visit:
    """They have been served; the first end's time stays. Raises NotFound."""
    visit = rows.lock_visit(session, visit_id)
    visit.ended_at = visit.ended_at or now
    session.flush()
    return visit


def finish_for(session: rows.Runs, *, place_id: UUID, holder_id: UUID, now: datetime) -> Served | None:
    """The counter has served this holder: ends their visit of the day, called or not.

    Where nothing else says when their turn began, it was the last call, the one to which they came.

    Somebody served without checking in has no visit to end, and the answer is none; their booking of the day becomes
    `arrived` all the same, so that nobody who was served is counted as missed. Raises NotFound.
    """
    row = session.run(rows.SERVED, {"place": place_id, "holder": holder_id, "now": now}).fetchone()
    if row is None:
        raise NotFound("no-place", "There is no such place.")
    return Served._make(row) if row[0] else None


def mark_missed(session: Session, *, place_id: UUID, day: date) -> list[Booking]:
    """Close of day: bookings that nobody came to become `missed`, as of the end of their slot, and are returned.

    A record and nothing more: no booking is refused for it later. On a day of closure nobody could have come; its
    bookings are dropped instead, and none is returned. Run again it finds none left.
    """
    rows.lock_place(session, place_id, changing=True)
    closed = queries.closure_on(session, place_id, day) is not None
    settled = session.scalars(
        update(Booking)
        .where(
            Booking.place_id == place_id,
            Booking.day == day,
            Booking.state == BookingState.BOOKED,
            Slot.place_id == Booking.place_id,
            Slot.starts_at == Booking.starts_at,
        )
        .values(state=BookingState.DROPPED if closed else BookingState.MISSED, changed_at=Slot.ends_at)
        .returning(Booking),
        execution_options={"synchronize_session": False} | _FRESH,
    ).all()
    if not closed:
        return sorted(settled, key=lambda booking: (booking.starts_at, booking.id))
    for (starts_at, share), people in sorted(Counter((each.starts_at, each.share) for each in settled).items()):
        rows.release(session, place_id, starts_at, share, people)
    return []
