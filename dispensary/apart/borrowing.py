"""A satellite's own server takes a cut: the first one begins it, each later one brings what the centre knows since.

Rows of the centre are replaced by those of the cut; rows of the satellite's counter are its own and stay. All of it is
one transaction, which PostgreSQL notes as having come from elsewhere, so that none of it goes back to the centre.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pyrage
from psycopg import sql

from dispensary.apart.catalogue import Cursor, Table, new_enough, tables
from dispensary.apart.cutting import FORM
from dispensary.apart.guarding import guard_at_satellite
from dispensary.apart.tables import (
    BROUGHT,
    CENTRE,
    COUNTER,
    REVIEW,
    REVIEWED_AT_THE_CENTRE,
    SITES,
    TAKEN,
    names_of,
)
from dispensary.backups.files import BadBackup
from dispensary.database import Database
from dispensary.keys import Ring, ring_from
from dispensary.units import SiteId

_ORIGIN = "takehome_cut"
_FROM_ELSEWHERE = """
SELECT pg_replication_origin_create(%(name)s)
WHERE NOT EXISTS (SELECT FROM pg_replication_origin WHERE roname = %(name)s)
"""
_OTHERS = """
INSERT INTO site_apart (site_id, since, known_at, whole, warn_after)
SELECT id, %(at)s, %(at)s, false, %(warn)s FROM site WHERE id <> %(site)s
    AND NOT EXISTS (SELECT FROM site_apart a WHERE a.site_id = site.id AND a.until IS NULL)
"""
KEPT = ("day_outcome", "audit_entry", "stock_count")
"""What is never changed, wherever it was written: a day that both froze stays as it was frozen here."""
_NO_CHAINS = """
INSERT INTO audit_chain (site_id, length, head) SELECT id, 0, sha256(convert_to(id::text, 'UTF8')) FROM site
ON CONFLICT DO NOTHING
"""
"""The trails of other sites are not here: each begins empty, and nothing is written in it."""


@dataclass(frozen=True)
class Parcel:
    """A cut that was opened."""

    site_id: SiteId
    at: datetime
    migration: str
    clients: int
    warn_after: int | None
    ring: Ring
    file: zipfile.ZipFile


@dataclass(frozen=True)
class Taken:
    """What a cut brought."""

    code: str
    first: bool
    clients: int
    at: datetime


def open_cut(path: Path, secrets: Sequence[pyrage.x25519.Identity]) -> Parcel:
    """Opens a cut with the satellite's secret key. Raises BadBackup for what is none, or is another's."""
    try:
        file = zipfile.ZipFile(io.BytesIO(bytes(pyrage.decrypt(path.read_bytes(), list(secrets)))))
        said: dict[str, Any] = json.loads(file.read("cut.json"))
        if said["form"] != FORM:
            raise BadBackup(f"{path} was made by another version of the program.")
        return Parcel(
            SiteId(UUID(said["site"])),
            datetime.fromisoformat(said["at"]),
            said["migration"],
            said["clients"],
            said["warn_after"],
            ring_from(json.dumps(said["keys"]), told=str(path)),
            file,
        )
    except pyrage.DecryptError as reason:
        raise BadBackup(f"{path} does not open with this secret key ({reason}).") from None
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise BadBackup(f"{path} is no cut of a site. Make it with `dispensary lend`.") from None


def take(database: Database, parcel: Parcel, *, migration: str) -> Taken:
    """Brings a cut into this database, puts up its guards, and has PostgreSQL keep what is written from here on.

    Raises BadBackup for a cut of another program, of another site than this server's, or an older one than is here,
    and NoDatabase where PostgreSQL is too old.
    """
    if parcel.migration != migration:
        raise BadBackup(
            f"The cut is of step {parcel.migration} and this program of {migration}. Bring both to one version first."
        )
    with _superuser(database) as connection, connection.cursor() as cursor:
        with connection.transaction():
            first = _whose_server(cursor, parcel)
            _load(cursor, parcel, first=first)
            values = {"site": parcel.site_id, "at": parcel.at, "warn": parcel.warn_after}
            cursor.execute("UPDATE site_apart SET known_at = %(at)s, warn_after = %(warn)s WHERE until IS NULL", values)
            cursor.execute(_OTHERS, values)
            cursor.execute(_NO_CHAINS)
            row = cursor.execute("SELECT code FROM site WHERE id = %s", [parcel.site_id]).fetchone()
            assert row is not None, "a cut holds its own site"
            guard_at_satellite(cursor, site_id=parcel.site_id, code=row[0])
            _publish(cursor, parcel.site_id, names_of(row[0]))
        _keep_slot(cursor, names_of(row[0]))
        cursor.execute("VACUUM FULL client_key")  # the keys of who comes here no more leave the file too
    return Taken(row[0], first, parcel.clients, parcel.at)


@contextmanager
def _superuser(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection whose writes PostgreSQL takes as arriving from elsewhere: guards were asked where they were made."""
    address = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True, options="-c timezone=UTC") as connection:
        new_enough(connection, "this server")
        connection.execute("SET session_replication_role = replica")
        connection.execute(_FROM_ELSEWHERE, {"name": _ORIGIN})
        connection.execute("SELECT pg_replication_origin_session_setup(%s)", [_ORIGIN])
        yield connection


