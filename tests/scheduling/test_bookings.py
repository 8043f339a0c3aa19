"""Booking, moving and dropping: who is declined hears why and where there is room, and nothing half-done stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from scheduling import queries, service
from scheduling.models import BookingState
from scheduling.rules import Code, NotBooked
from tests.scheduling.conftest import TODAY, week


@pytest.fixture
def book(database, place_id, now):
    def make(starts_at, holder_id=None, now=now):
        with database.writing() as session:
            return service.book(
                session,
                place_id=place_id,
                holder_id=holder_id or uuid4(),
                starts_at=starts_at,
                now=now,
                channel="text",
            )

    return make


@pytest.fixture
def taken(database, place_id):
    """How many places a slot has given, by its counter, once counters and bookings agree."""

    def count(starts_at):
        with database.reading() as session:
            assert queries.discrepancies(session) == []
            slots = queries.slots_on(session, place_id, starts_at.date())
        return next(slot.booked for slot in slots if slot.starts_at == starts_at)

    return count


class TestBook:
    def test_a_booking_stands_and_takes_a_place(self, database, place_id, book, taken, at, now):
        booking = book(at(9))
        assert (booking.state, booking.starts_at, booking.day) == (BookingState.BOOKED, at(9), TODAY)
        assert (booking.channel, booking.made_at) == ("text", now)
        assert taken(at(9)) == 1
        with database.reading() as session:
            assert [b.id for b in queries.bookings_on(session, place_id, TODAY)] == [booking.id]
            slot = next(slot for slot in queries.slots_on(session, place_id, TODAY) if slot.starts_at == at(9))
        assert (slot.capacity, slot.free, slot.ends_at) == (2, 1, at(9, 15))

    def test_looking_makes_no_rows(self, database, place_id, now):
        with database.reading() as session:
            assert len(queries.slots_on(session, place_id, TODAY)) == 12
            assert queries.next_free(session, place_id, now, 100)
            assert session.scalar(text("SELECT count(*) FROM slot")) == 0

    def test_a_full_slot_offers_the_nearest_that_are_free(self, book, taken, at):
        for hour, minute in ((9, 0), (8, 45)):
            book(at(hour, minute))
            book(at(hour, minute))
        with pytest.raises(NotBooked) as refused:
            book(at(9))
        assert refused.value.code == "slot-full"
        assert refused.value.sentence == "The slot at 09:00 on 24 November is full."
        assert refused.value.alternatives == (at(8, 30), at(9, 15), at(9, 30))
        assert taken(at(9)) == 2

    @pytest.mark.parametrize(
        ("when", "code", "alternatives"),
        [
            ({"hour": 6, "minute": 45}, Code.PAST, [(7, 15, 0), (7, 0, 0), (7, 30, 0)]),
            ({"hour": 12}, Code.OUTSIDE_HOURS, [(9, 15, 0), (9, 30, 0), (9, 45, 0)]),
            ({"hour": 9, "minute": 5}, Code.OUTSIDE_HOURS, [(9, 0, 0), (9, 15, 0), (8, 45, 0)]),
            ({"hour": 9, "days": 5}, Code.OUTSIDE_HOURS, [(7, 0, 6), (7, 15, 6), (7, 30, 6)]),
            ({"hour": 9, "days": 300}, Code.TOO_FAR, None),
        ],
    )
    def test_what_is_not_a_slot_to_book_offers_the_nearest_that_is(self, book, at, when, code, alternatives):
        with pytest.raises(NotBooked) as refused:
            book(at(**when))
        assert refused.value.code == code
        if alternatives is not None:
            expected = sorted(at(hour, minute, days=days) for hour, minute, days in alternatives)
            assert list(refused.value.alternatives) == expected
        assert len(refused.value.alternatives) == 3

    @pytest.mark.parametrize(
        ("moment", "code"),
        [
            (datetime.min.replace(tzinfo=UTC), Code.PAST),
            (datetime.max.replace(tzinfo=UTC), Code.TOO_FAR),
            (datetime(1969, 7, 20, tzinfo=UTC), Code.PAST),
        ],
    )
    def test_a_moment_off_the_calendar_is_declined_like_any_other(self, book, moment, code):
        with pytest.raises(NotBooked) as refused:
            book(moment)
        assert refused.value.code == code
        assert len(refused.value.alternatives) == 3

    def test_one_booking_a_day_at_a_place(self, database, book, taken, at):
        holder_id = uuid4()
        first = book(at(9), holder_id)
        with pytest.raises(NotBooked) as refused:
            book(at(8), holder_id)
        assert (refused.value.code, refused.value.standing) == ("already-booked", first.id)
        assert taken(at(8)) == 0
        assert book(at(8, days=1), holder_id).id != first.id

    def test_the_same_again_is_answered_with_the_booking_that_stands(self, book, taken, at):
        holder_id = uuid4()
        assert book(at(9), holder_id).id == book(at(9), holder_id).id
        assert taken(at(9)) == 1

    def test_who_has_the_last_place_is_answered_with_it_and_not_with_full(self, book, at):
        holder_id = uuid4()
        book(at(9))
        first = book(at(9), holder_id)
        assert book(at(9), holder_id).id == first.id

    def test_a_refusal_that_the_caller_survives_leaves_nothing(self, database, place_id, book, taken, at, now):
        book(at(9))
        book(at(9))
        with database.writing() as session:
            with pytest.raises(NotBooked):
                service.book(session, place_id=place_id, holder_id=uuid4(), starts_at=at(9), now=now, channel="text")
            service.book(session, place_id=place_id, holder_id=uuid4(), starts_at=at(8), now=now, channel="text")
        assert (taken(at(9)), taken(at(8))) == (2, 1)

    def test_no_place_is_lost_when_the_unit_fails_later(self, database, place_id, taken, at, now):
        with database.writing() as session:
            service.book(session, place_id=place_id, holder_id=uuid4(), starts_at=at(9), now=now, channel="text")
            session.rollback()
        assert taken(at(9)) == 0

    def test_a_place_with_nothing_free_offers_nothing(self, database, place_id, book, at):
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=[], from_day=TODAY)
        with pytest.raises(NotBooked) as refused:
            book(at(9))
        assert (refused.value.code, refused.value.alternatives) == ("outside-hours", ())

    def test_after_a_long_closure_the_first_free_starts_are_offered(self, database, place_id, book, at):
        with database.writing() as session:
            service.close(
                session, place_id=place_id, first_day=TODAY, last_day=TODAY + timedelta(days=40), reason="flood"
            )
        with pytest.raises(NotBooked) as refused:
            book(at(9))
        assert refused.value.code == "closed"
        assert refused.value.alternatives == tuple(at(7, minute, days=41) for minute in (0, 15, 30))


class TestNextFree:
    def test_skips_full_slots_rest_days_and_closures(self, database, place_id, book, at):
        saturday, monday = 4, 6
        book(at(9, 45, days=saturday))
        book(at(9, 45, days=saturday))
        with database.writing() as session:
            day = TODAY + timedelta(days=monday)
            service.close(session, place_id=place_id, first_day=day, last_day=day, reason="holiday")
        with database.reading() as session:
            free = queries.next_free(session, place_id, at(9, 20, days=saturday), 3)
        assert [slot.starts_at for slot in free] == [at(9, 30, days=saturday), at(7, days=7), at(7, 15, days=7)]

    def test_keeps_to_lead_and_horizon(self, database, at):
        near = uuid4()
        with database.writing() as session:
            service.add_place(session, place_id=near, zone="Asia/Kuala_Lumpur", lead_minutes=60, horizon_days=1)
            service.set_hours(session, place_id=near, hours=week(slot_minutes=60), from_day=TODAY)
        with database.reading() as session:
            free = queries.next_free(session, near, at(7, 30), 99)
        assert [slot.starts_at for slot in free] == [at(9), at(7, days=1), at(8, days=1), at(9, days=1)]


class TestMove:
    def test_exchanges_one_place_for_another(self, database, book, taken, at, now):
        old = book(at(9))
        with database.writing() as session:
            new = service.move(session, booking_id=old.id, starts_at=at(8), now=now)
        assert (new.moved_from, new.holder_id, new.starts_at) == (old.id, old.holder_id, at(8))
        assert (taken(at(9)), taken(at(8))) == (0, 1)
        with database.reading() as session:
            assert [b.id for b in queries.bookings_of(session, old.holder_id, now)] == [new.id]

    def test_to_a_full_slot_keeps_the_old_place(self, database, book, taken, at, now):
        book(at(8))
        book(at(8))
        old = book(at(9))
        with database.writing() as session:
            with pytest.raises(NotBooked) as refused:
                service.move(session, booking_id=old.id, starts_at=at(8), now=now)
            assert refused.value.code == "slot-full"
        assert (taken(at(9)), taken(at(8))) == (1, 2)
        with database.reading() as session:
            assert [b.id for b in queries.bookings_of(session, old.holder_id, now)] == [old.id]

    def test_to_a_day_that_has_a_booking_is_declined(self, database, book, taken, at, now):
        holder_id = uuid4()
        today, tomorrow = book(at(9), holder_id), book(at(9, days=1), holder_id)
        with database.writing() as session, pytest.raises(NotBooked) as refused:
            service.move(session, booking_id=today.id, starts_at=at(8, days=1), now=now)
        assert (refused.value.code, refused.value.standing) == ("already-booked", tomorrow.id)
        assert (taken(at(9)), taken(at(8, days=1))) == (1, 0)

    def test_to_where_it_is_changes_nothing(self, database, book, taken, at, now):
        booking = book(at(9))
        with database.writing() as session:
            assert service.move(session, booking_id=booking.id, starts_at=at(9), now=now).id == booking.id
        assert taken(at(9)) == 1

    def test_the_same_again_is_answered_with_the_booking_that_it_made(self, database, book, taken, at, now):
        booking = book(at(9))
        with database.writing() as session:
            first = service.move(session, booking_id=booking.id, starts_at=at(8), now=now)
        with database.writing() as session:
            assert service.move(session, booking_id=booking.id, starts_at=at(8), now=now).id == first.id
            with pytest.raises(NotBooked) as refused:
                service.move(session, booking_id=booking.id, starts_at=at(7), now=now)
        assert refused.value.code == "not-live"
        assert (taken(at(9)), taken(at(8)), taken(at(7))) == (0, 1, 0)

    def test_outside_hours_is_declined_and_keeps_the_old_place(self, database, book, taken, at, now):
        booking = book(at(9))
        with database.writing() as session, pytest.raises(NotBooked) as refused:
            service.move(session, booking_id=booking.id, starts_at=at(3), now=now)
        assert refused.value.code == "past"
        assert taken(at(9)) == 1


class TestDrop:
    def test_gives_the_place_back_once(self, database, book, taken, at, now):
        booking = book(at(9))
        for _ in range(2):
            with database.writing() as session:
                assert service.drop(session, booking_id=booking.id, now=now).state is BookingState.DROPPED
        assert taken(at(9)) == 0
        assert book(at(8), booking.holder_id)

    def test_what_is_not_live_is_declined(self, database, place_id, book, at, now):
        booking = book(at(9))
        with database.writing() as session:
            service.check_in(session, place_id=place_id, holder_id=booking.holder_id, now=now)
        for booking_id in (booking.id, uuid4()):
            for attempt in (
                lambda session, booking_id=booking_id: service.drop(session, booking_id=booking_id, now=now),
                lambda session, booking_id=booking_id: service.move(
                    session, booking_id=booking_id, starts_at=at(8), now=now
                ),
            ):
                with database.writing() as session, pytest.raises(NotBooked) as refused:
                    attempt(session)
                assert refused.value.code == "not-live"


class TestReminders:
    def test_are_due_for_standing_bookings_in_the_window_of_open_days(self, database, place_id, book, at, now):
        due, at_the_end, dropped, shut = book(at(9)), book(at(9, 15)), book(at(8)), book(at(9, days=1))
        with database.writing() as session:
            service.drop(session, booking_id=dropped.id, now=now)
            day = TODAY + timedelta(days=1)
            service.close(session, place_id=place_id, first_day=day, last_day=day, reason="flood")
        with database.reading() as session:
            found = queries.due_for_reminder(session, from_moment=at(8), to_moment=at(9, 15))
            assert [(b.id, b.place_id, b.holder_id, b.starts_at) for b in found] == [
                (due.id, place_id, due.holder_id, at(9))
            ]
            both = queries.due_for_reminder(session, from_moment=at(9), to_moment=at(12, days=2))
            assert [b.id for b in both] == [due.id, at_the_end.id]
        assert shut.state is BookingState.BOOKED


class TestCloseOfDay:
    def test_who_did_not_come_is_recorded_and_not_punished(self, database, place_id, book, taken, at, now):
        came, missed, tomorrow = book(at(9)), book(at(8)), book(at(9, days=1))
        with database.writing() as session:
            service.check_in(session, place_id=place_id, holder_id=came.holder_id, now=now)
        with database.writing() as session:
            assert [b.id for b in service.mark_missed(session, place_id=place_id, day=TODAY)] == [missed.id]
        with database.writing() as session:
            assert service.mark_missed(session, place_id=place_id, day=TODAY) == []
        with database.reading() as session:
            states = {b.id: b.state for b in queries.bookings_on(session, place_id, TODAY)}
            assert states == {came.id: BookingState.ARRIVED, missed.id: BookingState.MISSED}
            assert [b.id for b in queries.bookings_on(session, place_id, tomorrow.day)] == [tomorrow.id]
        assert taken(at(8)) == 1
        assert book(at(8, days=2), missed.holder_id)

    def test_nobody_misses_a_day_that_was_closed(self, database, place_id, book, taken, at):
        bookings = [book(at(9)), book(at(9)), book(at(8))]
        with database.writing() as session:
            service.close(session, place_id=place_id, first_day=TODAY, last_day=TODAY, reason="flood")
            assert service.mark_missed(session, place_id=place_id, day=TODAY) == []
        with database.reading() as session:
            assert queries.bookings_on(session, place_id, TODAY) == []
            assert queries.discrepancies(session) == []
            assert [b.state for b in bookings] == [BookingState.BOOKED] * 3, "the objects of units long ended"


class TestTheTablesThemselves:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE slot SET booked = capacity + 1",
            "UPDATE slot SET booked = -1",
            "UPDATE booking SET starts_at = starts_at + interval '15 minutes'",
            "UPDATE booking SET holder_id = gen_random_uuid()",
            "UPDATE booking SET state = 'arrived' WHERE state = 'dropped'",
            "UPDATE booking SET state = 'booked' WHERE state = 'dropped'",
            "UPDATE booking SET state = 'cancelled' WHERE state = 'booked'",
            "INSERT INTO booking SELECT gen_random_uuid(), holder_id, place_id, starts_at, day, 'booked', 'desk',"
            " made_at, changed_at, NULL, '', false, NULL FROM booking WHERE state = 'booked'",
            "INSERT INTO opening SELECT gen_random_uuid(), place_id, weekday, '09:59', '12:00', 15, 1, 1, from_day,"
            " NULL, '{}' FROM opening",
        ],
    )
    def test_refuse_what_the_code_never_does(self, database, book, at, now, statement):
        book(at(9))
        dropped = book(at(8))
        with database.writing() as session:
            service.drop(session, booking_id=dropped.id, now=now)
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(statement))

    def test_a_counter_that_went_wrong_is_named(self, database, place_id, book, at):
        book(at(9))
        book(at(8))
        with database.writing() as session:
            session.execute(text("UPDATE slot SET booked = 2 WHERE starts_at = :at"), {"at": at(9)})
        with database.reading() as session:
            (wrong,) = queries.discrepancies(session)
        assert (wrong.place_id, wrong.starts_at, wrong.counter, wrong.bookings) == (place_id, at(9), 2, 1)
