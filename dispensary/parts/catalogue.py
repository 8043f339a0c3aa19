"""What PostgreSQL's catalogue says of a table and of all that hangs on it, as statements that make it again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

Cursor = psycopg.Cursor[Any]

_KEYS = """
SELECT c.relname, k.contype, CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid) ELSE pg_get_constraintdef(k.oid)
    END, i.indisunique, ARRAY(SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS n (no, rank)
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = n.no AND n.no > 0 ORDER BY n.rank),
    pg_get_expr(i.indpred, i.indrelid), i.indnullsnotdistinct OR coalesce(k.condeferrable, false)
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = %(table)s::regclass ORDER BY k.contype NULLS LAST, c.relname
"""
_REFERENCES = """
SELECT k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid),
    (SELECT relname FROM pg_class WHERE oid = k.conindid) FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0
    AND (k.conrelid = %(table)s::regclass OR k.confrelid = ANY (%(keys)s::regclass[]))
ORDER BY 1, 2
"""
_NEAR = """
SELECT DISTINCT each::regclass::text FROM pg_constraint k CROSS JOIN unnest(ARRAY[k.conrelid, k.confrelid]) AS each
WHERE k.contype = 'f' AND k.conparentid = 0 AND each <> %(table)s::regclass
    AND (k.conrelid = %(table)s::regclass OR k.confrelid = ANY (%(keys)s::regclass[])) ORDER BY 1
"""
_TRIGGERS = """
SELECT t.tgname, pg_get_triggerdef(t.oid), t.tgenabled, t.tgtype & 1 = 1 FROM pg_trigger t
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE t.tgrelid = %(table)s::regclass AND NOT t.tgisinternal AND t.tgparentid = 0
    AND p.pronamespace <> coalesce(to_regnamespace(%(own)s), 0) ORDER BY 1
"""
_POLICIES = """
SELECT format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s', p.polname, p.polrelid::regclass,
        CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
        CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
            ELSE 'ALL' END,
        (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(r)) END, ', ')
            FROM unnest(p.polroles) AS r))
    || coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
    || coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', ''),
    format('DROP POLICY %%I ON %%s', p.polname, p.polrelid::regclass), p.polrelid = %(table)s::regclass
FROM pg_policy p WHERE p.polrelid = %(table)s::regclass OR p.oid IN (SELECT objid FROM pg_depend
    WHERE classid = 'pg_policy'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = %(table)s::regclass)
ORDER BY p.polrelid, p.polname
"""
_VIEWS = """
WITH RECURSIVE on_it AS (
    SELECT r.ev_class, 1 AS depth FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass
        AND r.oid = d.objid WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = %(table)s::regclass
    UNION
    SELECT r.ev_class, o.depth + 1 FROM on_it o JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass
        AND d.refobjid = o.ev_class JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        AND r.ev_class <> o.ev_class)
SELECT c.oid::regclass::text, pg_get_viewdef(c.oid), coalesce(array_to_string(c.reloptions, ', '), '')
FROM on_it JOIN pg_class c ON c.oid = ev_class GROUP BY c.oid ORDER BY max(depth)
"""
_FUNCTIONS = """
SELECT DISTINCT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_depend d
JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
JOIN pg_class c ON c.oid = %(table)s::regclass
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid OR d.refclassid = 'pg_type'::regclass
    AND d.refobjid IN (SELECT oid FROM pg_type WHERE typrelid = c.oid UNION SELECT typarray FROM pg_type WHERE
        typrelid = c.oid) ORDER BY 1
