"""One row for each site in every table there is, made up from the catalogue, in a database that is thrown away.

What a row would have to be true for is taken away first (checks, what must not be empty); what it belongs to is kept: a
row of a site has that site's id, its client's, its account's and those of its own rows in the tables that it refers to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

import psycopg
from psycopg import sql

from dispensary.schema import all_metadata
from dispensary.units import ClientId, SiteId

BARE = """
DO $$ DECLARE each record; BEGIN
    FOR each IN SELECT conrelid::regclass AS named, conname FROM pg_constraint
        WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', each.named, each.conname);
    END LOOP;
END $$
"""
"""Takes away what the words of a row must be. Whom it belongs to is no check's business."""
_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), a.attgenerated <> '',
    (SELECT c.confrelid::regclass::text FROM pg_constraint c
     WHERE c.contype = 'f' AND c.conrelid = a.attrelid AND a.attnum = ANY (c.conkey) ORDER BY c.conname LIMIT 1)
FROM pg_attribute a WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_SITES, _CLIENTS = ("site_id", "place_id"), ("client_id", "holder_id", "recipient_id")
_WORDS: Mapping[str, str] = {
    "boolean": "false",
    "date": "2026-11-24",
    "timestamp with time zone": "2026-11-24 00:00Z",
    "time without time zone": "07:00",
    "interval": "1 hour",
    "daterange": "[2026-11-24,2026-11-25)",
    "jsonb": "{}",
    "inet": "127.0.0.1",
}


def tables() -> list[str]:
    """Every table of the program, what is referred to before what refers to it."""
    return [table.name for metadata in all_metadata() for table in metadata.sorted_tables]


@dataclass(frozen=True)
class Owner:
    """A site with its client and somebody who works there; and a number by which its rows differ from another's."""

    site_id: SiteId
    client_id: ClientId
    account_id: UUID
    number: int

    def id_of(self, table: str) -> UUID:
        known = {"site": self.site_id, "place": self.site_id, "client": self.client_id, "account": self.account_id}
        return known.get(table) or uuid5(self.site_id, table)

    def row(self, connection: psycopg.Connection, table: str) -> dict[str, object]:
        """What this site's row of a table says."""
        columns = connection.execute(_COLUMNS, [table]).fetchall()
        return {name: self._value(table, name, kind, to) for name, kind, generated, to in columns if not generated}

    def _value(self, table: str, name: str, kind: str, to: str | None) -> object:
        if kind == "uuid":
            if name in _SITES or (to == "site" and name != "to_site_id"):
                return self.site_id
            if name in _CLIENTS or to == "client":
                return self.client_id
            return self.account_id if name == "account_id" else self.id_of(to or table)
        if kind.endswith("[]"):
            return "{}"
        if kind in ("smallint", "integer", "bigint", "numeric"):
            return self.number
        if kind == "bytea":
            return bytes([self.number])
        return _WORDS.get(kind, f"{table}-{self.number}")


def insert(connection: psycopg.Connection, table: str, row: Mapping[str, object]) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        list(row.values()),
    )
