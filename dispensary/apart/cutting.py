"""The cut that a satellite takes along: of one moment, what concerns its clients and its site, and nobody else.

It holds the own keys of its clients and of no others, wrapped under a key that the satellite alone seals by, and is
itself sealed to the satellite's public key. What its rows refer to comes with them, so that nothing in it hangs in the
air; where that is a client whose doses it does not give any more, their row says nothing but their number.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import psycopg
import pyrage
from psycopg import sql
from sqlalchemy import text

from dispensary.apart.catalogue import Cursor, Reference, Table, references, tables
from dispensary.apart.tables import BROUGHT, COUNTER, HANGS_ON, TAKEN
from dispensary.backups.files import BadBackup
from dispensary.client_keys import DatabaseVault
from dispensary.database import Database
from dispensary.keys import HOUSE, Held, Keyring, Kind, Ring, Vault
from dispensary.resealing.fields import sealed_columns
from dispensary.units import SiteId

FORM = 1
_CLIENTS = """
SELECT client_id FROM guest_stay WHERE guest_site_id = %(site)s AND satellite AND verified_at IS NOT NULL
    AND ended_on IS NULL
UNION SELECT client_id FROM guest_stay WHERE guest_site_id = %(site)s AND verified_at IS NOT NULL
    AND days && daterange((%(at)s)::date - 1, NULL)
UNION SELECT c.id FROM client c JOIN episode e ON e.client_id = c.id AND e.ended_on IS NULL WHERE c.site_id = %(site)s
"""
_OF_SITE, _OF_SITES, _OF_CLIENTS = "{} = %(site)s", "{} = ANY(%(sites)s)", "{} = ANY(%(clients)s)"
_OWN_WORDS = {
    "branch_grant": """EXISTS (SELECT FROM role_grant r WHERE r.account_id = t.account_id AND r.role = t.role
        AND r.site_id = ANY(%(sites)s) AND NOT r.direct)""",
    "account": "EXISTS (SELECT FROM role_grant r WHERE r.account_id = t.id AND r.site_id = %(site)s)",
    "area": "false",
    "guest_stay": """t.client_id = ANY(%(clients)s) OR t.guest_site_id = %(site)s AND t.ended_at >= (
        SELECT since FROM site_apart WHERE site_id = %(site)s AND whole AND until IS NULL)""",
    "policy_version": "true",
    "care_document": "true",
    "programme_setting": "true",
    "client": _OF_CLIENTS.format("t.id"),
    "client_index": """t.client_id = ANY(%(clients)s)
        OR t.kind = 'number' AND t.client_id IN (SELECT id FROM cut_client)""",
    "site": _OF_SITES.format("t.id"),
    "place": _OF_SITES.format("t.id"),
    "stock_transfer": "%(site)s IN (t.from_site_id, t.to_site_id)",
    # Its own books, and what the other site's says of a can between them: both ends of a transfer say the same.
    "register_line": """t.book_id IN (SELECT id FROM register_book WHERE site_id = %(site)s)
        OR t.transfer_id IN (SELECT id FROM stock_transfer WHERE %(site)s IN (from_site_id, to_site_id))""",
    "supply_void": "t.site_id = %(site)s OR t.supply_id IN (SELECT id FROM cut_supply)",
    "late_entry": "t.site_id = %(site)s OR t.supply_id IN (SELECT id FROM cut_supply)",
    "pickup_pass": "t.site_id = %(site)s OR t.pickup_id IN (SELECT id FROM cut_pickup)",
    "alert": "t.site_id = %(site)s",
    "task": "t.site_id = %(site)s",
    "contact_note": "t.site_id = %(site)s",
    "look_reason": "t.site_id = %(site)s",
    "naloxone_use": "t.site_id = %(site)s",
    "naloxone_kit": "t.site_id = %(site)s",
}
_HOMES_OF_OTHERS = """
INSERT INTO cut_client_home SELECT t.* FROM client_home t WHERE t.client_id IN (SELECT id FROM cut_client)
    AND NOT EXISTS (SELECT FROM cut_client_home c WHERE (c.client_id, c.no) = (t.client_id, t.no))
