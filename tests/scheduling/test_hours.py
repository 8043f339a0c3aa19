"""Hours change from a day on, closures shut days, and neither loses a booking or the past."""

from __future__ import annotations

from datetime import date, time, timedelta
from uuid import uuid4

import pytest

from scheduling import calling, queries, service
from scheduling.rules import BadHours, Hours, NotBooked, NotFound
from tests.scheduling.conftest import TODAY, week

SUNDAY = TODAY + timedelta(days=5)


def book(database, place_id, starts_at, now, holder_id=None):
    with database.writing() as session:
        return service.book(
            session,
            place_id=place_id,
            holder_id=holder_id or uuid4(),
            starts_at=starts_at,
            now=now,
            channel="text",
        )


class TestPlace:
    @pytest.mark.parametrize(
        "settings",
        [
            {"zone": "Mars/Olympus"},
            {"zone": "Asia/Jakarta", "lead_minutes": -1},
            {"zone": "Asia/Jakarta", "lead_minutes": 10**6},
            {"zone": "Asia/Jakarta", "horizon_days": 0},
            {"zone": "Asia/Jakarta", "horizon_days": 401},
        ],
    )
    def test_one_that_cannot_be_is_refused(self, database, settings):
        with database.writing() as session, pytest.raises(BadHours):
            service.add_place(session, place_id=uuid4(), **settings)

    def test_a_second_of_the_same_id_is_refused(self, database, place_id):
        with database.writing() as session, pytest.raises(BadHours):
            service.add_place(session, place_id=place_id, zone="Asia/Jakarta")
        with database.reading() as session:
            assert queries.place_of(session, place_id).zone == "Asia/Kuala_Lumpur"

    def test_an_unknown_one_is_not_found(self, database, now):
        nowhere = {"place_id": uuid4()}
        with database.writing() as session:
            for attempt in (
                lambda: service.book(session, **nowhere, holder_id=uuid4(), starts_at=now, now=now, channel="text"),
                lambda: service.check_in(session, **nowhere, holder_id=uuid4(), now=now),
                lambda: calling.call_next(session, **nowhere, window=1, now=now),
                lambda: service.set_hours(session, **nowhere, hours=week(), from_day=TODAY),
                lambda: service.close(session, **nowhere, first_day=TODAY, last_day=TODAY, reason="holiday"),
                lambda: service.mark_missed(session, **nowhere, day=TODAY),
                lambda: queries.slots_on(session, nowhere["place_id"], TODAY),
            ):
                with pytest.raises(NotFound) as refused:
                    attempt()
                assert refused.value.code == "no-place"


class TestHours:
    def test_open_days_rest_days_and_times(self, database, place_id):
        with database.reading() as session:
            assert queries.is_open(session, place_id, TODAY)
            assert not queries.is_open(session, place_id, SUNDAY)
            assert [(hours.opens, hours.closes) for hours in queries.opening_times(session, place_id, TODAY)] == [
                (time(7), time(10))
            ]
            assert queries.closed_days(session, place_id, TODAY, TODAY + timedelta(days=13)) == [
                SUNDAY,
                SUNDAY + timedelta(days=7),
            ]
            assert not queries.is_open(session, place_id, date(2025, 12, 31)), "before the first hours"

    def test_a_change_counts_from_its_day_and_the_days_before_keep_theirs(self, database, place_id):
        change = TODAY + timedelta(days=2)
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=week(opens=time(8), slot_minutes=30), from_day=change)
        with database.reading() as session:
            sizes = [len(queries.slots_on(session, place_id, TODAY + timedelta(days=number))) for number in range(4)]
        assert sizes == [12, 12, 4, 4]

    def test_a_change_that_was_planned_gives_way_to_an_earlier_one(self, database, place_id):
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=week(opens=time(8)), from_day=TODAY + timedelta(days=9))
            service.set_hours(session, place_id=place_id, hours=week(opens=time(9)), from_day=TODAY + timedelta(days=2))
        with database.reading() as session:
            opens = [
                queries.opening_times(session, place_id, TODAY + timedelta(days=number))[0].opens.hour
                for number in (0, 1, 2, 9, 10, 100)
            ]
        assert opens == [7, 7, 9, 9, 9, 9]

    def test_setting_the_same_day_again_replaces_it(self, database, place_id):
        for opens in (8, 9):
            with database.writing() as session:
                service.set_hours(session, place_id=place_id, hours=week(opens=time(opens)), from_day=TODAY)
        with database.reading() as session:
            assert [hours.opens for hours in queries.opening_times(session, place_id, TODAY)] == [time(9)]

    def test_an_empty_week_ends_all_hours(self, database, place_id):
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=[], from_day=TODAY)
        with database.reading() as session:
            assert not queries.is_open(session, place_id, TODAY)
            assert queries.is_open(session, place_id, TODAY - timedelta(days=1))

    def test_hours_that_cannot_be_change_nothing(self, database, place_id):
        with database.writing() as session, pytest.raises(BadHours) as refused:
            service.set_hours(session, place_id=place_id, hours=[Hours(1, time(9), time(8), 15, 2)], from_day=TODAY)
        assert refused.value.code == "bad-hours"
        with database.reading() as session:
            assert len(queries.slots_on(session, place_id, TODAY)) == 12

    def test_bookings_whose_slot_is_gone_are_named_and_still_stand(self, database, place_id, at, now):
        kept = book(database, place_id, at(9, days=1), now)
        early = book(database, place_id, at(7, days=1), now)
        before = book(database, place_id, at(7, 30), now)
        with database.writing() as session:
            displaced = service.set_hours(
                session, place_id=place_id, hours=week(opens=time(8)), from_day=TODAY + timedelta(days=1)
            )
        assert [booking.id for booking in displaced] == [early.id]
        with database.reading() as session:
            slots = {slot.starts_at: slot for slot in queries.slots_on(session, place_id, TODAY + timedelta(days=1))}
            assert (slots[at(7, days=1)].booked, slots[at(7, days=1)].free) == (1, 0)
            assert [b.id for b in queries.bookings_of(session, early.holder_id, now)] == [early.id]
            assert [b.id for b in queries.bookings_of(session, kept.holder_id, now)] == [kept.id]
            assert [b.id for b in queries.bookings_of(session, before.holder_id, now)] == [before.id]
            assert queries.discrepancies(session) == []

    def test_a_capacity_cut_below_the_bookings_keeps_them_and_takes_no_more(self, database, place_id, at, now):
        booked = [book(database, place_id, at(9), now) for _ in range(2)]
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=week(capacity=1), from_day=TODAY)
        with database.reading() as session:
            slot = next(slot for slot in queries.slots_on(session, place_id, TODAY) if slot.starts_at == at(9))
            assert (slot.capacity, slot.booked, slot.free) == (1, 2, 0)
        with pytest.raises(NotBooked) as refused:
            book(database, place_id, at(9), now)
        assert refused.value.code == "slot-full"
        with database.writing() as session:
            service.drop(session, booking_id=booked[0].id, now=now)
        with pytest.raises(NotBooked):
            book(database, place_id, at(9), now)
        with database.writing() as session:
            service.drop(session, booking_id=booked[1].id, now=now)
        book(database, place_id, at(9), now)
        with database.reading() as session:
            assert queries.discrepancies(session) == []

    def test_a_capacity_that_grows_counts_for_slots_that_were_full(self, database, place_id, at, now):
        for _ in range(2):
            book(database, place_id, at(9), now)
        with database.writing() as session:
            service.set_hours(session, place_id=place_id, hours=week(capacity=3), from_day=TODAY)
        book(database, place_id, at(9), now)
        with pytest.raises(NotBooked):
            book(database, place_id, at(9), now)


