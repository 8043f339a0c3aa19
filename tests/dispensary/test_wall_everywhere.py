"""Behind the second wall, in every table there is: another site's row is not seen, not changed, and not written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, UniqueViolation

from dispensary.database import Database
from dispensary.migrations.apart_arrivals import NEW_ARRIVALS
from dispensary.wall import DESK
from tests.builders import clinic
from tests.dispensary.test_wall import OPEN
from tests.dispensary.walled_rows import BARE, Owner, insert, tables

MADE_BY_BUILDERS = ("site", "account", "role_grant", "place", "client")


@contextmanager
def desk_of(connection: psycopg.Connection, *sites: UUID) -> Iterator[None]:
    """What a unit of somebody of these sites can do, without guards: they are another wall. Nothing of it is kept."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "SELECT set_config('role', %s, true), set_config('takehome.sites', %s, true)",
            [DESK, f"{{{','.join(map(str, sites))}}}"],
        )
        yield


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.url.replace("+psycopg", "")) as connection:
        yield connection


@pytest.fixture
def here_and_there(database: Database, connection: psycopg.Connection, now: datetime) -> tuple[Owner, Owner]:
    """Two sites with a row of their own in every table."""
    owners = []
    for number, code in ((1, "HRP"), (2, "KLG")):
        place = clinic(database, now, code=code)
        client = place.client()
        assert place.pharmacist.account_id is not None
        owners.append(Owner(place.site_id, client, place.pharmacist.account_id, number))
    with connection.transaction():
        connection.execute(BARE)
        for trigger, table in NEW_ARRIVALS:  # they let a row that is there already go by without a word
            connection.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(trigger), sql.Identifier(table)))
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in tables():
            if table not in MADE_BY_BUILDERS:
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
                for owner in owners:
                    insert(connection, table, owner.row(connection, table))
    return owners[0], owners[1]


def walled() -> list[str]:
    return [table for table in tables() if table not in OPEN]


def count(connection: psycopg.Connection, table: str) -> int:
    (number,) = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone() or (0,)
    return int(number)


def test_every_walled_table_shows_its_own_row_and_not_the_others(
    connection: psycopg.Connection, here_and_there: tuple[Owner, Owner]
) -> None:
    here, there = here_and_there
    seen = {}
    for sites in ((), (here.site_id,), (there.site_id,), (here.site_id, there.site_id)):
        with desk_of(connection, *sites):
            seen[sites] = {table: count(connection, table) for table in walled()}
    assert set(seen[()].values()) == {0}
    assert {table: number for table, number in seen[(here.site_id,)].items() if number != 1} == {}
    assert {table: number for table, number in seen[(there.site_id,)].items() if number != 1} == {}
    assert {table: number for table, number in seen[(here.site_id, there.site_id)].items() if number != 2} == {}


def test_nothing_of_another_site_is_changed_or_removed(
    connection: psycopg.Connection, here_and_there: tuple[Owner, Owner]
) -> None:
    here, _ = here_and_there
    wrong = []
    for table in walled():
        column = next(iter(here.row(connection, table)))
        change = sql.SQL("UPDATE {0} SET {1} = {1}").format(sql.Identifier(table), sql.Identifier(column))
        for act in (change, sql.SQL("DELETE FROM {}").format(sql.Identifier(table))):
            with desk_of(connection, here.site_id):
                try:
                    touched = connection.execute(act).rowcount
                except InsufficientPrivilege as reason:
                    touched = 1 if "permission denied" in str(reason) else -1  # what is only ever added to
                if touched != 1:
                    wrong.append((table, act.as_string(), touched))
    assert wrong == []


def test_a_row_for_another_site_is_refused_and_ones_own_is_not(
    connection: psycopg.Connection, here_and_there: tuple[Owner, Owner]
) -> None:
    here, there = here_and_there
    wrong = []
    for table in walled():
        for owner, refused in ((there, True), (here, False)):
            with desk_of(connection, here.site_id):
                try:
                    insert(connection, table, owner.row(connection, table))
                    was_refused = False
                except InsufficientPrivilege as reason:
                    was_refused = "row-level security" in str(reason)
                except UniqueViolation:  # it is there already: PostgreSQL asks the wall before it looks for its like
                    was_refused = False
                if was_refused is not refused:
                    wrong.append((table, owner.number, was_refused))
    assert wrong == []
