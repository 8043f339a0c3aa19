"""What runs by itself: once, under one leader, and what was left open is closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import notifications.service
import scheduling.service
from dispensary.database import Database, WriteSession
from dispensary.jobs import (
    Leadership,
    close_left_open,
    gateway_from,
    queue_reminders,
    run_once,
    send_texts,
    start_jobs,
)
from dispensary.monitoring.judging import judge_health
from dispensary.units import ClientId
from notifications.gateways.console import ConsoleGateway
from tests.builders import Clinic, clinic
from tests.dispensary.phones import week
from tests.dispensary.visiting import MovableClock, demo_settings, production_settings


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    place = clinic(database, now)
    with database.writing() as session:
        scheduling.service.set_hours(session, place_id=place.site_id, hours=week(), from_day=place.today)
    return place


@pytest.fixture
def other(database: Database) -> Iterator[Database]:
    """The same database, as another program sees it."""
    other = Database(database.url, database.vault, pool_size=3)
    yield other
    other.close()


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql))]


def test_one_program_leads_and_another_takes_over_when_it_is_gone(database: Database, other: Database) -> None:
    first, second = Leadership(database), Leadership(other)
    assert first.held()
    assert first.held(), "asking again does not lose it"
    assert not second.held()
    first.give_up()
    assert second.held()


def test_a_leader_whose_connection_breaks_leads_no_more(database: Database, other: Database) -> None:
    first, second = Leadership(database), Leadership(other)
    assert first.held()
    with other.engine.connect() as connection:
        connection.execute(
            text("""SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
                    WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
                      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())""")
        )
    assert second.held(), "the lock went with the connection"
    assert not first.held(), "and the first one notices"


def booked(place: Clinic, client: ClientId, starts_at: datetime, made_at: datetime) -> None:
    with place.database.writing() as session:
        notifications.service.set_contact(
            session,
            vault=session.vault,
            recipient_id=client,
            phone="+60123456789",
            language="en",
            region="MY",
            now=made_at,
        )
        scheduling.service.book(
            session, place_id=place.site_id, holder_id=client, starts_at=starts_at, now=made_at, channel="text"
        )


class TestReminders:
    MADE = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)  # Tuesday 07:00 in Kuala Lumpur
    START = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)  # Thursday 07:00

    def test_one_goes_out_the_evening_before_and_never_again(self, place: Clinic) -> None:
        booked(place, place.client(), self.START, self.MADE)
        too_early = datetime(2026, 11, 25, 9, 59, tzinfo=UTC)
        evening = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)  # Wednesday 18:00
        assert queue_reminders(place.database, lambda: too_early) == 0
        assert queue_reminders(place.database, lambda: evening) == 1
        assert queue_reminders(place.database, lambda: evening + timedelta(minutes=1)) == 0
        assert send_texts(place.database, ConsoleGateway(), lambda: evening) == 1
        assert rows(place.database, "SELECT kind, state, valid_until FROM message") == [
            ("booking_reminder", "sent", self.START)
        ]

    def test_it_asks_for_ten_more_minutes_where_a_test_is_due_and_does_not_say_why(self, place: Clinic) -> None:
        client = place.client()
        booked(place, client, self.START, self.MADE)
        with place.database.writing() as session:  # nobody has taken an ECG of them
            judge_health(session, site_id=place.site_id, on=place.today, at=place.now)
        assert queue_reminders(place.database, lambda: datetime(2026, 11, 25, 10, 0, tzinfo=UTC)) == 1
        assert rows(place.database, "SELECT kind FROM message") == [("booking_reminder_longer",)]

    def test_none_for_a_booking_that_was_made_after_that_evening(self, place: Clinic) -> None:
        late = datetime(2026, 11, 25, 13, 0, tzinfo=UTC)
        booked(place, place.client(), self.START, late)
        assert queue_reminders(place.database, lambda: late + timedelta(hours=1)) == 0


def test_the_night_closes_a_day_that_the_counter_left_open_once(place: Clinic) -> None:
    missed, dosed = place.client(), place.client()
    place.give(dosed)
    night = MovableClock(datetime(2026, 11, 24, 17, 0, tzinfo=UTC))  # Wednesday 01:00: too early after midnight
    assert close_left_open(place.database, night) == 0
    night.goes_on(hours=2)
    assert close_left_open(place.database, night) == 1
    assert close_left_open(place.database, night) == 0
    assert missed
    outcomes = rows(place.database, "SELECT outcome FROM day_outcome ORDER BY outcome")
    assert outcomes == [("missed",), ("observed",)]
    assert rows(place.database, "SELECT counted, closed_by FROM day_close") == [(False, None)]


def test_a_failed_run_keeps_nothing_but_its_failure_and_is_repeated_after_an_hour(place: Clinic) -> None:
    clock = MovableClock(place.now)
    fails = True

    def work(session: WriteSession) -> dict[str, object]:
        session.execute(text("UPDATE site SET name = name || '!'"))
        if fails:
            raise RuntimeError("no ink")
        return {"done": True}

    def run() -> bool:
        return run_once(place.database, job="print", slot="today", clock=clock, work=work)

    assert not run()
    assert rows(place.database, "SELECT failure FROM job_run") == [("RuntimeError: no ink",)]
    assert rows(place.database, "SELECT name FROM site") == [("Harapan",)]
    fails = False
    clock.goes_on(minutes=59)
    assert not run()
    clock.goes_on(minutes=2)
    assert run()
    assert not run(), "once for each slot"
    assert rows(place.database, "SELECT failure, result ->> 'done' FROM job_run") == [("", "true")]
    assert rows(place.database, "SELECT name FROM site") == [("Harapan!",)]


def test_a_clinic_without_a_gateway_sends_nothing_and_pretends_nothing(tmp_path: Path) -> None:
    assert gateway_from(production_settings(tmp_path)) is None
    assert isinstance(gateway_from(demo_settings(tmp_path)), ConsoleGateway)


def test_the_clockwork_starts_sends_and_stops(place: Clinic, tmp_path: Path) -> None:
    booked(place, place.client(), TestReminders.START, TestReminders.MADE)
    evening = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
    queue_reminders(place.database, lambda: evening)
    scheduler = start_jobs(place.database, demo_settings(tmp_path), lambda: evening)
    try:
        assert {job.id for job in scheduler.get_jobs()} == {
            "send texts",
            "queue reminders",
            "warn before travel",
            "own texts",
            "close days",
            "assess take-home",
            "downtime packs",
            "anchors",
            "recall at random",
            "count for figures",
            "look at the safe",
            "waiting list",
            "weekly times",
            "forget demands",
            "forget sign-ins",
            "wipe texts",
            "end of keeping",
            "monthly reports",
            "months to come",
            "judge health",
            "pass alerts on",
        }
        for job in scheduler.get_jobs():
            job.func()
    finally:
        scheduler.shutdown(wait=True)
    assert rows(place.database, "SELECT state FROM message") == [("sent",)]
