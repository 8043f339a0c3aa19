"""Many at once: a slot never has more than it takes, its counter is always right, one holder has one ticket."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from psycopg.errors import LockNotAvailable
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from scheduling import calling, queries, service
from scheduling.models import Booking, BookingState, Slot, Visit
from scheduling.rules import NotBooked, NotFound
from tests.scheduling.conftest import TODAY, week


def waited_too_long(reason):
    """Of a slow machine: the act was refused whole, and is tried again. Two that wait for each other are a fault."""
    return isinstance(reason.orig, LockNotAvailable)


def test_64_people_on_a_slot_for_five_are_five_and_the_others_hear_where_there_is_room(
    crowd, place_id, at, now, at_once
):
    with crowd.writing() as session:
        service.set_hours(session, place_id=place_id, hours=week(capacity=5), from_day=TODAY)

    def book(holder_id):
        with crowd.writing() as session:
            return service.book(
                session, place_id=place_id, holder_id=holder_id, starts_at=at(9), now=now, channel="text"
            )

    answers = at_once(book, [uuid4() for _ in range(64)])
    refused = [answer for answer in answers if isinstance(answer, NotBooked)]
    assert len(answers) - len(refused) == 5
    assert {answer.code for answer in refused} == {"slot-full"}
    assert {answer.alternatives for answer in refused} == {(at(8, 30), at(8, 45), at(9, 15))}
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        assert session.scalar(select(func.count()).select_from(Booking)) == 5
        assert session.execute(select(Slot.booked, Slot.capacity)).one() == (5, 5)


def test_one_holder_booking_from_many_phones_at_once_has_one_booking(crowd, place_id, at, now, at_once):
    holder_id = uuid4()

    def book(number):
        with crowd.writing() as session:
            return service.book(
                session,
                place_id=place_id,
                holder_id=holder_id,
                starts_at=at(7 + number % 3),
                now=now,
                channel="text",
            )

    answers = at_once(book, range(24))
    stands = {answer.id for answer in answers if isinstance(answer, Booking)}
    assert len(stands) == 1
    assert {answer.code for answer in answers if isinstance(answer, NotBooked)} == {"already-booked"}
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        assert [b.id for b in queries.bookings_on(session, place_id, TODAY)] == list(stands)


def test_a_booking_moved_and_dropped_by_many_at_once_ends_once(crowd, place_id, at, now, at_once):
    with crowd.writing() as session:
        booking = service.book(session, place_id=place_id, holder_id=uuid4(), starts_at=at(9), now=now, channel="text")

    def change(number):
        with crowd.writing() as session:
            if number % 4 == 0:
                return service.drop(session, booking_id=booking.id, now=now)
            return service.move(session, booking_id=booking.id, starts_at=at(7, 15 * (number % 4)), now=now)

    at_once(change, range(32))
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        holding = queries.bookings_on(session, place_id, TODAY)
        assert session.scalar(select(func.sum(Slot.booked))) == len(holding) <= 1
        assert len({b.id for b in session.scalars(select(Booking).where(Booking.moved_from == booking.id))}) <= 1


def test_moves_in_opposite_directions_never_wait_for_each_other_in_a_circle(crowd, place_id, at, now, at_once):
    with crowd.writing() as session:
        service.set_hours(session, place_id=place_id, hours=week(capacity=40), from_day=TODAY)
        bookings = [
            service.book(
                session,
                place_id=place_id,
                holder_id=uuid4(),
                starts_at=at(8, 30 * (number % 2)),
                now=now,
                channel="text",
            )
            for number in range(32)
        ]

    def back_and_forth(booking):
        for _ in range(6):
            other = at(8) if booking.starts_at == at(8, 30) else at(8, 30)
            with crowd.writing() as session:
                booking = service.move(session, booking_id=booking.id, starts_at=other, now=now)
        return booking.starts_at

    assert at_once(back_and_forth, bookings) == [booking.starts_at for booking in bookings]
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        assert set(session.execute(select(Slot.starts_at, Slot.booked))) == {(at(8), 16), (at(8, 30), 16)}


def test_counters_stay_right_while_people_book_move_drop_and_arrive_at_once(crowd, place_id, at, now, at_once):
    holders = [uuid4() for _ in range(20)]
    starts = [at(hour, minute, days=days) for days in (0, 1) for hour in (7, 8) for minute in (0, 30)]
    given_up = []

    def live_for_a_while(seed):
        chance = random.Random(seed)
        for _ in range(25):
            before = chance.getstate()
            for _ in range(5):
                try:
                    with crowd.writing() as session:
                        act(session, chance)
                    break
                except NotBooked:
                    break
                except DBAPIError as reason:
                    if not waited_too_long(reason):
                        raise
                    given_up.append(str(reason.orig))
                    chance.setstate(before)
            else:
                raise AssertionError(f"five times in vain: {given_up}")

    def act(session, chance):
        holder_id, starts_at = chance.choice(holders), chance.choice(starts)
        standing = queries.bookings_of(session, holder_id, now)
        match chance.choice(("book", "book", "move", "move", "drop", "arrive", "hours")):
            case "move" if standing:
                service.move(session, booking_id=standing[0].id, starts_at=starts_at, now=now)
            case "drop" if standing:
                service.drop(session, booking_id=standing[0].id, now=now)
            case "arrive" if chance.random() < 0.1:
                service.check_in(session, place_id=place_id, holder_id=holder_id, now=now)
            case "hours" if chance.random() < 0.2:
                service.set_hours(session, place_id=place_id, hours=week(capacity=chance.randint(1, 4)), from_day=TODAY)
            case _:
                service.book(
                    session, place_id=place_id, holder_id=holder_id, starts_at=starts_at, now=now, channel="text"
                )

    at_once(live_for_a_while, range(24))
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        assert session.scalar(select(func.count()).where(Booking.state == BookingState.MOVED)) > 0
        assert session.scalar(select(func.count()).where(Booking.state == BookingState.DROPPED)) > 0
        assert session.scalar(select(func.count()).where(Booking.state == BookingState.BOOKED)) > 0


def test_no_booking_slips_past_a_closure_made_at_the_same_moment(crowd, place_id, at, now, at_once):
    def act(number):
        with crowd.writing() as session:
            if number == 7:
                return service.close(session, place_id=place_id, first_day=TODAY, last_day=TODAY, reason="flood")
            return service.book(
                session,
                place_id=place_id,
                holder_id=uuid4(),
                starts_at=at(7, 15 * (number % 4)),
                now=now,
                channel="text",
            )

    answers = at_once(act, range(16))
    named = {booking.id for booking in answers[7]}
    made = {answer.id for answer in answers if isinstance(answer, Booking)}
    assert made == named, "whoever got in before the closure is told of it"


def test_whoever_books_while_a_closure_waits_is_behind_it(crowd, place_id, at, now):
    """Else a stream of bookings, each begun before the last one ends, keeps a place open for as long as it flows."""

    def book(starts_at):
        with crowd.writing() as session:
            return service.book(
                session, place_id=place_id, holder_id=uuid4(), starts_at=starts_at, now=now, channel="text"
            )

    def close():
        with crowd.writing() as session:
            return service.close(session, place_id=place_id, first_day=TODAY, last_day=TODAY, reason="flood")

    with ThreadPoolExecutor(2) as beside:
        with crowd.writing() as session:
            first = service.book(
                session, place_id=place_id, holder_id=uuid4(), starts_at=at(8), now=now, channel="text"
            )
            closing = beside.submit(close)
            until(lambda: waiting(crowd) == 1)
            late = beside.submit(book, at(9))
            until(lambda: late.done() or waiting(crowd) == 2)
        assert [booking.id for booking in closing.result()] == [first.id]
        with pytest.raises(NotBooked) as refused:
            late.result()
    assert refused.value.code == "closed"


def waiting(crowd):
    """How many wait for a lock in this database."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with crowd.reading() as session:
        return session.scalar(text(asked))


