"""A migration meets a database that people have worked with: nothing is lost, and what is new has a meaning for it."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import text

from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.schema import _config, migrate

_FULL = """
INSERT INTO site (id, code, name, zone, day_starts, region, language, address, phone, prescriber_phone, jump_percent,
    jump_mg, missed_days_ask, tolerance_ml, opened_at)
VALUES ('00000000-0000-0000-0000-000000000001', 'OLD', 'An old site', 'Asia/Kuala_Lumpur', '00:00', 'MY', 'en', '', '',
    '', 30, 20, 3, 5, '2026-01-01');
INSERT INTO account (id, username, name, initials, password_hash, made_at)
VALUES ('00000000-0000-0000-0000-000000000002', 'doctor', 'Dr. Lim Wei', 'LW', '-', '2026-01-01');
INSERT INTO policy_version (id, policy, version, document, sha256, status, published_at)
VALUES ('00000000-0000-0000-0000-000000000003', 'P', '1', '', '', 'active', '2026-01-01');
INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'H' || n, '', 'unknown', '2026-01-01'
FROM generate_series(1, 200) AS n;
INSERT INTO episode (id, client_id, site_id, began_on, origin)
SELECT id, id, site_id, '2026-01-01', 'clinic' FROM client;
INSERT INTO dose_order (id, episode_id, client_id, site_id, days, mg, portions, reason, ordered_by, ordered_at, origin)
SELECT id, id, id, site_id, '[2026-01-01,)', 80, '{50, 30}', 'stable', '00000000-0000-0000-0000-000000000002',
    '2026-01-01', 'clinic' FROM client;
INSERT INTO hold (id, episode_id, client_id, days, reason, placed_by, placed_at)
SELECT id, id, id, '[2026-03-01,2026-03-02)', 'seen first', '00000000-0000-0000-0000-000000000002', '2026-03-01'
FROM client;
INSERT INTO assessment (id, site_id, client_id, episode_id, policy_version_id, on_day, inputs, inputs_sha256, result,
    level, made_at)
SELECT id, site_id, id, id, '00000000-0000-0000-0000-000000000003', '2026-02-01', '{}', '', '{}', 'none', '2026-02-01'
FROM client;
INSERT INTO decision (id, site_id, client_id, episode_id, assessment_id, days, per_supply, per_week, closed_days_apart,
    differs, reason, decided_by, decided_at)
SELECT id, site_id, id, id, id, '[2026-02-01,)', 6, NULL, true, true, 'knows the client',
    '00000000-0000-0000-0000-000000000002', '2026-02-01' FROM client;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
    second_look, dispensed_by, origin, answer)
SELECT id, site_id, id, id, '2026-02-02', '2026-02-02', 'key-' || id, '', 'photo', '', '',
    '00000000-0000-0000-0000-000000000002', 'counter', '{}' FROM client;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
SELECT id, id, site_id, id, id, '2026-02-02', 1, 2, 'observed', 50, false FROM client;
"""


@pytest.fixture
def old_database(server: str, vault: Vault) -> Iterator[Database]:
    """A database as the first clinic migration left it, with two hundred clients in it."""
    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE old_clinic")
    database = Database(server.replace("/takehome?", "/old_clinic?"), vault, pool_size=2)
    try:
        with database.engine.connect() as connection:
            command.upgrade(_config(connection), "0003_clinic")
            connection.commit()
        with database.engine.begin() as connection:
            connection.exec_driver_sql(_FULL)
        yield database
    finally:
        database.close()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("DROP DATABASE old_clinic WITH (FORCE)")


def one(database: Database, sql: str) -> tuple[object, ...]:
    with database.reading() as session:
        return tuple(session.execute(text(sql)).one())


def test_flexible_dosing_comes_to_a_full_database_and_loses_nothing(old_database: Database) -> None:
    before = {name: one(old_database, f"SELECT count(*) FROM {name}") for name in ("dose", "dose_order", "decision")}

    assert migrate(old_database)[0] == "0004_dosing"

    assert {name: one(old_database, f"SELECT count(*) FROM {name}") for name in before} == before
    assert one(old_database, "SELECT count(*), min(kind), max(kind) FROM decision") == (200, "grant", "grant")
    assert one(old_database, "SELECT count(*) FROM hold WHERE release_reason = ''") == (200,)
    # Where each portion is taken was not asked then: the first at the counter, the others as decided.
    assert one(old_database, "SELECT count(*) FROM dose_order WHERE places IS NULL") == (200,)
    # By how much a count may differ came along; nothing else is set for the safe.
    kept = "SELECT tolerance_ml, tolerance_percent, days_of_stock, mix_strengths FROM stock_setting"
    assert one(old_database, kept) == (5, None, None, False)
    with old_database.writing() as session:
        session.execute(
            text("""INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind,
                mg, closed_day) SELECT gen_random_uuid(), id, site_id, id, id, '2026-02-02', 2, 2, 'observed', 30, false
                FROM client""")
        )
    assert one(old_database, "SELECT count(*), sum(mg) FROM dose") == (400, 16_000)


_BOTTLES = """
INSERT INTO register_book (id, site_id, product, lines, balance)
SELECT id, id, 'methadone oral solution 5 mg/mL', 0, 0 FROM site;
INSERT INTO lot (id, site_id, book_id, batch, strength, expires_on, balance, bottled, received_at)
SELECT id, id, id, 'OLD-1', 5, '2027-01-01', 0, 0, '2026-01-01' FROM site;
INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml, taken_home_ml, balance,
    lot_balance, reason, account_id)