"""
_LATE = ("pickup_pass", "supply_void", "late_entry", *HANGS_ON)
"""Taken when what they hang on is."""


@dataclass(frozen=True)
class Cut:
    """What was taken, and for whom."""

    content: bytes
    """Sealed to the satellite's public key."""
    clients: int
    rows: int
    people: Sequence[UUID]
    """The accounts of which it holds a password."""


def ring_of(ring: Ring, key: str) -> Ring:
    """The keys of a satellite: one to seal by, which is none that the centre seals by, and what finds and signs.

    Raises BadBackup where the key is not there or is the centre's own.
    """
    if key not in ring.sealing.keys or key == ring.sealing.current:
        raise BadBackup(
            f"{key} is no key of the satellite's own. Add one without using it: dispensary keys add --not-yet"
        )
    return ring.with_held(Kind.SEALING, Held(key, {key: ring.sealing.keys[key]}))


def make_cut(
    database: Database,
    *,
    site_id: SiteId,
    main_id: SiteId,
    key: str,
    sealed_to: Sequence[pyrage.x25519.Recipient],
    warn_after: int | None,
    migration: str,
    at: datetime,
) -> Cut:
    """Takes the cut of this moment. Raises BadBackup for a key that is none of the satellite's."""
    ring = ring_of(database.vault.ring, key)
    with database.writing() as session:  # it keeps nothing: the tables that it makes go with it
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        cursor = cursor_of(session.connection().connection)
        given = {"site": site_id, "sites": [site_id, main_id], "at": at}
        clients = [row[0] for row in cursor.execute(_CLIENTS, given).fetchall()]
        there = tables(cursor)
        _take(cursor, there, {**given, "clients": clients})
        refers = references(cursor)
        _close(cursor, there, refers)
        cursor.execute(_HOMES_OF_OTHERS)
        _close(cursor, there, refers)
        _take_one(cursor, there["client_index"], {**given, "clients": clients})
        _forget_others(cursor, Vault(Keyring(ring)), clients)
        _seal_for(cursor, database.vault, Vault(Keyring(ring)))
        people = [row[0] for row in cursor.execute("SELECT account_id FROM cut_account_password ORDER BY 1").fetchall()]
        content, rows = _packed(cursor, there, {
            "form": FORM, "site": str(site_id), "main": str(main_id), "at": at.isoformat(), "migration": migration,
            "warn_after": warn_after, "clients": len(clients), "keys": json.loads(ring.as_json()),
        })  # fmt: skip
    return Cut(bytes(pyrage.encrypt(content, list(sealed_to))), len(clients), rows, people)


def cursor_of(raw: object) -> Cursor:
    """psycopg's own cursor on a connection of SQLAlchemy's, in its transaction."""
    driver = getattr(raw, "driver_connection", None)
    assert isinstance(driver, psycopg.Connection)
    return driver.cursor()


def _take(cursor: Cursor, there: dict[str, Table], given: dict[str, object]) -> None:
    late = [name for name in _LATE if name in TAKEN]
    for name in (*(each for each in TAKEN if each not in late and each != "client_index"), *late):
        _take_one(cursor, there[name], given)


def _take_one(cursor: Cursor, table: Table, given: dict[str, object]) -> None:
    statement = sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT t.* FROM {} AS t WHERE {}").format(
        sql.Identifier(f"cut_{table.name}"), sql.Identifier(table.name), sql.SQL(_whose(table))
    )
    cursor.execute(statement, given)


