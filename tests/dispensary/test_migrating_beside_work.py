"""`dispensary migrate` while doses are given: a step gives way and is taken again, and an index is made beside them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary import schema
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.schema import Met, met, migrate
from tests.builders import clinic
from tests.dispensary.parts_place import PARTS, WAYS, all_whole, parts_of
from tests.dispensary.tomorrow import Tomorrow

WAITS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
    AND state = 'active' AND query ~ '^(ALTER|CREATE|DROP)'
"""
INDEXES = """
SELECT n.nspname || '.' || c.relname, i.indisvalid, EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'ix_beside' ORDER BY 1
"""


@pytest.fixture
def tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tomorrow:
    return Tomorrow(tmp_path / "tomorrow")


@pytest.fixture
def migrating(database: Database) -> Iterator[Callable[[], Future[list[str]]]]:
    """Begins to migrate, as another program does."""
    other = Database(database.url, database.vault, pool_size=2)
    with ThreadPoolExecutor(1) as pool:
        yield lambda: pool.submit(migrate, other)
    other.close()


def rows(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql))]


def waiting(database: Database) -> int:
    """The process of PostgreSQL in which a step waits for somebody."""
    for _ in range(1000):
        if found := rows(database, WAITS):
            return int(str(found[0][0]))
        time.sleep(0.01)
    raise AssertionError("no step waits")


def test_a_step_that_would_close_a_circle_with_a_dose_gives_way_to_it(
    database: Database, tomorrow: Tomorrow, migrating: Callable[[], Future[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow.says("0901_two", "ALTER TABLE client ADD COLUMN one text", "ALTER TABLE dose ADD COLUMN other text")
    tomorrow.runs(monkeypatch)
    with database.engine.begin() as dose:
        dose.exec_driver_sql("LOCK TABLE dose IN ROW EXCLUSIVE MODE")
        steps = migrating()
        waiting(database)  # it has `client`, and waits for `dose`
        began = time.monotonic()
        dose.exec_driver_sql("LOCK TABLE client IN ROW EXCLUSIVE MODE")
        assert time.monotonic() - began < 2
    assert steps.result(60) == ["0901_two"]
    assert met(database) == Met()


def test_a_table_that_is_never_let_go_is_said_and_the_next_run_goes_on(
    database: Database, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "PATIENCE", 0)
    tomorrow.says("0901_first", "ALTER TABLE client ADD COLUMN one text")
    tomorrow.says("0902_second", "ALTER TABLE dose ADD COLUMN other text")
    tomorrow.runs(monkeypatch)
    other = Database(database.url, database.vault, pool_size=2)
    with database.engine.begin() as export:
        export.exec_driver_sql("LOCK TABLE dose IN ACCESS SHARE MODE")
        with pytest.raises(NoDatabase, match="not let go of a table") as said:
            migrate(other)
    assert "whole, at 0901_first; run `dispensary migrate` again" in str(said.value)
    assert met(database).needs == "The database is not up to date. Run `dispensary migrate` first."
    assert migrate(other) == ["0902_second"]
    with other.engine.connect() as connection:
        assert connection.scalar(text("SHOW lock_timeout")) == "10s", "as everybody else waits"
    other.close()


class TestAnIndexBesideWork:
    def test_is_made_while_doses_are_given_and_anew_after_it_was_cut_short(
        self,
        database: Database,
        now: datetime,
        tomorrow: Tomorrow,
        migrating: Callable[[], Future[list[str]]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        place = clinic(database, now)
        clients = [place.client() for _ in range(4)]
        tomorrow.adds("0901_indexed", 'index_beside_work("ix_beside", "dose", "(kind, mg)")')
        tomorrow.runs(monkeypatch)
        with database.engine.begin() as unit:
            unit.exec_driver_sql("LOCK TABLE dose IN ROW EXCLUSIVE MODE")  # of somebody who began before
            steps = migrating()
            process = waiting(database)
            time.sleep(1)  # longer than a step may wait
            began = time.monotonic()
            for client in clients[:2]:
                place.give(client)
            assert time.monotonic() - began < 3
            assert rows(database, INDEXES) == [("public.ix_beside", False, False)]
            unit.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
            with pytest.raises(NoDatabase, match="lost"):
                steps.result(60)
        assert met(database).needs == "The database is not up to date. Run `dispensary migrate` first."

        with database.engine.begin() as unit:
            unit.exec_driver_sql("LOCK TABLE dose IN ROW EXCLUSIVE MODE")
            steps = migrating()
            waiting(database)
            place.give(clients[2])
        assert steps.result(60) == ["0901_indexed"]
        place.give(clients[3])
        assert rows(database, INDEXES) == [("public.ix_beside", True, False)]
        assert met(database) == Met()

    def test_is_left_when_it_is_whole_and_its_step_was_not_noted(
        self, database: Database, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tomorrow.adds("0901_indexed", 'index_beside_work("ix_beside", "dose", "(kind, mg)")')
        tomorrow.runs(monkeypatch)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE INDEX ix_beside ON dose (kind, mg)")
        (made,) = rows(database, "SELECT 'ix_beside'::regclass::oid")
        assert migrate(database) == ["0901_indexed"]
        assert rows(database, "SELECT 'ix_beside'::regclass::oid") == [made]

    def test_of_another_table_by_its_name_is_refused(
        self, database: Database, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tomorrow.adds("0901_indexed", 'index_beside_work("ix_beside", "dose", "(kind, mg)")')
        tomorrow.runs(monkeypatch)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("CREATE INDEX ix_beside ON visit (ticket)")
        with pytest.raises(DBAPIError, match="already exists"):
            migrate(database)

    @pytest.mark.parametrize("way", WAYS)
    def test_is_made_for_each_part_of_a_divided_table(
        self,
        database: Database,
        tomorrow: Tomorrow,
        monkeypatch: pytest.MonkeyPatch,
        way: Callable[[Database], None],
    ) -> None:
        all_whole(database)
        way(database)
        places = [part.split(".")[0] for part in parts_of(database) if part.endswith(".audit_entry")]
        assert len(places) == PARTS
        tomorrow.adds("0901_indexed", 'index_beside_work("ix_beside", "audit_entry", "(act, at)")')
        tomorrow.runs(monkeypatch)
        with database.engine.begin() as connection:  # what a run left that ended on its way
            connection.exec_driver_sql(f"CREATE INDEX ix_beside ON {places[1]}.audit_entry (act, at)")
        assert migrate(database) == ["0901_indexed"]
        parts = [(f"{place}.ix_beside", True, True) for place in places]
        assert rows(database, INDEXES) == [*parts, ("public.ix_beside", True, False)]
