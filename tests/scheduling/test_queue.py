"""Coming, waiting, being called and served: with a booking or without, under a number and no name."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from scheduling import calling, queries, service, waiting
from scheduling.models import BookingState
from scheduling.rules import NotFound
from tests.scheduling.conftest import TODAY


@pytest.fixture
def arrives(database, place_id):
    def check_in(moment, holder_id=None):
        with database.writing() as session:
            return service.check_in(session, place_id=place_id, holder_id=holder_id or uuid4(), now=moment)

    return check_in


@pytest.fixture
def booked(database, place_id, now):
    def book(starts_at):
        holder_id = uuid4()
        with database.writing() as session:
            service.book(session, place_id=place_id, holder_id=holder_id, starts_at=starts_at, now=now, channel="text")
        return holder_id

    return book


def call_next(database, place_id, moment, window=1):
    with database.writing() as session:
        visit = calling.call_next(session, place_id=place_id, window=window, now=moment)
    return visit.ticket if visit else None


class TestCheckIn:
    def test_tickets_count_from_one_each_day_and_place(self, database, place_id, arrives, at):
        assert [arrives(at(7)).ticket for _ in range(3)] == [1, 2, 3]
        assert arrives(at(7, days=1)).ticket == 1
        other = uuid4()
        with database.writing() as session:
            service.add_place(session, place_id=other, zone="Asia/Jakarta")
            assert service.check_in(session, place_id=other, holder_id=uuid4(), now=at(7)).ticket == 1

    def test_a_second_check_in_while_the_visit_lasts_returns_the_same_ticket(self, database, place_id, arrives, at):
        first = arrives(at(7))
        assert arrives(at(7, 5), first.holder_id).id == first.id
        call_next(database, place_id, at(7, 6))
        assert arrives(at(7, 7), first.holder_id).id == first.id
        with database.writing() as session:
            service.finish(session, visit_id=first.id, now=at(7, 10))
        assert arrives(at(9), first.holder_id).ticket == 2

    def test_links_the_booking_of_the_day_and_no_other(self, database, place_id, arrives, booked, at):
        holder_id = booked(at(9))
        with database.writing() as session:
            tomorrow = service.book(
                session, place_id=place_id, holder_id=holder_id, starts_at=at(9, days=1), now=at(7), channel="text"
            )
        visit = arrives(at(7), holder_id)
        with database.reading() as session:
            (booking,) = queries.bookings_on(session, place_id, TODAY)
            assert (booking.id, booking.state) == (visit.booking_id, BookingState.ARRIVED)
            assert [b.id for b in queries.bookings_of(session, holder_id, at(7))] == [tomorrow.id]
            assert queries.discrepancies(session) == []

    def test_nobody_is_turned_away_when_it_is_closed_or_late(self, arrives, at):
        assert arrives(at(23, days=5)).ticket == 1
        assert arrives(at(4, days=6)).ticket == 1

    def test_the_day_is_the_places_own(self, arrives, at):
        assert arrives(at(0, 5)).day == TODAY
        assert arrives(at(23, 55)).day == TODAY


class TestCalling:
    def test_the_booked_whose_slot_has_begun_come_first_then_everybody_as_they_came(
        self, database, place_id, arrives, booked, at
    ):
        late, early, eight = booked(at(7)), booked(at(9)), booked(at(8))
        walk_in = arrives(at(7, 36)).ticket
        too_early = arrives(at(7, 40), early).ticket
        of_eight = arrives(at(7, 55), eight).ticket
        of_seven = arrives(at(8, 1), late).ticket
        expected = [of_seven, of_eight, walk_in, too_early]
        with database.reading() as session:
            assert [v.ticket for v in waiting.queue(session, place_id, TODAY, at(8, 5))] == expected
            assert [v.ticket for v in waiting.queue(session, place_id, TODAY)] == [1, 2, 3, 4]
        assert [call_next(database, place_id, at(8, 5)) for _ in range(5)] == [*expected, None]

    def test_an_empty_queue_calls_nobody(self, database, place_id, at):
        assert call_next(database, place_id, at(8)) is None

    def test_yesterdays_who_left_are_not_called_today(self, database, place_id, arrives, at):
        arrives(at(8))
        assert call_next(database, place_id, at(8, days=1)) is None

    def test_two_windows_call_two_people_before_either_commits(self, database, place_id, arrives, at):
        arrives(at(7))
        arrives(at(7, 1))
        with database.writing() as one, database.writing() as other:
            first = calling.call_next(one, place_id=place_id, window=1, now=at(7, 2))
            second = calling.call_next(other, place_id=place_id, window=2, now=at(7, 2))
            assert first is not None
            assert second is not None
            assert (first.ticket, second.ticket) == (1, 2)
            assert (first.at_window, second.at_window) == (1, 2)

    def test_the_called_stand_before_those_who_wait(self, database, place_id, arrives, at):
        arrives(at(7))
        second = arrives(at(7, 1))
        with database.writing() as session:
            calling.call(session, visit_id=second.id, window=2, now=at(7, 2))
        with database.reading() as session:
            assert [v.ticket for v in waiting.queue(session, place_id, TODAY, at(7, 3))] == [2, 1]

    @pytest.mark.parametrize("window", [0, -1, 10**9])
    def test_a_window_that_cannot_be_calls_nobody(self, database, place_id, arrives, at, window):
        visit = arrives(at(7))
        with database.writing() as session:
            for attempt in (
                lambda: calling.call_next(session, place_id=place_id, window=window, now=at(7)),
                lambda: calling.call(session, visit_id=visit.id, window=window, now=at(7)),
            ):
                with pytest.raises(NotFound):
                    attempt()


class TestStamps:
    def test_each_is_written_once(self, database, arrives, at):
        visit = arrives(at(7))
        for minutes in (0, 30):
            shift = timedelta(minutes=minutes)
            with database.writing() as session:
                calling.call(session, visit_id=visit.id, window=1 + minutes, now=at(7, 1) + shift)
                service.start(session, visit_id=visit.id, now=at(7, 2) + shift)
                done = service.finish(session, visit_id=visit.id, now=at(7, 3) + shift)
        assert (done.arrived_at, done.called_at, done.started_at, done.ended_at) == (
            at(7),
            at(7, 1),
            at(7, 2),
            at(7, 3),
        )
        assert done.at_window == 1

    def test_calling_again_keeps_the_first_time_and_takes_the_new_window(self, database, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 1))
            again = calling.call(session, visit_id=visit.id, window=2, now=at(7, 4))
        assert (again.called_at, again.at_window) == (at(7, 1), 2)

    def test_an_ended_visit_is_not_called_or_started(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            service.finish(session, visit_id=visit.id, now=at(7, 1))
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 2))
            ended = service.start(session, visit_id=visit.id, now=at(7, 2))
        assert (ended.called_at, ended.started_at) == (None, None)
        assert call_next(database, place_id, at(7, 3)) is None

    def test_an_unknown_visit_is_not_found(self, database, at):
        with database.writing() as session:
            for attempt in (
                lambda: calling.call(session, visit_id=uuid4(), window=1, now=at(7)),
                lambda: service.start(session, visit_id=uuid4(), now=at(7)),
                lambda: service.finish(session, visit_id=uuid4(), now=at(7)),
            ):
                with pytest.raises(NotFound) as refused:
                    attempt()
                assert refused.value.code == "no-visit"

    @pytest.mark.parametrize(
        "change",
        [
            "called_at = called_at + interval '1 minute'",
            "called_at = NULL",
            "started_at = NULL",
            "ended_at = NULL",
            "at_window = 2",
            "arrived_at = arrived_at - interval '1 hour'",
            "ticket = 9",
            "holder_id = gen_random_uuid()",
        ],
    )
    def test_the_table_refuses_to_rewrite_them(self, database, arrives, at, change):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 1))
            service.start(session, visit_id=visit.id, now=at(7, 2))
            service.finish(session, visit_id=visit.id, now=at(7, 3))
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(f"UPDATE visit SET {change}"))


class TestFinishFor:
    def test_ends_the_visit_of_who_was_served_called_or_not(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            done = service.finish_for(session, place_id=place_id, holder_id=visit.holder_id, now=at(7, 5))
        assert done is not None
        assert (done.id, done.ended_at, done.called_at) == (visit.id, at(7, 5), None)
        with database.reading() as session:
            assert waiting.queue(session, place_id, TODAY) == []

    def test_who_never_checked_in_has_no_visit_and_missed_nothing(self, database, place_id, booked, at):
        holder_id = booked(at(9))
        with database.writing() as session:
            for holder in (holder_id, uuid4()):
                assert service.finish_for(session, place_id=place_id, holder_id=holder, now=at(9)) is None
        with database.writing() as session:
            assert service.mark_missed(session, place_id=place_id, day=TODAY) == []
        with database.reading() as session:
            assert [b.state for b in queries.bookings_on(session, place_id, TODAY)] == [BookingState.ARRIVED]

    def test_a_visit_of_another_day_stays_as_it_is(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            served = service.finish_for(session, place_id=place_id, holder_id=visit.holder_id, now=at(7, days=1))
        assert served is None


class TestWaits:
    def test_of_a_day_without_visits_say_nothing(self, database, place_id):
        with database.reading() as session:
            waits = waiting.waits_on(session, place_id, TODAY)
        assert (waits.n, waits.missing, waits.negative, waits.unserved) == (0, 0, 0, 0)
        assert (waits.median, waits.p95) == (None, None)

    def test_are_from_arrival_to_start_and_name_the_visits_that_cannot_say(self, database, place_id, arrives, at):
        for minutes in (0, 2, 4, 6, 40):
            visit = arrives(at(8))
            with database.writing() as session:
                service.start(session, visit_id=visit.id, now=at(8) + timedelta(minutes=minutes))
        skewed, unstamped = arrives(at(8)), arrives(at(8))
        arrives(at(8))
        arrives(at(8, days=1))
        with database.writing() as session:
            service.start(session, visit_id=skewed.id, now=at(7, 59))
            service.finish(session, visit_id=unstamped.id, now=at(8, 5))
        with database.reading() as session:
            waits = waiting.waits_on(session, place_id, TODAY)
        assert (waits.n, waits.missing, waits.negative, waits.unserved) == (5, 1, 1, 1)
        assert waits.median == timedelta(minutes=4)
        assert waits.p95 == timedelta(minutes=6 + 0.8 * 34), "interpolated: position 3.8 of 0, 2, 4, 6, 40"
