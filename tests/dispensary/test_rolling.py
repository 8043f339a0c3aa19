"""An upgrade while the clinic works: what yesterday's program writes is still taken, and nobody is refused.

docs/architecture.md has the rule (expand, migrate, contract). Whatever a migration takes away or asks for newly is
named here, with the reason why a program that does not know of it yet goes on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import text

from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.schema import _config, migrate
from dispensary.wall import behind
from tests.builders import clinic

SINCE = "0058g_outreach"
"""The rule holds for what came after it."""
NAMED: dict[str, str] = {}
"""What a migration after that takes away or newly asks for, and why the program before it is not hurt."""

_COLUMNS = """
SELECT table_name || '.' || column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL
    OR is_generated = 'ALWAYS' OR is_identity = 'YES'
FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
AND table_name NOT IN (SELECT table_name FROM information_schema.views WHERE table_schema = 'public')
"""
_RULES = """
SELECT t.relname || '.' || c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
JOIN pg_class t ON t.oid = c.conrelid WHERE t.relnamespace = 'public'::regnamespace AND c.contype <> 'n'
UNION ALL SELECT t.relname || '.' || i.relname, pg_get_indexdef(i.oid) FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE t.relnamespace = 'public'::regnamespace AND x.indisunique AND NOT EXISTS (
    SELECT FROM pg_constraint WHERE conindid = i.oid)
"""


class Shape:
    """The columns and the constraints that a program meets."""

    def __init__(self, database: Database) -> None:
        with database.engine.connect() as connection:
            self.columns = {row[0]: (row[1], row[2]) for row in connection.execute(text(_COLUMNS))}
            self.rules = {row[0]: row[1] for row in connection.execute(text(_RULES))}

    @property
    def tables(self) -> set[str]:
        return {name.split(".")[0] for name in self.columns}

    def asks_more_than(self, before: Shape) -> Iterator[str]:
        """What a program that knows the shape before would stumble over."""
        for name, (kind, _) in before.columns.items():
            if name not in self.columns:
                yield f"{name} is gone"
            elif self.columns[name][0] != kind:
                yield f"{name} has another type"
            elif before.columns[name][1] and not self.columns[name][1]:
                yield f"{name} must be given now"
        for name, (_, may_be_left_out) in self.columns.items():
            if name not in before.columns and name.split(".")[0] in before.tables and not may_be_left_out:
                yield f"{name} is new and must be given"
        for name, rule in self.rules.items():
            known = name.split(".")[0] in before.tables
            if known and before.rules.get(name) != rule and not self._about_new(name, before):
                yield f"{name} is asked for now"

    def _about_new(self, rule: str, before: Shape) -> bool:
        """Whether a constraint is about a new column that may be left out: then it holds for rows without it."""
        table = rule.split(".")[0]
        columns = {
            each.split(".")[1] for each in self.columns.keys() - before.columns.keys() if each.startswith(f"{table}.")
        }
        return bool(columns & set(re.findall(r"\w+", self.rules[rule])))


@pytest.fixture
def older(server: str, vault: Vault) -> Iterator[Database]:
    """An empty database as the last migration left it for which the rule did not hold yet."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE older")
    database = Database(server.replace("/takehome?", "/older?"), vault, pool_size=2)
    to(database, SINCE)
    yield database
    database.close()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE older WITH (FORCE)")


def to(database: Database, revision: str) -> None:
    with database.engine.connect() as connection:
        command.upgrade(_config(connection), revision)
        connection.commit()


def test_no_migration_takes_away_or_asks_for_what_the_program_before_it_does_not_know(older: Database) -> None:
    with older.engine.connect() as connection:
        script = ScriptDirectory.from_config(_config(connection))
    steps = [step.revision for step in script.walk_revisions(base=SINCE, head="head")][::-1][1:]
    assert steps
    found, before = set(), Shape(older)
    for step in steps:
        to(older, step)
        after = Shape(older)
        found |= {f"{step}: {trouble}" for trouble in after.asks_more_than(before)}
        before = after
    assert found == NAMED.keys(), sorted(found ^ NAMED.keys())


def test_what_would_hurt_the_program_before_is_found(database: Database) -> None:
    before = Shape(database)
    with database.engine.begin() as connection:
        for change in (
            "ALTER TABLE dose RENAME COLUMN closed_day TO closed",
            "ALTER TABLE client ADD COLUMN needed text NOT NULL",
            "ALTER TABLE client ADD COLUMN harmless text CHECK (harmless <> '')",
            "ALTER TABLE supply ALTER COLUMN dispensed_by SET NOT NULL",
            "ALTER TABLE visit ADD CONSTRAINT ck_visit_few CHECK (calls < 10)",
            "ALTER TABLE job_run ALTER COLUMN failure TYPE varchar(90)",
            "CREATE UNIQUE INDEX uq_alert_one ON alert (client_id)",
            "CREATE TABLE quite_new (id uuid PRIMARY KEY, needed text NOT NULL)",
        ):
            connection.exec_driver_sql(change)
    assert sorted(Shape(database).asks_more_than(before)) == [
        "alert.uq_alert_one is asked for now",
        "client.needed is new and must be given",
        "dose.closed is new and must be given",
        "dose.closed_day is gone",
        "job_run.failure has another type",
        "supply.dispensed_by must be given now",
        "visit.ck_visit_few is asked for now",
    ]


def test_a_counter_goes_on_while_the_database_is_migrated(database: Database, now: datetime) -> None:
    """The first half of an upgrade: columns come, the wall is raised anew, and doses are given all the while."""
    place = clinic(database, now)
    clients = [place.client() for _ in range(24)]
    begun = threading.Event()

    def counter(number: int) -> int:
        with behind(place.site_id):
            for client in clients[number::4]:
                place.give(client, key=f"dose of {client}")
                begun.set()
        return 1

    migrations = Database(database.url, database.vault, pool_size=2)
    with ThreadPoolExecutor(4) as pool:
        doses = [pool.submit(counter, number) for number in range(4)]
        begun.wait(30)
        for number in range(3):
            with migrations.engine.begin() as connection:
                for table in ("client", "dose", "supply", "register_line", "audit_entry"):
                    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN next_{number} text")
            assert migrate(migrations) == []
        assert sum(each.result(60) for each in doses) == 4
    migrations.close()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM dose WHERE next_2 IS NULL")) == len(clients)
