"""Statements that pass SQLAlchemy by: in the same unit, with the same failures."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import LiteralString
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError, PendingRollbackError

from dispensary.database import Database, WriteSession, broken_constraint
from dispensary.straight import Straight
from scheduling.models import Place
from tests.builders import clinic

OPENED = "INSERT INTO place (id, zone, lead_minutes, horizon_days) VALUES (%(id)s, %(zone)s, 0, 60)"


def places(database: Database) -> int:
    with database.glancing() as glance:
        row = glance.run("SELECT count(*) FROM place", {}).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_run_straight_is_kept_or_undone_with_its_unit(database: Database) -> None:
    with database.writing() as session:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        assert session.execute(text("SELECT count(*) FROM place")).scalar_one() == 1, "SQLAlchemy sees it too"

    def fails(session: WriteSession) -> None:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.write(fails)
    assert places(database) == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_a_statement_is_run_for_each_of_its_rows(database: Database, rows: int) -> None:
    with database.writing() as session:
        session.straight.run_each(OPENED, [{"id": uuid4(), "zone": "UTC"} for _ in range(rows)])
    assert places(database) == rows


@pytest.mark.parametrize("rows", [1, 2])
def test_a_broken_rule_is_told_by_its_name(database: Database, rows: int) -> None:
    same = {"id": uuid4(), "zone": "UTC"}

    def twice(session: WriteSession) -> None:
        session.run(OPENED, same)
        session.straight.run_each(OPENED, [same] * rows)

    with pytest.raises(IntegrityError) as refused:
        database.write(twice)
    assert broken_constraint(refused.value) == "pk_place"
    assert places(database) == 0


def test_a_unit_that_collided_is_run_once_more(database: Database) -> None:
    tries: list[int] = []

    def work(session: WriteSession) -> None:
        tries.append(len(tries))
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        if len(tries) == 1:
            session.run("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$", {})

    database.write(work)
    assert (len(tries), places(database)) == (2, 1)


def test_after_the_server_was_lost_the_next_unit_finds_it_again(database: Database) -> None:
    with database.writing() as one, database.writing() as other:
        one.run("SELECT 1", {})
        own = other.run("SELECT pg_backend_pid()", {}).fetchone()
        assert own is not None
        one.run("SELECT pg_terminate_backend(%(pid)s, 5000)", {"pid": own[0]})
        with pytest.raises(OperationalError) as lost:
            other.run("SELECT 1", {})
        assert lost.value.connection_invalidated
        other.rollback()
    assert places(database) == 0


def test_a_session_goes_on_in_its_next_transaction(database: Database) -> None:
    with database.reading() as session:
        session.run("SELECT 1", {})
        session.rollback()
        assert session.run("SELECT 2", {}).fetchone() == (2,)


def test_nothing_is_written_in_a_unit_that_reads_nor_at_a_glance(database: Database, now: datetime) -> None:
    clinic(database, now)
    with pytest.raises(InternalError, match="read-only"), database.reading() as session:
        session.run("UPDATE site SET name = 'x'", {})
    with pytest.raises(DBAPIError, match="read-only"), database.glancing() as glance:
        glance.run("UPDATE site SET name = 'x'", {})


def test_what_is_run_straight_in_a_savepoint_is_undone_with_it(database: Database) -> None:
    with database.writing() as session:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        savepoint = session.begin_nested()
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        savepoint.rollback()
    assert places(database) == 1


@pytest.mark.parametrize("rows", [1, 2])
def test_a_unit_goes_on_after_a_broken_rule_in_a_savepoint(database: Database, rows: int) -> None:
    same = {"id": uuid4(), "zone": "UTC"}
    with database.writing() as session:
        session.run(OPENED, same)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.straight.run_each(OPENED, [same] * rows)
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
    assert places(database) == 2


def test_what_objects_changed_is_there_before_a_statement_is_run_straight(database: Database) -> None:
    with database.writing() as session:
        session.run("SELECT 1", {})
        place = Place(id=uuid4(), zone="UTC", lead_minutes=0, horizon_days=60)
        session.add(place)
        assert session.run("SELECT zone FROM place", {}).fetchall() == [("UTC",)]
        place.zone = "Asia/Tokyo"
        assert session.run("SELECT zone FROM place", {}).fetchall() == [("Asia/Tokyo",)]


@pytest.mark.parametrize("straight", [True, False])
def test_a_unit_never_seems_kept_when_a_failure_in_it_was_passed_over(database: Database, straight: bool) -> None:
    same = {"id": uuid4(), "zone": "UTC"}

    def careless(session: WriteSession) -> None:
        session.run(OPENED, same)
        with suppress(IntegrityError):
            if straight:
                session.run(OPENED, same)
            else:
                session.execute(insert(Place).values(**same, lead_minutes=0, horizon_days=60))

    with pytest.raises(RuntimeError, match="nothing of this unit is kept"):
        database.write(careless)
    assert places(database) == 0
    with database.writing() as session:
        session.run(OPENED, same)
    assert places(database) == 1, "the connection goes on"


def test_a_unit_never_seems_kept_when_it_lost_the_server_and_passed_over_it(database: Database) -> None:
    def careless(session: WriteSession) -> None:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        with suppress(OperationalError):
            session.run("SELECT pg_terminate_backend(pg_backend_pid())", {})

    with pytest.raises(PendingRollbackError):
        database.write(careless)
    assert places(database) == 0


def test_after_a_restart_of_the_server_nobody_is_turned_away(database: Database) -> None:
    with database.reading() as one, database.reading() as other:  # two connections, both left in the pool
        one.run("SELECT 1", {})
        other.run("SELECT 1", {})
    assert places(database) == 0
    with psycopg.connect(database.url.replace("+psycopg", "")) as outside:
        outside.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    answer = database.glance(lambda glance: glance.run("SELECT 7", {}).fetchone())
    assert answer == (7,)
    with database.writing() as session:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
    assert places(database) == 1


def test_a_glance_is_taken_once_when_what_failed_is_not_the_line_to_the_server(database: Database) -> None:
    looks: list[int] = []

    def wrong(glance: Straight) -> None:
        looks.append(1)
        glance.run("SELECT 1 / 0", {})

    with pytest.raises(DBAPIError, match="division by zero"):
        database.glance(wrong)
    assert len(looks) == 1


def test_a_unit_that_is_under_way_ends_well_when_the_database_is_closed(database: Database) -> None:
    with database.writing() as session:
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
        database.close()
        session.run(OPENED, {"id": uuid4(), "zone": "UTC"})
    assert places(database) == 2


def test_values_go_to_the_server_and_come_back_as_they_are(database: Database) -> None:
    at = datetime(2026, 11, 24, 7, 5, 0, 123456, tzinfo=UTC)
    kinds: list[tuple[LiteralString, object]] = [
        ("numeric", Decimal("80.10")),
        ("uuid", uuid4()),
        ("date", date(2026, 11, 24)),
        ("timestamptz", at),
        ("text", "100 % 'sûr'; --"),
        ("bytea", b"\x00\xff"),
        ("boolean", False),
        ("uuid", None),
    ]
    for kind, value in kinds:
        with database.glancing() as glance:
            row = glance.run("SELECT CAST(%(value)s AS " + kind + ")", {"value": value}).fetchone()
        assert row == (value,)
        assert row is not None
        assert type(row[0]) is type(value)
    with pytest.raises(DBAPIError), database.glancing() as glance:
        glance.run("SELECT CAST(%(value)s AS text)", {"value": "a\x00b"})


def test_a_connection_is_told_how_it_waits_and_reads_by_statements_which_a_pooler_hands_on(database: Database) -> None:
    told = "SELECT name, setting, source FROM pg_settings WHERE name = ANY(%(names)s)"
    names = {"names": ["TimeZone", "lock_timeout", "default_transaction_read_only"]}
    with database.writing() as session:
        said = set(session.run(told, names).fetchall())
    assert said > {("lock_timeout", "10000", "session"), ("TimeZone", "UTC", "session")}
    with database.glancing() as glance:
        assert ("default_transaction_read_only", "on", "session") in glance.run(told, names).fetchall()
