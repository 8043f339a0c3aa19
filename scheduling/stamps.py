"""What a place's own stamps say: services and absences for the advice, and a day's plan beside what happened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from statistics import median
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from scheduling import queries
from scheduling.advice import Ended, Past, SlotOfWeek, Stamps, percentile, services
from scheduling.models import Booking, BookingState, Visit
from scheduling.rules import Hours, Timetable, zone_named

LOOK_BACK = timedelta(weeks=26)
"""Half a year: long enough for hundreds of services in a slot, short enough for the staff to be those of today."""
EARLY = timedelta(minutes=45)
_EARLIEST = time(0, 45)


def past_of(session: Session, place_id: UUID, today: date, look_back: timedelta = LOOK_BACK) -> Past:
    """The services and absences of the days before today, on the place's own clock. Raises NotFound."""
    zone = zone_named(queries.place_of(session, place_id).zone)
    first = today - look_back
    rows = session.execute(
        select(Visit.day, Visit.arrived_at, Visit.started_at, Visit.ended_at)
        .where(Visit.place_id == place_id, Visit.day >= first, Visit.day < today)
        .order_by(Visit.day, Visit.arrived_at)
    )
    found = []
    for _, day in groupby(rows, key=lambda row: row.day):
        local = [
            Stamps(
                arrived.astimezone(zone),
                started.astimezone(zone) if started else None,
                ended.astimezone(zone) if ended else None,
            )
            for _, arrived, started, ended in day
        ]
        found += services(local)
    missed = func.count().filter(Booking.state == BookingState.MISSED)
    bookings = session.execute(
        select(Booking.starts_at, func.count() - missed, missed)
        .where(
            Booking.place_id == place_id,
            Booking.day >= first,
            Booking.day < today,
            Booking.state.in_((BookingState.ARRIVED, BookingState.MISSED)),
        )
        .group_by(Booking.starts_at)
        .order_by(Booking.starts_at)
    )
    ended = []
    for starts_at, came, absent in bookings:
        local_start = starts_at.astimezone(zone)
        ended.append(Ended(local_start.weekday(), local_start.time(), came, absent))
    return Past(found, ended)


