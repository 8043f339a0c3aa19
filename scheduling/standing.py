"""Standing bookings: a weekday and time that a holder wants every week, and the bookings that are made from them.

A rule makes bookings up to the horizon, at once and then each night for the day that has come within it. It passes over
days on which the place is closed, days that the holder gave up, and days on which they have another booking. One day
given up does not end it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import Time, cast, extract, func, or_, select, text, update
from sqlalchemy.orm import Session

from scheduling import queries, refusing, rows, waitlist
from scheduling.models import HOLDS_A_PLACE, Booking, BookingState, Place, Slot
from scheduling.rules import Code, Refusal, SlotTime, Timetable, local_day, moment_of, zone_named
from scheduling.shares import OPEN
from scheduling.waiting_models import Standing, StandingSkip

_FRESH = {"populate_existing": True}


@dataclass(frozen=True)
class NotMade:
    """A day on which the standing booking could not be made, though the place is open."""

    standing: Standing
    day: date
    starts_at: datetime
    code: Code
    """`slot-full`, `slot-held`, or `outside-hours` when there is no such slot that day."""


@dataclass(frozen=True)
class Made:
    """What came of standing bookings: the bookings that were made now, and the days on which none could be."""

    bookings: Sequence[Booking]
    not_made: Sequence[NotMade]


def of_holder(session: Session, place_id: UUID, holder_id: UUID, today: date) -> list[Standing]:
    """The holder's standing bookings that have not ended, by weekday."""
    return list(
        session.scalars(
            select(Standing)
            .where(
                Standing.place_id == place_id,
                Standing.holder_id == holder_id,
                or_(Standing.until_day.is_(None), Standing.until_day > today),
            )
            .order_by(Standing.weekday, Standing.from_day),
            execution_options=_FRESH,
        )
    )


def holders(session: Session, place_id: UUID, today: date) -> list[UUID]:
    """Whoever has a standing booking at the place that has not ended; those who asked first are served first."""
    first = func.min(Standing.made_at)
    return list(
        session.scalars(
            select(Standing.holder_id)
            .where(Standing.place_id == place_id, or_(Standing.until_day.is_(None), Standing.until_day > today))
            .group_by(Standing.holder_id)
            .order_by(first, Standing.holder_id)
        )
    )


def set_weekly(
    session: Session,
    *,
    place_id: UUID,
    holder_id: UUID,
    weekdays: Collection[int],
    at: time,
    now: datetime,
    channel: str,
    groups: Collection[str] = (),
) -> Made:
    """The holder wants this time on these weekdays from now on, until they say otherwise. Raises NotBooked, NotFound.

    Of several weekdays those count on which there is such a slot; when it is none, it is declined with the free times
    nearest to the next such day. What stood on these weekdays is replaced; the same again changes nothing.
    """
    place = rows.lock_place(session, place_id)
    zone = zone_named(place.zone)
    today = local_day(now, zone)
    known = queries.timetable(session, place_id, today, today + timedelta(days=place.horizon_days))
    usable = sorted(weekday for weekday in set(weekdays) if _has_slot(known, weekday, at, today, place.horizon_days))
    if not usable:
        wanted = moment_of(datetime.combine(today + timedelta(days=1), at), zone) or now
        refusal = Refusal(Code.OUTSIDE_HOURS, f"There is no slot at {at:%H:%M} on these days.")
        raise refusing.declined(session, place_id, refusal, wanted, now, groups=groups)
    there = {rule.weekday: rule for rule in _lock_rules(session, place_id, holder_id, today)}
    same = [
        weekday for weekday in usable if weekday in there and there[weekday].at == at and not _pauses(there[weekday])
    ]
    changed = [there[weekday].id for weekday in usable if weekday in there and weekday not in same]
    if changed:
        _lock_all(session, place_id, changed, known, usable, at, today)
        end(session, place_id=place_id, holder_id=holder_id, from_day=today, now=now, only=changed)
    for weekday in usable:
        if weekday not in same:
            session.add(
                Standing(
                    holder_id=holder_id,
                    place_id=place_id,
                    weekday=weekday,
                    at=at,
                    from_day=today,
                    channel=channel,
                    made_at=now,
                    changed_at=now,
                )
            )
    session.flush()
    return make(session, place_id=place_id, holder_id=holder_id, groups=groups, now=now)


