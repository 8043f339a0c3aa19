"""Statements that pass SQLAlchemy by: in the same unit, with the same failures."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError

from dispensary.database import Database, WriteSession, broken_constraint
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