def _whose_server(cursor: Cursor, parcel: Parcel) -> bool:
    """Whether this is the first cut here."""
    if cursor.execute("SELECT 1 FROM pg_partitioned_table LIMIT 1").fetchone():
        raise BadBackup("The tables of this server are divided. A satellite's are whole: `dispensary divide --whole`.")
    known = cursor.execute("SELECT max(known_at), bool_or(whole) FROM site_apart WHERE until IS NULL").fetchone()
    assert known is not None
    if known[0] is None:
        if cursor.execute("SELECT 1 FROM site LIMIT 1").fetchone():
            raise BadBackup("This database has sites of its own. A satellite's server begins with an empty one.")
        return True
    here = cursor.execute("SELECT id FROM site WHERE id NOT IN (SELECT site_id FROM site_apart)").fetchall()
    if known[1] or here != [(parcel.site_id,)]:
        raise BadBackup("The cut is of another site than this server's.")
    if parcel.at < known[0]:
        raise BadBackup(f"The cut is older than what is known here, of {known[0]:%Y-%m-%d %H:%M} UTC.")
    return False


def _load(cursor: Cursor, parcel: Parcel, *, first: bool) -> None:
    there = tables(cursor)
    for name in TAKEN:
        into = sql.Identifier(f"in_{name}")
        cursor.execute(
            sql.SQL("CREATE TEMP TABLE {} (LIKE {} INCLUDING GENERATED) ON COMMIT DROP").format(
                into, sql.Identifier(name)
            )
        )
        with parcel.file.open(name) as part:
            columns = sql.SQL(", ").join(map(sql.Identifier, part.readline().decode().strip().split(",")))
            with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(into, columns)) as copied:
                while piece := part.read(1 << 16):
                    copied.write(piece)
    for name in (*CENTRE, *BROUGHT, *COUNTER):
        _merge(cursor, there[name], parcel.site_id, first=first)


