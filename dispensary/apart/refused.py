"""Which row of a satellite the centre refuses, and why: PostgreSQL says so in its log alone, so it is asked once more.

The next transaction that waits at the satellite is read there without being taken, and tried here row by row, as it
would arrive, in a transaction that is undone.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from dispensary.apart.catalogue import tables
from dispensary.units import SiteId

Connection = psycopg.Connection[Any]
_PATIENCE = 8.0
"""Seconds in which the slot is free once: a worker that was refused a row begins anew every five."""
_MOST = 20_000
"""Changes that are looked through for the first transaction that is not here."""
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From which PostgreSQL counts."""
_PEEK = """
SELECT data FROM pg_logical_slot_peek_binary_changes(%s, NULL, %s, 'proto_version', '1', 'publication_names', %s,
    'origin', 'none')
"""
_HERE = """
SELECT s.subenabled, coalesce(t.apply_error_count, 0),
    coalesce(pg_replication_origin_progress('pg_' || s.oid, false), '0/0') - '0/0'::pg_lsn
FROM pg_subscription s LEFT JOIN pg_stat_subscription_stats t ON t.subid = s.oid
WHERE s.subname = %s AND s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Line:
    """How the subscription of a site stands here."""

    enabled: bool
    errors: int
    came: int
    """How far into the satellite's log everything is here, in bytes."""


@dataclass(frozen=True)
class Change:
    """A row of the satellite as it was added, changed or removed. A value that did not come is left out."""

    kind: str
    table: str
    was: dict[str, str | None]
    row: dict[str, str | None]


@dataclass(frozen=True)
class Refusal:
    """The first row that is refused here."""

    table: str
    row: str
    """Its key, as PostgreSQL writes it."""
    reason: str
    rule: str
    """The constraint, where PostgreSQL names one."""
    no: int
    of: int
    """The how manieth row it is of those that were written together."""
    at: datetime


@dataclass
class _Transaction:
    at: datetime
    changes: list[Change] = field(default_factory=list)


def line_of(here: Connection, name: str) -> Line:
    """How the subscription stands. It is there."""
    row = here.execute(_HERE, [name]).fetchone()
    assert row is not None, "it was made before it is asked for"
    return Line(row[0], int(row[1]), int(row[2]))


def refusal(here: Connection, there: Connection, name: str) -> Refusal | None:
    """What of the satellite's next transaction is refused here; nothing where it goes in, or cannot be read now.

    What is tried is undone. A row that waits for another one's lock is not refused.
    """
    waits = _next(there, name, line_of(here, name).came)
    if waits is None:
        return None
    keys = {table.name: table.key for table in tables(here.cursor()).values()}
    with here.transaction(force_rollback=True):
        here.execute("SET LOCAL session_replication_role = replica")
        here.execute("SET LOCAL lock_timeout = '2s'")
        for no, change in enumerate(waits.changes, start=1):
            key = {column: (change.row or change.was)[column] for column in keys[change.table]}
            try:
                with here.transaction():
                    _do(here, change, key)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                return None
            except psycopg.Error as reason:
                named = ", ".join(f"{column} {value}" for column, value in key.items())
                said = reason.diag.message_primary or str(reason).strip()
                rule = reason.diag.constraint_name or ""
                return Refusal(change.table, named, said, rule, no, len(waits.changes), waits.at)
    return None


def _do(here: Connection, change: Change, key: dict[str, str | None]) -> None:
    table = sql.Identifier(change.table)
    same = sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in key)
    columns = [sql.Identifier(column) for column in change.row]
    values = list(change.row.values())
    if change.kind == "I":
        add = sql.SQL("INSERT INTO {} ({}) VALUES ({})")
        marks = sql.SQL(", ").join(sql.Placeholder() for _ in values)
        here.execute(add.format(table, sql.SQL(", ").join(columns), marks), values)
    elif change.kind == "U":
        sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(column) for column in columns)
        here.execute(sql.SQL("UPDATE {} SET {} WHERE {}").format(table, sets, same), [*values, *key.values()])
    else:
        here.execute(sql.SQL("DELETE FROM {} WHERE {}").format(table, same), list(key.values()))


def _next(there: Connection, name: str, came: int) -> _Transaction | None:
    """The first transaction that waits at the satellite and is not here."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            read = there.execute(_PEEK, [name, _MOST, f"{name},{name}_home"]).fetchall()
            return next((each for each in _read([bytes(row[0]) for row in read], came) if each.changes), None)
        except psycopg.errors.ObjectInUse:  # the centre's worker reads it just now
            if time.monotonic() > give_up:
                return None
            time.sleep(0.1)


def _read(messages: Sequence[bytes], came: int) -> Iterator[_Transaction]:
    """What the messages of `pgoutput` say, transaction by transaction, without those that ended before `came`."""
    relations: dict[int, tuple[str, list[str]]] = {}
    now = _Transaction(_EPOCH)
    for message in messages:
        kind, rest = chr(message[0]), message[1:]
        if kind == "B":
            (micros,) = struct.unpack_from("!q", rest, 8)
            now = _Transaction(_EPOCH + timedelta(microseconds=micros))
        elif kind == "C":
            (end,) = struct.unpack_from("!Q", rest, 9)
            if end > came:
                yield now
        elif kind == "R":
            (number,) = struct.unpack_from("!I", rest)
            relations[number] = _relation(rest[4:])
        elif kind in "IUD":
            (number,) = struct.unpack_from("!I", rest)
            table, columns = relations[number]
            rows = _tuples(rest[4:], columns)
            now.changes.append(Change(kind, table, rows.get("K") or rows.get("O") or {}, rows.get("N") or {}))


def _relation(rest: bytes) -> tuple[str, list[str]]:
    _schema, name, rest = rest.split(b"\0", 2)
    (count,) = struct.unpack_from("!h", rest, 1)
    rest, columns = rest[3:], []
    for _ in range(count):
        column, rest = rest[1:].split(b"\0", 1)
        columns.append(column.decode())
        rest = rest[8:]
    return name.decode(), columns


def _tuples(rest: bytes, columns: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """The rows of a change: N as it is now, O as it was, K its key as it was."""
    found: dict[str, dict[str, str | None]] = {}
    while rest:
        row = found.setdefault(chr(rest[0]), {})
        place = 3
        for column in columns[: struct.unpack_from("!h", rest, 1)[0]]:
            kind = chr(rest[place])
            place += 1
            if kind == "n":
                row[column] = None
            elif kind == "t":
                (length,) = struct.unpack_from("!I", rest, place)
                row[column] = rest[place + 4 : place + 4 + length].decode()
                place += 4 + length
        rest = rest[place:]
    return found


_LAST = "SELECT seq, hash FROM audit_entry WHERE site_id = %s ORDER BY seq DESC LIMIT 1"
_HASH = "SELECT hash FROM audit_entry WHERE site_id = %s AND seq = %s"


def other_than_came(here: Connection, there: Connection, site_id: SiteId) -> int | None:
    """The first entry of a satellite's audit trail that is another there than it came here; nothing where none is.

    A trail that was written anew fits by itself. What came before that is here as it was.
    """

    def is_same(seq: int) -> bool:
        both = [each.execute(_HASH, [site_id, seq]).fetchone() for each in (here, there)]
        return both[0] is not None and both[0] == both[1]

    last = here.execute(_LAST, [site_id]).fetchone()
    if last is None or is_same(last[0]):
        return None
    same, other = 0, int(last[0])
    while other - same > 1:
        middle = (same + other) // 2
        same, other = (middle, other) if is_same(middle) else (same, middle)
    return other
