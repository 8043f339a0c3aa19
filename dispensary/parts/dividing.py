"""Dividing a table and making it whole again: one transaction each, at the end of which nothing but the parts is new.

The rows are copied, and all else is made again as the catalogue says it: keys, foreign keys out and in, triggers with
their state, the second wall, grants, views and functions that are bound to the table. Before the transaction ends, what
the catalogue says then is held against what it said before; where anything else differs, nothing was done.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import errors

from dispensary.database import Database
from dispensary.embedded import NoDatabase
from dispensary.parts import keys
from dispensary.parts.bearings import bearings, compared
from dispensary.parts.catalogue import Cursor, Shape, near, shape
from dispensary.parts.layouts import OURS, Layout, by_digest, by_month, to_begin_with
from dispensary.parts.tables import BY, BY_MONTH, KEYS, NOT_BY_MONTH, WAS

Progress = Callable[[int, int, str], None]

WAITS = "10s"
"""How long it waits for a table that somebody works with."""
_STEP = 2048
"""Pages that are copied by one statement: 16 MB."""
_KIND = "SELECT relkind::text, pg_has_role(relowner, 'MEMBER') FROM pg_class WHERE oid = to_regclass(%s)"
_LEAVES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1"
_ODD = """
SELECT (SELECT 'is told to another server by the publication ' || p.pubname FROM pg_publication_rel r
        JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = %(table)s::regclass LIMIT 1),
    (SELECT 'comes from another server by a subscription' FROM pg_subscription_rel
        WHERE srrelid = %(table)s::regclass LIMIT 1),
    (SELECT 'has a column that numbers itself' FROM pg_attribute WHERE attrelid = %(table)s::regclass
        AND attidentity <> '' LIMIT 1),
    (SELECT 'is known to other servers by ' || CASE relreplident WHEN 'i' THEN 'a key of its own' ELSE 'no key' END
        FROM pg_class WHERE oid = %(table)s::regclass AND relreplident NOT IN ('d', 'f'))