def slots_of(hours: Hours) -> list[SlotOfWeek]:
    """The slots of one stretch of a weekday's hours, earliest first."""
    first = datetime.combine(date.min, hours.opens)
    length = timedelta(minutes=hours.slot_minutes)
    starts = [first + length * n for n in range((datetime.combine(date.min, hours.closes) - first) // length)]
    return [
        SlotOfWeek(hours.weekday, at.time(), (at + length).time(), hours.slot_minutes, hours.windows, hours.capacity)
        for at in starts
    ]


def week_on(known: Timetable, day: date) -> list[Hours]:
    """The stretches of the week that are in force on a day, by weekday and opening; closures do not change them."""
    in_force = [
        each.hours
        for each in known.openings
        if each.from_day <= day and (each.until_day is None or day < each.until_day)
    ]
    return sorted(in_force, key=lambda hours: (hours.weekday, hours.opens))


@dataclass(frozen=True)
class SlotDay:
    """One slot of a day: what was planned, and what happened in it so far."""

    starts_at: datetime
    ends_at: datetime
    capacity: int
    booked: int
    arrived: int
    """Of the booked, how many have come."""
    walk_ins: int
    """Who came in these minutes without a booking."""
    waits: Sequence[float]
    """In minutes, of those of the booked and of these walk-ins whose turn has come."""

    @property
    def median(self) -> float | None:
        return median(self.waits) if self.waits else None

    @property
    def p95(self) -> float | None:
        return percentile(self.waits, 95) if self.waits else None


def plan_and_day(session: Session, place_id: UUID, day: date) -> list[SlotDay]:
    """The slots of a day with what became of them. Who came outside all slots counts to the one before, or the first.

    A booked person counts in the slot that they booked, whenever they came; a wait is from arrival to the start of the
    service, and a start stamped before the arrival says nothing.
    """
    views = queries.slots_on(session, place_id, day)
    if not views:
        return []
    bookings = queries.bookings_on(session, place_id, day)
    visits = session.scalars(select(Visit).where(Visit.place_id == place_id, Visit.day == day)).all()
    slot_of = {booking.id: booking.starts_at for booking in bookings}
    starts = [view.starts_at for view in views]
    waits: dict[datetime, list[float]] = {start: [] for start in starts}
    walk_ins = dict.fromkeys(starts, 0)
    for visit in visits:
        booked_at = slot_of.get(visit.booking_id) if visit.booking_id else None
        start = booked_at or max((each for each in starts if each <= visit.arrived_at), default=starts[0])
        walk_ins[start] += booked_at is None
        if visit.started_at is not None and visit.started_at >= visit.arrived_at:
            waits[start].append((visit.started_at - visit.arrived_at) / timedelta(minutes=1))
    came = {start: sum(b.state is BookingState.ARRIVED and b.starts_at == start for b in bookings) for start in starts}
    booked = {start: sum(b.starts_at == start for b in bookings) for start in starts}
    return [
        SlotDay(
            v.starts_at,
            v.ends_at,
            v.capacity,
            booked[v.starts_at],
            came[v.starts_at],
            walk_ins[v.starts_at],
            waits[v.starts_at],
        )
        for v in views
    ]


@dataclass(frozen=True)
class Crowd:
    """Who came in one stretch of a weekday's hours, and who was booked and did not: a usual day."""

    days: int
    """Days on which anybody came in any stretch of that weekday."""
    people: float
    """Everybody who came and the booked who did not, on average over those days."""
    fewest: int
    most: int
    """On the quietest and on the fullest of these days."""
    unbooked: float
    """The share of them who came without a booking."""
    groups: tuple[tuple[float, float], ...]
    """The shares of those who came with a word by which they come sooner, each with its minutes."""
    wishes: tuple[float, ...]
    """How many booked each slot of the stretch in all."""


def crowds_in(
    session: Session, place_id: UUID, stretches: Sequence[Hours], today: date, look_back: timedelta = LOOK_BACK
) -> list[Crowd]:
    """The crowd of each of these stretches of one weekday on the days before today.

    Who came up to 45 minutes before a stretch is of it, unless another one was open then.
    """
    zone = zone_named(queries.place_of(session, place_id).zone)
    first = today - look_back
    ours = [Counter[date]() for _ in stretches]
    unbooked, groups = [0 for _ in stretches], [Counter[int]() for _ in stretches]
    came = [0 for _ in stretches]
    visits = session.execute(
        select(Visit.day, Visit.arrived_at, Visit.booking_id, Visit.priority).where(
            Visit.place_id == place_id, Visit.day >= first, Visit.day < today
        )
    )
    for day, arrived_at, booking_id, priority in visits:
        at = _stretch_of(stretches, day, arrived_at.astimezone(zone).time())
        if at is not None:
            ours[at][day] += 1
            came[at] += 1
            unbooked[at] += booking_id is None
            groups[at][priority] += 1
    days = {day for each in ours for day in each}
    wishes = [dict.fromkeys((slot.starts for slot in slots_of(hours)), 0.0) for hours in stretches]
    bookings = session.execute(
        select(Booking.day, Booking.starts_at, Booking.state).where(
            Booking.place_id == place_id,
            Booking.day >= first,
            Booking.day < today,
            Booking.state.in_((BookingState.ARRIVED, BookingState.MISSED)),
        )
    )
    for day, starts_at, state in bookings:
        starts = starts_at.astimezone(zone).time()
        at = _stretch_of(stretches, day, starts, early=False)
        if at is not None and day in days:
            ours[at][day] += state == BookingState.MISSED
            slot = max((each for each in wishes[at] if each <= starts), default=None)
            if slot is not None:
                wishes[at][slot] += 1
    return [
        Crowd(
            days=len(days),
            people=people.total() / len(days) if days else 0.0,
            fewest=min((people[day] for day in days), default=0),
            most=max(people.values(), default=0),
            unbooked=without / people.total() if people.total() else 0.0,
            groups=tuple((count / n, float(minutes)) for minutes, count in sorted(words.items()) if minutes),
            wishes=tuple(wished.values()),
        )
        for people, without, words, n, wished in zip(ours, unbooked, groups, came, wishes, strict=True)
    ]


def _stretch_of(stretches: Sequence[Hours], day: date, moment: time, *, early: bool = True) -> int | None:
    """Which stretch somebody belongs to who came at this time of day; none where it is not open soon."""
    theirs = [(number, hours) for number, hours in enumerate(stretches) if hours.weekday == day.weekday()]
    for number, hours in theirs:
        if hours.opens <= moment < hours.closes:
            return number
    for number, hours in theirs:
        doors = (datetime.combine(date.max, hours.opens) - EARLY).time() if hours.opens >= _EARLIEST else time.min
        if early and doors <= moment < hours.opens:
            return number
    return None