def _lock_all(
    session: Session,
    place_id: UUID,
    changed: Collection[UUID],
    known: Timetable,
    weekdays: Collection[int],
    at: time,
    today: date,
) -> None:
    """The slots that are given up and those that are taken, in their one order: both happen in this unit."""
    given_up = select(Booking.starts_at).where(Booking.standing_id.in_(changed), Booking.state == BookingState.BOOKED)
    days = select(Slot.starts_at).where(
        Slot.place_id == place_id,
        Slot.day >= today,
        extract("isodow", Slot.day).in_([weekday + 1 for weekday in weekdays]),
        cast(func.timezone(known.zone.key, Slot.starts_at), Time) == at,
    )
    rows.lock_slots(session, place_id, *session.scalars(given_up.union(days)))


def _has_slot(known: Timetable, weekday: int, at: time, today: date, horizon: int) -> bool:
    days = (today + timedelta(days=number) for number in range(horizon + 1))
    return any(_slot(known, day, at) for day in days if day.weekday() == weekday)


def _slot(known: Timetable, day: date, at: time) -> SlotTime | None:
    start = moment_of(datetime.combine(day, at), known.zone)
    return next((slot for slot in known.slots_on(day) if slot.starts_at == start), None)


def _pauses(rule: Standing) -> bool:
    return rule.paused_from is not None


def _lock_rules(session: Session, place_id: UUID, holder_id: UUID, today: date) -> list[Standing]:
    """The holder's rules that have not ended, ours until the unit ends, in one order."""
    wanted = (
        select(Standing)
        .where(
            Standing.place_id == place_id,
            Standing.holder_id == holder_id,
            or_(Standing.until_day.is_(None), Standing.until_day > today),
        )
        .order_by(Standing.id)
        .with_for_update(key_share=True)
    )
    return list(session.scalars(wanted, execution_options=_FRESH))


def make(session: Session, *, place_id: UUID, holder_id: UUID, groups: Collection[str] = (), now: datetime) -> Made:
    """Makes the holder's bookings up to the horizon, as their rules say. Run again it makes what is not there yet.

    A unit for each holder: their slots are taken from the earliest on. Limits on open bookings do not count here.
    """
    place = rows.lock_place(session, place_id)
    zone = zone_named(place.zone)
    today = local_day(now, zone)
    last = today + timedelta(days=place.horizon_days)
    rules = _lock_rules(session, place_id, holder_id, today)
    if not rules:
        return Made((), ())
    known = queries.timetable(session, place_id, today, last)
    has = set(
        session.scalars(
            select(Booking.day).where(
                Booking.holder_id == holder_id,
                Booking.place_id == place_id,
                Booking.day.between(today, last),
                text(HOLDS_A_PLACE),
            )
        )
    )
    ids = [rule.id for rule in rules]
    given_up = {
        (row.standing_id, row.day)
        for row in session.scalars(select(StandingSkip).where(StandingSkip.standing_id.in_(ids)))
    }
    made: list[Booking] = []
    not_made: list[NotMade] = []
    for day in queries.days(today, last):
        rule = next((rule for rule in rules if _counts(rule, day)), None)
        if rule is None or day in has or (rule.id, day) in given_up or not known.hours_on(day):
            continue
        came = _make_one(session, place, rule, day, known, groups, now)
        if isinstance(came, Booking):
            made.append(came)
        elif came is not None:
            not_made.append(came)
    return Made(made, not_made)


def _counts(rule: Standing, day: date) -> bool:
    """Whether the rule is in force on this day, which is its weekday."""
    if rule.weekday != day.weekday() or day < rule.from_day or (rule.until_day is not None and day >= rule.until_day):
        return False
    paused = rule.paused_from is not None and day >= rule.paused_from
    return not (paused and (rule.paused_until is None or day < rule.paused_until))