"""
_GRANTS = """
SELECT format('GRANT %%s ON %%s %%s TO %%s%%s', g.privilege_type, %(kind)s::text, %(name)s::text,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
    CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM aclexplode(%(acl)s::aclitem[]) AS g WHERE g.grantee <> %(owner)s::oid ORDER BY 1
"""
_RELATION = (
    "SELECT relacl::text[], relowner, quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = %s::regclass"
)
_FUNCTION = (
    "SELECT proacl::text[], proowner, quote_ident(pg_get_userbyid(proowner)) FROM pg_proc WHERE oid = %s::regprocedure"
)
_COLUMN_GRANTS = """
SELECT format('GRANT %%s (%%I) ON %%s TO %%s', g.privilege_type, a.attname, a.attrelid::regclass,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) AS g WHERE a.attrelid = %(table)s::regclass
"""
_COMMENTS = """
SELECT format('COMMENT ON %%s IS %%L', i.type || ' ' || i.identity, d.description) FROM pg_description d
CROSS JOIN pg_identify_object(d.classoid, d.objoid, d.objsubid) AS i
WHERE d.classoid = 'pg_class'::regclass AND d.objsubid = 0 AND (d.objoid = %(table)s::regclass OR d.objoid IN (
        SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass))
    OR d.classoid = 'pg_constraint'::regclass AND d.objoid IN (
        SELECT oid FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype NOT IN ('c', 'n'))
    OR d.classoid = 'pg_trigger'::regclass AND d.objoid IN (
        SELECT oid FROM pg_trigger WHERE tgrelid = %(table)s::regclass)
    OR d.classoid = 'pg_policy'::regclass AND d.objoid IN (
        SELECT oid FROM pg_policy WHERE polrelid = %(table)s::regclass)
"""
_STATE = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}


@dataclass(frozen=True)
class Key:
    """An index of the table, unique or not, with its constraint where it has one."""

    name: str
    constraint: bool
    definition: str
    unique: bool
    columns: Sequence[str | None]
    """Nothing for an expression."""
    where: str | None
    odd: bool
    """Whether it is unique in a way that a table of keys could not be: nulls are one, or it is looked at late."""

    def on(self, table: str) -> str:
        """The statement that makes it on this table, or on a part of it."""
        if self.constraint:
            return f"ALTER TABLE {table} ADD CONSTRAINT {self.name} {self.definition}"
        return re.sub(r" ON (ONLY )?\S+ USING ", f" ON {table} USING ", self.definition, count=1)


@dataclass(frozen=True)
class Reference:
    """A foreign key of the table, or to it."""

    child: str
    name: str
    definition: str
    key: str
    """The name of the key that it points to."""

    @property
    def made(self) -> str:
        return f"ALTER TABLE {self.child} ADD CONSTRAINT {self.name} {self.definition}"

    @property
    def dropped(self) -> str:
        return f"ALTER TABLE {self.child} DROP CONSTRAINT {self.name}"


@dataclass(frozen=True)
class Trigger:
    name: str
    definition: str
    state: str
    of_rows: bool

    def on(self, table: str) -> list[str]:
        made = [re.sub(r" ON \S+ ", f" ON {table} ", self.definition, count=1)]
        if self.state in _STATE:
            made.append(f"ALTER TABLE {table} {_STATE[self.state]} TRIGGER {self.name}")
        return made


@dataclass(frozen=True)
class Shape:
    """A table as it is, but for its rows: what is taken away before it is dropped, and how it is made again."""

    columns: Sequence[str]
    """Without those that PostgreSQL computes."""
    keys: Sequence[Key]
    references: Sequence[Reference]
    triggers: Sequence[Trigger]
    walled: Sequence[str]
    """The table's own row-level security."""
    taken_down: Sequence[str]
    """What others have that is bound to the table, taken away."""
    put_up: Sequence[str]
    """The same, made again; policies, grants and comments of the table among it."""
    storage: str
    """How its rows are kept, such as when they are vacuumed; of a divided table, its parts'."""


def _grants(cursor: Cursor, kind: str, name: str) -> list[str]:
    acl, owner, named = cursor.execute(_FUNCTION if kind == "FUNCTION" else _RELATION, [name]).fetchone() or (None,) * 3
    made = [f"ALTER {'VIEW' if kind == 'VIEW' else kind} {name} OWNER TO {named}"]
    if acl is None:
        return made
    kind = "FUNCTION" if kind == "FUNCTION" else "TABLE"
    asked = {"kind": kind, "name": name, "acl": acl, "owner": owner}
    return [*made, f"REVOKE ALL ON {kind} {name} FROM PUBLIC", *_all(cursor, _GRANTS, asked)]


def _all(cursor: Cursor, statement: str, values: object) -> list[str]:
    return [row[0] for row in cursor.execute(statement, values).fetchall()]  # type: ignore[call-overload]


def shape(cursor: Cursor, table: str, *, keys: Sequence[str], own: str) -> Shape:
    """All that is to be made again. `keys` are the tables to which a foreign key may point in place of this one."""
    asked = {"table": f"public.{table}", "keys": [f"public.{table}", *keys], "own": own}
    taken_down: list[str] = []
    put_up: list[str] = []
    for name, definition in cursor.execute(_FUNCTIONS, asked).fetchall():
        taken_down.insert(0, f"DROP FUNCTION {name}")
        put_up += [definition, *_grants(cursor, "FUNCTION", name)]
    for name, definition, options in cursor.execute(_VIEWS, asked).fetchall():
        taken_down.insert(0, f"DROP VIEW {name}")
        put_up += [f"CREATE VIEW {name}{f' WITH ({options})' if options else ''} AS {definition}"]
        put_up += _grants(cursor, "VIEW", name)
    for made, dropped, own_policy in cursor.execute(_POLICIES, asked).fetchall():
        taken_down += [] if own_policy else [dropped]
        put_up.append(made)
    put_up += [*_grants(cursor, "TABLE", table), *_all(cursor, _COLUMN_GRANTS, asked), *_all(cursor, _COMMENTS, asked)]
    walls = cursor.execute(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %(table)s::regclass", asked
    ).fetchone()
    assert walls is not None, "the table is there"
    sides = zip(walls, ("ENABLE", "FORCE"), strict=True)
    return Shape(
        _all(
            cursor,
            "SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum > 0"
            " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
            asked,
        ),
        [
            Key(name, kind is not None, definition, *rest)
            for name, kind, definition, *rest in cursor.execute(_KEYS, asked).fetchall()
        ],
        [Reference(*row) for row in cursor.execute(_REFERENCES, asked).fetchall()],
        [Trigger(*row) for row in cursor.execute(_TRIGGERS, asked).fetchall()],
        [f"{word} ROW LEVEL SECURITY" for on, word in sides if on],
        taken_down,
        put_up,
        _all(
            cursor,
            "SELECT coalesce(max(array_to_string(reloptions, ', ')), '') FROM pg_class c"
            " WHERE c.oid = %(table)s::regclass OR c.oid IN (SELECT inhrelid FROM pg_inherits"
            " WHERE inhparent = %(table)s::regclass)",
            asked,
        )[0],
    )


def near(cursor: Cursor, table: str, *, keys: Sequence[str]) -> list[str]:
    """The tables that a foreign key ties to this one, in either direction."""
    return _all(cursor, _NEAR, {"table": f"public.{table}", "keys": [f"public.{table}", *keys]})
