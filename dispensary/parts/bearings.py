"""Everything that the catalogue says of the program's tables, a line each, to be held against what it said before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Set

from dispensary.parts.catalogue import Cursor
from dispensary.parts.tables import KEYS

_SAID = f"""
WITH relation AS (SELECT oid, relname, relowner, relacl, relrowsecurity, relforcerowsecurity, relreplident, relkind,
        reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v'))
SELECT concat_ws(' ', 'column', relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
    a.attgenerated, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum),
    a.attacl, CASE c.relkind WHEN 'v' THEN '' ELSE a.attstorage::text || a.attcompression::text END, a.attstattarget)
FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (c.oid, a.attnum)
UNION ALL SELECT concat_ws(' ', 'table', relname, relowner::regrole, relrowsecurity, relforcerowsecurity, relreplident,
    CASE relkind WHEN 'v' THEN reloptions END, obj_description(oid, 'pg_class'),
    (SELECT string_agg(g::text, ' ' ORDER BY g::text) FROM unnest(relacl) AS g),
    CASE relkind WHEN 'v' THEN pg_get_viewdef(oid) END) FROM relation
UNION ALL SELECT concat_ws(' ', 'constraint', relname, k.conname, pg_get_constraintdef(k.oid), k.convalidated,
    obj_description(k.oid, 'pg_constraint'))
FROM relation c JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype <> 't' AND k.conparentid = 0
UNION ALL SELECT concat_ws(' ', 'index', relname, i.indexrelid::regclass, i.indisvalid, pg_get_indexdef(i.indexrelid),
    obj_description(i.indexrelid, 'pg_class')) FROM relation c JOIN pg_index i ON i.indrelid = c.oid
UNION ALL SELECT concat_ws(' ', 'trigger', relname, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid),
    obj_description(t.oid, 'pg_trigger'))
FROM relation c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal JOIN pg_proc p ON p.oid = t.tgfoid
    AND p.pronamespace <> coalesce(to_regnamespace('{KEYS}'), 0)
UNION ALL SELECT concat_ws(' ', 'policy', relname, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
    pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), obj_description(p.oid, 'pg_policy'))
FROM relation c JOIN pg_policy p ON p.polrelid = c.oid
UNION ALL SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.proowner::regrole, pg_get_functiondef(p.oid),
    (SELECT string_agg(g::text, ' ' ORDER BY g::text) FROM unnest(p.proacl) AS g), obj_description(p.oid, 'pg_proc'))
FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f'
UNION ALL SELECT concat_ws(' ', 'statistics', stxname, pg_get_statisticsobjdef(oid)) FROM pg_statistic_ext
"""


def bearings(cursor: Cursor) -> Counter[str]:
    """A line for each column, constraint, index, trigger, policy, view, function and grant of the schema `public`."""
    return Counter(_plain(row[0]) for row in cursor.execute(_SAID).fetchall())


def _plain(line: str) -> str:
    """A line without what PostgreSQL words otherwise of the same thing: a view that was read back, a table in parts."""
    if line.startswith("table "):
        return " ".join(re.sub(r"[()]|\bAS text\b", " ", line).replace(",", " , ").split())
    return line.replace(" ON ONLY ", " ON ")


def compared(before: Counter[str], now: Counter[str], table: str, column: str, keys: Set[str]) -> str:
    """What differs, in words; nothing where that is no more than the keys of the table that lie apart or did."""
    gone, new = (
        _but_for(lines, table, column, keys) for lines in ((before - now).elements(), (now - before).elements())
    )
    return "; ".join([*(f"gone: {line}" for line in gone - new), *(f"new: {line}" for line in new - gone)][:3])


def _but_for(lines: Iterable[str], table: str, column: str, keys: Set[str]) -> Counter[str]:
    """The lines, with these keys and what points to them said without their column and table."""
    kept: Counter[str] = Counter()
    for line in lines:
        kind, of, name, *_ = line.split(" ")
        if kind in ("constraint", "index") and of == table and name in keys:
            line = line.replace(f", {column})", ")", 1)
        kept[re.sub(rf"REFERENCES {KEYS}\.key_(?:{'|'.join(keys)})\(", f"REFERENCES {table}(", line)] += 1
    return kept
