"""Who may write what while a site is apart, said to PostgreSQL: triggers on each server that refuse the other's rows.

They are put up when a site is lent and taken down when it is back, so that no other clinic has them. Rows that arrive
by replication pass.
"""

from __future__ import annotations

from psycopg import sql

from dispensary.apart.catalogue import Cursor, Table, tables
from dispensary.apart.tables import REVIEWED_AT_THE_CENTRE, WRITTEN, Written
from dispensary.units import SiteId

_ADDED, _CHANGED = "written_elsewhere_added", "written_elsewhere_changed"
_NAMES = """
SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE t.tgname LIKE %s AND t.tgparentid = 0
"""


def guard_at_centre(cursor: Cursor, *, site_id: SiteId, code: str) -> None:
    """From here on nothing is written here as the satellite's own."""
    for table in _counter(cursor):
        if table.name == "stock_transfer":
            _refuse(cursor, table, _CHANGED, code, sql.SQL("OLD.to_site_id = {}").format(str(site_id)))
        elif table.site:
            own = sql.SQL("{}.{} = {}")
            added = own.format(sql.SQL("NEW"), sql.Identifier(table.site), str(site_id))
            changed = own.format(sql.SQL("OLD"), sql.Identifier(table.site), str(site_id))
            _refuse(cursor, table, _ADDED, code, added)
            if table.name not in REVIEWED_AT_THE_CENTRE:
                _refuse(cursor, table, _CHANGED, code, changed)


def guard_at_satellite(cursor: Cursor, *, site_id: SiteId, code: str) -> None:
    """From here on nothing is written here but by the satellite's counter, as its own.

    What is to be told to a client's home is added as home's, and is changed there alone.
    """
    for table in tables(cursor).values():
        if WRITTEN.get(table.name) in (Written.CENTRE, Written.AWAY):
            _refuse(cursor, table, _ADDED, code, None)
            _refuse(cursor, table, _CHANGED, code, None)
    for table in _counter(cursor):
        if table.site and table.name != "stock_transfer":
            others = sql.SQL("{}.{} <> {}")
            if not table.client:
                added = others.format(sql.SQL("NEW"), sql.Identifier(table.site), str(site_id))
                _refuse(cursor, table, _ADDED, code, added)
            changed = others.format(sql.SQL("OLD"), sql.Identifier(table.site), str(site_id))
            _refuse(cursor, table, _CHANGED, code, changed)


def shut_satellite(cursor: Cursor, *, code: str) -> None:
    """From here on nothing is written here at all: the site goes back to the centre."""
    for table in _counter(cursor):
        _refuse(cursor, table, _ADDED, code, None)
        _refuse(cursor, table, _CHANGED, code, None)


def take_down(cursor: Cursor, *, code: str) -> None:
    """Takes a site's guards away again."""
    for table, name in cursor.execute(_NAMES, [f"written_elsewhere\\_%\\_{code}"]).fetchall():
        cursor.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.Identifier(table)))


def _counter(cursor: Cursor) -> list[Table]:
    return [table for table in tables(cursor).values() if WRITTEN.get(table.name) is Written.COUNTER]


def _refuse(cursor: Cursor, table: Table, name: str, code: str, when: sql.Composable | None) -> None:
    cursor.execute(
        sql.SQL(
            "CREATE OR REPLACE TRIGGER {name} BEFORE {events} ON {table} FOR EACH ROW {when}"
            " EXECUTE FUNCTION written_on_another_server()"
        ).format(
            name=sql.Identifier(f"{name}_{code}"),
            events=sql.SQL("INSERT" if name == _ADDED else "UPDATE OR DELETE"),
            table=sql.Identifier(table.name),
            when=sql.SQL("WHEN ({})").format(when) if when else sql.SQL(""),
        )
    )
