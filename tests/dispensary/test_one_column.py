"""A country can be spread over servers by its sites: every unique key can hold the site, or is named with why not."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import text

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
    page = PAGE.read_text("utf-8").split("## By site")[1]
    whole = set(re.findall(r"`(\w+)`", page.split("Kept whole")[1].split("\n\n")[0]))
    exceptions = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE))

    assert len(known) > 150
    assert whole <= without.keys(), "a table that needs not be whole is not said to be"
    assert set().union(*(names for table, names in without.items() if table not in whole)) == exceptions.keys()