def until(found):
    give_up = time.monotonic() + 9
    while not found():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)


def test_16_check_ins_of_one_holder_are_one_ticket(crowd, place_id, now, at_once):
    def check_in(holder_id):
        with crowd.writing() as session:
            return service.check_in(session, place_id=place_id, holder_id=holder_id, now=now).ticket

    for ticket in range(1, 13):
        assert set(at_once(check_in, [uuid4()] * 16)) == {ticket}


def test_32_people_checking_in_at_once_have_the_numbers_from_1_to_32(crowd, place_id, now, at_once):
    def check_in(_):
        with crowd.writing() as session:
            return service.check_in(session, place_id=place_id, holder_id=uuid4(), now=now).ticket

    assert sorted(at_once(check_in, range(32))) == list(range(1, 33))


def test_16_windows_never_call_the_same_person(crowd, place_id, now, at_once):
    with crowd.writing() as session:
        for _ in range(40):
            service.check_in(session, place_id=place_id, holder_id=uuid4(), now=now)

    def call_until_empty(window):
        called = []
        while True:
            with crowd.writing() as session:
                visit = calling.call_next(session, place_id=place_id, window=window, now=now)
            if visit is None:
                return called
            called.append(visit.ticket)

    called = [ticket for tickets in at_once(call_until_empty, range(1, 17)) for ticket in tickets]
    assert sorted(called) == list(range(1, 41))
    with crowd.reading() as session:
        assert session.scalar(select(func.count()).where(Visit.called_at.is_(None))) == 0


def test_closed_by_16_at_once_and_opened_by_16_at_once_a_day_is_closed_once_and_opened_once(
    crowd, place_id, at, now, at_once
):
    days = {"first_day": TODAY, "last_day": TODAY}

    def close(_):
        with crowd.writing() as session:
            service.close(session, place_id=place_id, **days, reason="flood")
            return queries.newest_closure(session, place_id, TODAY, TODAY)

    (closure_id,) = set(at_once(close, range(16)))

    def open_or_book(number):
        with crowd.writing() as session:
            if number % 2:
                return service.book(
                    session, place_id=place_id, holder_id=uuid4(), starts_at=at(8), now=now, channel="text"
                )
            try:
                return service.reopen(session, place_id=place_id, closure_id=closure_id, today=TODAY)
            except NotFound:
                return None

    answers = at_once(open_or_book, range(32))
    assert len([answer for answer in answers if isinstance(answer, service.Reopened)]) == 1
    assert {answer.code for answer in answers if isinstance(answer, NotBooked)} <= {"closed", "slot-full"}
    assert len([answer for answer in answers if isinstance(answer, Booking)]) <= 2
    with crowd.reading() as session:
        assert queries.discrepancies(session) == []
        assert queries.is_open(session, place_id, TODAY)
