"""Where the bookings of closed days go: a case for each, the nearest place at the same hour, and what came of it.

A case is settled in a unit of its own, which locks the place first, then the case, then what a move locks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from scheduling import queries, rows
from scheduling.acts_models import CaseState, ClosureCase
from scheduling.models import Booking, BookingState, Closure, new_id
from scheduling.queries import SlotView
from scheduling.rules import local_day, same_time, zone_named
from scheduling.waiting_models import StandingSkip

NOTICE = timedelta(hours=3)
"""Nobody is moved to a time that is sooner: they have to hear of it, and to come."""
LOOK = 7
"""So many days before the closed ones, and after them, are looked at for a place."""


@dataclass(frozen=True)
class Way:
    """Where a booking of a closed day goes: to another slot, nowhere since its holder comes then anyway, or unknown."""

    state: CaseState
    starts_at: datetime | None = None
    """The slot that it moves to, or of the booking that its holder has besides."""


def open_cases(session: Session, *, place_id: UUID, closure_id: UUID, bookings: Sequence[Booking]) -> None:
    """A case for each of these bookings, in the unit that closes their days; one that is there stays as it is."""
    if bookings:
        put = insert(ClosureCase).values(
            [
                {
                    "id": new_id(),
                    "place_id": place_id,
                    "closure_id": closure_id,
                    "booking_id": each.id,
                    "state": CaseState.OPEN,
                }
                for each in bookings
            ]
        )
        session.execute(put.on_conflict_do_nothing(index_elements=["closure_id", "booking_id"]))


def open_ones(session: Session, place_id: UUID) -> list[tuple[UUID, UUID, date, date]]:
    """The cases of a place that nobody has settled, by the time of their bookings, each with its booking and its days.

    One whose closure is gone has the day of its booking.
    """
    first, last = func.coalesce(Closure.first_day, Booking.day), func.coalesce(Closure.last_day, Booking.day)
    rows_found = session.execute(
        select(ClosureCase.id, Booking.id, first, last)
        .join(Booking, Booking.id == ClosureCase.booking_id)
        .outerjoin(Closure, Closure.id == ClosureCase.closure_id)
        .where(ClosureCase.place_id == place_id, ClosureCase.state == CaseState.OPEN)
        .order_by(Booking.starts_at, Booking.made_at, ClosureCase.id)
    )
    return [(case_id, booking_id, begins, ends) for case_id, booking_id, begins, ends in rows_found]


def claim(
    session: Session, *, place_id: UUID, case_id: UUID, now: datetime
) -> tuple[ClosureCase, Booking, Closure] | None:
    """An open case, ours until the unit ends, with its booking and its closure.

    Nothing when it was settled before. One whose holder has acted first, or whose day is open again, is settled here.
    """
    rows.lock_place(session, place_id)
    wanted = select(ClosureCase).where(ClosureCase.id == case_id).with_for_update(key_share=True)
    case = session.scalars(wanted, execution_options={"populate_existing": True}).one()
    if case.state != CaseState.OPEN:
        return None
    booking = session.get_one(Booking, case.booking_id, populate_existing=True)
    closure = session.get(Closure, case.closure_id, populate_existing=True)
    shut = closure is not None and closure.first_day <= booking.day <= closure.last_day
    if closure is None or not shut or booking.state is not BookingState.BOOKED:
        settle(session, case, CaseState.GONE, now=now)
        return None
    return case, booking, closure


def settle(
    session: Session, case: ClosureCase, state: CaseState, *, now: datetime, moved_to: UUID | None = None
) -> None:
    """Says what came of a case, once and for good."""
    case.state, case.settled_at, case.moved_to = state, now, moved_to
    session.flush()


def settle_asked(session: Session, *, closure_id: UUID, now: datetime) -> None:
    """All open cases of a closure are left to their holders, who are told in this unit."""
    session.execute(
        update(ClosureCase)
        .where(ClosureCase.closure_id == closure_id, ClosureCase.state == CaseState.OPEN)
        .values(state=CaseState.ASKED, settled_at=now)
    )


def sent_elsewhere(session: Session, *, closure_id: UUID, days: Collection[date]) -> list[tuple[ClosureCase, Booking]]:
    """The cases of this closure whose bookings, of these days, were moved or dropped by it, and not given back yet."""
    found = session.execute(
        select(ClosureCase, Booking)
        .join(Booking, Booking.id == ClosureCase.booking_id)
        .where(
            ClosureCase.closure_id == closure_id,
            ClosureCase.state.in_((CaseState.MOVED, CaseState.BESIDE)),
            ClosureCase.restored_at.is_(None),
            Booking.day.in_(days),
        )
        .order_by(Booking.starts_at, ClosureCase.id)
        .with_for_update(of=ClosureCase, key_share=True)
    )
    return [(case, booking) for case, booking in found]


def forget_skip(session: Session, booking: Booking) -> None:
    """The day was given up for a closure that is no more: the weekly time that the booking is of counts on it again."""
    if booking.standing_id is not None:
        skip = session.get(StandingSkip, (booking.standing_id, booking.day))
        if skip is not None:
            session.delete(skip)
            session.flush()


@dataclass
class Elsewhere:
    """What is free before and after some days on which a place is closed, read once for everybody who asks.

    What it has promised to one is not free for the next.
    """

    session: Session
    place_id: UUID
    first_day: date
    last_day: date
    now: datetime
    _views: dict[frozenset[str], dict[date, list[SlotView]]] = field(default_factory=dict)
    _promised: Counter[datetime] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        place = queries.place_of(self.session, self.place_id)
        self._zone = zone_named(place.zone)
        self._earliest = self.now + max(timedelta(minutes=place.lead_minutes), NOTICE)
        self._today = local_day(self.now, self._zone)
        self._horizon = self._today + timedelta(days=place.horizon_days)

    def way(self, booking: Booking, *, before: bool, groups: frozenset[str], theirs: Collection[Booking]) -> Way:
        """Where this booking goes: the nearest open day with a free place, and on it the nearest time of day.

        `before` the closed days for whoever must have been there before them, after them for everybody else. Who comes
        on that day anyway, by one of `theirs`, goes nowhere else.
        """
        has = {each.day: each for each in theirs if each.id != booking.id}
        for day in self._days(before=before):
            views = self._on(day, groups)
            if not views:
                continue
            if day in has:
                there = has[day]
                if there.state is BookingState.BOOKED and there.starts_at > self.now:
                    return Way(CaseState.BESIDE, there.starts_at)
                continue
            free = [view.starts_at for view in views if view.free > self._promised[view.starts_at]]
            start = same_time(free, booking.starts_at, self._zone)
            if start is not None:
                self._promised[start] += 1
                return Way(CaseState.MOVED, start)
        return Way(CaseState.ASKED)

    def _days(self, *, before: bool) -> Iterator[date]:
        step, begin = (-1, self.first_day) if before else (1, self.last_day)
        for number in range(1, LOOK + 1):
            day = begin + timedelta(days=step * number)
            if self._today <= day <= self._horizon:
                yield day

    def _on(self, day: date, groups: frozenset[str]) -> list[SlotView]:
        """The slots of an open day that can be booked now, free or not."""
        by_day = self._views.setdefault(groups, {})
        if day not in by_day:
            known = queries.timetable(self.session, self.place_id, day, day)
            views = queries.slots_on(self.session, self.place_id, day, groups) if known.hours_on(day) else []
            by_day[day] = [view for view in views if view.starts_at >= self._earliest]
        return by_day[day]


def bookings_around(
    session: Session, place_id: UUID, holders: Collection[UUID], first_day: date, last_day: date
) -> dict[UUID, list[Booking]]:
    """What these holders have at the place on the days that are looked at for a place: not given up, by holder."""
    found: dict[UUID, list[Booking]] = {}
    wanted = select(Booking).where(
        Booking.place_id == place_id,
        Booking.holder_id.in_(holders),
        Booking.day.between(first_day - timedelta(days=LOOK), last_day + timedelta(days=LOOK)),
        Booking.state.in_((BookingState.BOOKED, BookingState.ARRIVED, BookingState.MISSED)),
    )
    for booking in session.scalars(wanted, execution_options={"populate_existing": True}):
        found.setdefault(booking.holder_id, []).append(booking)
    return found