def _whose(table: Table) -> str:
    """Which rows of a table the satellite's clients and its site concern."""
    name = table.name
    site, client = table.site and f"t.{table.site}", table.client and f"t.{table.client}"
    if name in _OWN_WORDS:
        return _OWN_WORDS[name]
    if name in HANGS_ON:
        column, parent = HANGS_ON[name]
        return f"t.{column} IN (SELECT id FROM cut_{parent})"
    if name in BROUGHT:
        return "EXISTS (SELECT FROM role_grant r WHERE r.account_id = t.account_id AND r.site_id = %(site)s)"
    if name in COUNTER:
        if table.site == "place_id" or not client:
            return _OF_SITE.format(site)
        return f"{_OF_SITE.format(site)} OR {_OF_CLIENTS.format(client)}" if site else _OF_CLIENTS.format(client)
    return _OF_CLIENTS.format(client) if client else _OF_SITES.format(site)


def _close(cursor: Cursor, there: dict[str, Table], refers: Sequence[Reference]) -> None:
    """Adds what the rows refer to, and what that refers to, until nothing is missing."""
    more = True
    while more:
        more = False
        for each in refers:
            if each.child == "client_index":
                continue  # taken afterwards
            names = {
                "to": sql.Identifier(f"cut_{each.parent}"),
                "table": sql.Identifier(each.parent),
                "child": sql.Identifier(f"cut_{each.child}"),
                "key": sql.SQL(", ").join(sql.Identifier("t", column) for column in each.key),
                "had": sql.SQL(", ").join(sql.Identifier("c", column) for column in each.key),
                "columns": sql.SQL(", ").join(sql.Identifier(column) for column in each.columns),
            }
            added = cursor.execute(
                sql.SQL(
                    "INSERT INTO {to} SELECT t.* FROM {table} AS t WHERE ({key}) IN (SELECT {columns} FROM {child})"
                    " AND NOT EXISTS (SELECT FROM {to} AS c WHERE ({had}) = ({key}))"
                ).format(**names)
            )
            more = more or added.rowcount > 0


def _forget_others(cursor: Cursor, theirs: Vault, clients: Sequence[UUID]) -> None:
    """Whoever is in it only because a row refers to them is a number there, and has no key of their own."""
    others = cursor.execute("SELECT id FROM cut_client WHERE NOT id = ANY(%s)", [list(clients)]).fetchall()
    for (client_id,) in others:
        cursor.execute(
            "UPDATE cut_client SET name_sealed = %s, born_sealed = NULL, national_id_sealed = NULL,"
            " photo_sealed = NULL, second_identifier_sealed = NULL WHERE id = %s",
            [theirs.seal("client.name", client_id, "not of this site any more"), client_id],
        )


def _seal_for(cursor: Cursor, ours: DatabaseVault, theirs: Vault) -> None:
    """What a key of the house sealed is sealed anew under the satellite's; a client's own words stay as they are."""
    for column in sealed_columns():
        if column.table not in TAKEN:
            continue
        names = {
            "table": sql.Identifier(f"cut_{column.table}"),
            "row": sql.Identifier(column.row),
            "column": sql.Identifier(column.column),
        }
        asked = sql.SQL("SELECT {row}, {column} FROM {table} WHERE substring({column} FOR 1) = %s").format(**names)
        for row, sealed in cursor.execute(asked, [HOUSE]).fetchall():
            if bytes(sealed[1:5]).decode() == theirs.ring.current:
                continue
            again = theirs.seal(column.bound_by, row, ours.open_bytes(column.bound_by, row, bytes(sealed)))
            change = sql.SQL("UPDATE {table} SET {column} = %s WHERE {row} = %s").format(**names)
            cursor.execute(change, [again, row])


def _packed(cursor: Cursor, there: dict[str, Table], said: dict[str, object]) -> tuple[bytes, int]:
    packed, rows = io.BytesIO(), 0
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("cut.json", json.dumps(said))
        for name in TAKEN:
            columns = sql.SQL(", ").join(map(sql.Identifier, there[name].columns))
            statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT").format(columns, sql.Identifier(f"cut_{name}"))
            with file.open(name, "w") as part, cursor.copy(statement) as copied:
                part.write((",".join(there[name].columns) + "\n").encode())
                for piece in copied:
                    part.write(piece)
            rows += cursor.rowcount
    return packed.getvalue(), rows
