"""Standing bookings: made up to the horizon, not ended by one day given up, ended or paused as their holder says."""

from __future__ import annotations

from datetime import time, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from scheduling import queries, service, standing
from scheduling.rules import Code, NotBooked
from tests.scheduling.conftest import TODAY


@pytest.fixture
def holder():
    return uuid4()


@pytest.fixture
def begin(database, place_id, holder, now):
    def start(weekdays=(0, 1, 2, 3, 4), at=time(8), holder_id=holder):
        with database.writing() as session:
            return standing.set_weekly(
                session, place_id=place_id, holder_id=holder_id, weekdays=weekdays, at=at, now=now, channel="text"
            )

    return start


def days_of(database, holder, now):
    with database.reading() as session:
        assert queries.discrepancies(session) == []
        return [booking.day for booking in queries.bookings_of(session, holder, now)]


def make(database, place_id, holder, now):
    with database.writing() as session:
        return standing.make(session, place_id=place_id, holder_id=holder, now=now)


def test_every_weekday_is_booked_up_to_the_horizon_and_each_night_one_day_more(
    database, place_id, begin, holder, now, at
):
    made = begin()
    wanted = [day for day in queries.days(TODAY, TODAY + timedelta(days=60)) if day.weekday() < 5]
    assert [booking.day for booking in made.bookings] == wanted == days_of(database, holder, now)
    assert {booking.starts_at.timetz() for booking in made.bookings} == {at(8).astimezone(now.tzinfo).timetz()}
    assert make(database, place_id, holder, now).bookings == []
    tomorrow = make(database, place_id, holder, now + timedelta(days=2))
    assert [booking.day for booking in tomorrow.bookings] == [TODAY + timedelta(days=62)]


def test_closed_days_are_passed_over_and_booked_when_they_open_again(database, place_id, begin, holder, now):
    day = TODAY + timedelta(days=2)
    with database.writing() as session:
        service.close(session, place_id=place_id, first_day=day, last_day=day, reason="feast")
        closure_id = queries.newest_closure(session, place_id, day, day)
    assert day not in [booking.day for booking in begin().bookings]
    with database.writing() as session:
        service.reopen(session, place_id=place_id, closure_id=closure_id, today=TODAY)
    assert [booking.day for booking in make(database, place_id, holder, now).bookings] == [day]


def test_a_full_day_is_said_and_booked_when_a_place_is_free(database, place_id, begin, holder, now, at):
    with database.writing() as session:
        others = [
            service.book(
                session, place_id=place_id, holder_id=uuid4(), starts_at=at(8, days=1), now=now, channel="text"
            )
            for _ in range(2)
        ]
    made = begin()
    assert [(each.day, each.code) for each in made.not_made] == [(TODAY + timedelta(days=1), Code.FULL)]
    with database.writing() as session:
        service.drop(session, booking_id=others[0].id, now=now)
    assert [b.day for b in make(database, place_id, holder, now).bookings] == [TODAY + timedelta(days=1)]


def test_one_day_given_up_or_moved_away_does_not_end_it_and_is_not_booked_again(
    database, place_id, begin, holder, now, at
):
    bookings = begin().bookings
    with database.writing() as session:
        service.drop(session, booking_id=bookings[1].id, now=now)
        service.move(session, booking_id=bookings[2].id, starts_at=at(9, days=4), now=now)
    assert make(database, place_id, holder, now).bookings == []
    kept = days_of(database, holder, now)
    assert bookings[1].day not in kept
    assert bookings[2].day not in kept
    assert bookings[3].day in kept


def test_ended_it_gives_up_what_is_to_come_and_makes_no_more(database, place_id, begin, holder, now):
    begin()
    with database.writing() as session:
        ended, dropped = standing.end(session, place_id=place_id, holder_id=holder, from_day=TODAY, now=now)
    assert (len(ended), len(dropped)) == (5, 44)
    assert days_of(database, holder, now) == []
    assert make(database, place_id, holder, now).bookings == ()


def test_a_pause_gives_up_its_days_and_going_on_books_them_again(database, place_id, begin, holder, now):
    begin()
    before = days_of(database, holder, now)
    first, until = TODAY + timedelta(days=7), TODAY + timedelta(days=14)
    with database.writing() as session:
        standing.pause(session, place_id=place_id, holder_id=holder, first_day=first, until_day=until, now=now)
    assert days_of(database, holder, now) == [day for day in before if not first <= day < until]
    assert make(database, place_id, holder, now).bookings == []
    with database.writing() as session:
        standing.resume(session, place_id=place_id, holder_id=holder, today=TODAY, now=now)
    assert days_of(database, holder, now) == before


def test_another_time_takes_the_place_of_the_first_and_the_same_again_changes_nothing(
    database, place_id, begin, holder, now, at
):
    begin()
    assert begin().bookings == []
    begin(weekdays=(1,), at=time(9))
    with database.reading() as session:
        rules = standing.of_holder(session, place_id, holder, TODAY)
        assert {rule.weekday: rule.at for rule in rules} == {0: time(8), 1: time(9), 2: time(8), 3: time(8), 4: time(8)}
        bookings = queries.bookings_of(session, holder, now)
    assert {b.starts_at.astimezone(at(8).tzinfo).time() for b in bookings if b.day.weekday() == 1} == {time(9)}


def test_a_time_without_a_slot_is_declined_with_the_nearest_ones(begin):
    with pytest.raises(NotBooked) as refused:
        begin(at=time(12))
    assert refused.value.code == Code.OUTSIDE_HOURS
    assert refused.value.alternatives


AGAIN = (
    "INSERT INTO booking SELECT gen_random_uuid(), {holder_id}, place_id, {starts_at}, {day}, 'booked', channel, "
    "made_at, changed_at, NULL, share, given, standing_id FROM booking WHERE id = :id"
)
AS_IT_IS = {"holder_id": "holder_id", "starts_at": "starts_at", "day": "day"}


@pytest.mark.parametrize(
    "change",
    [
        {"day": "day + 1"},
        {"holder_id": "gen_random_uuid()"},
        {"starts_at": "starts_at + interval '15 minutes'"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_postgresql_refuses_a_booking_that_its_rule_does_not_say(database, begin, change):
    booking = begin().bookings[0]
    with database.writing() as session:
        session.execute(text("UPDATE booking SET state = 'dropped' WHERE id = :id"), {"id": booking.id})
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text(AGAIN.format(**{**AS_IT_IS, **change})), {"id": booking.id})


def test_postgresql_refuses_a_day_that_was_given_up(database, begin, holder, now, place_id):
    booking = begin().bookings[0]
    with database.writing() as session:
        service.drop(session, booking_id=booking.id, now=now)
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text(AGAIN.format(**AS_IT_IS)), {"id": booking.id})
