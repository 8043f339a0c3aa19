"""What each command does: book, move and drop through the scheduling house, and say which times there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from uuid import UUID

import scheduling.service
from dispensary.phone.memory import Ask, Asked
from dispensary.phone.rules import NOON, meant, moment_at, offered, shows
from dispensary.phone.talk import Reply, Talk, Whose, the_next
from notifications.commands import Verb
from notifications.texts import MOST_CHOICES
from scheduling import queries, waiting
from scheduling.models import Booking, BookingState
from scheduling.rules import Code, NotBooked

NOT_UNDERSTOOD = Reply("not_understood", "not_understood", understood=False)


def when(talk: Talk) -> Reply:
    """Which bookings are there? One on a day that was closed since is said to be closed: nobody shall come for it."""
    mine = talk.bookings()
    if not mine:
        return Reply("told", "nothing_booked", asked=talk.asked)
    standing = [booking for booking in mine if not talk.is_shut(booking)]
    if not standing:
        return _closed(talk, mine[0].day, Verb.MOVE, booking=mine[0].id)
    starts = [booking.starts_at for booking in standing[:MOST_CHOICES]]
    return Reply("told", "your_bookings", {"bookings": starts}, asked=talk.asked)


def slots(talk: Talk) -> Reply:
    """Which times are free? After a day was closed, the time that is chosen is where that day's booking goes."""
    asked, command = talk.asked, talk.command
    place_id = talk.place_id()
    homeless = next((booking for booking in talk.bookings() if talk.is_shut(booking)), None)
    do, booking = (Verb.MOVE, homeless.id) if homeless else (Verb.BOOK, None)
    if command.day is not None:
        return offer_day(talk, place_id, command.day, do, booking=booking, clock=command.time)
    if asked is not None and asked.ask is Ask.ELSEWHEN and asked.starts:
        near = talk.free_near(place_id, asked.starts[0])
        return _offer(talk, near, asked.do, booking=asked.booking)
    return _offer(talk, talk.free_soon(place_id), do, booking=booking)


def book(talk: Talk, day: date | None, clock: time | None, *, either_half: bool, sure: bool) -> Reply:
    """Books this slot, or offers what is free. A guess, and a time without its day, is confirmed first."""
    place_id = talk.place_id()
    if day is None and clock is None:
        return Reply("asked", "ask_time", asked=talk.asks(Ask.TIME, Verb.BOOK))
    if clock is None:
        assert day is not None
        return offer_day(talk, place_id, day, Verb.BOOK)
    talk.the_one()
    if day is None:
        sure, start = False, _next_at(talk, place_id, clock, either_half)
        if start is None:
            return _offer(talk, talk.free_soon(place_id), Verb.BOOK)
    else:
        start = _start(talk, place_id, day, clock, either_half)
    if start is None:
        return NOT_UNDERSTOOD
    if not sure:
        there = next((mine for mine in talk.bookings() if mine.day == talk.local_day(start)), None)
        if there is not None:
            return _already(talk, there, start)
        if start in talk.free_on(place_id, talk.local_day(start)):
            return Reply(
                "asked", "confirm_book", {"at": start}, asked=talk.asks(Ask.CONFIRM, Verb.BOOK, starts=(start,))
            )
    return book_slot(talk, start)


def book_slot(talk: Talk, start: datetime) -> Reply:
    """Books the slot that starts then. Lost to somebody faster, the nearest free ones are offered. Raises Whose."""
    writer = talk.the_one()
    try:
        booking = scheduling.service.book(
            talk.session,
            place_id=writer.place.id,
            holder_id=writer.client_id,
            starts_at=start,
            now=talk.at,
            channel="text",
            groups=talk.groups(),
        )
    except NotBooked as refusal:
        return declined(talk, writer.place.id, refusal, start, Verb.BOOK)
    return Reply("booked", "booking_confirmed", {"at": booking.starts_at}, changed=booking)


def move(talk: Talk, day: date | None, clock: time | None, *, either_half: bool, sure: bool) -> Reply:
    """Moves a booking to this slot; asks which one and when, as far as the text leaves it open."""
    asked, mine = talk.asked, talk.bookings()
    if not mine:
        return Reply("told", "nothing_booked")
    if asked is not None and asked.do is Verb.MOVE and asked.booking in [booking.id for booking in mine]:
        if asked.ask is Ask.INSTEAD and day is None and clock is None:
            return move_to(talk, asked.booking, asked.starts[0])
        chosen = next(booking for booking in mine if booking.id == asked.booking)
    else:
        of_that_day = [booking for booking in mine if booking.day == day]
        fit = of_that_day if len(of_that_day) == 1 else mine
        if len(fit) > 1:
            return _which(talk, fit, Verb.MOVE, day=day, clock=clock, either_half=either_half)
        chosen = fit[0]
        if clock is None and day == chosen.day:
            day = None  # it says which one is meant, not where it goes
    return move_on(talk, chosen, day, clock, either_half=either_half, sure=sure)