class TestClosures:
    def test_a_closure_names_the_bookings_concerned_and_takes_no_new_ones(self, database, place_id, at, now):
        concerned = [book(database, place_id, at(9, days=days), now) for days in (1, 2)]
        book(database, place_id, at(9), now)
        book(database, place_id, at(9, days=3), now)
        with database.writing() as session:
            named = service.close(
                session,
                place_id=place_id,
                first_day=TODAY + timedelta(days=1),
                last_day=TODAY + timedelta(days=2),
                reason="Deepavali",
            )
        assert [booking.id for booking in named] == [booking.id for booking in concerned]
        with pytest.raises(NotBooked) as refused:
            book(database, place_id, at(9, days=2), now)
        assert refused.value.code == "closed"
        assert refused.value.alternatives == tuple(at(7, minute, days=3) for minute in (0, 15, 30))

    def test_a_booking_on_a_closed_day_can_be_moved_away(self, database, place_id, at, now):
        booking = book(database, place_id, at(9, days=1), now)
        with database.writing() as session:
            day = TODAY + timedelta(days=1)
            service.close(session, place_id=place_id, first_day=day, last_day=day, reason="flood")
        with database.writing() as session:
            moved = service.move(session, booking_id=booking.id, starts_at=at(9, days=2), now=now)
        assert moved.starts_at == at(9, days=2)

    def test_closed_days_and_why(self, database, place_id):
        day = TODAY + timedelta(days=1)
        with database.writing() as session:
            service.close(session, place_id=place_id, first_day=day, last_day=day, reason="flood")
        with database.reading() as session:
            assert queries.closed_days(session, place_id, TODAY, SUNDAY) == [day, SUNDAY]
            assert not queries.is_open(session, place_id, day)
            shut = queries.closure_on(session, place_id, day)
            assert shut is not None
            assert shut.reason == "flood"
            assert queries.closure_on(session, place_id, SUNDAY) is None, "a weekly rest is not a closure"

    @pytest.mark.parametrize(("days", "reason"), [(-1, "flood"), (0, "  ")])
    def test_one_that_cannot_be_is_refused(self, database, place_id, days, reason):
        with database.writing() as session, pytest.raises(BadHours) as refused:
            service.close(
                session,
                place_id=place_id,
                first_day=TODAY,
                last_day=TODAY + timedelta(days=days),
                reason=reason,
            )
        assert refused.value.code == "bad-closure"


def test_a_place_without_hours_has_closures_but_no_days_of_rest(database):
    place, christmas = uuid4(), date(2026, 12, 25)
    with database.writing() as session:
        service.add_place(session, place_id=place, zone="Asia/Kuala_Lumpur")
        service.close(session, place_id=place, first_day=christmas, last_day=christmas, reason="holiday")
        assert queries.closed_days(session, place, date(2026, 12, 20), date(2026, 12, 31)) == [christmas]
