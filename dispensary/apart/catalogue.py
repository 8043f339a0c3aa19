"""What PostgreSQL's catalogue says of a table: columns, key, by what it belongs to a site or a client."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from dispensary.apart.tables import CLIENTS, HANGS_ON, SITES, TAKEN
from dispensary.embedded import NoDatabase

Cursor = psycopg.Cursor[Any]
NEEDED = 160000
"""PostgreSQL 16, as its servers number themselves: older ones cannot leave out what came from elsewhere."""

_COLUMNS = """
SELECT c.relname, a.attname, coalesce(a.attnum = ANY (i.indkey::int2[]), false)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attgenerated = ''
ORDER BY c.relname, a.attnum
"""
_REFERENCES = """
SELECT k.conrelid::regclass::text, k.confrelid::regclass::text,
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS n (no, rank)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = n.no ORDER BY n.rank),
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS n (no, rank)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = n.no ORDER BY n.rank)
FROM pg_constraint k WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY 1, k.conname
"""


@dataclass(frozen=True)
class Table:
    """A table as it is now. What PostgreSQL computes itself is no column here."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]

    @property
    def site(self) -> str | None:
        """The column that says whose row it is; nothing for what hangs on another row, is a client's or everybody's."""
        return next((column for column in SITES if column in self.columns and self.name not in HANGS_ON), None)

    @property
    def client(self) -> str | None:
        return next((column for column in CLIENTS if column in self.columns), None)


@dataclass(frozen=True)
class Reference:
    """A foreign key."""

    child: str
    parent: str
    columns: Sequence[str]
    key: Sequence[str]


def new_enough(connection: psycopg.Connection[Any], which: str) -> None:
    """Raises NoDatabase where a server is too old to run apart, or to be joined with one that does."""
    version = connection.info.server_version
    if version < NEEDED:
        raise NoDatabase(
            f"A satellite that runs alone needs PostgreSQL {NEEDED // 10000} or newer at both ends:"
            f" {which} is {version // 10000}. Upgrade it first; nothing was changed."
        )


def tables(cursor: Cursor) -> dict[str, Table]:
    """Every table, by name."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for name, column, is_key in cursor.execute(_COLUMNS).fetchall():
        columns, key = found.setdefault(name, ([], []))
        columns.append(column)
        if is_key:
            key.append(column)
    return {name: Table(name, columns, key) for name, (columns, key) in found.items()}


def references(cursor: Cursor) -> list[Reference]:
    """The foreign keys between tables of which a cut holds something."""
    return [
        Reference(child, parent, columns, key)
        for child, parent, columns, key in cursor.execute(_REFERENCES).fetchall()
        if child in TAKEN and parent in TAKEN
    ]
