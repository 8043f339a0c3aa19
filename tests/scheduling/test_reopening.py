"""A closure is taken back from a day on: its slots can be booked again, and nobody's booking changes by it."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from scheduling import queries, service
from scheduling.models import Booking, BookingState, Closure
from scheduling.rules import BadHours, NotBooked, NotFound
from tests.scheduling.conftest import TODAY
from tests.scheduling.test_hours import SUNDAY, book


def closed(database, place_id, first, last, reason="flood"):
    with database.writing() as session:
        days = {"first_day": TODAY + timedelta(days=first), "last_day": TODAY + timedelta(days=last)}
        service.close(session, place_id=place_id, **days, reason=reason)
        return queries.newest_closure(session, place_id, *days.values())


def reopened(database, place_id, closure_id, today=TODAY):
    with database.writing() as session:
        return service.reopen(session, place_id=place_id, closure_id=closure_id, today=today)


def test_its_days_are_open_and_can_be_booked_to_the_last_place(database, place_id, at, now):
    kept = book(database, place_id, at(9, days=1), now)
    closure_id = closed(database, place_id, 1, 2)

    opened = reopened(database, place_id, closure_id)

    assert (opened.first_day, opened.last_day) == (TODAY + timedelta(days=1), TODAY + timedelta(days=2))
    assert [booking.id for booking in opened.standing] == [kept.id]
    assert (opened.given_up, opened.still_shut) == ([], [])
    book(database, place_id, at(9, days=1), now)
    with pytest.raises(NotBooked) as refused:
        book(database, place_id, at(9, days=1), now)
    assert refused.value.code == "slot-full", "who stayed booked has their place"
    with database.reading() as session:
        assert queries.discrepancies(session) == []


def test_what_was_dropped_or_moved_away_stays_so(database, place_id, at, now):
    dropped, moved, arranged = (book(database, place_id, at(hour, days=1), now) for hour in (7, 8, 9))
    with database.writing() as session:  # before the closure, to another time of the same day
        service.move(session, booking_id=arranged.id, starts_at=at(9, 30, days=1), now=now)
    closure_id = closed(database, place_id, 1, 1)
    with database.writing() as session:
        service.drop(session, booking_id=dropped.id, now=now)
        service.move(session, booking_id=moved.id, starts_at=at(8, days=2), now=now)

    opened = reopened(database, place_id, closure_id)

    assert [booking.id for booking in opened.given_up] == [dropped.id, moved.id]
    assert [booking.holder_id for booking in opened.standing] == [arranged.holder_id]
    with database.reading() as session:
        assert session.get_one(Booking, dropped.id).state is BookingState.DROPPED
        assert session.get_one(Booking, moved.id).state is BookingState.MOVED


def test_of_one_that_has_begun_the_days_before_stay_shut(database, place_id):
    closure_id = closed(database, place_id, -2, 1)

    opened = reopened(database, place_id, closure_id)

    assert (opened.first_day, opened.last_day) == (TODAY, TODAY + timedelta(days=1))
    with database.reading() as session:
        shut = [TODAY - timedelta(days=2), TODAY - timedelta(days=1)]  # a Sunday and a Monday
        assert queries.closed_days(session, place_id, shut[0], TODAY + timedelta(days=1)) == shut


def test_one_that_is_over_stays_as_it_was(database, place_id):
    closure_id = closed(database, place_id, -3, -1)

    with pytest.raises(BadHours) as refused:
        reopened(database, place_id, closure_id)

    assert refused.value.code == "closure-over"
    with database.reading() as session:
        assert queries.closure_on(session, place_id, TODAY - timedelta(days=1)) is not None


def test_days_that_something_else_keeps_shut_are_named(database, place_id):
    closed(database, place_id, 3, 3, "Deepavali")
    closure_id = closed(database, place_id, 3, 5)

    assert reopened(database, place_id, closure_id).still_shut == [TODAY + timedelta(days=3), SUNDAY]


def test_opened_twice_or_at_another_place_it_is_not_there(database, place_id):
    closure_id = closed(database, place_id, 1, 1)
    elsewhere = uuid4()
    with database.writing() as session:
        service.add_place(session, place_id=elsewhere, zone="Asia/Jakarta")
    with pytest.raises(NotFound) as refused:
        reopened(database, elsewhere, closure_id)
    assert refused.value.code == "no-closure"
    reopened(database, place_id, closure_id)
    with pytest.raises(NotFound) as refused:
        reopened(database, place_id, closure_id)
    assert refused.value.code == "no-closure"


def test_the_same_days_are_closed_once_for_one_reason(database, place_id):
    first = closed(database, place_id, 1, 2)
    assert closed(database, place_id, 1, 2, " flood ") == first
    assert closed(database, place_id, 1, 2, "Deepavali") != first
    with database.reading() as session:
        assert sorted(session.scalars(select(Closure.reason))) == ["Deepavali", "flood"]
