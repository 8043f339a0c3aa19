"""Months that come by night: as those that were there, at once with whoever writes, and without a row lost or twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from dispensary import cli
from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.jobs import make_months_to_come
from dispensary.parts import coming
from dispensary.parts.coming import make_months, standings, to_look_at
from dispensary.parts.dividing import divide, locks_lacking
from dispensary.parts.layouts import following
from dispensary.parts.tables import BY_MONTH
from tests.builders import Clinic
from tests.dispensary.parts_place import MORE, all_whole, by_months, held, parts_of, quiet, said, straight, worked
from tests.dispensary.visiting import MovableClock

TODAY = date(2026, 11, 24)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return worked(database, now)


@pytest.fixture
def parted(place: Clinic) -> Clinic:
    by_months(place.database, TODAY)
    return place


def each_has(*months: str) -> dict[str, list[str]]:
    return {table: list(months) for table in BY_MONTH}


PART = r"""
SELECT concat_ws(' ', 'key', c.relname, i.indisunique, i.indisvalid, regexp_replace(pg_get_indexdef(i.indexrelid),
    'month_\d+\.', ''), EXISTS (SELECT FROM pg_inherits WHERE inhrelid = c.oid))
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = %(part)s::regclass
UNION ALL SELECT concat_ws(' ', 'constraint', conname, pg_get_constraintdef(oid), convalidated, coninhcount, conislocal)
FROM pg_constraint WHERE conrelid = %(part)s::regclass AND contype <> 'f'
UNION ALL SELECT concat_ws(' ', 'points', pg_get_constraintdef(oid), convalidated, conparentid <> 0)
FROM pg_constraint WHERE (conrelid = %(part)s::regclass OR confrelid = %(part)s::regclass) AND contype = 'f'
    AND conrelid = ANY (SELECT oid FROM pg_class WHERE relkind = 'r')
UNION ALL SELECT concat_ws(' ', 'trigger', t.tgname, t.tgenabled, regexp_replace(pg_get_triggerdef(t.oid),
    'month_\d+\.', ''), tgparentid <> 0) FROM pg_trigger t WHERE t.tgrelid = %(part)s::regclass AND NOT tgisinternal
UNION ALL SELECT concat_ws(' ', 'table', relrowsecurity, relforcerowsecurity, relowner, relacl, reloptions,
    relreplident) FROM pg_class WHERE oid = %(part)s::regclass
