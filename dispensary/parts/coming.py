"""The months to come of tables that lie in months: made by night, empty, before their first row is written.

A row whose month was not there lies in the rest. When its month is made it is moved there in the same transaction: the
rest is taken out, its rows are copied where they belong, and a new rest takes its place. Nobody deletes a row, so that
no guard of what is only added to is silenced. At the end what the catalogue says is held against what it said before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg import errors

from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.parts import keys
from dispensary.parts.bearings import bearings
from dispensary.parts.catalogue import Cursor, Shape, near, shape
from dispensary.parts.dividing import as_owner, each_of, locks_lacking, own
from dispensary.parts.layouts import REST, Part, lacking, month_in, part_of
from dispensary.parts.tables import BY_MONTH, KEYS, WAS

WAITS = "700ms"
"""How long it waits for a table, holding none: shorter than the second after which PostgreSQL looks for a deadlock."""
PAUSE = 0.4
PATIENCE = 30.0
"""Seconds for which a table that somebody works with is tried again; then the next night."""
_LYING = """
SELECT c.relname::text, n.nspname::text FROM pg_class c
JOIN pg_partitioned_table p ON p.partrelid = c.oid AND p.partstrat = 'r'
JOIN pg_inherits i ON i.inhparent = c.oid JOIN pg_class part ON part.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = part.relnamespace
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (%s) ORDER BY 1, 2
"""
_MAY = """
SELECT pg_has_role(relowner, 'MEMBER'), has_database_privilege(relowner, current_database(), 'CREATE') FROM pg_class
WHERE oid = %s::regclass
"""
_MAY_NOT = "the program's user has to own the table and the database, and does not"


@dataclass(frozen=True)
class Standing:
    """How a table lies in months, and what it lacks."""

    table: str
    months: Sequence[date]
    strays: dict[date, int]
    """How many rows lie in the rest, by the month that they are of; whoever does not own the table does not know."""
    may: bool
    """Whether the program's own user may make a month."""

    def lacks(self, today: date) -> list[date]:
        return lacking(self.months, self.strays, today)


def standings(database: Database) -> list[Standing]:
    """Each table that lies in months; none where all are whole or divided by a digest."""
    with own(database) as connection:
        return _standings(connection.cursor())


def _standings(cursor: Cursor) -> list[Standing]:
    lying: dict[str, list[date]] = {}
    for table, schema in cursor.execute(_LYING, [list(BY_MONTH)]).fetchall():
        month = month_in(schema)
        lying.setdefault(table, []).extend([month] if month else [])
    found = []
    for table, months in lying.items():
        mine, more = cursor.execute(_MAY, [f"public.{table}"]).fetchone() or (False, False)
        asked = (
            f"SELECT date_trunc('month', {BY_MONTH[table]})::date, count(*) FROM {REST}.{table} GROUP BY 1 ORDER BY 1"
        )
        strays = dict(cursor.execute(asked).fetchall()) if mine else {}
        found.append(Standing(table, months, strays, mine and more))
    return found


def to_look_at(database: Database, *, today: date) -> list[str]:
    """A sentence for whatever is not as a night leaves it: rows in the rest, months that lack, a user who may not."""
    said = []
    for each in standings(database):
        if months := each.lacks(today):
            why = "the next night makes them" if each.may else f"nobody makes them, since {_MAY_NOT}"
            said.append(f"{each.table} lacks {_named(months)}; {why}.")
        if each.strays:
            rows = sum(each.strays.values())
            what = "1 row" if rows == 1 else f"{rows:,} rows"
            said.append(f"{each.table} has {what} in {REST}, in no month of their own: {_named(each.strays)}.")
    if needed := locks_lacking(database):
        said.append(f"Months have become many: set max_locks_per_transaction of PostgreSQL to {needed}.")
    return said


def _named(months: Iterable[date]) -> str:
    first, *more = sorted(months)
    if not more:
        return f"{first:%Y-%m}"
    return f"{first:%Y-%m} to {more[-1]:%Y-%m}" if len(more) > 2 else ", ".join(f"{m:%Y-%m}" for m in (first, *more))


def make_months(database: Database, *, today: date) -> dict[str, list[str]]:
    """Makes the months that lack until two ahead: which, of which table. Done again it does nothing.

    Raises NoDatabase when somebody works with a table for half a minute, or when the program's user may not make them;
    what was made of other tables stays.
    """
    made: dict[str, list[str]] = {}
    for each in standings(database):
        if each.lacks(today):
            if not each.may:
                raise NoDatabase(f"Months of {each.table} are not made: {_MAY_NOT}.")
            made[each.table] = [f"{month:%Y-%m}" for month in _made(database, each.table, today)]
    return made