def move_on(
    talk: Talk, booking: Booking, day: date | None, clock: time | None, *, either_half: bool, sure: bool
) -> Reply:
    """Moves this booking, when it is known where to; otherwise offers, asks or has it confirmed."""
    if day is None and clock is None:
        return Reply("asked", "ask_time", asked=talk.asks(Ask.TIME, Verb.MOVE, booking=booking.id))
    if clock is None:
        assert day is not None
        same_time = booking.starts_at.astimezone(talk.zone).time()
        return offer_day(talk, booking.place_id, day, Verb.MOVE, booking=booking.id, clock=same_time)
    start = _start(talk, booking.place_id, day or booking.day, clock, either_half)
    if start is None:
        return NOT_UNDERSTOOD
    if not sure and start in talk.free_on(booking.place_id, talk.local_day(start)):
        asked = talk.asks(Ask.CONFIRM, Verb.MOVE, booking=booking.id, starts=(start,))
        return Reply("asked", "confirm_move", {"at": start}, asked=asked)
    return move_to(talk, booking.id, start)


def move_to(talk: Talk, booking_id: UUID, start: datetime) -> Reply:
    """Moves this booking to the slot that starts then, wholly or not at all."""
    try:
        moved = scheduling.service.move(
            talk.session, booking_id=booking_id, starts_at=start, now=talk.at, groups=talk.groups()
        )
    except NotBooked as refusal:
        place_id = talk.session.get_one(Booking, booking_id).place_id
        return declined(talk, place_id, refusal, start, Verb.MOVE, booking=booking_id)
    return Reply("moved", "booking_moved", {"at": moved.starts_at}, changed=moved)


def drop(talk: Talk, day: date | None, clock: time | None, *, either_half: bool, sure: bool) -> Reply:
    """Gives a booking up, once it is sure which."""
    mine = talk.bookings()
    if not mine:
        return Reply("told", "nothing_booked")
    fit = fitting(talk, mine, day, clock, either_half)
    if not fit:
        return when(talk)
    if len(fit) > 1:
        return _which(talk, fit, Verb.DROP)
    if not sure:
        asked = talk.asks(Ask.CONFIRM, Verb.DROP, booking=fit[0].id, starts=(fit[0].starts_at,))
        return Reply("asked", "confirm_drop", {"at": fit[0].starts_at}, asked=asked)
    return drop_it(talk, fit[0].id)


def drop_it(talk: Talk, booking_id: UUID) -> Reply:
    """Gives this booking up."""
    try:
        dropped = scheduling.service.drop(talk.session, booking_id=booking_id, now=talk.at)
    except NotBooked:
        return when(talk)
    return Reply("dropped", "booking_dropped", {"at": dropped.starts_at}, changed=dropped)


def menu(talk: Talk) -> Reply:
    """What can be written: the first page, or with MENU 2 the second."""
    return Reply("told", "menu_more" if talk.command.choice == 2 else "menu", asked=talk.asked)


def keep_booking(talk: Talk) -> Reply:
    """OK to a reminder, or to nothing in particular: says what they have booked, and changes nothing."""
    mine = talk.bookings()
    if not mine:
        return Reply("told", "nothing_booked")
    booking = the_next(mine, talk.at)
    if talk.is_shut(booking):
        return _closed(talk, booking.day, Verb.MOVE, booking=booking.id)
    return Reply("kept", "booking_kept", {"at": booking.starts_at})


def wait(talk: Talk) -> Reply:
    """How long is the wait now? For who has come, until their number; where the day cannot tell, it says so."""
    place_id, asked = talk.place_id(), talk.asked
    today = queries.day_at(talk.session, place_id, talk.at)
    here = [
        visit
        for writer in talk.writers
        if (visit := queries.open_visit(talk.session, place_id, writer.client_id, today)) and waiting.waits(visit)
    ]
    holder = here[0] if len(here) == 1 else None
    minutes = waiting.minutes_now(talk.session, place_id, talk.at, holder.holder_id if holder else None)
    if minutes is None or not queries.is_open(talk.session, place_id, today):
        return Reply("told", "wait_unknown", asked=asked)
    about = {"minutes": minutes} if minutes else {}
    if holder is not None:
        kind = "wait_yours" if minutes else "wait_yours_soon"
        return Reply("told", kind, {"number": holder.ticket, **about}, asked=asked)
    return Reply("told", "wait_now" if minutes else "wait_soon", about, asked=asked)


def fitting(
    talk: Talk, bookings: Sequence[Booking], day: date | None, clock: time | None, either_half: bool
) -> list[Booking]:
    """The bookings that are on this day and at this time, as far as they were written."""
    return [
        booking
        for booking in bookings
        if day in (None, booking.day)
        and (clock is None or shows(booking.starts_at, clock, talk.zone, either_half=either_half))
    ]


def again(talk: Talk, asked: Asked) -> Reply:
    """Says once more what was on offer, for an answer that is not among it."""
    kind = "which_booking" if asked.ask is Ask.BOOKING else "slots_offered"
    return Reply("offered", kind, {"choices": list(asked.starts)}, asked=asked)


