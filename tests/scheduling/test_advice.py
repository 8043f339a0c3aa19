"""How many a slot should take: the worked figures, what the stamps say, and silence where they say too little."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from math import sqrt
from random import Random
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling import service
from scheduling.advice import (
    ENOUGH,
    Basis,
    Ended,
    Past,
    Service,
    SlotOfWeek,
    Stamps,
    absence,
    advise,
    duration,
    most,
    percentile,
    services,
)
from scheduling.queries import timetable
from scheduling.stamps import past_of, plan_and_day, slots_of, week_on
from tests.scheduling.conftest import TODAY

SEVEN = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
SLOT = SlotOfWeek(1, time(7), time(7, 15), 15, 2, 16)


class TestTheFormula:
    @pytest.mark.parametrize(
        ("windows", "mean", "k"), [(2, 1.5, 18), (2, 1.0, 28), (1, 1.5, 8)], ids=["two-1.5", "two-1.0", "one-1.5"]
    )
    def test_the_worked_figures(self, windows, mean, k):
        assert most(15, windows, mean, 0.4 * mean, 0.1) == k

    def test_the_mean_alone_would_say_twenty_two(self):
        assert int(2 * 15 / (0.9 * 1.5)) == 22 > most(15, 2, 1.5, 0.6, 0.1)

    @given(st.floats(1, 480), st.integers(1, 20), st.floats(0.05, 60), st.floats(0, 2), st.floats(0, 0.95))
    def test_it_is_the_largest_number_that_fits(self, minutes, windows, mean, cv, absent):
        sd = cv * mean
        k = most(minutes, windows, mean, sd, absent)

        def needs(people):
            return people * (1 - absent) * mean + 1.645 * sqrt(
                people * ((1 - absent) * sd**2 + absent * (1 - absent) * mean**2)
            )

        assert needs(k) <= windows * minutes * (1 + 1e-9)
        assert needs(k + 1) > windows * minutes * (1 - 1e-9)

    @pytest.mark.parametrize("wrong", [{"minutes": 0}, {"windows": 0}, {"mean": 0}, {"sd": -1}, {"absent": 1}], ids=str)
    def test_figures_that_cannot_be_are_refused(self, wrong):
        with pytest.raises(ValueError, match="a slot has minutes"):
            most(**{"minutes": 15, "windows": 2, "mean": 1.5, "sd": 0.6, "absent": 0.1} | wrong)


def visit(arrived: float, started: float | None, ended: float | None) -> Stamps:
    def moment(minutes):
        return None if minutes is None else SEVEN + timedelta(minutes=minutes)

    return Stamps(moment(arrived), moment(started), moment(ended))


class TestWhichServicesCount:
    def test_only_while_somebody_waits(self):
        day = [visit(0, 0, 2), visit(1, 2, 4), visit(3, 4, 7), visit(5, 7, 9), visit(30, 30, 35)]

        assert [round(each.minutes) for each in services(day)] == []

        crowd = [visit(0, 0, 2), visit(0, 2, 5), visit(0, 5, 9)]
        assert [round(each.minutes) for each in services(crowd)] == [2, 3]

    def test_a_visit_without_both_stamps_is_no_service_and_who_left_waits_for_nobody(self):
        left_unseen, no_start = visit(0, None, None), visit(0, None, 1)

        assert services([left_unseen, visit(1, 1, 3)]) == []
        assert services([no_start, visit(1, 1, 3)]) == []
        assert services([visit(0, 2, 2), visit(0, 3, 3.5)]) == []

    def test_forgotten_stamps_are_trimmed_and_counted(self):
        chance = Random(5)
        honest = [chance.lognormvariate(0.3, 0.4) for _ in range(400)]
        found = duration([*honest, 480.0, 240.0, 0.01])
        assert (found.n, found.left_out) == (400, 3)
        assert found.upper == pytest.approx(found.mean + 1.645 * found.sd / 20)

    def test_services_that_are_all_alike_lose_none(self):
        found = duration([1.0] * 150 + [1.5, 2.0])

        assert (found.n, found.left_out) == (152, 0)

    @pytest.mark.parametrize("n", [0, 1, ENOUGH - 1])
    def test_fewer_than_a_hundred_say_nothing(self, n):
        assert duration([1.0] * n) is None
        assert absence(n, 0) is None


class TestAdvice:
    def test_too_few_services_leave_the_capacity_of_the_hours(self):
        few = Past([Service(1, time(7, 5), 1.5)] * (ENOUGH - 1), [Ended(1, time(7), 500, 100)])
        (found,) = advise([SLOT], few).values()

        assert (found.k, found.advised, found.n, found.duration_of) == (SLOT.capacity, False, ENOUGH - 1, Basis.NONE)

    def test_each_slot_stands_on_its_own_stamps_where_there_are_enough(self):
        quick = [Service(1, time(7, 5), 1.0)] * 150
        slow = [Service(1, time(7, 20), 3.0)] * 150
        next_slot = SlotOfWeek(1, time(7, 15), time(7, 30), 15, 2, 16)
        friday = SlotOfWeek(4, time(7), time(7, 15), 15, 2, 16)
        found = advise([SLOT, next_slot, friday], Past(quick + slow))

        assert [found[each].duration_of for each in (SLOT, next_slot, friday)] == [Basis.SLOT, Basis.SLOT, Basis.PLACE]
        assert found[SLOT].k == 30
        assert found[next_slot].k == 10
        assert 10 < found[friday].k < 20

    def test_a_weekday_stands_in_for_its_slots(self):
        (found,) = advise([SLOT], Past([Service(1, time(9), 1.0)] * 100)).values()

        assert (found.duration_of, found.n) == (Basis.WEEKDAY, 100)

    def test_an_absence_counts_with_the_lower_end_of_what_is_known(self):
        always = [Service(1, time(7, 5), 1.5)] * 200
        few, many = (advise([SLOT], Past(always, [Ended(1, time(7), 9 * n, n)]))[SLOT] for n in (10, 1000))

        assert few.absence.share == many.absence.share == 0.1
        assert few.absence.low < many.absence.low < 0.1 < many.absence.high < few.absence.high
        assert few.k <= many.k == most(15, 2, 1.5, 0, many.absence.low)
        assert advise([SLOT], Past(always, [Ended(1, time(7), 50, 40)]))[SLOT].absence is None

    def test_even_the_slowest_slot_takes_one(self):
        assert advise([SLOT], Past([Service(1, time(7, 5), 90.0)] * 100))[SLOT].k == 1

    def test_a_percentile_lies_between_neighbours(self):
        assert percentile([1.0, 2.0, 3.0], 50) == 2.0
        assert percentile([4.0], 95) == 4.0
        assert percentile([0.0, 10.0], 95) == pytest.approx(9.5)


class TestReadFromTheStamps:
    @pytest.fixture
    def crowded(self, database, place_id, at):
        """Two Tuesdays: sixty people come at seven and are served one after another, each in a minute and a half."""
        with database.writing() as session:
            for weeks in (1, 2):
                for number in range(60):
                    visit = service.check_in(session, place_id=place_id, holder_id=uuid4(), now=at(7, days=-7 * weeks))
                    begins = at(7, days=-7 * weeks) + timedelta(minutes=1.5 * number)
                    service.start(session, visit_id=visit.id, now=begins)
                    service.finish(session, visit_id=visit.id, now=begins + timedelta(minutes=1.5))

    def test_on_the_clock_of_the_place(self, database, place_id, crowded):
        with database.reading() as session:
            past = past_of(session, place_id, TODAY)

        assert len(past.services) == 118
        assert {each.weekday for each in past.services} == {TODAY.weekday()}
        assert min(each.begun for each in past.services) == time(7)
        assert {round(each.minutes, 2) for each in past.services} == {1.5}

    def test_today_does_not_count_yet_and_long_ago_no_more(self, database, place_id, crowded):
        with database.reading() as session:
            assert len(past_of(session, place_id, TODAY - timedelta(days=7)).services) == 59
            assert past_of(session, place_id, TODAY + timedelta(days=300)) == Past([], [])

    def test_absences_are_those_of_the_closed_days(self, database, place_id, at, now):
        with database.writing() as session:
            for holder in range(3):
                service.book(
                    session, place_id=place_id, holder_id=uuid4(), starts_at=at(7, 15 * holder), now=now, channel="desk"
                )
            first = uuid4()
            service.book(session, place_id=place_id, holder_id=first, starts_at=at(9), now=now, channel="desk")
            service.check_in(session, place_id=place_id, holder_id=first, now=at(9))
            service.mark_missed(session, place_id=place_id, day=TODAY)
        with database.reading() as session:
            past = past_of(session, place_id, TODAY + timedelta(days=1))

        assert [(each.starts.hour, each.came, each.missed) for each in past.bookings] == [
            (7, 0, 1),
            (7, 0, 1),
            (7, 0, 1),
            (9, 1, 0),
        ]

    def test_the_slots_are_those_of_the_hours_in_force(self, database, place_id):
        with database.reading() as session:
            known = timetable(session, place_id, TODAY, TODAY)
        week = week_on(known, TODAY)
        slots = slots_of(week[0])

        assert [hours.weekday for hours in week] == [0, 1, 2, 3, 4, 5]
        assert (len(slots), slots[0].starts, slots[-1].ends) == (12, time(7), time(10))


class TestPlanAndDay:
    def test_each_slot_says_who_was_booked_came_and_waited(self, database, place_id, at, now):
        with database.writing() as session:
            booked = [uuid4(), uuid4(), uuid4()]
            for holder, start in zip(booked, (at(7), at(7), at(7, 15)), strict=True):
                service.book(session, place_id=place_id, holder_id=holder, starts_at=start, now=now, channel="desk")
            for holder, came, began in [
                (booked[0], at(6, 55), at(7)),
                (booked[1], at(7, 20), at(7, 21)),
                (uuid4(), at(7, 16), at(7, 18)),
                (uuid4(), at(5), at(7)),
                (uuid4(), at(11), None),
            ]:
                visit = service.check_in(session, place_id=place_id, holder_id=holder, now=came)
                if began:
                    service.start(session, visit_id=visit.id, now=began)
        with database.reading() as session:
            first, second, *_, last = plan_and_day(session, place_id, TODAY)

        assert (first.capacity, first.booked, first.arrived, first.walk_ins) == (2, 2, 2, 1)
        assert (first.median, sorted(first.waits)) == (5, [1, 5, 120])
        assert (second.booked, second.arrived, second.walk_ins, second.median) == (1, 0, 1, 2)
        assert (last.walk_ins, last.median, last.p95) == (1, None, None)

    def test_a_day_without_hours_has_no_slots(self, database, place_id):
        with database.reading() as session:
            assert plan_and_day(session, place_id, TODAY + timedelta(days=5)) == []
