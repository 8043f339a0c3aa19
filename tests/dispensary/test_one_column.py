"""A country can be spread over servers by its sites: every unique key can hold the site, every foreign key leads to the
same server, or each is named with why not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sqlalchemy import Row, text

from dispensary.database import Database

PAGE = Path(__file__).parents[2] / "docs" / "scale.md"
SITE = {"site_id", "place_id"}

_UNIQUE = """
SELECT c.relname AS name, t.relname AS of_table, array_agg(a.attname ORDER BY k.no) AS columns,
    bool_and(a.atttypid = 'uuid'::regtype) AS all_uuid, i.indisprimary AS is_key
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, no)
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
WHERE t.relnamespace = 'public'::regnamespace AND (i.indisunique OR i.indisexclusion) AND t.relname <> 'alembic_version'
GROUP BY 1, 2, 5
"""
_LEADS_TO = """
SELECT t.relname AS of_table, a.attname AS column, r.relname AS to_table FROM pg_constraint f
JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = f.conkey[1]
WHERE f.contype = 'f' AND cardinality(f.conkey) = 1 AND t.relnamespace = 'public'::regnamespace
"""
_FOREIGN = """
SELECT f.conname AS name, t.relname AS of_table, r.relname AS to_table,
    array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY(f.conkey)) AS columns,
    (SELECT bool_and(a.attnotnull) FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY(f.conkey)) AS needed
FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid JOIN pg_class r ON r.oid = f.confrelid
WHERE f.contype = 'f' AND t.relnamespace = 'public'::regnamespace
"""
_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
"""
OPAQUE = {"client_id", "holder_id", "recipient_id"}
"""A client under the names by which each house knows them; a client has one home."""


def of_a_site(columns: set[tuple[str, str]], leads: set[tuple[str, str, str]]) -> set[str]:
    """Tables whose rows are each a site's: by a column of their own, or by a row of such a table that they hang on."""
    found = {table for table, column in columns if column in SITE | OPAQUE} | {"site", "place", "client"}
    while more := {table for table, _, other in leads if other in found and table not in found}:
        found |= more
    return found


def on_the_page() -> tuple[set[str], set[str], set[str]]:
    """The tables that are kept whole, the unique keys and the foreign keys that are named with their reason."""
    page = PAGE.read_text("utf-8").split("## By site")[1]
    whole = set(re.findall(r"`(\w+)`", page.split("Kept whole")[1].split("\n\n")[0]))
    keys, foreign = page.split("| foreign key |")
    named = [set(re.findall(r"^\| `(\w+)` \| .+ \|$", part, re.MULTILINE)) for part in (keys, foreign)]
    return whole, named[0], named[1]


def test_every_unique_key_holds_the_site_or_can_or_is_named_with_its_reason(database: Database) -> None:
    with database.reading() as session:
        keys = session.execute(text(_UNIQUE)).all()
        leads = {tuple(row) for row in session.execute(text(_LEADS_TO))}
        columns = {tuple(row) for row in session.execute(text(_COLUMNS))}
    sited = of_a_site(columns, leads)
    leading = {(table, column) for table, column, other in leads if other in sited} | {
        (table, column) for table, column in columns if column in SITE | OPAQUE
    }
    known: dict[str, str] = {}
    without: dict[str, set[str]] = {}
    for key in keys:
        named = [each for each in key.columns if each]
        if SITE & set(named) or (key.of_table in ("site", "place") and key.is_key):
            known[key.name] = "holds it"
        elif any((key.of_table, column) in leading for column in named):
            known[key.name] = "holds what belongs to one site, and can hold the site beside it"
        elif key.is_key and named == ["id"] and key.all_uuid and key.of_table in sited:
            known[key.name] = "is drawn at random or by time, and can hold the site beside it"
        else:
            known[key.name] = ""
            without.setdefault(key.of_table, set()).add(key.name)
    whole, exceptions, _ = on_the_page()

    assert len(known) > 150
    assert whole <= without.keys(), "a table that needs not be whole is not said to be"
    assert set().union(*(names for table, names in without.items() if table not in whole)) == exceptions


def test_every_foreign_key_leads_to_the_same_server_or_is_named_with_its_reason(database: Database) -> None:
    """What hangs on a client lies with their home's site, everything else with its own: a key from one to the other may
    lead to another server, and so may one of a row that is of two people or of two sites."""
    with database.reading() as session:
        keys = session.execute(text(_FOREIGN)).all()
        columns = {tuple(row) for row in session.execute(text(_COLUMNS))}
    whole, _, named = on_the_page()
    of_a_client = {table for table, column in columns if column in OPAQUE} | {"client"}
    while more := {key.of_table for key in keys if key.needed and key.to_table in of_a_client} - of_a_client - whole:
        of_a_client |= more
    of_its_own = {table for table, column in columns if column in SITE} | {"place"}
    while more := {key.of_table for key in keys if key.to_table in of_its_own} - of_its_own - of_a_client - whole:
        of_its_own |= more

    def lies(table: str) -> str:
        return "whole" if table in whole else "client" if table in of_a_client else "site"

    def twice(key: Row[Any]) -> bool:
        """Whether the row points to two of these: the second may be somebody else's, or another site's."""
        others = [each for each in keys if (each.of_table, each.to_table) == (key.of_table, key.to_table)]
        return key.to_table in ("client", "lot") and any(each.columns < key.columns for each in others)

    apart = {
        key.name
        for key in keys
        if key.to_table not in whole and (lies(key.of_table) != lies(key.to_table) or twice(key))
    }

    assert {table for table, _ in columns} - of_a_client - of_its_own - whole == {"alembic_version"}
    assert len(keys) > 450
    assert apart == named
