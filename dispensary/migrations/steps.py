"""What a migration says of an upgrade that goes on while clinics work (docs/architecture.md)."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, text


def works_since(revision: str) -> str:
    """Said by a contracting migration: `op.execute(works_since("0073_asked_anew"))`.

    From it on the database works with programs of that revision and later ones; older ones are not ready any more, and
    say so. The revision is the one whose program does without what is taken away, and is never that of the contracting
    step itself: the programs of the version before serve while it runs.
    """
    return f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM works_with WHERE revision = '{revision}') THEN
        RAISE EXCEPTION 'there is no program of {revision} that works with this database';
    END IF;
    DELETE FROM works_with WHERE no < (SELECT no FROM works_with WHERE revision = '{revision}');
END $$
"""


_KIND = text("SELECT relkind::text FROM pg_class WHERE oid = to_regclass(:table)")
_VALID = text("""
SELECT i.indisvalid, i.indrelid = to_regclass(:table) FROM pg_index i WHERE i.indexrelid = to_regclass(:name)
""")
_PARTS = text("""
SELECT quote_ident(n.nspname), quote_ident(c.relname) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE i.inhparent = to_regclass(:table) ORDER BY 1, 2
""")
_HANGS = text("SELECT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(:name))")


def index_beside_work(name: str, table: str, on: str) -> None:
    """Makes an index while everybody goes on writing to its table.

    Such as `index_beside_work("ix_dose_lot_id", "dose", "(lot_id)")`: for a table that is large in a country, in a step
    that does nothing else, since what it did before is committed first. The step is not noted until the index is whole.
    Whatever ended it, `dispensary migrate` goes on: an index that was begun is removed and made anew, and one that is
    whole stays. On a divided table it is made for one part after the other. It waits for units of work that were begun
    before it, for as long as they take; nobody waits for it.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        divided = connection.scalar(_KIND, {"table": table}) == "p"
        waits = connection.scalar(text("SHOW lock_timeout"))
        connection.execute(text("SET lock_timeout = 0"))  # nobody else waits behind an index that waits
        try:
            if not divided:
                _made(connection, name, table, on)
                return
            parts = list(connection.execute(_PARTS, {"table": table}))
            for schema, part in parts:
                _made(connection, f"{schema}.{name}", f"{schema}.{part}", on)
        finally:
            connection.execute(text(f"SET lock_timeout = '{waits}'"))
        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY {table} {on}"))
        for schema, _ in parts:
            if not connection.scalar(_HANGS, {"name": f"{schema}.{name}"}):
                connection.execute(text(f"ALTER INDEX {name} ATTACH PARTITION {schema}.{name}"))


def _made(connection: Connection, name: str, table: str, on: str) -> None:
    """One index of one table, whole; another table's of that name is PostgreSQL's to refuse."""
    left = connection.execute(_VALID, {"name": name, "table": table}).one_or_none()
    if left and left[1]:
        if left[0]:
            return
        connection.execute(text(f"DROP INDEX CONCURRENTLY {name}"))
    connection.execute(text(f"CREATE INDEX CONCURRENTLY {name.split('.')[-1]} ON {table} {on}"))