UNION ALL SELECT concat_ws(' ', 'column', attname, atttypid, attnotnull, attstorage, attcompression, attnum)
FROM pg_attribute WHERE attrelid = %(part)s::regclass AND attnum > 0
"""


def part_as_it_is(connection: psycopg.Connection[Any], part: str) -> list[str]:
    found = sorted(row[0] for row in connection.execute(PART, {"part": part}).fetchall())
    return [line.replace(part.split(".")[0], "month") for line in found]


def test_a_month_that_comes_is_as_those_that_were_there_and_two_nights_make_it_once(parted: Clinic) -> None:
    before = said(parted.database)
    later = date(2026, 12, 31)
    assert make_months(parted.database, today=TODAY) == {}
    assert make_months(parted.database, today=later) == each_has("2027-02")
    assert make_months(parted.database, today=later) == {}
    assert said(parted.database) == before
    with straight(parted.database) as connection:
        for table in BY_MONTH:
            there, made = (part_as_it_is(connection, f"month_{month}.{table}") for month in ("202611", "202702"))
            assert any("trigger" in line for line in there)
            assert made == there
    assert to_look_at(parted.database, today=later) == []


def test_a_whole_table_and_one_by_a_digest_have_no_months_to_come(place: Clinic) -> None:
    divide(place.database, "day_outcome", parts=2, progress=quiet)
    before = said(place.database)
    assert make_months(place.database, today=TODAY) == {}
    assert not make_months_to_come(place.database, lambda: datetime(2031, 1, 1, tzinfo=UTC))
    assert said(place.database) == before


def strays(place: Clinic) -> dict[str, dict[str, int]]:
    return {
        each.table: {f"{month:%Y-%m}": rows for month, rows in each.strays.items()}
        for each in standings(place.database)
    }


def test_rows_of_a_month_that_was_not_there_go_to_it_and_others_stay_in_the_rest(parted: Clinic) -> None:
    """An old history that was brought in, a night that did not run, a clock that was wrong."""
    days = ("2019-03-05", "2019-03-06", "2027-02-03", "2031-07-01")
    with straight(parted.database, replica=True) as connection:
        for statement in MORE.values():
            for day in days:
                connection.execute(statement, [day])
        # What hangs on a day that lies in the rest hangs on it afterwards.
        connection.execute("""INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason,
            account_id, at) SELECT client_id, dose_day, portion, 1, 'missed', 0, 'x', (SELECT id FROM account LIMIT 1),
            now() FROM month_rest.day_outcome""")
    assert set(map(str, strays(parted).values())) == {str({"2019-03": 2, "2027-02": 1, "2031-07": 1})}
    rows, before = held(parted.database), said(parted.database)
    assert to_look_at(parted.database, today=TODAY)[:2] == [
        "audit_entry lacks 2019-03; the next night makes them.",
        "audit_entry has 4 rows in month_rest, in no month of their own: 2019-03, 2027-02, 2031-07.",
    ]
    assert make_months(parted.database, today=TODAY) == each_has("2019-03")
    assert make_months(parted.database, today=date(2026, 12, 2)) == each_has("2027-02")
    assert set(map(str, strays(parted).values())) == {str({"2031-07": 1})}
    assert held(parted.database) == rows
    assert said(parted.database) == before
    with straight(parted.database) as connection:
        for table in BY_MONTH:
            there = part_as_it_is(connection, f"month_202611.{table}")
            for part in ("month_201903", "month_202702"):
                assert part_as_it_is(connection, f"{part}.{table}") == there
            assert connection.execute(f"SELECT count(*) FROM month_201903.{table}").fetchone() == (2,)
            with pytest.raises(psycopg.errors.CheckViolation, match="is only ever added to"):
                connection.execute(f"DELETE FROM month_201903.{table}")
            with pytest.raises(psycopg.errors.CheckViolation, match="is only ever added to"):
                connection.execute(f"TRUNCATE month_rest.{table} CASCADE")
        connection.execute("ALTER TABLE day_correction DISABLE TRIGGER USER")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("UPDATE day_correction SET dose_day = '2019-04-01' WHERE dose_day = '2019-03-05'")
        connection.execute("ALTER TABLE day_correction ENABLE TRIGGER USER")
    all_whole(parted.database)
    assert held(parted.database) == rows
    assert [
        schema
        for (schema,) in straight(parted.database).execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^month'")
    ] == []


def test_months_are_made_while_others_write_and_no_row_is_lost_or_twice(parted: Clinic) -> None:
    wrote, over, met = [0] * 3, threading.Event(), []

    def writes(number: int) -> None:
        with straight(parted.database, replica=True) as connection:
            while not over.is_set():
                month = following(date(2026, 1, 1), wrote[number] % 16)
                with connection.transaction():
                    for table in ("register_line", "audit_entry"):
                        connection.execute(MORE[table], [month])
                wrote[number] += 1

    before = held(parted.database)
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(writes, number) for number in range(3)]
        try:
            for night in range(5):
                met += make_months(parted.database, today=following(date(2026, 11, 5), night)).get("audit_entry", [])
        finally:
            over.set()
        for writer in writers:
            writer.result(30)
    assert sum(wrote) > 20, "they wrote all the while"
    assert len(met) == len(set(met)) >= 5
    make_months(parted.database, today=date(2027, 6, 1))
    after = held(parted.database)
    assert strays(parted) == {"audit_entry": {}, "day_outcome": {}, "register_line": {}}
    for table in ("register_line", "audit_entry"):
        assert int(after[table].split()[0]) == int(before[table].split()[0]) + sum(wrote)
        keys = {"register_line": "id", "audit_entry": "site_id, seq"}[table]
        with straight(parted.database) as connection:
            apart = f"SELECT {keys}, {BY_MONTH[table]} FROM parts.key_pk_{table}"
            rows = f"SELECT {keys}, {BY_MONTH[table]} FROM {table}"
            assert (
                connection.execute(f"({rows} EXCEPT ALL {apart}) UNION ALL ({apart} EXCEPT ALL {rows})").fetchall()
                == []
            )


KILLED = """
import os, signal, sys
from datetime import date
from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.parts import coming
was, done = coming._hang, []
def killed(*words):
    was(*words)
    done.append(words)
    if len(done) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
