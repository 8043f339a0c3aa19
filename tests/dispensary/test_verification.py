"""Verifying live data: a clinic at work has no finding, and each kind of damage is found and named.

The damage is done as somebody would who reaches past the program: with the triggers switched off.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import scheduling.service
from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.prescribing.service import hold_doses, order_dose, stop_order
from dispensary.staff.rules import the_program
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.supplies.dose_files import DoseLine, Reading, read_doses
from dispensary.supplies.history import import_doses
from dispensary.supplies.pickups import cancel_pickup
from dispensary.takehome.deciding import decide
from dispensary.takehome.publishing import adopt, publish_policies
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import Naloxone
from dispensary.units import ClientId, DoseDay, milligrams
from dispensary.verification.checks import CHECKS
from dispensary.verification.verifying import INVARIANTS, verify
from scheduling.rules import Hours
from tests.builders import Clinic, clinic
from tests.dispensary.damages import DAMAGES
from tests.dispensary.test_pickups import prepared

REAL = Path(__file__).parents[3] / "shared/data/ctn0094/methadone_arm_daily.csv"
POLICY = "DEMONSTRATION-CLINIC-ADHERENCE"


def findings(database: Database, now: datetime) -> list[str]:
    with database.reading() as session:
        return [str(finding) for finding in verify(session, now=now)]


def damage(place: Clinic, sql: str) -> None:
    """Changes rows past every trigger. Constraints that would still refuse it are taken away first."""
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in sql.split(";"):
            if statement.strip():
                assert session.execute(text(statement)).rowcount != 0, f"hit no row: {statement}"  # type: ignore[attr-defined]


def allow_take_home(place: Clinic, client_id: ClientId) -> None:
    with place.database.writing() as session:
        assessment = assess_client(
            session,
            actor=place.doctor,
            client_id=client_id,
            on=place.today,
            at=place.now,
        )
        decide(
            session,
            actor=place.doctor,
            assessment_id=assessment.id,
            days_from=place.today,
            days_until=None,
            per_supply=6,
            per_week=None,
            reason="works on a ship",
            naloxone=Naloxone.GIVEN,
            at=place.now,
        )


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    """A clinic after two days: history brought in, doses, bottles, a pickup collected, one cancelled, a day closed."""
    place = clinic(database, now)
    actor = the_program(place.site_id)
    with database.writing() as session:
        publish_policies(session, at=now)
        adopt(session, actor=actor, site_id=place.site_id, policy=POLICY, version="1", from_day=place.today, at=now)
        days = [(day, mg) for day, mg in enumerate(("40", "40", "0", "50", "50"))]
        lines = tuple(
            DoseLine(n, "OLD-1", DoseDay(date(2026, 11, 1) + timedelta(days=day)), milligrams(mg, zero=True))
            for n, (day, mg) in enumerate(days)
        )
        import_doses(session, actor=actor, reading=Reading(lines, (), {}, 0), at=now)
        hours = [Hours(day, time(6), time(10), 15, 5, 2) for day in range(7)]
        scheduling.service.set_hours(session, place_id=place.site_id, hours=hours, from_day=place.today)
    dosed, carrying, split, late = place.client(mg="80"), place.client(mg="60"), place.client(parts=("50", "30")), None
    place.give(dosed)
    allow_take_home(place, carrying)
    place.give(carrying, take_home_days=place.ahead(1, 2))
    allow_take_home(place, split)
    place.give(split, take_home_days=(place.today, *place.ahead(1)))
    late = place.client(mg="30")  # never comes
    pickup = prepared(place, carrying, 3, 4, collect=1)
    waiting = prepared(place, split, 2, collect=1)
    with database.writing() as session:
        starts = now + timedelta(days=1)
        scheduling.service.book(
            session, place_id=place.site_id, holder_id=dosed, starts_at=starts, now=now, channel="desk"
        )
        close_day(
            session,
            actor=place.pharmacist,
            day=place.today,
            today=place.today,
            counts={
                row.lot.id: Counted(row.expected_bulk)
                for row in to_count(session, site_id=place.site_id, day=place.today)
            },
            at=now,
        )
    place.move_on()
    place.give(carrying, observed=False, take_home_days=(), pickup_id=pickup.pickup_id)
    with database.writing() as session:
        cancel_pickup(
            session, actor=place.pharmacist, pickup_id=waiting.pickup_id, reason="moved", day=place.today, at=place.now
        )
        later = {"actor": place.doctor, "today": place.today, "at": place.now, "reason": "settled"}
        order_dose(session, client_id=dosed, mg=milligrams("70"), from_day=place.today, **later)  # type: ignore[arg-type]
        hold_doses(
            session,
            actor=place.doctor,
            client_id=late,
            from_day=place.today,
            until_day=None,
            reason="QTc",
            at=place.now,
        )
    place.give(dosed)
    return place


def test_a_clinic_at_work_has_no_finding(place: Clinic) -> None:
    assert findings(place.database, place.now) == []
    with place.database.reading() as session:
        busy = "SELECT (SELECT count(*) FROM supply), (SELECT count(*) FROM bottle), (SELECT count(*) FROM day_outcome)"
        assert tuple(session.execute(text(busy)).one()) == (9, 9, 10)


def test_an_empty_database_has_no_finding(database: Database, now: datetime) -> None:
    assert findings(database, now) == []


@pytest.mark.parametrize(("sql", "expected"), DAMAGES, ids=range(len(DAMAGES)))
def test_damage_is_found_and_named(place: Clinic, sql: str, expected: str) -> None:
    damage(place, sql)
    found = findings(place.database, place.now)
    assert any(re.search(expected, finding) for finding in found), found


def test_every_rule_that_is_asked_has_its_name() -> None:
    assert {check.invariant for check in CHECKS} <= INVARIANTS.keys()


def test_progress_is_told_up_to_the_end(place: Clinic) -> None:
    told: list[tuple[int, int, str]] = []
    with place.database.reading() as session:
        assert list(verify(session, now=place.now, progress=lambda *step: told.append(step))) == []
    assert list(dict.fromkeys(done for done, _, _ in told)) == list(range(told[0][1] + 1))
    assert "the audit trail is whole: site 1 of 1, 0 entries" in [about for _, _, about in told]
    assert told[-1][2] == "done"


def test_another_key_opens_nothing(place: Clinic) -> None:
    other = Database(place.database.url, fresh_vault())
    found = findings(other, place.now)
    other.close()
    assert any("was sealed with another key" in finding or "has no key" in finding for finding in found)
    assert any("is not found by its own number" in finding for finding in found)


def test_an_order_that_was_stopped_after_its_bottles_left_is_no_damage(place: Clinic) -> None:
    client = place.client(mg="80")
    allow_take_home(place, client)
    place.give(client, take_home_days=place.ahead(1, 2))
    place.now += timedelta(hours=1)
    with place.database.writing() as session:
        stop_order(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.today + timedelta(days=1),
            reason="moves away",
            today=place.today,
            at=place.now,
        )
    assert findings(place.database, place.now) == []


@pytest.mark.skipif(not REAL.exists(), reason="the trial's daily doses are not beside the project")
def test_real_history_of_520_clients_has_no_finding(database: Database, now: datetime) -> None:
    place = clinic(database, now)
    with database.writing() as session:
        reading = read_doses(REAL, start=date(2006, 5, 1))
        import_doses(session, actor=the_program(place.site_id), reading=reading, at=now)
    assert findings(database, now) == []
