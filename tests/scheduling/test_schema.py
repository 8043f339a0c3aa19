"""The migrations make exactly the tables that the models declare, with their constraints by the same definition."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from scheduling.models import Base

_CONSTRAINTS = text(
    """
    SELECT relname, conname, pg_get_constraintdef(constraints.oid)
    FROM pg_constraint AS constraints JOIN pg_class AS tables ON tables.oid = conrelid
    WHERE relname = ANY(:tables) AND connamespace = CAST(CAST(:schema AS text) AS regnamespace)
      AND contype <> 'n' -- newer servers list NOT NULL too, under names of their own
    UNION ALL
    SELECT tablename, indexname, replace(indexdef, CAST(:schema AS text) || '.', 'public.') FROM pg_indexes
    WHERE tablename = ANY(:tables) AND schemaname = CAST(:schema AS text)
    """
)


def test_alembic_finds_no_difference(database):
    def ours(thing, name, kind, reflected, other):
        table = thing if kind == "table" else thing.table
        return table.name in Base.metadata.tables

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
        assert compare_metadata(context, Base.metadata) == []


def test_each_constraint_and_index_is_defined_the_same(database):
    tables = list(Base.metadata.tables)
    with database.engine.connect() as connection:
        migrated = set(connection.execute(_CONSTRAINTS, {"tables": tables, "schema": "public"}))
        connection.execute(text("CREATE SCHEMA declared"))
        connection.execute(text("SET LOCAL search_path TO declared, public"))
        Base.metadata.create_all(connection, checkfirst=False)
        declared = set(connection.execute(_CONSTRAINTS, {"tables": tables, "schema": "declared"}))
        connection.rollback()
    assert len(declared) > 40
    assert migrated == declared
