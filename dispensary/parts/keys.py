"""Keys of a divided table that lack its column: each as exact as before, by a table of the key's columns alone.

In the parts such a key has the column added, so that it finds rows as before. That no two parts have the same is said
by a table of keys, of which PostgreSQL keeps the uniqueness as of any other, at every level of isolation and for rows
that arrive by replication. A foreign key to the divided table points to it. A row that is written twice is refused
under the name that the key has in a whole table.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from dispensary.embedded import NoDatabase
from dispensary.parts.catalogue import Cursor, Key, Reference
from dispensary.parts.tables import KEYS

_NOT_EMPTIED = f"""
CREATE OR REPLACE FUNCTION {KEYS}.not_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the keys of % would stay', TG_TABLE_NAME USING ERRCODE = 'feature_not_supported';
END $$
"""
_KEEPS = """
CREATE FUNCTION {keeper}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE there {table}.{by}%TYPE;
BEGIN
    IF TG_OP = 'DELETE' THEN
        -- A row whose {by} was changed has gone to another part: PostgreSQL calls that a row less and a row more.
        SELECT {by} INTO there FROM public.{of} WHERE ({columns}) = ({old});
        IF FOUND THEN
            UPDATE {table} SET {by} = there WHERE ({columns}) = ({old});
        ELSE
            DELETE FROM {table} WHERE ({columns}) = ({old});
        END IF;
    ELSIF TG_OP = 'UPDATE' AND ({old}) IS NOT DISTINCT FROM ({new}) THEN
        UPDATE {table} SET {by} = NEW.{by} WHERE ({columns}) = ({old});
    ELSE
        IF TG_OP = 'UPDATE' THEN
            DELETE FROM {table} WHERE ({columns}) = ({old});
        END IF;
        -- Of two rows that agree in {by} too, the part itself has refused one.
        IF ({new}) IS NOT NULL
           AND NOT EXISTS (SELECT FROM {table} WHERE ({columns}, {by}) = ({new}, NEW.{by})) THEN
            INSERT INTO {table} VALUES ({new}, NEW.{by});
        END IF;
    END IF;
    RETURN NULL;
END $$
"""


def table_of(key: str) -> str:
    return f"{KEYS}.key_{key}"


def known(cursor: Cursor, table: str) -> list[str]:
    """The keys of this divided table that have a table of their own."""
    asked = """SELECT substr(t.tgname, 5) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgrelid = %s::regclass AND p.pronamespace = to_regnamespace(%s) AND t.tgname LIKE 'key\\_%%'
        AND t.tgname NOT LIKE '%%\\_changed' ORDER BY 1"""
    return [row[0] for row in cursor.execute(asked, [f"public.{table}", KEYS]).fetchall()]


def lacks(key: Key, column: str) -> bool:
    """Whether a key is to be kept by a table of its own. Raises NoDatabase for one that no such table could say."""
    if not key.unique or column in key.columns:
        return False
    told = {f"({each} IS NOT NULL)" for each in key.columns}
    if key.odd or None in key.columns or (key.where is not None and key.where not in told):
        raise NoDatabase(f"The key {key.name} cannot be kept exact in parts. The table stays whole.")
    return True


def widened(key: Key, column: str) -> Key:
    """The key with the column at its end, as the parts have it."""
    columns = re.sub(r"\(([^()]*)\)", rf"(\1, {column})", key.definition, count=1)
    return replace(key, definition=columns, columns=(*key.columns, column))


def narrowed(key: Key, column: str) -> Key:
    """The key as it was before it was widened."""
    columns = key.definition.replace(f", {column})", ")", 1)
    return replace(key, definition=columns, columns=key.columns[:-1])


def pointed(reference: Reference, table: str, keys: Sequence[str]) -> Reference:
    """The foreign key as it is while these keys lie apart: it points to the table of the key that it points to."""
    if reference.key not in keys:
        return reference
    there = f"REFERENCES {table_of(reference.key)}("
    return replace(reference, definition=reference.definition.replace(f"REFERENCES {table}(", there, 1))


def pointed_back(reference: Reference, table: str) -> Reference:
    """The foreign key as it was before its key lay apart."""
    said = re.sub(rf"REFERENCES {KEYS}\.key_\w+\(", f"REFERENCES {table}(", reference.definition, count=1)
    return replace(reference, definition=said)


def filled(key: Key, table: str, column: str) -> list[str]:
    """The statements that make the table of a key, with the rows that there are; none writes to it but the keeper."""
    columns = ", ".join(map(str, key.columns))
    mine = table_of(key.name)
    return [
        f"CREATE TABLE {mine} AS SELECT {columns}, {column} FROM public.{table} WHERE ({columns}) IS NOT NULL",
        f"ALTER TABLE {mine} ADD CONSTRAINT {key.name} PRIMARY KEY ({columns})",
        f"ALTER TABLE {mine} ENABLE ROW LEVEL SECURITY",
    ]


def kept(key: Key, table: str, column: str) -> list[str]:
    """The statements that have PostgreSQL keep the table of a key, whoever writes and however a row arrives."""
    name, keeper = f"key_{key.name}", f"{KEYS}.keep_{key.name}"
    old, new = (", ".join(f"{side}.{each}" for each in key.columns) for side in ("OLD", "NEW"))
    columns = ", ".join(map(str, key.columns))
    # Column by column: a backup compares a trigger's words, and those of two rows change when they are read back.
    changed = " OR ".join(f"OLD.{each} IS DISTINCT FROM NEW.{each}" for each in (*key.columns, column))
    return [
        _KEEPS.format(keeper=keeper, table=table_of(key.name), of=table, by=column, columns=columns, old=old, new=new),
        f"CREATE TRIGGER {name} AFTER INSERT OR DELETE ON public.{table} FOR EACH ROW EXECUTE FUNCTION {keeper}()",
        f"CREATE TRIGGER {name}_changed AFTER UPDATE ON public.{table} FOR EACH ROW"
        f" WHEN ({changed}) EXECUTE FUNCTION {keeper}()",
        f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {name}",
        f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {name}_changed",
    ]


def not_emptied(tables: list[str]) -> list[str]:
    """A divided table is not emptied at one blow: its keys would stay. What points to a whole one refuses it too."""
    return [
        _NOT_EMPTIED,
        *(
            f"CREATE TRIGGER the_keys_would_stay BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {KEYS}.not_emptied()"
            for table in tables
        ),
    ]
