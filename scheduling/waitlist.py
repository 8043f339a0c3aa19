"""The waiting list: a wish for a place on a full day, a freed place offered to the first in line, and the answer to it.

The line is in the order of asking; whoever let an offer pass stands behind those who had none yet. Of a place that is
held for some, only they are in line. An offered place is taken in the slot like a booked one, until the answer or the
end of its time.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, exists, func, or_, select, text, union, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from scheduling import queries, refusing, rows
from scheduling.acts_models import CaseState, ClosureCase
from scheduling.models import HOLDS_A_PLACE, Booking, BookingState, new_id
from scheduling.rules import BookingRules, Code, NotBooked, NotFound, Refusal, SlotTime, local_day, zone_named
from scheduling.waiting_models import Offer, OfferState, Wait, WaitState

_FRESH = {"populate_existing": True}
_ONE_HOLDER = 7_301_445


@dataclass(frozen=True)
class InLine:
    """A wish that waits, where it stands among those of its day, and the place that is kept for it, if any."""

    wait: Wait
    position: int
    offer: Offer | None


def ask(
    session: Session,
    *,
    place_id: UUID,
    holder_id: UUID,
    day: date,
    starts_at: datetime | None = None,
    groups: Collection[str] = (),
    channel: str,
    now: datetime,
) -> Wait:
    """Puts the holder in line for a place on a full day, or in one full slot of it. Raises NotBooked and NotFound.

    Who waits for that day already keeps their turn, and what they wish is what they said last. Nobody is put in line
    for what is free (`slot-free`, with the free starts), closed, too far or over.
    """
    place = rows.lock_place(session, place_id)
    views = {view.starts_at: view for view in queries.slots_on(session, place_id, day, groups)}
    known = queries.timetable(session, place_id, day, day)
    if starts_at is not None:
        refusing.bookable(session, place, starts_at, now, groups)
    bookable = [start for start in views if not isinstance(known.bookable(start, now), Refusal)]
    if not bookable:
        shut = queries.timetable(session, place_id, day, day).shut_on(day) or not views
        code, why = (Code.CLOSED, "closed") if shut else (Code.PAST, "over")
        if day > local_day(now, known.zone) + timedelta(days=place.horizon_days):
            code, why = Code.TOO_FAR, "too far ahead"
        raise NotBooked(code, f"{day.day} {day:%B} is {why}.")
    wanted = [starts_at] if starts_at is not None else bookable
    free = [start for start in wanted if start in views and views[start].free]
    if free:
        raise NotBooked(Code.FREE, "There is a free place: book it.", free)
    there = rows.of_the_day(session, place_id, holder_id, day)
    if there is not None and (starts_at is None or there.starts_at == starts_at or there.state != BookingState.BOOKED):
        raise refusing.already(session, place_id, there.starts_at, now, there)
    row = insert(Wait).values(
        id=new_id(),
        place_id=place_id,
        holder_id=holder_id,
        day=day,
        starts_at=starts_at,
        groups=sorted(groups),
        channel=channel,
        asked_at=now,
        state=WaitState.WAITING,
    )
    kept = row.on_conflict_do_update(
        index_elements=["holder_id", "place_id", "day"],
        index_where=text("state = 'waiting'"),
        set_={"starts_at": row.excluded.starts_at, "groups": row.excluded.groups},
    )
    return session.scalars(kept.returning(Wait), execution_options=_FRESH).one()


def met(session: Session, *, place_id: UUID, holder_id: UUID, slot: SlotTime, now: datetime) -> None:
    """The holder books this slot: a wish for it, or for whichever of its day, is met."""
    session.execute(
        update(Wait)
        .where(
            Wait.place_id == place_id,
            Wait.holder_id == holder_id,
            Wait.day == slot.day,
            Wait.state == WaitState.WAITING,
            or_(Wait.starts_at.is_(None), Wait.starts_at == slot.starts_at),
        )
        .values(state=WaitState.MET, settled_at=now),
        execution_options={"synchronize_session": False},
    )


def pass_on(session: Session, *, place_id: UUID, starts_at: datetime, now: datetime) -> list[Offer]:
    """Offers the free places of a slot to the first in line, one each, and keeps these places for them.

    Call it in the unit in which a place was given back, so that nobody takes it in between. At night, and for a slot
    that cannot be booked now, nothing is offered: the place is free.
    """
    place = queries.place_of(session, place_id)
    day = local_day(starts_at, zone_named(place.zone))
    waiting = _in_line(place_id, day, starts_at)
    rules = queries.booking_rules(session, place_id)
    if not session.scalar(select(exists(waiting))) or not _awake(rules, now, place.zone):
        return []
    slot = queries.timetable(session, place_id, day, day).bookable(starts_at, now)
    if isinstance(slot, Refusal):
        return []
    row, places = rows.lock_slot(session, place_id, slot)
    expires_at = min(now + timedelta(minutes=rules.offer_minutes), starts_at - timedelta(minutes=place.lead_minutes))
    offers: list[Offer] = []
    for wait in session.scalars(waiting.with_for_update(of=Wait, skip_locked=True), execution_options=_FRESH):
        if places.free <= 0 or expires_at <= now:
            break
        share = places.share_for(wait.groups)
        if share is None or not _ours_alone(session, wait):
            continue
        places = places.taken(share)
        rows.put(session, row, slot, places)
        offer = Offer(
            wait_id=wait.id,
            place_id=place_id,
            holder_id=wait.holder_id,
            starts_at=starts_at,
            share=share,
            made_at=now,
            expires_at=expires_at,
        )
        session.add(offer)
        session.flush()
        offers.append(offer)
    return offers


def _in_line(place_id: UUID, day: date, starts_at: datetime) -> Select[Wait]:
    """The wishes that a place in this slot would meet, first come first; none of them was offered this slot before."""
    passed = select(func.count()).where(Offer.wait_id == Wait.id).scalar_subquery()
    here = exists().where(Offer.wait_id == Wait.id, Offer.starts_at == starts_at)
    has_that = exists().where(
        Booking.holder_id == Wait.holder_id,
        Booking.place_id == place_id,
        Booking.day == day,
        text(HOLDS_A_PLACE),
        or_(Wait.starts_at.is_(None), Booking.starts_at == starts_at, Booking.state != BookingState.BOOKED),
    )
    return (
        select(Wait)
        .where(
            Wait.place_id == place_id,
            Wait.day == day,
            Wait.state == WaitState.WAITING,
            or_(Wait.starts_at.is_(None), Wait.starts_at == starts_at),
            ~here,
            ~has_that,
        )
        .order_by(passed, Wait.asked_at, Wait.id)
    )


def _awake(rules: BookingRules, now: datetime, zone: str) -> bool:
    return rules.offers_from <= now.astimezone(zone_named(zone)).time() < rules.offers_until


def _ours_alone(session: Session, wait: Wait) -> bool:
    """Whether nothing is offered to this holder, nor can be until this unit ends; never waits for another unit."""
    alone = select(func.pg_try_advisory_xact_lock(_ONE_HOLDER, func.hashtext(str(wait.holder_id))))
    if not session.scalar(alone):
        return False
    open_one = select(exists().where(Offer.holder_id == wait.holder_id, Offer.state == OfferState.OPEN))
    return not session.scalar(open_one)


def accept(session: Session, *, offer_id: UUID, now: datetime) -> Booking:
    """Takes an offered place: the booking, in place of the one that the holder has that day, if any.

    Asked again it returns that booking. Raises NotBooked (`offer-over`) when the offer was answered or its time is
    over, and when the day was closed meanwhile.
    """
    offer = _lock_offer(session, offer_id)
    if offer.state == OfferState.TAKEN:
        return session.get_one(Booking, offer.booking_id)
    if offer.state != OfferState.OPEN or offer.expires_at <= now:
        alternatives = queries.free_near(session, offer.place_id, offer.starts_at, now)
        raise NotBooked(Code.OFFER_OVER, "This place is not kept any more.", alternatives)
    place = queries.place_of(session, offer.place_id)
    slot = refusing.bookable(session, place, offer.starts_at, now)
    there = rows.of_the_day(session, place.id, offer.holder_id, slot.day)
    old = rows.lock_booking(session, there.id) if there is not None else None
    if old is not None and old.state is not BookingState.BOOKED:
        raise refusing.already(session, place.id, offer.starts_at, now, old)
    try:
        with session.begin_nested():
            if old is not None:
                rows.settle(session, old, BookingState.MOVED, now)
            booking = rows.write(
                session,
                place.id,
                offer.holder_id,
                slot,
                now,
                "offer",
                offer.share,
                moved_from=old.id if old is not None else None,
                standing_id=old.standing_id if old is not None else None,
            )
            offer.state, offer.settled_at, offer.booking_id = OfferState.TAKEN, now, booking.id
            session.flush()
            _settle_wait(session, offer.wait_id, WaitState.MET, now)
            if old is not None:
                rows.release(session, place.id, old.starts_at, old.share)
    except rows.DayTaken:
        raise refusing.already(session, place.id, offer.starts_at, now, None) from None
    except rows.OverLimit:
        raise refusing.over_limit(session, place.id) from None
    if old is not None:
        pass_on(session, place_id=place.id, starts_at=old.starts_at, now=now)
    return booking


def decline(session: Session, *, offer_id: UUID, now: datetime) -> Offer:
    """Leaves an offered place to the next in line. The wish goes on. One that was answered before stays as it is."""
    offer = _lock_offer(session, offer_id)
    if offer.state == OfferState.OPEN:
        _end(session, offer, OfferState.DECLINED, now)
    return offer


def withdraw(session: Session, *, wait_id: UUID, now: datetime) -> Wait:
    """Takes a wish out of the line, and leaves the place that was kept for it to the next. Raises NotFound."""
    known = session.get(Wait, wait_id)
    if known is None:
        raise NotFound("no-wait", "There is no such wish for a place.")
    rows.lock_place(session, known.place_id)
    open_one = select(Offer.id).where(Offer.wait_id == wait_id, Offer.state == OfferState.OPEN)
    offer_id = session.scalar(open_one)
    offer = _lock_offer(session, offer_id) if offer_id is not None else None
    _settle_wait(session, wait_id, WaitState.WITHDRAWN, now)
    if offer is not None and offer.state == OfferState.OPEN:
        _end(session, offer, OfferState.WITHDRAWN, now)
    session.refresh(known)
    return known


def withdraw_on(session: Session, *, place_id: UUID, first_day: date, last_day: date, now: datetime) -> list[Offer]:
    """Takes back what is offered on these days, which were closed; who waits for them keeps their turn."""
    known = queries.timetable(session, place_id, first_day, last_day)
    open_ones = select(Offer).where(Offer.place_id == place_id, Offer.state == OfferState.OPEN)
    taken_back = []
    for offer in session.scalars(open_ones.order_by(Offer.starts_at, Offer.id)).all():
        if first_day <= local_day(offer.starts_at, known.zone) <= last_day:
            locked = _lock_offer(session, offer.id)
            if locked.state == OfferState.OPEN:
                _end(session, locked, OfferState.WITHDRAWN, now)
                taken_back.append(locked)
    return taken_back


def lapse_next(session: Session, *, place_id: UUID, now: datetime) -> Offer | None:
    """Ends one offer whose time is over, and offers its place to the next in line; nothing when there is none.

    One in a unit: a unit that held the slots of several would wait for others in a circle.
    """
    rows.lock_place(session, place_id)
    due = (
        select(Offer)
        .where(Offer.place_id == place_id, Offer.state == OfferState.OPEN, Offer.expires_at <= now)
        .order_by(Offer.expires_at, Offer.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    offer = session.scalar(due, execution_options=_FRESH)
    if offer is not None:
        _end(session, offer, OfferState.LAPSED, now)
    return offer


def slots_to_offer(session: Session, *, place_id: UUID, now: datetime) -> list[datetime]:
    """The slots in which a place is free that somebody waits for, earliest first; call `pass_on` for each.

    Places come free by other ways than a booking given up: the hours say more, a day opens again, the night is over.
    """
    today = queries.day_at(session, place_id, now)
    wished = session.execute(
        select(Wait.day, Wait.starts_at)
        .where(Wait.place_id == place_id, Wait.state == WaitState.WAITING, Wait.day >= today)
        .distinct()
    )
    starts: dict[date, set[datetime | None]] = {}
    for day, starts_at in wished:
        starts.setdefault(day, set()).add(starts_at)
    return [
        view.starts_at
        for day, wanted in sorted(starts.items())
        for view in queries.slots_on(session, place_id, day)
        if view.free + view.held > 0 and view.starts_at > now and wanted & {None, view.starts_at}
    ]


def places_at_work(session: Session) -> set[UUID]:
    """The places where somebody waits in line, a place is kept for somebody, or a booking of a closed day is to move.

    At all others the clockwork has nothing to do: in a country that is most of them, each time.
    """
    asked = union(
        select(Wait.place_id).where(Wait.state == WaitState.WAITING),
        select(Offer.place_id).where(Offer.state == OfferState.OPEN),
        select(ClosureCase.place_id).where(ClosureCase.state == CaseState.OPEN),
    )
    return set(session.scalars(asked))


def over(session: Session, *, place_id: UUID, now: datetime) -> None:
    """Wishes for days that have passed are over."""
    today = queries.day_at(session, place_id, now)
    session.execute(
        update(Wait)
        .where(Wait.place_id == place_id, Wait.state == WaitState.WAITING, Wait.day < today)
        .values(state=WaitState.OVER, settled_at=now),
        execution_options={"synchronize_session": False},
    )


def line(session: Session, place_id: UUID, from_day: date) -> list[InLine]:
    """Who waits for a place from a day on, by day and in the order of asking, with what is kept for them."""
    offers = {offer.wait_id: offer for offer in open_offers(session, place_id)}
    waits = session.scalars(
        select(Wait)
        .where(Wait.place_id == place_id, Wait.state == WaitState.WAITING, Wait.day >= from_day)
        .order_by(Wait.day, Wait.asked_at, Wait.id)
    )
    positions: dict[date, int] = {}
    found = []
    for wait in waits:
        positions[wait.day] = positions.get(wait.day, 0) + 1
        found.append(InLine(wait, positions[wait.day], offers.get(wait.id)))
    return found


def open_offers(session: Session, place_id: UUID) -> list[Offer]:
    """The places that are kept for somebody now, the oldest first."""
    kept = select(Offer).where(Offer.place_id == place_id, Offer.state == OfferState.OPEN)
    return list(session.scalars(kept.order_by(Offer.made_at, Offer.id)))


def offered_to(session: Session, holder_ids: Collection[UUID]) -> list[Offer]:
    """The latest offer to each of these holders that is not answered, also one whose time has just passed."""
    unanswered = select(Offer).where(
        Offer.holder_id.in_(holder_ids), Offer.state.in_((OfferState.OPEN, OfferState.LAPSED))
    )
    latest = {offer.holder_id: offer for offer in session.scalars(unanswered.order_by(Offer.made_at, Offer.id))}
    return list(latest.values())


def _lock_offer(session: Session, offer_id: UUID) -> Offer:
    """The offer as it is now, ours until the unit ends, its place locked before. Raises NotBooked."""
    known = session.get(Offer, offer_id)
    if known is None:
        raise NotBooked(Code.OFFER_OVER, "There is no such offer.")
    rows.lock_place(session, known.place_id)
    wanted = select(Offer).where(Offer.id == offer_id).with_for_update(key_share=True)
    return session.scalars(wanted, execution_options=_FRESH).one()


def _end(session: Session, offer: Offer, state: OfferState, now: datetime) -> None:
    """Ends an open offer that is locked, gives its place back, and offers it to the next in line."""
    offer.state, offer.settled_at = state, now
    session.flush()
    rows.release(session, offer.place_id, offer.starts_at, offer.share)
    pass_on(session, place_id=offer.place_id, starts_at=offer.starts_at, now=now)


def _settle_wait(session: Session, wait_id: UUID, state: WaitState, now: datetime) -> None:
    session.execute(
        update(Wait).where(Wait.id == wait_id, Wait.state == WaitState.WAITING).values(state=state, settled_at=now),
        execution_options={"synchronize_session": False},
    )
