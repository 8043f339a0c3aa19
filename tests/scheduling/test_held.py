"""Places that are held for some: never taken by others, exact under many hands, given by an explicit act alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import time
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from scheduling import queries, service, setting
from scheduling.rules import BookingRules, Code, NotBooked
from scheduling.shares import OPEN, Places, brought_up, held_of
from tests.scheduling.conftest import TODAY, week

HELD = held_of({"walk-in": 1, "new": 2})


@pytest.fixture
def book(database, place_id, at, now):
    with database.writing() as session:
        hours = [replace(each, held=HELD) for each in week(capacity=5)]
        service.set_hours(session, place_id=place_id, hours=hours, from_day=TODAY)

    def make(*groups, give=False, starts_at=None, holder_id=None):
        with database.writing() as session:
            return service.book(
                session,
                place_id=place_id,
                holder_id=holder_id or uuid4(),
                starts_at=starts_at or at(9),
                now=now,
                channel="text",
                groups=frozenset(groups),
                give=give,
            )

    return make


def test_open_places_are_two_of_five_and_the_others_are_their_holders_or_given(database, place_id, book, at):
    assert [book().share for _ in range(2)] == [OPEN, OPEN]
    with pytest.raises(NotBooked) as refused:
        book()
    assert refused.value.code == Code.HELD
    assert [book("new").share for _ in range(2)] == ["new", "new"]
    with pytest.raises(NotBooked) as refused:
        book("new")
    assert refused.value.code == Code.HELD, "the last one waits for whoever walks in"
    given_place = book("new", give=True)
    assert (given_place.share, given_place.given) == ("walk-in", True)
    with pytest.raises(NotBooked) as refused:
        book(give=True)
    assert refused.value.code == Code.FULL
    with database.reading() as session:
        assert queries.discrepancies(session) == []


def test_a_slot_is_free_for_those_whom_places_are_held_for(database, place_id, book, at):
    for _ in range(2):
        book()
    with database.reading() as session:
        slots = {slot.starts_at: slot for slot in queries.slots_on(session, place_id, TODAY)}
        theirs = {slot.starts_at: slot for slot in queries.slots_on(session, place_id, TODAY, {"new"})}
    assert (slots[at(9)].free, slots[at(9)].held) == (0, 3)
    assert (theirs[at(9)].free, theirs[at(9)].held) == (2, 1)


def test_a_held_place_that_is_dropped_or_moved_is_held_again(database, place_id, book, at, now):
    for _ in range(2):
        book()
    theirs = book("new")
    with database.writing() as session:
        moved = service.move(session, booking_id=theirs.id, starts_at=at(9, 15), now=now, groups={"new"})
    assert moved.share == "new"
    with database.writing() as session:
        service.drop(session, booking_id=moved.id, now=now)
    with database.reading() as session:
        assert queries.discrepancies(session) == []
        assert {slot.held for slot in queries.slots_on(session, place_id, TODAY)} == {3}


def test_hours_that_hold_more_later_take_nobodys_place(database, place_id, book, at, now):
    bookings = [book() for _ in range(2)]
    with database.writing() as session:
        hours = [replace(each, held=held_of({"new": 5})) for each in week(capacity=5)]
        service.set_hours(session, place_id=place_id, hours=hours, from_day=TODAY)
    assert [book("new").share for _ in range(3)] == ["new"] * 3
    with pytest.raises(NotBooked):
        book("new")
    with database.reading() as session:
        assert len(queries.bookings_on(session, place_id, TODAY)) == 5 == len(bookings) + 3
        assert queries.discrepancies(session) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE slot SET booked = 4",
        "UPDATE slot SET held_booked = '{\"new\": 2}'",
        "UPDATE slot SET held_booked = '{\"walk-in\": 2}', booked = 3",
        "UPDATE slot SET held = '{\"new\": 6}'",
        "UPDATE slot SET held = '{\"New!\": 1}'",
        "UPDATE opening SET held = '{\"new\": 6}'",
        "UPDATE booking SET share = 'new'",
        "UPDATE booking SET given = true",
    ],
)
def test_the_tables_refuse_what_would_break_the_shares(database, book, statement):
    first = book()
    assert first.share == OPEN
    with pytest.raises(IntegrityError), database.writing() as session:
        session.execute(text(statement))


@given(
    capacity=st.integers(1, 12),
    held=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 4), max_size=3),
    asked=st.lists(st.sets(st.sampled_from(["a", "b"]), max_size=2), max_size=30),
)
def test_whoever_comes_in_whatever_order_shares_are_kept(capacity, held, asked):
    held = held_of(held)
    if sum(number for _, number in held) > capacity:
        capacity = sum(number for _, number in held)
    places, got = brought_up(capacity, held, booked=0), Counter()
    for groups in asked:
        share = places.share_for(groups)
        assert (share is not None) == (places.free_for(groups) > 0)
        if share is not None:
            assert share in {OPEN, *groups}
            places, got[share] = places.taken(share), got[share] + 1
    assert places.booked == sum(got.values()) <= capacity
    assert all(got[word] <= number for word, number in held)
    assert got[OPEN] <= capacity - sum(number for _, number in held)


@given(
    places=st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)),
    capacity=st.integers(0, 30),
    wanted=st.integers(0, 30),
)
def test_hours_brought_up_never_take_from_anybody(places, capacity, wanted):
    open_taken, a_taken, b_taken = places
    booked, taken = open_taken + a_taken + b_taken, held_of({"a": a_taken, "b": b_taken})
    now = brought_up(capacity, held_of({"a": min(wanted, capacity)}), booked=booked, held_booked=taken)
    assert isinstance(now, Places)
    assert now.capacity == max(capacity, booked)
    assert all(now.free_in(share) >= 0 for share in (OPEN, "a", "b"))


class TestLimits:
    @pytest.fixture
    def two(self, database, place_id):
        with database.writing() as session:
            setting.set_booking_rules(session, place_id=place_id, rules=BookingRules(most_open=2))

    def test_a_third_open_booking_is_refused_until_one_is_given_up(self, database, place_id, at, now, two):
        holder_id = uuid4()

        def book(days):
            with database.writing() as session:
                return service.book(
                    session,
                    place_id=place_id,
                    holder_id=holder_id,
                    starts_at=at(9, days=days),
                    now=now,
                    channel="text",
                )

        first = book(0)
        book(1)
        with pytest.raises(NotBooked) as refused:
            book(2)
        assert refused.value.code == Code.LIMIT
        assert "2" in refused.value.sentence
        with database.reading() as session:
            assert queries.discrepancies(session) == []
        with database.writing() as session:
            service.move(session, booking_id=first.id, starts_at=at(9, days=2), now=now)
        with pytest.raises(NotBooked):
            book(0)

    def test_rules_that_cannot_be_are_named(self):
        assert BookingRules().fault() is None
        assert BookingRules(most_open=0).fault()
        assert BookingRules(offer_minutes=4).fault()
        assert BookingRules(offers_from=time(9), offers_until=time(9)).fault()