"""
_LENT = """
SELECT string_agg(s.code, ', ' ORDER BY s.code) FROM site_apart a JOIN site s ON s.id = a.site_id WHERE a.until IS NULL
"""
_DIVIDED = """
SELECT c.relname, count(*) FROM pg_class c JOIN pg_inherits i ON i.inhparent = c.oid
WHERE c.relkind = 'p' AND c.relnamespace = 'public'::regnamespace GROUP BY 1 ORDER BY 1
"""
_HELD = """
SELECT current_setting('max_locks_per_transaction')::int, count(DISTINCT h.inhrelid) + count(i.indexrelid)
FROM pg_class c JOIN pg_partitioned_table p ON p.partrelid = c.oid AND p.partstrat = 'r'
JOIN pg_inherits h ON h.inhparent = c.oid LEFT JOIN pg_index i ON i.indrelid = h.inhrelid
WHERE c.relnamespace = 'public'::regnamespace
"""
_COLUMN = """
SELECT a.attname::text FROM pg_partitioned_table p
JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = %s::regclass
"""
_EMPTY = f"""
SELECT format('DROP SCHEMA %I', nspname) FROM pg_namespace n
WHERE nspname ~ '{OURS}' AND NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = n.oid)
"""
_REMEMBERED = """
SELECT format('ALTER FUNCTION %%s COST %%s', p.oid::regprocedure, p.procost) FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND p.prosrc ~ ('\\m' || %s || '\\M')
"""
"""What a connection remembers of a function holds the row of the table as it was: said anew, it is read anew."""


@dataclass(frozen=True)
class Done:
    """A table that was divided or made whole."""

    table: str
    rows: int
    seconds: float
    """How long nobody could work with the table."""
    into: Layout | None
    """Nothing when it was made whole."""


Laid = Callable[[Cursor], Layout]


def divide(database: Database, table: str, *, parts: int, progress: Progress) -> Done:
    """Divides a table into so many parts, or raises NoDatabase, with the reason, and does nothing."""
    _known(table, BY)
    return _turned(database, table, laid=lambda cursor: by_digest(table, parts), progress=progress)


def divide_by_month(database: Database, table: str, *, today: date, progress: Progress) -> Done:
    """Divides a table into months, or raises NoDatabase, with the reason, and does nothing."""
    _known(table, BY_MONTH)

    def laid(cursor: Cursor) -> Layout:
        (oldest,) = cursor.execute(f"SELECT min({BY_MONTH[table]})::date FROM public.{table}").fetchone() or (None,)
        return by_month(table, to_begin_with(oldest, today))

    return _turned(database, table, laid=laid, progress=progress)


def make_whole(database: Database, table: str, *, progress: Progress) -> Done:
    """Takes the parts of a table together again, or raises NoDatabase, with the reason, and does nothing."""
    _known(table, BY)
    return _turned(database, table, laid=None, progress=progress)


def divided(database: Database) -> dict[str, int]:
    """The tables that are divided, and into how many parts."""
    with own(database) as connection:
        return dict(connection.execute(_DIVIDED).fetchall())


def locks_lacking(database: Database) -> int:
    """What `max_locks_per_transaction` should be where months are many and it is less.

    There is to be room for half of all connections to hold every month and its indexes at once.
    """
    with own(database) as connection:
        has, held = connection.execute(_HELD).fetchone() or (0, 0)
    return 64 * -(-held // 128) if held > 2 * has else 0


def own(database: Database) -> psycopg.Connection[Any]:
    """A connection that sees every row, in UTC, and waits for nobody longer than this house does."""
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    options = f"-c timezone=UTC -c search_path=public -c row_security=off -c lock_timeout={WAITS}"
    return psycopg.connect(address, autocommit=True, options=options)


def _known(table: str, tables: Iterable[str]) -> None:
    if table not in tables:
        which = f"These are: {', '.join(tables)}."
        raise NoDatabase(NOT_BY_MONTH.get(table) or f"{table} is no table that is divided. {which}")


def _turned(database: Database, table: str, *, laid: Laid | None, progress: Progress) -> Done:
    try:
        with own(database) as connection, connection.transaction():
            cursor = connection.cursor()
            _locked(cursor, table, _asked(cursor, table, whole=laid is None))
            known = _asked(cursor, table, whole=laid is None)  # once more: somebody may have been before this one
            began = time.monotonic()
            if laid:
                as_owner(cursor, table)
            into = laid(cursor) if laid else None
            rows = _made_again(cursor, table, known, into, progress)
        seconds = time.monotonic() - began
        with own(database) as connection:
            connection.execute(f"ANALYZE public.{table}")
        return Done(table, rows, seconds, into)
    except errors.LockNotAvailable:
        raise NoDatabase(
            f"Somebody works with {table}, or with what hangs on it. Stop the program and its jobs, and do it again."
        ) from None
    except errors.InsufficientPrivilege as reason:
        said = str(reason).splitlines()[0]
        raise NoDatabase(
            f"The program's user may not do this: {said}. It has to own the tables and the database."
        ) from None
    except errors.OutOfMemory as reason:
        raise NoDatabase(
            f"PostgreSQL could not hold so many parts at once ({reason.diag.message_primary}). Nothing was done. Raise"
            " max_locks_per_transaction, start PostgreSQL again, and do it again."
        ) from None
    except errors.DependentObjectsStillExist as reason:
        raise NoDatabase(f"{table} cannot be taken apart: {reason.diag.message_detail}") from None


def as_owner(cursor: Cursor, table: str) -> None:
    """What is made is the table's owner's, whoever has it made: the night that makes more works as that owner."""
    asked = "SELECT quote_ident(tableowner) FROM pg_tables WHERE schemaname = 'public' AND tablename = %s"
    cursor.execute(f"SET LOCAL ROLE {every(cursor, asked, [table])[0]}")


def _asked(cursor: Cursor, table: str, *, whole: bool) -> list[str]:
    """The keys that lie apart already. Raises NoDatabase when the table is not to be touched."""
    row = cursor.execute(_KIND, [f"public.{table}"]).fetchone()
    if row is None:
        raise NoDatabase(f"There is no {table} in this database. Run `dispensary migrate` first.")
    kind, mine = row
    if not mine:
        raise NoDatabase(f"{table} is owned by another user of PostgreSQL. Its owner alone divides it.")
    if not whole and kind == "p":
        raise NoDatabase(f"{table} is divided already. To divide it otherwise, make it whole first.")
    if whole and kind != "p":
        raise NoDatabase(f"{table} is whole.")
    lent = cursor.execute(_LENT).fetchone() if every(cursor, "SELECT to_regclass('public.site_apart')", [])[0] else None
    if lent and lent[0]:
        raise NoDatabase(
            f"A site has a server of its own ({lent[0]}), and its rows come to the table as it is."
            " Bring it home first: `dispensary join SITE --last`."
        )
    for odd in cursor.execute(_ODD, {"table": f"public.{table}"}).fetchone() or ():
        if odd:
            raise NoDatabase(f"{table} {odd}. It stays as it is.")
    return keys.known(cursor, table)


def _locked(cursor: Cursor, table: str, known: Sequence[str]) -> None:
    """Takes every lock at once: what is asked for after hours of copying could be somebody's who waits for us."""
    tables = near(cursor, table, keys=[keys.table_of(key) for key in known])
    named = ", ".join([f"public.{table}", *tables])
    cursor.execute(f"LOCK TABLE {named} IN ACCESS EXCLUSIVE MODE")


