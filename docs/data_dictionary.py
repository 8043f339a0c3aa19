"""Writes data-dictionary.md from the tables as they are: names, types and what PostgreSQL refuses come from a migrated
database, what each table and column means from the models' own words.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from sqlalchemy import Connection, text
from sqlalchemy.orm import DeclarativeBase

import notifications.models
import scheduling.models
from dispensary.columns import Base
from dispensary.database import Database
from dispensary.embedded import start_embedded, stop_embedded
from dispensary.keys import fresh_vault
from dispensary.schema import all_metadata, migrate

PAGE = Path(__file__).with_name("data-dictionary.md")

OPENING = """\
# Data dictionary

Every table of the programme's database. This page is written from the database itself (`make dictionary`), and a test
fails when it is not current.

How to read it:

- **sealed** is a field that only the key file opens: AES-256-GCM, bound to its column and row (see
  [security](security.md)). **digest** is a keyed digest by which such a field is found without being read.
- `numeric(7,2)` is an exact dose in mg, `numeric(10,3)` an exact volume in mL, `numeric(7,3)` a strength in mg/mL.
- `timestamptz` is a moment; `date` is a dose day, the site's own calendar date, unless its meaning says otherwise;
  `daterange` runs from its first day (inclusive) to its end (exclusive, or open).
- A column in *italics* may be empty.
- “Refused” lists what PostgreSQL itself refuses, whoever asks: constraints, unique indexes and triggers by name.
"""

# The order of the house: the clinic's rooms from the ground up, then the two houses beside it.
ROOMS = (
    ("dispensary.staff", "Staff: sites, accounts, audit"),
    ("dispensary.evaluation", "Evaluation: what closed days say, counted, and what was brought in"),
    ("dispensary.clients", "Clients"),
    ("dispensary.stock", "Stock: the safe and its register"),
    ("dispensary.prescribing", "Prescribing"),
    ("dispensary.monitoring", "Monitoring"),
    ("dispensary.care", "Care: what else is offered"),
    ("dispensary.takehome", "Take-home"),
    ("dispensary.supplies", "Supplies: what was handed over"),
    ("dispensary.looks", "Looks: who opened whose record, and why"),
    ("dispensary.phone", "The phone line"),
    ("scheduling", "Scheduling"),
    ("notifications", "Notifications"),
)

_COLUMNS = text("""
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS may_be_empty,
    (SELECT c.confrelid::regclass::text FROM pg_constraint c
     WHERE c.conrelid = a.attrelid AND c.contype = 'f' AND c.conkey[1] = a.attnum
     ORDER BY cardinality(c.conkey) LIMIT 1) AS leads_to
FROM pg_attribute a WHERE a.attrelid = CAST(:table AS regclass) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
""")
_CONSTRAINTS = text("""
SELECT conname, pg_get_constraintdef(oid, true) FROM pg_constraint
WHERE conrelid = CAST(:table AS regclass) AND contype IN ('p', 'u', 'c', 'x')
ORDER BY position(contype::text IN 'puxc'), conname
""")
_INDEXES = text("""
SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = CAST(:table AS regclass) AND i.indisunique
  AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid)