def _start(talk: Talk, place_id: UUID, day: date, clock: time, either_half: bool) -> datetime | None:
    starts = talk.starts_on(place_id, day)
    return moment_at(day, meant(clock, starts, talk.zone, either_half=either_half), talk.zone)


def _next_at(talk: Talk, place_id: UUID, clock: time, either_half: bool) -> datetime | None:
    """The next free slot at this time of day, on whatever day."""
    free = queries.next_free(talk.session, place_id, talk.at, 200, talk.groups())
    return next(
        (view.starts_at for view in free if shows(view.starts_at, clock, talk.zone, either_half=either_half)), None
    )


def offer_day(
    talk: Talk, place_id: UUID, day: date, do: Verb, *, booking: UUID | None = None, clock: time | None = None
) -> Reply:
    """Offers a day's free times, those nearest to `clock` first; and when there are none, the nearest other ones."""
    if not queries.is_open(talk.session, place_id, day):
        return _closed(talk, day, do, booking=booking)
    near = moment_at(day, clock, talk.zone) if clock else None
    free = offered(talk.free_on(place_id, day), near=near)
    wanted = near or moment_at(day, NOON, talk.zone) or talk.at
    return _offer(talk, free or talk.free_near(place_id, wanted), do, booking=booking)


def _offer(
    talk: Talk, starts: Sequence[datetime], do: Verb, *, booking: UUID | None = None, full: datetime | None = None
) -> Reply:
    asked = talk.asks(Ask.SLOT, do, booking=booking, starts=tuple(starts), full=full)
    if not starts and full is not None and booking is None:
        asked = talk.asks(Ask.ELSEWHEN, do, starts=(full,), full=full)
        return Reply("nothing_free", "nothing_free_list", {"at": full}, asked=asked)
    if not starts:
        return Reply("nothing_free", "nothing_free")
    if full is not None:
        kind = "slot_full_list" if booking is None else "slot_full_offer"  # who moves has a place that day
        return Reply("offered", kind, {"at": full, "choices": list(starts)}, asked=asked)
    return Reply("offered", "slots_offered", {"choices": list(starts)}, asked=asked)


def _which(
    talk: Talk,
    bookings: Sequence[Booking],
    do: Verb,
    *,
    day: date | None = None,
    clock: time | None = None,
    either_half: bool = False,
) -> Reply:
    """Asks which booking is meant. Raises Whose when two of them could not be told apart by their time."""
    shown = bookings[:MOST_CHOICES]
    starts = tuple(booking.starts_at for booking in shown)
    if len(set(starts)) < len(starts):
        raise Whose
    ids = tuple(booking.id for booking in shown)
    asked = talk.asks(Ask.BOOKING, do, bookings=ids, starts=starts, day=day, time=clock, either_half=either_half)
    return Reply("asked", "which_booking", {"choices": list(starts)}, asked=asked)


def _closed(talk: Talk, day: date, do: Verb, *, booking: UUID | None = None) -> Reply:
    wanted = moment_at(day, NOON, talk.zone)
    asked = talk.asks(Ask.ELSEWHEN, do, booking=booking, starts=(wanted,) if wanted is not None else ())
    return Reply("closed", "closed_that_day", {"day": day}, asked=asked)


def _already(talk: Talk, there: Booking, wanted: datetime) -> Reply:
    """They have a booking on that day; MOVE then takes it to the time that they wrote."""
    asked = talk.asks(Ask.INSTEAD, Verb.MOVE, booking=there.id, starts=(wanted,))
    return Reply("refused", "already_booked", {"at": there.starts_at}, asked=asked)


def declined(
    talk: Talk, place_id: UUID, refusal: NotBooked, wanted: datetime, do: Verb, *, booking: UUID | None = None
) -> Reply:
    """Every way in which the scheduling house says no, as a text that says what to do instead."""
    day = talk.local_day(wanted)
    match refusal.code:
        case Code.FULL | Code.HELD:
            return _offer(talk, refusal.alternatives, do, booking=booking, full=wanted)
        case Code.CLOSED:
            return _closed(talk, day, do, booking=booking)
        case Code.TOO_FAR:
            asked = talk.asks(Ask.ELSEWHEN, do, booking=booking, starts=(wanted,))
            return Reply("refused", "cannot_book_then", {"at": wanted}, asked=asked)
        case Code.ALREADY_BOOKED:
            there = talk.session.get(Booking, refusal.standing) if refusal.standing else None
            if there is None or there.state is not BookingState.BOOKED:  # they have been here that day
                return _offer(talk, talk.free_soon(place_id, after=day), do, booking=booking)
            if do is Verb.BOOK:
                return _already(talk, there, wanted)
            return Reply("refused", "already_booked", {"at": there.starts_at})
        case Code.LIMIT:
            return Reply("refused", "too_many_open")
        case Code.NOT_LIVE:
            return when(talk)
    if not queries.is_open(talk.session, place_id, day):
        return _closed(talk, day, do, booking=booking)
    return _offer(talk, refusal.alternatives, do, booking=booking)