def _make_one(
    session: Session,
    place: Place,
    rule: Standing,
    day: date,
    known: Timetable,
    groups: Collection[str],
    now: datetime,
) -> Booking | NotMade | None:
    """The booking, or why there is none; nothing when it is too late for that day's slot."""
    start = moment_of(datetime.combine(day, rule.at), known.zone)
    if start is None or start < now + known.lead:
        return None
    slot = _slot(known, day, rule.at)
    if slot is None:
        return NotMade(rule, day, start, Code.OUTSIDE_HOURS)
    try:
        with session.begin_nested():
            waitlist.met(session, place_id=place.id, holder_id=rule.holder_id, slot=slot, now=now)
            share = rows.take(session, place.id, slot, groups)
            if share is None:
                raise _Full
            channel = rule.channel
            return rows.write(session, place.id, rule.holder_id, slot, now, channel, share, standing_id=rule.id)
    except rows.DayTaken:
        return None
    except _Full:
        return NotMade(rule, day, start, Code.FULL)


class _Full(Exception):
    """No place is left; what was begun for it is undone."""


def end(
    session: Session,
    *,
    place_id: UUID,
    holder_id: UUID,
    from_day: date,
    now: datetime,
    only: Collection[UUID] | None = None,
) -> tuple[list[Standing], list[Booking]]:
    """Ends the holder's standing bookings from a day on, and gives up what was made from them from then on.

    Returns what was ended and what was given up; of rules that ended before, nothing. `only` names some of them.
    """
    rows.lock_place(session, place_id)
    ended = [each for each in _lock_rules(session, place_id, holder_id, from_day) if only is None or each.id in only]
    for rule in ended:
        rule.until_day, rule.changed_at = max(rule.from_day, from_day), now
    session.flush()
    return ended, _give_up(session, place_id, [rule.id for rule in ended], from_day, None, now)


def pause(
    session: Session, *, place_id: UUID, holder_id: UUID, first_day: date, until_day: date | None, now: datetime
) -> list[Booking]:
    """No bookings are made on the days from the first until (not including) the other, and those made are given up.

    Without an end it lasts until `resume`. A pause takes the place of an earlier one.
    """
    rows.lock_place(session, place_id)
    rules = _lock_rules(session, place_id, holder_id, first_day)
    for rule in rules:
        rule.paused_from, rule.paused_until, rule.changed_at = first_day, until_day, now
    session.flush()
    return _give_up(session, place_id, [rule.id for rule in rules], first_day, until_day, now)


def resume(
    session: Session, *, place_id: UUID, holder_id: UUID, today: date, groups: Collection[str] = (), now: datetime
) -> Made:
    """Ends the pause today: bookings are made again from today on."""
    rows.lock_place(session, place_id)
    for rule in _lock_rules(session, place_id, holder_id, today):
        if rule.paused_from is not None:
            rule.paused_from = rule.paused_until = None
            rule.changed_at = now
    session.flush()
    return make(session, place_id=place_id, holder_id=holder_id, groups=groups, now=now)


def _give_up(
    session: Session,
    place_id: UUID,
    rule_ids: Sequence[UUID],
    first_day: date,
    until_day: date | None,
    now: datetime,
) -> list[Booking]:
    """Gives up the bookings of these rules that are to come, their slots locked in one order before."""
    wanted = select(Booking).where(
        Booking.standing_id.in_(rule_ids),
        Booking.place_id == place_id,
        Booking.state == BookingState.BOOKED,
        Booking.day >= first_day,
        Booking.starts_at > now,
    )
    if until_day is not None:
        wanted = wanted.where(Booking.day < until_day)
    bookings = list(
        session.scalars(wanted.order_by(Booking.id).with_for_update(key_share=True), execution_options=_FRESH)
    )
    rows.lock_slots(session, place_id, *(booking.starts_at for booking in bookings))
    session.execute(
        update(Booking)
        .where(Booking.id.in_([booking.id for booking in bookings]))
        .values(state=BookingState.DROPPED, changed_at=now),
        execution_options={"synchronize_session": "fetch"},
    )
    for booking in sorted(bookings, key=lambda booking: booking.starts_at):
        rows.release(session, place_id, booking.starts_at, booking.share or OPEN)
        waitlist.pass_on(session, place_id=place_id, starts_at=booking.starts_at, now=now)
    return sorted(bookings, key=lambda booking: booking.starts_at)
