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
    with old_database.writing() as session:
        session.execute(
            text("""INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind,
                mg, closed_day) SELECT gen_random_uuid(), id, site_id, id, id, '2026-02-02', 2, 2, 'observed', 30, false
                FROM client""")
        )
    assert one(old_database, "SELECT count(*), sum(mg) FROM dose") == (400, 16_000)