def _made(database: Database, table: str, today: date) -> list[date]:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with own(database) as connection, connection.transaction():
                return _made_in_one(connection.cursor(), table, today)
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if time.monotonic() > until:
                raise NoDatabase(f"Somebody works with {table}: its months are made the next night.") from None
            time.sleep(PAUSE)


def _made_in_one(cursor: Cursor, table: str, today: date) -> list[date]:
    as_owner(cursor, table)
    before = bearings(cursor)
    cursor.execute(f"SET LOCAL lock_timeout = '{WAITS}'")
    cursor.execute(f"LOCK TABLE public.{table} IN ACCESS EXCLUSIVE MODE")
    # Nothing more is waited for: whoever holds one of these may wait for the table, and it is never a dose that yields.
    if tied := near(cursor, table, keys=[]):
        cursor.execute(f"LOCK TABLE {', '.join(tied)} IN SHARE ROW EXCLUSIVE MODE NOWAIT")
    now = next((each for each in _standings(cursor) if each.table == table), None)
    if now is None or not (months := now.lacks(today)):
        return []
    known = keys.known(cursor, table)
    was = shape(cursor, table, keys=[], own=KEYS)
    if any(month in now.strays for month in months):
        _emptied(cursor, table, was, known, months)
    else:
        for month in months:
            part = part_of(table, month)
            _stand(cursor, table, part, was)
            _hang(cursor, table, part, was, known)
    after = bearings(cursor)
    if differing := [*(before - after), *(after - before)]:
        raise NoDatabase(f"{table} would not be what it was: {'; '.join(differing[:3])}. Nothing was done.")
    return months


def _emptied(cursor: Cursor, table: str, was: Shape, known: Sequence[str], months: Sequence[date]) -> None:
    """Makes the months with their rows out of the rest, of which a new one has what is left."""
    pointing = [each for each in was.references if each.child != table]
    for reference in pointing:
        cursor.execute(f"LOCK TABLE {reference.child} IN ACCESS EXCLUSIVE MODE NOWAIT")
        cursor.execute(reference.dropped)
    rest = Part(REST, "DEFAULT")
    each_of(
        cursor,
        [
            f"ALTER TABLE public.{table} DETACH PARTITION {REST}.{table}",
            f"CREATE SCHEMA {WAS}",
            f"ALTER TABLE {REST}.{table} SET SCHEMA {WAS}",
        ],
    )
    columns, by = ", ".join(was.columns), BY_MONTH[table]
    own_months = ", ".join(f"'{month}'" for month in months)
    for part, month in [
        *((part_of(table, month), f"= '{month}'") for month in months),
        (rest, f"NOT IN ({own_months})"),
    ]:
        _stand(cursor, table, part, was)
        cursor.execute(
            f"INSERT INTO {part.schema}.{table} ({columns}) SELECT {columns} FROM {WAS}.{table}"
            f" WHERE date_trunc('month', {by})::date {month}"
        )
        _hang(cursor, table, part, was, known)
    each_of(cursor, [f"DROP TABLE {WAS}.{table}", f"DROP SCHEMA {WAS}"])
    each_of(cursor, [reference.made for reference in pointing])


def _stand(cursor: Cursor, table: str, part: Part, was: Shape) -> None:
    """A table like the others, with their keys under their names, that nobody sees yet."""
    place = f"{part.schema}.{table}"
    stored = f" WITH ({was.storage})" if was.storage else ""
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {part.schema}")
    cursor.execute(f"CREATE TABLE {place} (LIKE public.{table} INCLUDING ALL EXCLUDING INDEXES){stored}")
    each_of(cursor, [key.on(place) for key in was.keys])


def _hang(cursor: Cursor, table: str, part: Part, was: Shape, known: Sequence[str]) -> None:
    """Makes it a part: its guards of rows and foreign keys are PostgreSQL's to make, those of statements are made."""
    place = f"{part.schema}.{table}"
    cursor.execute(f"ALTER TABLE public.{table} ATTACH PARTITION {place} {part.of}")
    each_of(cursor, [said for trigger in was.triggers if not trigger.of_rows for said in trigger.on(place)])
    cursor.execute(f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY")
    if known:
        each_of(cursor, keys.not_emptied([place]))