def _merge(cursor: Cursor, table: Table, own: SiteId, *, first: bool) -> None:
    """Changes what is there, then adds what is missing: in this order an order that ends makes room for the next."""
    rest = [column for column in table.columns if column not in table.key]
    names = {
        "table": sql.Identifier(table.name),
        "into": sql.Identifier(f"in_{table.name}"),
        "columns": sql.SQL(", ").join(map(sql.Identifier, table.columns)),
        "same": sql.SQL(" AND ").join(sql.SQL("t.{0} = n.{0}").format(sql.Identifier(column)) for column in table.key),
        "set": sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(sql.Identifier(column)) for column in rest),
        "was": sql.SQL(", ").join(sql.Identifier("t", column) for column in rest),
        "now": sql.SQL(", ").join(sql.Identifier("n", column) for column in rest),
        "mine": _mine(table, own),
    }
    if table.name in CENTRE and not first:
        if whole := _whole_of_site(table):
            where = sql.SQL("DELETE FROM {table} AS t WHERE t.{site} IN (SELECT id FROM site) AND NOT EXISTS"
                            " (SELECT FROM {into} AS n WHERE {same})")  # fmt: skip
            cursor.execute(where.format(site=sql.Identifier(whole), **names))
        if table.name == "client_key":
            cursor.execute(sql.SQL("DELETE FROM {table} AS t WHERE NOT EXISTS (SELECT FROM {into} AS n WHERE {same})")
                           .format(**names))  # fmt: skip
    if (
        rest
        and not first
        and (table.name in CENTRE or (table.site and table.name in COUNTER and table.name not in KEPT))
    ):
        change = "UPDATE {table} AS t SET {set} FROM {into} AS n WHERE {same} AND ({was}) IS DISTINCT FROM ({now})"
        cursor.execute(sql.SQL(change + " AND NOT ({mine})").format(**names))
    if table.name == "stock_transfer":  # what was sent from here and received there; a can for here is settled here
        settle = "UPDATE {table} AS t SET {set} FROM {into} AS n WHERE {same}"
        cursor.execute(sql.SQL(settle + " AND t.state = 'in_transit' AND n.state <> 'in_transit'").format(**names))
    reviewed = table.name in REVIEWED_AT_THE_CENTRE
    if reviewed and not first:
        closed = sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(sql.Identifier(column)) for column in REVIEW)
        review = "UPDATE {table} AS t SET {closed} FROM {into} AS n WHERE {same} AND {mine}"
        review += " AND t.closed_at IS NULL AND n.closed_at IS NOT NULL"
        cursor.execute(sql.SQL(review).format(closed=closed, **names))
    add = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {into} AS n WHERE NOT EXISTS"
    add += " (SELECT FROM {table} AS t WHERE {same})" + ("" if first or reviewed else " AND NOT ({mine})")
    cursor.execute(sql.SQL(add).format(**names))


def _mine(table: Table, own: SiteId) -> sql.Composable:
    """Whether a row of the cut is one that this server wrote, and knows better."""
    if table.name in COUNTER and table.site and table.name != "stock_transfer":
        return sql.SQL("n.{} = {}").format(sql.Identifier(table.site), str(own))
    return sql.SQL("false")


def _whole_of_site(table: Table) -> str | None:
    """The column of a site, where the cut has all rows of it: those that are not in it any more were removed."""
    if table.client or table.name in ("site", "place", "guideline_adoption", "policy_adoption"):
        return None
    return next((column for column in SITES if column in table.columns), None)


def _publish(cursor: Cursor, site_id: SiteId, name: str) -> None:
    """What goes to the centre: the rows of this site, what hangs on them, and what is told to a client's home."""
    cursor.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [name])
    if cursor.fetchone():
        return
    own: list[sql.Composable] = []
    told: list[sql.Composable] = []
    for table in tables(cursor).values():
        if table.name not in COUNTER:
            continue
        named, site = sql.Identifier(table.name), str(site_id)
        if table.name == "stock_transfer":
            own.append(sql.SQL("{} WHERE ({} IN (from_site_id, to_site_id))").format(named, site))
        elif table.site:
            own.append(sql.SQL("{} WHERE ({} = {})").format(named, sql.Identifier(table.site), site))
            if table.client:
                told.append(sql.SQL("{} WHERE ({} <> {})").format(named, sql.Identifier(table.site), site))
        else:
            own.append(named)
            continue
        cursor.execute(sql.SQL("ALTER TABLE {} REPLICA IDENTITY FULL").format(named))
    make = sql.SQL("CREATE PUBLICATION {} FOR TABLE {} WITH (publish = {})")
    cursor.execute(make.format(sql.Identifier(name), sql.SQL(", ").join(own), "insert, update, delete"))
    cursor.execute(make.format(sql.Identifier(f"{name}_home"), sql.SQL(", ").join(told), "insert"))


def _keep_slot(cursor: Cursor, name: str) -> None:
    """PostgreSQL keeps from here on what the centre has not had yet, however long the line is down."""
    cursor.execute("SELECT 1 FROM pg_replication_slots WHERE slot_name = %s", [name])
    if cursor.fetchone() is None:
        cursor.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", [name])
