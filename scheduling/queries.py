"""What can be read of a place's time: free slots, bookings, the queue, waiting times, and counters that went wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlalchemy.orm import Session

from scheduling.models import HOLDS_A_PLACE, Booking, BookingState, Closure, Opening, Place, Slot, Visit
from scheduling.rules import BookingRules, Hours, InForce, NotFound, Shut, Timetable, local_day, nearest, zone_named
from scheduling.shares import brought_up, held_of
from scheduling.waiting_models import BookingRule

_STRETCH = 14
"""Days that the search for a free slot reads at a time."""


@dataclass(frozen=True)
class SlotView:
    """A slot as somebody sees it who wants to book. `free` is never below 0, also when the hours were cut later."""

    starts_at: datetime
    ends_at: datetime
    capacity: int
    booked: int
    """By bookings and by offers that are open."""
    free: int
    """For whoever asks: the open places, and those held for the groups that were asked for."""
    held: int = 0
    """Places that are free and held for others."""


@dataclass(frozen=True)
class Discrepancy:
    """A slot whose counter is not the number of its bookings and open offers, or that has more than it can take.

    `share` names whose held places do not agree; it is empty for the slot as a whole.
    """

    place_id: UUID
    starts_at: datetime
    share: str
    capacity: int
    counter: int
    bookings: int


def place_of(session: Session, place_id: UUID) -> Place:
    """The place of this id. Raises NotFound."""
    place = session.get(Place, place_id)
    if place is None:
        raise _no_place()
    return place


def _no_place() -> NotFound:
    return NotFound("no-place", "There is no such place.")


def is_place(session: Session, place_id: UUID) -> bool:
    """Whether there is a place of this id: one with no hours yet counts."""
    return session.get(Place, place_id) is not None


def day_at(session: Session, place_id: UUID, moment: datetime) -> date:
    """The place's local date at this moment. Raises NotFound."""
    return local_day(moment, zone_named(place_of(session, place_id).zone))


def timetable(session: Session, place_id: UUID, first: date, last: date) -> Timetable:
    """The place's hours and closures of the days from first to last, in two reads. Raises NotFound."""
    return _timetable(session, place_id, first, last)[0]


def _timetable(session: Session, place_id: UUID, first: date, last: date) -> tuple[Timetable, bool]:
    """And whether the place has ever had hours. Those of all time are few: whoever sets them, sets a week."""
    rows = session.execute(
        select(Place, Opening).outerjoin(Opening, Opening.place_id == Place.id).where(Place.id == place_id)
    ).all()
    if not rows:
        raise _no_place()
    place, openings = rows[0][0], [opening for _, opening in rows if opening is not None]
    closures = session.scalars(
        select(Closure)
        .where(Closure.place_id == place_id, Closure.first_day <= last, Closure.last_day >= first)
        .order_by(Closure.first_day, Closure.id)
    )
    known = Timetable(
        zone_named(place.zone),
        tuple(
            InForce(hours_of(each), each.from_day, each.until_day)
            for each in openings
            if each.from_day <= last and (each.until_day is None or each.until_day > first)
        ),
        tuple(Shut(each.first_day, each.last_day, each.reason, each.id) for each in closures),
        timedelta(minutes=place.lead_minutes),
        place.horizon_days,
    )
    return known, bool(openings)


def hours_of(row: Opening) -> Hours:
    """The hours that a row records."""
    held = held_of(row.held)
    return Hours(row.weekday, row.opens, row.closes, row.slot_minutes, row.capacity, row.windows, held)


def booking_rules(session: Session, place_id: UUID) -> BookingRules:
    """What the place has set for bookings."""
    row = session.get(BookingRule, place_id)
    if row is None:
        return BookingRules()
    return BookingRules(row.most_open, row.offer_minutes, row.offers_from, row.offers_until)


def slots_on(session: Session, place_id: UUID, day: date, groups: Collection[str] = ()) -> list[SlotView]:
    """The slots of a day, earliest first. One that only bookings made before a change still know has no free place.

    `groups` says who asks: places held for them are free for them.
    """
    return _views(session, place_id, day, day, groups)


