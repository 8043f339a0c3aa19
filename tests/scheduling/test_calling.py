"""Who is called when, by a rule that the place sets: nobody starves, nobody is lost, and nobody is called by two."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from scheduling import calling, queries, service, waiting
from scheduling.models import Visit
from scheduling.queue_rules import (
    Group,
    Pace,
    QueueRules,
    Service,
    Stamps,
    pace_of,
    waits_of,
)
from scheduling.rules import BadHours, NotBooked, NotFound
from tests.scheduling.conftest import TODAY


@pytest.fixture
def arrives(database, place_id):
    def check_in(moment, holder_id=None, group=""):
        with database.writing() as session:
            visit = service.check_in(session, place_id=place_id, holder_id=holder_id or uuid4(), now=moment)
            return calling.give_group(session, visit_id=visit.id, word=group) if group else visit

    return check_in


@pytest.fixture
def booked(database, place_id, now):
    def book(starts_at):
        holder_id = uuid4()
        with database.writing() as session:
            service.book(session, place_id=place_id, holder_id=holder_id, starts_at=starts_at, now=now, channel="text")
        return holder_id

    return book


@pytest.fixture
def rules(database, place_id):
    def keep(**figures):
        with database.writing() as session:
            calling.set_queue_rules(session, place_id=place_id, rules=QueueRules(**figures))

    return keep


def next_at(database, place_id, moment, window=1):
    with database.writing() as session:
        visit = calling.call_next(session, place_id=place_id, window=window, now=moment)
    return visit.ticket if visit else None


def skipped(database, visit_id, moment):
    with database.writing() as session:
        return calling.skip(session, visit_id=visit_id, now=moment)


class TestFairness:
    def test_without_a_booking_one_waits_for_the_booked_no_longer_than_the_place_says(
        self, database, place_id, arrives, booked, rules, at
    ):
        rules(walk_in_minutes=20)
        holders = [booked(at(7, minute)) for minute in (15, 30)]
        walk_in = arrives(at(7, 5)).ticket
        tickets = [arrives(at(7, 10), holder).ticket for holder in holders]
        assert [next_at(database, place_id, at(7, 31)) for _ in range(3)] == [tickets[0], walk_in, tickets[1]]

    def test_a_booking_that_has_not_begun_passes_nobody(self, database, place_id, arrives, booked, at):
        holder = booked(at(7, 30))
        walk_in = arrives(at(7, 5)).ticket
        early = arrives(at(7, 10), holder).ticket
        assert [next_at(database, place_id, at(7, 12)) for _ in range(2)] == [walk_in, early]

    def test_a_group_comes_sooner_by_its_minutes_and_never_before_everybody(
        self, database, place_id, arrives, rules, at
    ):
        rules(walk_in_minutes=0, groups=(Group("with a child", 15),))
        long_ago, lately = arrives(at(7)).ticket, arrives(at(7, 20)).ticket
        with_child = arrives(at(7, 25), group="with a child").ticket
        assert [next_at(database, place_id, at(7, 40)) for _ in range(3)] == [long_ago, with_child, lately]

    def test_a_word_that_is_not_on_the_list_is_kept_and_moves_nobody(self, database, place_id, arrives, at):
        first, second = arrives(at(7)), arrives(at(7, 1), group="late bus")
        assert (second.group_word, second.priority) == ("late bus", 0)
        assert [next_at(database, place_id, at(7, 2)) for _ in range(2)] == [first.ticket, second.ticket]

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        comes=st.lists(
            st.tuples(st.integers(0, 110), st.sampled_from([None, 15, 30, 60]), st.sampled_from([0, 20, 60])),
            min_size=1,
            max_size=9,
        ),
        walk_in=st.sampled_from([0, 15, 30, 120]),
    )
    def test_nobody_whose_turn_has_come_is_passed_by_a_later_one(
        self, database, place_id, at, rules, now, comes, walk_in
    ):
        groups = (Group("a", 20), Group("b", 60))
        rules(walk_in_minutes=walk_in, groups=groups)
        turn = {}
        with database.writing() as session:
            for table in ("visit", "booking", "slot"):
                session.execute(text(f"DELETE FROM {table}"))
            for minute, slot, sooner in sorted(comes, key=lambda one: one[0]):
                moment, holder = at(7) + timedelta(minutes=minute), uuid4()
                turn_of = moment + timedelta(minutes=walk_in)
                if slot is not None:
                    begins = at(7) + timedelta(minutes=slot)
                    with suppress(NotBooked):
                        service.book(
                            session, place_id=place_id, holder_id=holder, starts_at=begins, now=now, channel="text"
                        )
                        turn_of = min(turn_of, begins)
                visit = service.check_in(session, place_id=place_id, holder_id=holder, now=moment)
                calling.give_group(session, visit_id=visit.id, word={0: "", 20: "a", 60: "b"}[sooner])
                turn[visit.id] = turn_of - timedelta(minutes=sooner)
            called = []
            while visit := calling.call_next(session, place_id=place_id, window=1, now=at(12)):
                called.append(turn[visit.id])
        assert called == sorted(called)
        assert len(called) == len(comes)


class TestCallingAgain:
    def test_each_call_is_counted_and_the_first_ones_time_stays(self, database, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 1))
            again = calling.call(session, visit_id=visit.id, window=1, now=at(7, 3))
        assert (again.calls, again.called_at, again.last_called_at) == (2, at(7, 1), at(7, 3))

    def test_who_is_not_there_goes_back_and_is_called_when_the_minutes_are_over(self, database, place_id, arrives, at):
        away, other, third = (arrives(at(7, minute)) for minute in (0, 1, 2))
        assert next_at(database, place_id, at(7, 5)) == away.ticket
        assert skipped(database, away.id, at(7, 6)).skips == 1
        assert next_at(database, place_id, at(7, 7)) == other.ticket
        assert next_at(database, place_id, at(7, 11)) == away.ticket, "in their old turn, before the third"
        assert next_at(database, place_id, at(7, 11)) == third.ticket

    def test_who_is_not_there_is_called_at_once_when_nobody_else_waits(self, database, place_id, arrives, at):
        away = arrives(at(7))
        next_at(database, place_id, at(7, 1))
        skipped(database, away.id, at(7, 2))
        assert next_at(database, place_id, at(7, 2)) == away.ticket

    def test_twice_pressed_is_skipped_once(self, database, place_id, arrives, at):
        away = arrives(at(7))
        next_at(database, place_id, at(7, 1))
        assert skipped(database, away.id, at(7, 2)).skips == 1
        assert skipped(database, away.id, at(7, 2)).skips == 1

    def test_after_the_third_time_they_are_set_aside_until_somebody_was_asked(self, database, place_id, arrives, at):
        away = arrives(at(7))
        for minute in (1, 2, 3):
            assert next_at(database, place_id, at(7, minute)) == away.ticket
            gone = skipped(database, away.id, at(7, minute))
        assert (gone.skips, gone.aside_at) == (3, at(7, 3))
        assert next_at(database, place_id, at(8)) is None
        with database.reading() as session:
            assert [visit.id for visit in waiting.queue(session, place_id, TODAY, at(8))] == [away.id]
        with database.writing() as session:
            calling.put_back(session, visit_id=away.id)
        assert next_at(database, place_id, at(8)) == away.ticket

    def test_who_is_served_is_not_skipped_and_who_was_aside_and_comes_to_the_window_is_served(
        self, database, place_id, arrives, rules, at
    ):
        rules(most_skips=1)
        visit = arrives(at(7))
        next_at(database, place_id, at(7, 1))
        assert skipped(database, visit.id, at(7, 2)).aside_at is not None
        with database.writing() as session:
            served = service.start(session, visit_id=visit.id, now=at(7, 3), window=2)
        assert (served.aside_at, served.at_window, served.started_at) == (None, 2, at(7, 3))
        assert skipped(database, visit.id, at(7, 4)).skips == 1

    def test_who_leaves_has_left_once_and_is_called_no_more(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            gone = calling.leave(session, visit_id=visit.id, now=at(7, 5))
            assert calling.leave(session, visit_id=visit.id, now=at(7, 9)).ended_at == at(7, 5)
        assert gone.left_unserved
        assert next_at(database, place_id, at(7, 10)) is None

    def test_served_without_a_stamp_of_the_start_it_began_with_the_last_call(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        next_at(database, place_id, at(7, 4))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 6))
            service.finish_for(session, place_id=place_id, holder_id=visit.holder_id, now=at(7, 9))
        with database.reading() as session:
            kept = session.get_one(Visit, visit.id)
            assert (kept.started_at, kept.ended_at) == (at(7, 6), at(7, 9))
            assert waiting.waits_on(session, place_id, TODAY).median == timedelta(minutes=6)

    def test_an_unknown_visit_is_not_found(self, database, at):
        with database.writing() as session:
            for attempt in (
                lambda: calling.skip(session, visit_id=uuid4(), now=at(7)),
                lambda: calling.put_back(session, visit_id=uuid4()),
                lambda: calling.leave(session, visit_id=uuid4(), now=at(7)),
                lambda: calling.give_group(session, visit_id=uuid4(), word="x"),
            ):
                with pytest.raises(NotFound):
                    attempt()

    @pytest.mark.parametrize(
        "change",
        ["calls = 0", "skips = 0", "calls = calls + 2", "last_called_at = last_called_at + interval '1 minute'",
         "skips = 9", "left_unserved = true", "aside_at = now()", "priority = 9999"],
    )  # fmt: skip
    def test_the_table_refuses_what_no_window_did(self, database, arrives, at, change):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 1))
            calling.skip(session, visit_id=visit.id, now=at(7, 1))
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 2))
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(f"UPDATE visit SET {change}"))

    @pytest.mark.parametrize("change", ["at_window = 2", "calls = calls + 1, last_called_at = now()", "skips = 1"])
    def test_the_table_refuses_to_call_who_is_being_served(self, database, arrives, at, change):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.call(session, visit_id=visit.id, window=1, now=at(7, 1))
            service.start(session, visit_id=visit.id, now=at(7, 2))
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(text(f"UPDATE visit SET {change}"))


class TestFigures:
    def test_a_place_that_has_set_none_has_the_houses_and_keeps_what_it_sets(self, database, place_id, rules):
        with database.reading() as session:
            assert waiting.queue_rules(session, place_id) == QueueRules()
        wanted = QueueRules(45, 3, 2, 4, (Group("work shift", 30),), ("", "Garden side"))
        rules(**vars(wanted))
        with database.reading() as session:
            assert waiting.queue_rules(session, place_id) == wanted
            assert waiting.windows_of(session, place_id, TODAY) == 2

    @pytest.mark.parametrize(
        "figures",
        [
            {"walk_in_minutes": 241},
            {"back_minutes": -1},
            {"most_skips": 0},
            {"missed_in_a_row": 0},
            {"groups": (Group("", 5),)},
            {"groups": (Group("a", 5), Group("a", 6))},
            {"groups": (Group("a", 500),)},
            {"windows": ("x" * 40,)},
        ],
        ids=lambda figures: "-".join(figures),
    )
    def test_what_cannot_be_is_refused(self, database, place_id, figures):
        with pytest.raises(BadHours), database.writing() as session:
            calling.set_queue_rules(session, place_id=place_id, rules=QueueRules(**figures))


def served(at, window, arrived, began, ended=None):
    def moment(minute):
        return None if minute is None else at(8) + timedelta(minutes=minute)

    return Service(window, moment(arrived), moment(began), moment(ended))


class TestHowLongNow:
    def test_it_is_not_known_before_five_were_served_nor_when_no_window_works(self, at):
        few = [served(at, 1, 0, 2 * n, 2 * n + 2) for n in range(4)]
        assert pace_of(few, at(8, 9)).minutes(0) is None
        five = [*few, served(at, 1, 0, 8, 10)]
        assert pace_of(five, at(8, 11)).minutes(0) == 0
        assert pace_of(five, at(9, 30)).minutes(0) is None

    def test_it_is_the_people_before_them_by_the_windows_that_work(self, at):
        by_two = [served(at, 1 + n % 2, 0, 2 * (n // 2), 2 * (n // 2) + 2) for n in range(10)]
        busy = [*by_two, served(at, 1, 9, 10), served(at, 2, 9, 10)]
        pace = pace_of(busy, at(8, 11))
        assert (pace.windows, pace.busy, pace.mean) == (2, 2, timedelta(minutes=2))
        assert [pace.minutes(ahead) for ahead in (0, 3, 8, 12)] == [1, 4, 9, 15]

    def test_what_passes_between_two_people_counts_while_somebody_waits_and_not_when_nobody_does(self, at):
        waited = [served(at, 1, 0, 3 * n, 3 * n + 2) for n in range(6)]
        assert pace_of(waited, at(8, 20)).mean == (5 * timedelta(minutes=3) + timedelta(minutes=2)) / 6
        empty = [served(at, 1, 3 * n, 3 * n, 3 * n + 2) for n in range(6)]
        assert pace_of(empty, at(8, 20)).mean == timedelta(minutes=2)

    def test_a_window_left_open_for_an_hour_says_nothing(self, at):
        left_open = [served(at, 1, 0, 0, 60), *(served(at, 1, 0, 60 + 2 * n, 62 + 2 * n) for n in range(5))]
        assert pace_of(left_open, at(9, 12)).mean == timedelta(minutes=2)

    @given(st.integers(0, 50), st.integers(1, 8), st.integers(0, 8), st.integers(1, 1200))
    def test_more_people_before_them_never_make_it_shorter(self, ahead, windows, busy, seconds):
        pace = Pace(9, timedelta(seconds=seconds), windows, min(busy, windows))
        assert pace.minutes(ahead) <= pace.minutes(ahead + 1)

    def test_it_is_read_of_the_day_and_of_who_stands_before_them(self, database, place_id, arrives, at):
        for n in range(6):
            visit = arrives(at(7))
            with database.writing() as session:
                calling.call(session, visit_id=visit.id, window=1, now=at(7, 2 * n))
                service.finish(session, visit_id=visit.id, now=at(7, 2 * n + 2))
        at_the_window, first, second = (arrives(at(7, minute)) for minute in (1, 2, 3))
        with database.writing() as session:
            calling.call(session, visit_id=at_the_window.id, window=1, now=at(7, 12))
        with database.reading() as session:
            assert waiting.minutes_now(session, place_id, at(7, 13)) == 6
            assert waiting.minutes_now(session, place_id, at(7, 13), first.holder_id) == 2
            assert waiting.minutes_now(session, place_id, at(7, 13), second.holder_id) == 4
            assert waiting.minutes_now(session, place_id, at(7, 0, days=1)) is None


class TestMeasures:
    def test_the_second_begins_when_they_could_have_been_served(self, at):
        opens = [at(7)]
        visits = [
            Stamps(at(6, 40), None, at(7, 5), at(7, 7), False),  # before the doors opened
            Stamps(at(7, 10), at(7, 30), at(7, 40), at(7, 42), False),  # before their slot
            Stamps(at(7, 50), at(7, 30), at(8, 30), at(8, 32), False),  # after it
            Stamps(at(8), at(8, 30), at(8, 5), at(8, 6), False),  # served before it
            Stamps(at(8), None, None, at(8, 6), False),
            Stamps(at(8), None, at(7, 59), at(8, 6), False),
            Stamps(at(8), None, None, at(8, 6), True),
            Stamps(at(8), None, None, None, False),
        ]
        waits = waits_of(visits, opens)
        assert (waits.n, waits.missing, waits.negative, waits.left, waits.unserved) == (4, 1, 1, 1, 1)
        assert (waits.arrival.median, waits.due.median) == (timedelta(minutes=27.5), timedelta(minutes=7.5))
        # By hand: 5, 25, 30 and 40 minutes since they came; 0, 5, 10 and 40 since they could have been served.
        assert waits.arrival.p95 == timedelta(minutes=30 + 0.85 * 10)
        assert waits.due.p95 == timedelta(minutes=10 + 0.85 * 30)
        assert (waits.arrival.over_15, waits.arrival.over_30) == (0.75, 0.25)
        assert (waits.due.over_15, waits.due.over_30) == (0.25, 0.25)

    def test_those_of_a_day_say_who_left(self, database, place_id, arrives, at):
        visit = arrives(at(7))
        with database.writing() as session:
            calling.leave(session, visit_id=visit.id, now=at(7, 40))
        with database.reading() as session:
            waits = waiting.waits_on(session, place_id, TODAY)
        assert (waits.n, waits.left, waits.unserved) == (0, 1, 0)
        assert (waits.median, waits.due.over_30) == (None, None)


class TestMissedInARow:
    def test_counts_back_to_the_last_one_that_somebody_came_to(self, database, place_id, at, now):
        holder, never = uuid4(), uuid4()
        for day in range(4):
            with database.writing() as session:
                for who in (holder, never):
                    service.book(
                        session, place_id=place_id, holder_id=who, starts_at=at(8, days=day), now=now, channel="text"
                    )
                if day == 1:
                    service.check_in(session, place_id=place_id, holder_id=holder, now=at(8, days=day))
            with database.writing() as session:
                service.mark_missed(session, place_id=place_id, day=TODAY + timedelta(days=day))
        with database.reading() as session:
            assert waiting.missed_in_a_row(session, place_id, [holder, never, uuid4()]) == {holder: 2, never: 4}


def test_6_windows_that_call_skip_and_serve_at_once_serve_everybody_once_and_lose_nobody(
    crowd, place_id, now, at_once, rules, at
):
    rules(most_skips=2, back_minutes=0)
    with crowd.writing() as session:
        for number in range(36):
            service.check_in(session, place_id=place_id, holder_id=uuid4(), now=now + timedelta(seconds=number))

    def work(window):
        served = []
        for turn in range(60):
            moment = at(8) + timedelta(seconds=turn)
            with crowd.writing() as session:
                visit = calling.call_next(session, place_id=place_id, window=window, now=moment)
            if visit is None:
                return served
            with crowd.writing() as session:
                if (turn + window) % 3 == 0:
                    calling.skip(session, visit_id=visit.id, now=moment)
                    continue
                service.start(session, visit_id=visit.id, now=moment)
            with crowd.writing() as session:
                service.finish(session, visit_id=visit.id, now=moment)
            served.append(visit.ticket)
        return served

    served = [ticket for tickets in at_once(work, range(1, 7)) for ticket in tickets]
    assert len(served) == len(set(served))
    with crowd.reading() as session:
        left = session.scalars(select(Visit).where(Visit.ended_at.is_(None))).all()
        assert {*served, *(visit.ticket for visit in left)} == set(range(1, 37))
        assert all(visit.aside_at is not None or waiting.waits(visit) for visit in left)
        assert queries.discrepancies(session) == []
