"""The clock of the server jumps, a day on and an hour back: no dose and no job twice, no sign-in lives longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import scheduling.service
from dispensary.database import Database, WriteSession
from dispensary.jobs import book_weekly, keep_up, start_jobs
from dispensary.leading import Leadership, run_once
from dispensary.nights import anchor_trails, assess_sites, close_left_open, judge_sites, look_at_safes
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.rules import dose_day
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.phones import week
from tests.dispensary.visiting import MovableClock, demo_settings


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def _moves(here: Desks, **units: float) -> None:
    here.clock.goes_on(**units)


def test_a_sign_in_ends_with_a_jump_on_and_is_not_made_longer_by_one_back(here: Desks) -> None:
    visitor = here.doctor
    visitor.comes_back = False
    _moves(here, hours=-1)
    assert visitor.get("/consulting").status_code == 200, "an hour back shuts nobody out"
    _moves(here, hours=1)
    assert visitor.get("/consulting").status_code == 200
    _moves(here, days=1)
    assert visitor.get("/consulting").headers["location"].startswith("/signin")
    _moves(here, days=-1)
    answer = visitor.get("/consulting")
    assert answer.status_code in (200, 303), "its end was never earlier than its twelve hours"


def test_a_dose_day_is_covered_once_whatever_the_clock_says(
    database: Database, now: datetime, record_property: Callable[[str, object], None]
) -> None:
    place: Clinic = clinic(database, now)
    clients = [place.client(mg="80", began=place.today - timedelta(days=3)) for _ in range(5)]
    tries = 0
    for hours in (0, 1, -1, 24, -24, 0, -1, 1):
        place.now = now + timedelta(hours=hours)
        place.today = dose_day("Asia/Kuala_Lumpur", time(0), place.now)
        for number, client in enumerate(clients):
            tries += 1
            try:
                place.give(client, key=f"{number} at {place.today} {tries}")
            except Refused:
                continue
    with database.reading() as session:
        doubled = session.execute(
            text("SELECT client_id, dose_day, portion, count(*) FROM dose GROUP BY 1, 2, 3 HAVING count(*) > 1")
        ).all()
        given = session.scalar(text("SELECT count(*) FROM dose"))
        assert doubled == []
        assert list(audit.broken_links(session, site_id=place.site_id)) == []
    record_property("tries", tries)
    record_property("figure", f"{given} doses of {tries} asked for, none twice, chain whole")


JUMPS = (0, 24, 23, 0, -1, 15, 16, 15, 24, 40, 64)
"""Hours from a Tuesday at 11:00 at the site: a day on and back again, an hour back at night, and then as days go by."""


def test_each_slot_of_the_night_runs_once_and_no_day_stays_open(
    database: Database, now: datetime, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    place, clock = clinic(database, now), MovableClock(now)
    with database.writing() as session:
        scheduling.service.set_hours(session, place_id=place.site_id, hours=week(), from_day=place.today)
    place.client(mg="80", began=place.today)
    at, kept, ran = datetime(2026, 11, 24, 3, 0, tzinfo=UTC), {}, 0
    for hours in JUMPS:
        clock.moment = at + timedelta(hours=hours)
        for job in (close_left_open, assess_sites, look_at_safes, judge_sites):
            ran += job(database, clock)
        ran += book_weekly(database, clock)
        anchor_trails(database, [tmp_path], clock)
        with database.reading() as session:
            rows = session.execute(text("SELECT job, slot, began_at, failure, result::text FROM job_run")).all()
        slots = {(job, slot): told for job, slot, *told in rows}
        assert [told for told in slots.values() if told[1]] == [], "nothing failed"
        assert {name: slots[name] for name in kept} == kept, "what has run is not done again"
        kept = slots
    with database.reading() as session:
        days = list(session.scalars(text("SELECT dose_day FROM day_close ORDER BY dose_day")))
        closed = session.scalars(text("SELECT slot FROM job_run WHERE job = 'close day' ORDER BY slot")).all()
        assert list(audit.broken_links(session, site_id=place.site_id)) == []
    assert days == [date(2026, 11, 24) + timedelta(days=number) for number in range(len(days))]
    assert days[-1] == date(2026, 11, 26)
    assert len(closed) == len(set(closed))
    record_property("tries", len(JUMPS) * 6)
    record_property("figure", f"{len(kept)} slots of jobs, each run once")


def test_a_run_that_failed_by_a_wrong_clock_is_not_left_until_that_clock_comes(database: Database) -> None:
    clock, works = MovableClock(datetime(2026, 11, 25, 3, 0, tzinfo=UTC)), False

    def work(session: WriteSession) -> dict[str, object]:
        if not works:
            raise RuntimeError("no ink")
        return {"done": True}

    def run() -> bool:
        return run_once(database, job="print", slot="today", clock=clock, work=work)

    assert not run()
    works = True
    clock.goes_on(minutes=30)
    assert not run(), "half an hour later it still waits"
    clock.goes_on(days=-1)
    assert run(), "the clock was set right again, a day back"
    clock.goes_on(days=1)
    assert not run()


def test_no_clock_decides_who_leads(database: Database, database_url: str) -> None:
    other = Database(database_url, database.vault, pool_size=3)
    first, second = Leadership(database), Leadership(other)
    done: list[str] = []

    def leads(leader: Leadership, store: Database, name: str, moment: datetime) -> bool:
        def work(session: WriteSession) -> dict[str, object]:
            done.append(name)
            return {}

        return leader.held() and run_once(store, job="night", slot="24", clock=lambda: moment, work=work)

    at = datetime(2026, 11, 24, 19, 0, tzinfo=UTC)
    assert first.held()
    for jump in (timedelta(days=1), timedelta(hours=-1), timedelta(0)):
        leads(first, database, "first", at + jump)
        assert not leads(second, other, "second", at - jump), "one leads, whatever both clocks say"
    first.give_up()
    assert second.held()
    assert not first.held()
    assert not leads(second, other, "second", at - timedelta(days=1)), "and finds the slot done"
    second.give_up()
    other.close()
    assert done == ["first"]


def test_jobs_do_not_wait_for_a_clock_that_went_back(database: Database, now: datetime, tmp_path: Path) -> None:
    clinic(database, now)
    scheduler = start_jobs(database, demo_settings(tmp_path), lambda: now)
    try:
        scheduler.pause()
        jobs = {job.id for job in scheduler.get_jobs()}
        assert {"send texts", "close days", "forget sign-ins"} <= jobs
        assert keep_up(scheduler, datetime.now(UTC)) == [], "nobody waits longer than its interval"
        back = datetime.now(UTC) - timedelta(hours=1)
        assert set(keep_up(scheduler, back)) == jobs
        assert {job.next_run_time for job in scheduler.get_jobs()} == {back}
        assert keep_up(scheduler, back) == []
    finally:
        scheduler.shutdown(wait=True)