def _views(session: Session, place_id: UUID, first: date, last: date, groups: Collection[str]) -> list[SlotView]:
    known = timetable(session, place_id, first, last)
    rows = session.execute(
        select(Slot.starts_at, Slot.ends_at, Slot.booked, Slot.held_booked).where(
            Slot.place_id == place_id, Slot.day.between(first, last), Slot.booked > 0
        )
    )
    taken = {starts_at: (ends_at, booked, held_of(held)) for starts_at, ends_at, booked, held in rows}
    views = []
    for day in days(first, last):
        for slot in known.slots_on(day):
            _, booked, held_booked = taken.pop(slot.starts_at, (slot.ends_at, 0, ()))
            places = brought_up(slot.capacity, slot.held, booked=booked, held_booked=held_booked)
            free = places.free_for(groups)
            views.append(SlotView(slot.starts_at, slot.ends_at, slot.capacity, booked, free, places.free - free))
    views.extend(SlotView(starts_at, ends_at, booked, booked, 0) for starts_at, (ends_at, booked, _) in taken.items())
    return sorted(views, key=lambda view: view.starts_at)


def days(first: date, last: date) -> Iterator[date]:
    """Each day from the first to the last inclusive."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def next_free(
    session: Session, place_id: UUID, after: datetime, limit: int, groups: Collection[str] = ()
) -> list[SlotView]:
    """The first free slots that somebody can book at the moment `after`, earliest first: lead and horizon count."""
    place = place_of(session, place_id)
    today = day_at(session, place_id, after)
    earliest, horizon = after + timedelta(minutes=place.lead_minutes), today + timedelta(days=place.horizon_days)
    found: list[SlotView] = []
    first = today
    while len(found) < limit and first <= horizon:
        last = min(first + timedelta(days=_STRETCH - 1), horizon)
        views = _views(session, place_id, first, last, groups)
        found += [view for view in views if view.free and view.starts_at >= earliest]
        first = last + timedelta(days=1)
    return found[:limit]


def free_near(
    session: Session, place_id: UUID, wanted: datetime, now: datetime, limit: int = 3, groups: Collection[str] = ()
) -> list[datetime]:
    """The starts of the other free slots nearest to the wanted one, among those bookable now, earliest first.

    Looks a week before and two weeks after it, and when that finds none, for the first free ones from now on.
    """
    place = place_of(session, place_id)
    today = day_at(session, place_id, now)
    earliest, horizon = now + timedelta(minutes=place.lead_minutes), today + timedelta(days=place.horizon_days)
    around = min(max(wanted, now), now + timedelta(days=place.horizon_days))
    middle = day_at(session, place_id, around)
    first, last = max(today, middle - timedelta(days=7)), min(horizon, middle + timedelta(days=14))
    views = _views(session, place_id, first, last, groups)
    free = [view.starts_at for view in views if view.free and view.starts_at >= earliest and view.starts_at != wanted]
    return nearest(free, around, limit) or [view.starts_at for view in next_free(session, place_id, now, limit, groups)]


def is_open(session: Session, place_id: UUID, day: date) -> bool:
    """Whether the place opens at all that day."""
    return bool(opening_times(session, place_id, day))


def opening_times(session: Session, place_id: UUID, day: date) -> list[Hours]:
    """The stretches in which the place is open that day, earliest first; none on a day of rest or a closure."""
    return timetable(session, place_id, day, day).hours_on(day)


def closed_days(session: Session, place_id: UUID, first: date, last: date) -> list[date]:
    """The days from first to last inclusive on which the place does not open, for a closure or as a weekly rest.

    A place whose hours nobody has set has no days of rest, only closures: what is not known to be closed is open.
    """
    known, rests = _timetable(session, place_id, first, last)
    return [day for day in days(first, last) if known.shut_on(day) or (rests and not known.hours_on(day))]


def closure_on(session: Session, place_id: UUID, day: date) -> Shut | None:
    """The closure that this day falls into, with its reason."""
    return timetable(session, place_id, day, day).shut_on(day)


def newest_closure(session: Session, place_id: UUID, first_day: date, last_day: date) -> UUID | None:
    """The closure of exactly these days that was made last."""
    same = (Closure.place_id == place_id, Closure.first_day == first_day, Closure.last_day == last_day)
    return session.scalar(select(Closure.id).where(*same).order_by(Closure.id.desc()).limit(1))


def bookings_of(session: Session, holder_id: UUID, from_moment: datetime) -> list[Booking]:
    """The holder's bookings that start at the moment or later and still stand, at any place, earliest first."""
    return list(
        session.scalars(
            select(Booking)
            .where(
                Booking.holder_id == holder_id,
                Booking.starts_at >= from_moment,
                Booking.state == BookingState.BOOKED,
            )
            .order_by(Booking.starts_at, Booking.id)
        )
    )