coming._hang = killed
coming.make_months(Database(sys.argv[1], fresh_vault(), pool_size=1), today=date(2027, 6, 1))
"""


def test_when_a_night_is_killed_between_two_months_nothing_has_changed_and_the_next_makes_them(parted: Clinic) -> None:
    with straight(parted.database, replica=True) as connection:
        connection.execute(MORE["audit_entry"], ["2027-03-05"])
    before, rows, parts = said(parted.database), held(parted.database), parts_of(parted.database)
    environment = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", KILLED, parted.database.url], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert (said(parted.database), held(parted.database), parts_of(parted.database)) == (before, rows, parts)
    assert len(make_months(parted.database, today=date(2027, 6, 1))["audit_entry"]) == 4
    assert held(parted.database) == rows
    assert strays(parted)["audit_entry"] == {}


def test_somebody_who_works_is_never_kept_waiting_and_the_next_night_makes_it(
    parted: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coming, "PATIENCE", 0)
    clock = MovableClock(datetime(2026, 12, 31, 20, tzinfo=UTC))
    with straight(parted.database) as connection, connection.transaction():
        connection.execute("SELECT FROM account FOR UPDATE")
        connection.execute("UPDATE site SET name = name")  # what it hangs on, by somebody who may want the table next
        with pytest.raises(NoDatabase, match="Somebody works with audit_entry: its months are made the next night"):
            make_months(parted.database, today=date(2026, 12, 31))
        connection.execute("SELECT count(*) FROM audit_entry")
        assert not make_months_to_come(parted.database, clock)
    clock.goes_on(hours=8)
    assert not make_months_to_come(parted.database, clock), "nor by day"
    clock.goes_on(hours=16)
    assert make_months_to_come(parted.database, clock)
    assert not make_months_to_come(parted.database, clock), "once a night"
    with parted.database.reading() as session:
        asked = "SELECT result FROM job_run WHERE job = 'months to come' AND failure = ''"
        result = session.scalar(text(asked))
    assert result == {"made": each_has("2027-02", "2027-03")}


@pytest.fixture
def only_works(parted: Clinic) -> Iterator[Database]:
    """The same database for a user of PostgreSQL who owns nothing in it."""
    with straight(parted.database) as connection:
        connection.execute("CREATE ROLE only_works LOGIN")
        url = parted.database.engine.url.set(username="only_works", password=None)
        other = Database(url.render_as_string(hide_password=False), parted.database.vault, pool_size=1)
        yield other
        other.close()
        connection.execute("DROP ROLE only_works")


def test_a_user_who_does_not_own_the_table_makes_no_month_and_verify_says_so(only_works: Database) -> None:
    later = date(2026, 12, 31)
    assert to_look_at(only_works, today=later)[0] == (
        "audit_entry lacks 2027-02; nobody makes them, since the program's user has to own the table and the database,"
        " and does not."
    )
    with pytest.raises(NoDatabase, match="Months of audit_entry are not made: the program's user has to own"):
        make_months(only_works, today=later)


def test_more_months_than_there_are_locks_are_said(parted: Clinic) -> None:
    assert locks_lacking(parted.database) == 0
    make_months(parted.database, today=date(2026, 12, 31))
    with straight(parted.database, replica=True) as connection:
        connection.execute(MORE["register_line"], ["2019-03-05"])
        for year in range(2008, 2011):
            for month in range(1, 13):
                connection.execute(MORE["register_line"], [date(year, month, 5)])
    make_months(parted.database, today=date(2026, 12, 31))
    needed = locks_lacking(parted.database)
    assert needed % 64 == 0
    assert needed > 64
    assert to_look_at(parted.database, today=date(2026, 12, 31)) == [
        f"Months have become many: set max_locks_per_transaction of PostgreSQL to {needed}."
    ]