def _made_again(cursor: Cursor, table: str, known: Sequence[str], into: Layout | None, progress: Progress) -> int:
    before = bearings(cursor)
    was = shape(cursor, table, keys=[keys.table_of(key) for key in known], own=KEYS)
    column = into.column if into else every(cursor, _COLUMN, [f"public.{table}"])[0]
    widen = [key.name for key in was.keys if keys.lacks(key, column)] if into else []
    sources = [f"{WAS}.{table}"] if into else every(cursor, _LEAVES, [f"public.{table}"])
    for reference in was.references:
        if reference.child != table:
            cursor.execute(reference.dropped)
    each_of(cursor, was.taken_down)
    each_of(cursor, [f"CREATE SCHEMA {WAS}", f"ALTER TABLE public.{table} SET SCHEMA {WAS}"])

    places = _laid_out(cursor, table, was, into)
    rows, pages = _copied(cursor, table, was, sources, progress)
    for number, key in enumerate(was.keys, start=1):
        now = key
        if key.name in widen:
            each_of(cursor, keys.filled(key, table, column))
            now = keys.widened(key, column)
        elif key.name in known:
            now = keys.narrowed(key, column)
        each_of(cursor, [now.on(place) for place in (*places, f"public.{table}")])
        progress(pages + pages * number // (len(was.keys) + 1), 2 * pages, key.name)
    each_of(cursor, [f"DROP TABLE {WAS}.{table}", f"DROP SCHEMA {WAS}"])
    for reference in was.references:
        cursor.execute((keys.pointed(reference, table, widen) if into else keys.pointed_back(reference, table)).made)
    for trigger in was.triggers:
        each_of(cursor, trigger.on(f"public.{table}"))
        each_of(cursor, [said for place in places if not trigger.of_rows for said in trigger.on(place)])
    each_of(cursor, [f"ALTER TABLE public.{table} {wall}" for wall in was.walled])
    each_of(cursor, [f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY" for place in places])
    each_of(cursor, was.put_up)
    for key in was.keys:
        if key.name in widen:
            each_of(cursor, keys.kept(key, table, column))
    if widen:
        each_of(cursor, keys.not_emptied([*places, f"public.{table}"]))
    if into is None:
        _taken_away(cursor, known)
    each_of(cursor, every(cursor, _REMEMBERED, [table]))
    if differing := compared(before, bearings(cursor), table, column, {*widen, *known}):
        raise NoDatabase(f"{table} would not be what it was: {differing}. Nothing was done.")
    progress(2 * pages, 2 * pages, "")
    return rows


def _laid_out(cursor: Cursor, table: str, was: Shape, into: Layout | None) -> list[str]:
    """The table without rows and keys, and its parts; their names."""
    like = f"CREATE TABLE public.{table} (LIKE {WAS}.{table} INCLUDING ALL EXCLUDING INDEXES)"
    stored = f" WITH ({was.storage})" if was.storage else ""
    if into is None:
        cursor.execute(like + stored)
        return []
    cursor.execute(f"{like} PARTITION BY {into.method} ({into.column})")
    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {KEYS}")
    places = []
    for part in into.parts:
        place = f"{part.schema}.{table}"
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {part.schema}")
        cursor.execute(f"CREATE TABLE {place} PARTITION OF public.{table} {part.of}{stored}")
        places.append(place)
    return places


def _copied(cursor: Cursor, table: str, was: Shape, sources: Sequence[str], progress: Progress) -> tuple[int, int]:
    """Copies every row, a stretch of the table at a time: how many rows there are, on how many pages."""
    columns = ", ".join(was.columns)
    pages = {
        source: int(
            every(cursor, "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int", [source])[0]
        )
        for source in sources
    }
    total, done, rows = max(sum(pages.values()), 1), 0, 0
    for source, length in pages.items():
        for first in range(0, length, _STEP):
            cursor.execute(
                f"INSERT INTO public.{table} ({columns}) SELECT {columns} FROM {source}"
                f" WHERE ctid >= '({first},0)' AND ctid < '({first + _STEP},0)'"
            )
            rows += cursor.rowcount
            done += min(_STEP, length - first)
            progress(done, 2 * total, "rows")
    return rows, total


def _taken_away(cursor: Cursor, known: Sequence[str]) -> None:
    """What a divided table alone had."""
    for key in known:
        each_of(cursor, [f"DROP FUNCTION {KEYS}.keep_{key}()", f"DROP TABLE {keys.table_of(key)}"])
    if not cursor.execute("SELECT 1 FROM pg_partitioned_table LIMIT 1").fetchone():
        each_of(cursor, [f"DROP FUNCTION IF EXISTS {KEYS}.not_emptied()", f"DROP SCHEMA {KEYS}"])
    each_of(cursor, every(cursor, _EMPTY, []))


def each_of(cursor: Cursor, statements: Iterable[str]) -> None:
    for statement in statements:
        cursor.execute(statement)


def every(cursor: Cursor, statement: str, values: Sequence[object]) -> list[str]:
    return [row[0] for row in cursor.execute(statement, values or None).fetchall()]
