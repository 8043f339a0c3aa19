"""What a database holds, as a count and a sum for each table: equal for equal rows, in whatever order they lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, text

# Clients' own keys are in no backup. In `parts` lie keys of divided tables (dispensary/parts).
_TABLES = text("""
SELECT CASE n.nspname WHEN 'public' THEN quote_ident(c.relname) ELSE format('%I.%I', n.nspname, c.relname) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('public', 'parts') AND c.relkind IN ('r', 'p') AND c.relname <> 'client_key'
ORDER BY n.nspname DESC, c.relname
""")
# The hash is over a row as PostgreSQL writes it; numeric, since the sum of many passes what a bigint holds.
_ROWS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {table} AS t"
# A row that is whole says nothing of a guard that is gone. Conditions are written in other words when they have been
# dumped and read once, so that guards are compared by name and kind. Since PostgreSQL 18 NOT NULL is a constraint too.
_GUARDS = {
    "constraints": """
        SELECT concat_ws(' ', c.conrelid::regclass, c.conname, c.contype, c.convalidated, c.condeferrable,
            c.condeferred)
        FROM pg_constraint c
        WHERE c.connamespace = 'public'::regnamespace AND c.contype IN ('c', 'f', 'p', 'u', 'x')
            AND NOT (c.contype = 'f' AND c.conparentid <> 0)""",
    "indexes": """
        SELECT concat_ws(' ', i.indrelid::regclass, i.indexrelid::regclass, i.indisunique, i.indisvalid, (
            SELECT string_agg(CAST((SELECT count(*) FROM pg_attribute a WHERE a.attrelid = i.indrelid
                AND a.attnum BETWEEN 1 AND k.number AND NOT a.attisdropped) AS text), ' ' ORDER BY k.place)
            FROM unnest(CAST(i.indkey AS int2[])) WITH ORDINALITY AS k (number, place)))
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'public'::regnamespace""",
    "triggers": """
        SELECT pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text FROM pg_trigger t
        JOIN pg_class c ON c.oid = t.tgrelid AND c.relnamespace = 'public'::regnamespace WHERE NOT t.tgisinternal""",
    "walls": """
        SELECT concat_ws(' ', c.relname, c.relrowsecurity, p.polname, p.polcmd, p.polpermissive) FROM pg_class c
        LEFT JOIN pg_policy p ON p.polrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')""",
    "functions": """
        SELECT p.proname || ' ' || p.prosrc FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace AND p.prokind = 'f' AND p.prolang <> (
            SELECT oid FROM pg_language WHERE lanname = 'c')""",
}

Sums = Mapping[str, str]
"""By table or kind of guard: how many rows, and the sum of their hashes."""


def sums(connection: Connection, progress: Callable[[int, int], None] | None = None) -> Sums:
    """The count and sum of each table, and of the constraints, indexes, triggers and functions that guard them."""
    tables = connection.scalars(_TABLES).all()
    questions = {table: _ROWS.format(table=table) for table in tables} | {
        f"({kind})": f"SELECT count(*), coalesce(sum(hashtextextended(each.said, 0)::numeric), 0) FROM ({asked})"
        " AS each (said)"
        for kind, asked in _GUARDS.items()
    }
    found = {}
    for done, (name, question) in enumerate(questions.items(), start=1):
        count, total = connection.execute(text(question)).one()
        found[name] = f"{count} {total}"
        if progress:
            progress(done, len(questions))
    return found


def differing(said: Sums, found: Sums) -> list[str]:
    """A sentence for each table that is not as it was said to be, and for each kind of guard that is counted in both.

    An older program counted other kinds, and its backups come back all the same.
    """
    return [
        f"{name}: backed up {_rows(said.get(name))}, came back {_rows(found.get(name))}"
        + (", not the same" if _rows(said.get(name)) == _rows(found.get(name)) else "")
        for name in sorted(said.keys() | found.keys())
        if said.get(name) != found.get(name) and (not name.startswith("(") or name in said.keys() & found.keys())
    ]


def _rows(summed: str | None) -> str:
    return "nothing" if summed is None else f"{summed.split(' ')[0]} rows"