def bookings_on(session: Session, place_id: UUID, day: date) -> list[Booking]:
    """The bookings of a day that were neither dropped nor moved, earliest first."""
    return list(
        session.scalars(
            select(Booking)
            .where(Booking.place_id == place_id, Booking.day == day, text(HOLDS_A_PLACE))
            .order_by(Booking.starts_at, Booking.made_at, Booking.id)
        )
    )


def standing_between(session: Session, place_id: UUID, first: date, last: date | None) -> list[Booking]:
    """The bookings not yet come to from the first day to the last (or without end), earliest first."""
    wanted = select(Booking).where(
        Booking.place_id == place_id, Booking.day >= first, Booking.state == BookingState.BOOKED
    )
    if last is not None:
        wanted = wanted.where(Booking.day <= last)
    return list(session.scalars(wanted.order_by(Booking.starts_at, Booking.id)))


def given_up_between(session: Session, place_id: UUID, first: date, last: date) -> list[Booking]:
    """The bookings from the first day to the last that were given up or moved away, earliest first.

    Those of a holder who has one there now, on any of these days, are not among them.
    """
    days_asked = (Booking.place_id == place_id, Booking.day.between(first, last))
    left = Booking.state.in_((BookingState.DROPPED, BookingState.MOVED))
    still = select(Booking.holder_id).where(*days_asked, text(HOLDS_A_PLACE))
    chosen = select(Booking).where(*days_asked, left, Booking.holder_id.not_in(still))
    return list(session.scalars(chosen.order_by(Booking.starts_at, Booking.id)))


def due_for_reminder(session: Session, *, from_moment: datetime, to_moment: datetime) -> list[Booking]:
    """The bookings of all places that start in the window (its end excluded) and still stand, in one read.

    A booking on a day that was closed since is not among them: a reminder would send somebody to a shut door.
    """
    shut = exists().where(
        Closure.place_id == Booking.place_id, Booking.day.between(Closure.first_day, Closure.last_day)
    )
    return list(
        session.scalars(
            select(Booking)
            .where(
                Booking.state == BookingState.BOOKED,
                Booking.starts_at >= from_moment,
                Booking.starts_at < to_moment,
                ~shut,
            )
            .order_by(Booking.starts_at, Booking.id)
        )
    )


def open_visit(session: Session, place_id: UUID, holder_id: UUID, day: date, *, lock: bool = False) -> Visit | None:
    """The holder's visit of that day that has not ended, as the database has it now."""
    wanted = select(Visit).where(
        Visit.place_id == place_id, Visit.holder_id == holder_id, Visit.day == day, Visit.ended_at.is_(None)
    )
    if lock:
        wanted = wanted.with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()


_DISCREPANCIES = text(f"""
WITH taken AS (
    SELECT place_id, starts_at, share, count(*) AS places FROM (
        SELECT place_id, starts_at, share FROM booking WHERE {HOLDS_A_PLACE}
        UNION ALL SELECT place_id, starts_at, share FROM offer WHERE state = 'open') AS places
    GROUP BY place_id, starts_at, share
), held AS (
    SELECT place_id, starts_at, key AS share, value::integer AS places FROM slot, jsonb_each_text(held_booked)
)
SELECT s.place_id, s.starts_at, '' AS share, s.capacity, s.booked, coalesce(t.places, 0) FROM slot s
LEFT JOIN (SELECT place_id, starts_at, sum(places)::integer AS places FROM taken GROUP BY place_id, starts_at) t
    ON (t.place_id, t.starts_at) = (s.place_id, s.starts_at)
WHERE coalesce(t.places, 0) <> s.booked OR coalesce(t.places, 0) > s.capacity
UNION ALL
SELECT place_id, starts_at, share, coalesce((s.held ->> share)::integer, 0), coalesce(h.places, 0),
    coalesce(t.places, 0)::integer
FROM (SELECT * FROM taken WHERE share <> '') t FULL JOIN held h USING (place_id, starts_at, share)
JOIN slot s USING (place_id, starts_at)
WHERE coalesce(t.places, 0) <> coalesce(h.places, 0) OR coalesce(t.places, 0) > coalesce((s.held ->> share)::integer, 0)
ORDER BY 1, 2, 3
""")


def discrepancies(session: Session) -> list[Discrepancy]:
    """Each slot whose bookings and open offers are not what it counts, or more than it takes; none when all is well.

    The same for each of its shares: places held for some must be theirs, or have been given.
    """
    return [Discrepancy(*row) for row in session.execute(_DISCREPANCIES)]
