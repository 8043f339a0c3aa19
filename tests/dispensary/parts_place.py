"""A clinic of a few days whose tables are whole, to be divided, and how it is looked at past the services."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dispensary.backups.sums import sums
from dispensary.database import Database
from dispensary.parts.bearings import bearings
from dispensary.parts.dividing import divide, divide_by_month, divided, make_whole
from dispensary.parts.tables import BY, BY_MONTH
from dispensary.supplies.closing import close_day
from dispensary.units import new_id
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import arrived, received, sent

PARTS = 4


def quiet(done: int, total: int, within: str) -> None:
    """Says nothing."""


def divide_all(database: Database) -> None:
    for table in BY:
        divide(database, table, parts=PARTS, progress=quiet)


def by_months(database: Database, today: date = date(2026, 11, 24)) -> None:
    for table in BY_MONTH:
        divide_by_month(database, table, today=today, progress=quiet)


def in_months_all(database: Database) -> None:
    """Every table that can lie in months does, and texts are divided by their reason."""
    by_months(database)
    divide(database, "message", parts=PARTS, progress=quiet)


WAYS = [pytest.param(divide_all, id="by digest"), pytest.param(in_months_all, id="by month")]
"""Each way of dividing everything that can be divided."""


def parts_of(database: Database) -> list[str]:
    with straight(database) as connection:
        asked = """SELECT i.inhrelid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent
            WHERE c.relkind = 'p' AND c.relnamespace = 'public'::regnamespace ORDER BY 1"""
        return [row[0] for row in connection.execute(asked).fetchall()]


def all_whole(database: Database) -> None:
    for table in divided(database):
        make_whole(database, table, progress=quiet)


def close(place: Clinic) -> None:
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)


def queued(reason: str, number: UUID | None = None) -> tuple[str, list[object]]:
    """The insert of a text, as the outbox has it."""
    return (
        """INSERT INTO message (id, phone_sealed, phone_index, kind, reason_key, language, body_sealed, segments, state,
            attempts, valid_until, created_at, changed_at, zone, is_reply, gateway,
            next_attempt_at)
        VALUES (%s, 'x', 'x', 'reply', %s, 'en', 'x', 1, 'queued', 0, now(), now(), now(), 'UTC', true, 'console',
            now())""",
        [number or new_id(), reason],
    )


def worked(database: Database, now: datetime) -> Clinic:
    """A clinic of a few days, of which nothing is divided."""
    all_whole(database)
    here = clinic(database, now)
    there = clinic(database, now, code="SAT", ml="100")
    for _ in range(6):
        here.give(here.client())
    received(here, "LOT-2", "200")
    arrived(there, sent(here, there, "500"), "499", "less in the can")
    close(here)
    here.move_on()
    for client in range(3):
        here.give(here.client(mg=str(60 + client)))
    with straight(database) as connection:
        for number in range(8):
            connection.execute(*queued(f"reply:{number}"))
    return here


def straight(database: Database, *, replica: bool = False) -> psycopg.Connection[Any]:
    """A connection of the tables' owner; as `replica` no guard is asked but those of a divided table's keys."""
    options = "-c timezone=UTC" + (" -c session_replication_role=replica" if replica else "")
    return psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True, options=options)


def said(database: Database) -> Any:
    with straight(database) as connection:
        return bearings(connection.cursor())


def held(database: Database) -> dict[str, str]:
    """Rows and sums of the tables, without those of keys."""
    with database.engine.connect() as connection:
        return {
            name: value for name, value in sums(connection).items() if "(" not in name and not name.startswith("parts.")
        }


def other(place: Clinic) -> UUID:
    with straight(place.database) as connection:
        row = connection.execute("SELECT id FROM site WHERE id <> %s", [place.site_id]).fetchone()
        assert row is not None
        return row[0]


# Rows of each table with another day; the guards of `straight` are asked for nothing but keys of divided tables.
MORE = {
    "day_outcome": """INSERT INTO day_outcome SELECT (jsonb_populate_record(o, jsonb_build_object('dose_day', %s::date)
        )).* FROM day_outcome o ORDER BY client_id LIMIT 1""",
    "register_line": """INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('dose_day',
        %s::date, 'id', gen_random_uuid(), 'seq', 10000 + (random() * 1e12)::bigint))).* FROM register_line l
        WHERE corrects_id IS NULL AND transfer_id IS NULL ORDER BY id LIMIT 1""",
    "audit_entry": """INSERT INTO audit_entry SELECT (jsonb_populate_record(e, jsonb_build_object('at', %s::date
        + time '03:00', 'seq', 10000 + (random() * 1e12)::bigint))).* FROM audit_entry e
        ORDER BY site_id, seq LIMIT 1""",
}