SELECT gen_random_uuid(), id, 0, id, '2026-01-01', '2026-01-01', 'received', 9000, 0, 0, 0, 0, '',
    '00000000-0000-0000-0000-000000000002' FROM lot;
UPDATE supply SET decision_id = id;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, ml, lot_id,
    closed_day)
SELECT gen_random_uuid(), id, site_id, id, id, '2026-02-03', 1, 2, 'take_home', 50, 10, site_id, false FROM client;
INSERT INTO pickup (id, site_id, client_id, episode_id, collect_on, state, prepared_by, prepared_at, closed_at, reason)
SELECT id, site_id, id, id, '2026-02-09', CASE right(number, 1) WHEN '0' THEN 'cancelled' ELSE 'prepared' END,
    '00000000-0000-0000-0000-000000000002', '2026-02-02', CASE right(number, 1) WHEN '0' THEN '2026-02-03'::timestamptz
    END, CASE right(number, 1) WHEN '0' THEN 'moved' ELSE '' END FROM client;
INSERT INTO bottle (id, serial, site_id, client_id, order_id, pickup_id, dose_id, lot_id, dose_day, portion, portions,
    mg, ml, state, packed_by, packed_at)
SELECT id, 'S' || id, site_id, client_id, order_id, NULL::uuid, id, lot_id, dose_day, 1, 2, 50, 10, 'handed_over',
    '00000000-0000-0000-0000-000000000002'::uuid, '2026-02-02'::timestamptz FROM dose WHERE kind = 'take_home'
UNION ALL
SELECT id, 'P' || id, site_id, client_id, client_id, id, NULL::uuid, site_id, collect_on, 1, 2, 50, 10,
    CASE state WHEN 'prepared' THEN 'prepared' ELSE 'back_in_stock' END, '00000000-0000-0000-0000-000000000002'::uuid,
    '2026-02-02'::timestamptz FROM pickup;
"""
_BACK = """
INSERT INTO bottle_return (id, bottle_id, site_id, client_id, dose_day, is_full, returned_on, reason, recorded_by, at)
SELECT gen_random_uuid(), b.id, b.site_id, b.client_id, b.dose_day, right(c.number, 1) = '5', '2026-02-04',
    CASE right(c.number, 1) WHEN '5' THEN 'ill' ELSE '' END, '00000000-0000-0000-0000-000000000002', '2026-02-04'
FROM bottle b JOIN client c ON c.id = b.client_id WHERE b.state = 'handed_over' AND right(c.number, 1) IN ('5', '6');
"""


def test_every_bottle_of_a_full_database_gets_its_record(old_database: Database) -> None:
    with old_database.engine.begin() as connection:
        connection.exec_driver_sql(_BOTTLES)
    with old_database.engine.connect() as connection:
        command.upgrade(_config(connection), "0004_dosing")
        connection.commit()
    with old_database.engine.begin() as connection:
        connection.exec_driver_sql(_BACK)

    assert migrate(old_database)[0] == "0005_bottles"

    with old_database.reading() as session:
        records = session.execute(
            text("""SELECT record, state, count(*) FROM (
                        SELECT b.state, (SELECT string_agg(e.state, ' ' ORDER BY e.seq) FROM bottle_event e
                            WHERE e.bottle_id = b.id) AS record FROM bottle b) AS each
                    GROUP BY 1, 2 ORDER BY 1""")
        ).all()
    assert [tuple(row) for row in records] == [
        ("handed_over", "handed_over", 160),
        ("handed_over returned_empty", "returned_empty", 20),
        ("handed_over returned_full", "returned_full", 20),
        ("prepared", "prepared", 180),
        ("prepared back_in_stock", "back_in_stock", 20),
    ]
    assert one(old_database, "SELECT bottled FROM lot") == (1800,)


def test_whoever_collected_before_anybody_asked_was_the_client(old_database: Database) -> None:
    migrate(old_database)
    asked = "SELECT count(*), bool_and(collected_by = 'client' AND NOT id_requested AND agent_id IS NULL) FROM supply"
    assert one(old_database, asked) == (200, True)
