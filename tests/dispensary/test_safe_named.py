"""The view of the safe's discrepancies names of a damaged safe what it named before it went by site, and no other."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import Connection, text

from dispensary.database import Database
from dispensary.migrations.safe_view import DISCREPANCY
from dispensary.staff.rules import the_program
from dispensary.stock.discrepancies import look
from tests.builders import Clinic
from tests.dispensary.parts_place import worked

SUPPLIED = "(SELECT id FROM register_line WHERE kind = 'supplied' ORDER BY seq LIMIT 1)"
OBSERVED = "(SELECT id FROM dose WHERE kind = 'observed' AND voided_at IS NULL ORDER BY id LIMIT 1)"
TAKEN_HOME = "(SELECT dose_id FROM bottle WHERE dose_id IS NOT NULL ORDER BY id LIMIT 1)"
ANOTHER_LOT = """INSERT INTO lot SELECT (jsonb_populate_record(l, jsonb_build_object(
    'id', '00000000-0000-0000-0000-0000000000aa', 'batch', 'OTHER', 'balance', 0, 'bottled', 0))).*
    FROM lot l LIMIT 1"""
OTHER = "'00000000-0000-0000-0000-0000000000aa'::uuid"


def line(more: str, of: str = SUPPLIED) -> str:
    """A line as another is, but for what is said."""
    return f"""INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(),
    'seq', (SELECT max(seq) + 1 FROM register_line), {more}))).* FROM register_line l WHERE id = {of}"""


CORRECTED = "'kind', 'corrected', 'corrects_id', l.id, 'ml', -l.ml, 'consumed_ml', 0, 'taken_home_ml', 0"
IN_TWO_PARTS = """INSERT INTO dose_part SELECT (jsonb_populate_record(NULL::dose_part, jsonb_build_object(
    'id', gen_random_uuid(), 'dose_id', d.id, 'site_id', d.site_id, 'client_id', d.client_id, 'seq', n, 'lot_id',
    CASE n WHEN 1 THEN d.lot_id ELSE {other} END, 'mg', d.mg / 2, 'ml', {ml}))).*
    FROM dose d, generate_series(1, 2) n WHERE d.id = {dose}"""
VOID = "voided_at = now()"

DAMAGE = {
    "nothing": (),
    "a lot that is not its lines": ("UPDATE lot SET balance = balance + 7, bottled = bottled + 1",),
    "less than nothing": ("UPDATE lot SET balance = -1", "UPDATE register_book SET balance = -1"),
    "a line that is gone": (f"DELETE FROM register_line WHERE id = {SUPPLIED}",),
    "a line that is less": (f"UPDATE register_line SET ml = ml + 1 WHERE id = {SUPPLIED}",),
    "a line of a lot that is nowhere": (f"UPDATE register_line SET lot_id = gen_random_uuid() WHERE id = {SUPPLIED}",),
    "a line of a book that is nowhere": (
        f"UPDATE register_line SET book_id = gen_random_uuid() WHERE id = {SUPPLIED}",
    ),
    "a line of another lot": (ANOTHER_LOT, f"UPDATE register_line SET lot_id = {OTHER} WHERE id = {SUPPLIED}"),
    "drunk for taken home": (
        f"UPDATE register_line SET consumed_ml = taken_home_ml, taken_home_ml = consumed_ml WHERE id = {SUPPLIED}",
    ),
    "supplied to nobody": (f"UPDATE register_line SET supply_id = gen_random_uuid() WHERE id = {SUPPLIED}",),
    "a correction that names the supply": (line(CORRECTED),),
    "a correction that names no supply": (line(CORRECTED + ", 'supply_id', NULL"),),
    "a correction over another lot": (ANOTHER_LOT, line(CORRECTED + f", 'supply_id', NULL, 'lot_id', {OTHER}")),
    "a correction of a correction": (
        line(CORRECTED + ", 'supply_id', NULL"),
        line(
            "'corrects_id', l.id, 'ml', -l.ml",
            "(SELECT id FROM register_line WHERE kind = 'corrected' ORDER BY seq LIMIT 1)",
        ),
    ),
    "supplied twice": (line("'kind', 'supplied'"),),
    "a dose that is more": (f"UPDATE dose SET ml = ml + 1 WHERE id = {OBSERVED}",),
    "a dose of no lot": (f"UPDATE dose SET lot_id = NULL WHERE id = {OBSERVED}",),
    "a dose that was undone": (f"UPDATE dose SET {VOID} WHERE id = {OBSERVED}",),
    "a bottle's dose that was undone": (f"UPDATE dose SET {VOID} WHERE id = {TAKEN_HOME}",),
    "a bottle's dose that was undone with it": (
        f"UPDATE bottle SET state = 'void' WHERE dose_id = {TAKEN_HOME}",
        "UPDATE dose SET voided_at = now() WHERE id IN (SELECT dose_id FROM bottle WHERE state = 'void')",
    ),
    "a dose in two parts": (
        ANOTHER_LOT,
        IN_TWO_PARTS.format(other=OTHER, ml="d.ml / 2", dose=OBSERVED),
    ),
    "a bottle in two parts that are less": (
        ANOTHER_LOT,
        IN_TWO_PARTS.format(other=OTHER, ml="d.ml / 4", dose=TAKEN_HOME),
        f"UPDATE dose SET {VOID} WHERE id = {TAKEN_HOME}",
    ),
    "every supply undone, every bottle back": (
        f"UPDATE supply SET {VOID}",
        f"UPDATE dose SET {VOID}",
        "UPDATE bottle SET state = 'back_in_stock' WHERE dose_id IS NOT NULL",
    ),
    "an import of what has lines": (
        "UPDATE supply SET origin = 'import'",
        f"UPDATE register_line SET ml = ml - 1 WHERE id = {SUPPLIED}",
    ),
    "an import without lines": ("UPDATE supply SET origin = 'import'", "DELETE FROM register_line"),
    "an extra dose": (
        """INSERT INTO extra_dose SELECT (jsonb_populate_record(NULL::extra_dose, to_jsonb(d) || jsonb_build_object(
        'id', gen_random_uuid(), 'at', now(), 'given_at', now()))).* FROM dose d WHERE d.id = """
        + OBSERVED,
    ),
    "an extra dose that was undone": (
        """INSERT INTO extra_dose SELECT (jsonb_populate_record(NULL::extra_dose, to_jsonb(d) || jsonb_build_object(
        'id', gen_random_uuid(), 'voided_at', now()))).* FROM dose d WHERE d.id = """
        + OBSERVED,
    ),
    "two bottles for one day": (
        f"""UPDATE bottle SET (client_id, dose_day, portion, state, dose_id) = (SELECT client_id, dose_day, portion,
        'handed_over', NULL::uuid FROM bottle ORDER BY id DESC LIMIT 1) WHERE dose_id = {TAKEN_HOME}""",
    ),
    "a can that is nowhere": (line("'kind', 'sent', 'transfer_id', gen_random_uuid()"),),
}

FINE = [
    "nothing",
    "a bottle's dose that was undone",
    "every supply undone, every bottle back",
    "an extra dose that was undone",
]
TABLES = "ARRAY['dose', 'bottle', 'lot', 'supply', 'register_book', 'register_line', 'extra_dose', 'dose_part']"
CHECKED = f"""
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I CASCADE', conrelid::regclass, conname) FROM pg_constraint
WHERE contype IN ('c', 'u') AND conrelid = ANY ({TABLES}::regclass[]) AND conparentid = 0
UNION ALL SELECT format('ALTER TABLE %s ALTER COLUMN %I DROP NOT NULL', attrelid::regclass, attname) FROM pg_attribute a
WHERE attnum > 0 AND attnotnull AND attrelid = ANY ({TABLES}::regclass[]) AND NOT EXISTS (SELECT FROM pg_index i
    WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
""".replace("%", "%%")


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    here = worked(database, now)
    for _ in range(2):
        client = here.client()
        here.decide(client, per_supply=2)
        here.give(client, take_home_days=here.ahead(1, 2))
    return here


NO_SUBJECT = "a supply from no lot: it had no subject before, and could not be kept as found"


def named(connection: Connection, view: str) -> list[tuple[object, ...]]:
    found = connection.execute(text(f"SELECT kind, invariant, site_id, subject, sentence FROM {view}"))
    rows = [(*row[:3], row[3] or NO_SUBJECT, row[4].replace(" 0.000 mL", " 0 mL")) for row in found]
    return sorted(((*row[:3], NO_SUBJECT, row[4]) if "no lot" in str(row[3]) else row for row in rows), key=str)


def test_a_damaged_safe_is_named_as_before(place: Clinic) -> None:
    otherwise: dict[str, object] = {}
    seen: set[object] = set()
    found_nothing: list[str] = []
    with place.database.engine.connect() as connection:
        with connection.begin():
            connection.execute(text(DISCREPANCY.replace("VIEW stock_discrepancy", "VIEW named_before", 1)))
            connection.exec_driver_sql("SET session_replication_role = replica")
        for damage, statements in DAMAGE.items():
            transaction = connection.begin()
            for each in (*connection.exec_driver_sql(CHECKED).scalars(), *statements):
                connection.exec_driver_sql(each)
            before, now = named(connection, "named_before"), named(connection, "stock_discrepancy")
            if before != now:
                otherwise[damage] = (set(before) - set(now), set(now) - set(before))
            seen |= {row[0] for row in before}
            found_nothing += [] if before else [damage]
            transaction.rollback()
    assert otherwise == {}
    assert found_nothing == FINE
    assert len(seen) == 13, "each kind of discrepancy that the view names is among them"


def test_a_dose_from_no_lot_is_kept_as_found(place: Clinic) -> None:
    with place.database.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(f"UPDATE dose SET lot_id = NULL WHERE id = {OBSERVED}")
    with place.database.writing() as session:
        found = look(session, actor=the_program(place.site_id), at=place.now)
    assert any(each.subject.endswith("/no lot") for each in found)
