"""What can be read of who waits: the queue in the order of its calls, how fast it moves, and how long a day's took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, SQLColumnExpression, and_, case, cast, func, or_, select, text
from sqlalchemy.orm import Session

from scheduling.models import WAITS, Booking, QueueSetting, Visit
from scheduling.queries import day_at, opening_times, place_of
from scheduling.queue_rules import Group, Pace, QueueRules, Service, Stamps, Waits, pace_of, waits_of
from scheduling.rules import moment_of, zone_named


def queue_rules(session: Session, place_id: UUID) -> QueueRules:
    """What the place has set for its queue, or the house's own figures."""
    kept = session.get(QueueSetting, place_id)
    if kept is None:
        return QueueRules()
    return QueueRules(
        kept.walk_in_minutes,
        kept.back_minutes,
        kept.most_skips,
        kept.missed_in_a_row,
        tuple(Group(**group) for group in kept.groups),
        tuple(kept.windows),
    )


def calling_order(now: datetime, rules: QueueRules) -> tuple[SQLColumnExpression[Any], ...]:
    """Who is called next, for a select of Visit with its Booking outer-joined.

    Everybody has a turn: the start of their booked slot, or some minutes after they came when that is sooner or they
    have none, less what their group comes sooner by. Whose turn has come goes first, by that turn; then everybody
    else as they came. Who was called a moment ago and was not there goes last for a while.
    """
    sooner = func.make_interval(0, 0, 0, 0, 0, cast(Visit.priority, Integer))
    came = Visit.arrived_at - sooner
    turn = func.least(Booking.starts_at, Visit.arrived_at + timedelta(minutes=rules.walk_in_minutes)) - sooner
    has_come = turn <= now
    away = and_(Visit.back_at.is_not(None), Visit.back_at > now)
    return (
        case((away, 1), else_=0),
        case((has_come, 0), else_=1),
        case((has_come, turn), else_=came),
        Visit.arrived_at,
        Visit.ticket,
    )


def queue(session: Session, place_id: UUID, day: date, now: datetime | None = None) -> list[Visit]:
    """The visits of a day that have not ended: those at a window first, then those who wait, then those set aside.

    With `now`, who waits stands in the order in which they will be called; without, in the order of arrival.
    """
    waiting = text(WAITS)
    order = calling_order(now, queue_rules(session, place_id)) if now is not None else (Visit.arrived_at, Visit.ticket)
    return list(
        session.scalars(
            select(Visit)
            .outerjoin(Booking, Booking.id == Visit.booking_id)
            .where(Visit.place_id == place_id, Visit.day == day, Visit.ended_at.is_(None))
            .order_by(
                case((waiting, 1), (Visit.aside_at.is_not(None), 2), else_=0),
                case((Visit.at_window.is_not(None), Visit.last_called_at)),
                *order,
            )
        )
    )


def waits(visit: Visit) -> bool:
    """Whether its holder can be called now."""
    return visit.at_window is None and visit.started_at is None and visit.ended_at is None and visit.aside_at is None


def at_window(session: Session, place_id: UUID, day: date, window: int) -> Visit | None:
    """Whom this window called last, while they have neither been served nor gone back."""
    wanted = select(Visit).where(
        Visit.place_id == place_id, Visit.day == day, Visit.at_window == window, Visit.ended_at.is_(None)
    )
    return session.scalar(wanted.order_by(Visit.last_called_at.desc().nulls_last(), Visit.ticket.desc()).limit(1))


def pace(session: Session, place_id: UUID, day: date, now: datetime) -> Pace:
    """How fast the windows of a place work now, from the stamps of this day alone."""
    began = func.coalesce(Visit.started_at, Visit.last_called_at)
    found = session.execute(
        select(Visit.at_window, Visit.arrived_at, began, Visit.ended_at).where(
            Visit.place_id == place_id,
            Visit.day == day,
            Visit.at_window.is_not(None),
            began.is_not(None),
            ~Visit.left_unserved,
        )
    )
    services = [Service(at or 1, came, began_at, ended) for at, came, began_at, ended in found]
    return pace_of(services, now)


def minutes_now(session: Session, place_id: UUID, now: datetime, holder_id: UUID | None = None) -> int | None:
    """About how many minutes somebody waits who comes now, or this holder who has come; none where it is not known."""
    day = day_at(session, place_id, now)
    waiting = [visit for visit in queue(session, place_id, day, now) if waits(visit)]
    ahead = next((n for n, visit in enumerate(waiting) if visit.holder_id == holder_id), len(waiting))
    return pace(session, place_id, day, now).minutes(ahead)


def windows_of(session: Session, place_id: UUID, day: date) -> int:
    """How many windows the place has, by its names for them or by the hours of the day; one at least."""
    hours = opening_times(session, place_id, day)
    return max(1, len(queue_rules(session, place_id).windows), *(stretch.windows for stretch in hours))


def waits_on(session: Session, place_id: UUID, day: date) -> Waits:
    """The waiting times of a day at a place, from check-in to the start at the window, by both measures."""
    zone = zone_named(place_of(session, place_id).zone)
    walls = [datetime.combine(day, stretch.opens) for stretch in opening_times(session, place_id, day)]
    opens = [moment for wall in walls if (moment := moment_of(wall, zone)) is not None]
    found = session.execute(
        select(Visit.arrived_at, Booking.starts_at, Visit.started_at, Visit.ended_at, Visit.left_unserved)
        .outerjoin(Booking, Booking.id == Visit.booking_id)
        .where(Visit.place_id == place_id, Visit.day == day)
    )
    return waits_of([Stamps(*row) for row in found], opens)


def missed_in_a_row(session: Session, place_id: UUID, holders: Sequence[UUID]) -> dict[UUID, int]:
    """How many of their last bookings in a row each of these holders did not come to."""
    newest = func.max(case((Booking.state == "arrived", Booking.starts_at))).over(partition_by=Booking.holder_id)
    settled = (
        select(Booking.holder_id, Booking.starts_at, newest.label("came_at"))
        .where(
            Booking.place_id == place_id,
            Booking.holder_id.in_(holders),
            Booking.state.in_(("arrived", "missed")),
        )
        .subquery()
    )
    rows = session.execute(
        select(settled.c.holder_id, func.count())
        .where(or_(settled.c.came_at.is_(None), settled.c.starts_at > settled.c.came_at))
        .group_by(settled.c.holder_id)
    )
    return {holder: int(count) for holder, count in rows}