ORDER BY c.relname
""")
_TRIGGERS = text("""
SELECT tgname, pg_get_triggerdef(oid, true) FROM pg_trigger
WHERE tgrelid = CAST(:table AS regclass) AND NOT tgisinternal ORDER BY tgname
""")


def dictionary(connection: Connection) -> str:
    """The whole page, from a database that has all migrations."""
    all_metadata()
    by_room: dict[str, list[type[DeclarativeBase]]] = {room: [] for room, _ in ROOMS}
    for base in (Base, scheduling.models.Base, notifications.models.Base):
        for mapper in base.registry.mappers:
            by_room[mapper.class_.__module__.rpartition(".")[0]].append(mapper.class_)
    parts = [OPENING]
    for room, title in ROOMS:
        parts.append(f"## {title}\n\n`{room}`\n")
        for model in sorted(
            by_room[room], key=lambda one: (not one.__module__.endswith(".models"), one.__module__, _line(one))
        ):
            parts.append("\n".join(_table(connection, model)))
    return "\n".join(parts)


def _line(model: type) -> tuple[bool, int]:
    return model.__module__.endswith("_models"), inspect.getsourcelines(model)[1]


def _table(connection: Connection, model: type[DeclarativeBase]) -> Iterator[str]:
    table = {"table": model.__tablename__}
    meaning = _meanings(model)
    yield f"### {model.__tablename__}\n"
    yield f"{_flat(model.__doc__ or '')}\n"
    yield "| column | type | meaning |"
    yield "| --- | --- | --- |"
    for name, kind, may_be_empty, leads_to in connection.execute(_COLUMNS, table):
        said, sealed = meaning.get(name, ("", ""))
        says = " ".join(part for part in (f"→ {leads_to}." if leads_to else "", said) if part)
        shown = f"*{name}*" if may_be_empty else name
        yield f"| {shown} | {sealed or _short(kind)} | {says.replace('|', chr(92) + '|')} |"
    refused = [f"`{name}`: {_plain(definition)}" for name, definition in connection.execute(_CONSTRAINTS, table)]
    refused += [f"`{name}`: {_unique(definition)}" for name, definition in connection.execute(_INDEXES, table)]
    refused += [f"`{name}`: {_when(definition)}" for name, definition in connection.execute(_TRIGGERS, table)]
    yield "\nRefused:\n"
    for line in refused:
        yield f"- {_flat(line)}"
    yield ""


def _meanings(model: type) -> dict[str, tuple[str, str]]:
    """What the model says below each of its columns, and whether the column is sealed or a digest."""
    (declared,) = ast.parse(dedent(inspect.getsource(model))).body
    assert isinstance(declared, ast.ClassDef)
    found: dict[str, tuple[str, str]] = {}
    for statement, after in zip(declared.body, [*declared.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            kind = re.search(r"\b(Sealed|Digest)\b", ast.unparse(statement.annotation))
            said = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                said = _flat(str(after.value.value))
            found[statement.target.id] = (said, kind[1].lower() if kind else "")
    return found


def _flat(words: str) -> str:
    return " ".join(words.split())


def _short(kind: str) -> str:
    return kind.replace("timestamp with time zone", "timestamptz").replace("time without time zone", "time")


def _unique(definition: str) -> str:
    return _plain(re.sub(r"^CREATE UNIQUE INDEX .* USING \w+ ", "UNIQUE ", definition))


def _plain(definition: str) -> str:
    """A condition without the types that PostgreSQL notes on every value."""
    bare = re.sub(r"::(character varying|double precision|\w+)(\[\])?", "", definition)
    for listed, said in (("= ANY", "IN"), ("<> ALL", "NOT IN")):
        bare = re.sub(rf"{listed} \((\()?ARRAY\[(.*?)\](?(1)\))\)", rf"{said} (\2)", bare)
    return bare


def _when(definition: str) -> str:
    """When a trigger looks, without the table and the function, which has the trigger's name or says it in its text."""
    looks = re.search(r"\b(BEFORE|AFTER)\b.*?(?= ON )", definition)
    later = ", at the end of the unit of work" if "INITIALLY DEFERRED" in definition else ""
    return f"trigger {looks[0].lower()}{later}" if looks else definition


def main() -> None:
    """Writes the page from a database of its own, made by the migrations and thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "postgresql"
        database = Database(start_embedded(place), fresh_vault(), pool_size=2)
        migrate(database)
        with database.engine.connect() as connection:
            PAGE.write_text(dictionary(connection), "utf-8")
        database.close()
        stop_embedded(place)
    sys.stdout.write(f"Wrote {PAGE.name}.\n")


if __name__ == "__main__":
    main()
