"""How PostgreSQL goes about what pages ask for behind the second wall, as its own plans tell what it did."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import event, make_url, text

from dispensary.database import Database
from dispensary.evaluation.facts import count_behind
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks

SITES, CLIENTS, DAYS = 30, 30, 6
_PAST = """
CREATE TEMP TABLE past AS SELECT gen_random_uuid() AS id, c.id AS client_id, c.site_id, e.id AS episode_id,
    o.id AS order_id, day::date AS day
FROM client c JOIN episode e ON e.client_id = c.id JOIN dose_order o ON o.client_id = c.id
CROSS JOIN generate_series(CAST(:today AS date) - CAST(:days AS int), CAST(:today AS date) - 1, '1 day') AS day;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
    second_look, origin, answer)
SELECT id, site_id, client_id, episode_id, day, day + time '02:00', id::text, '', 'photo', '', '', 'counter', '{}'
FROM past;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
SELECT gen_random_uuid(), id, site_id, client_id, order_id, day, 1, 1, 'observed', 80, false FROM past;
INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,
    outcome, frozen_at)
SELECT client_id, day, 1, 1, site_id, episode_id, order_id, 80, 80, 'observed', day + time '12:00' FROM past;
INSERT INTO day_close (site_id, dose_day, closed_at, counted, observed, taken_home, missed, held, unclaimed)
SELECT site_id, day, max(day + time '12:00'), false, count(*), 0, 0, 0, 0 FROM past GROUP BY site_id, day;
"""
"""Whoever is there has come every day."""
_LIKE = """
CREATE FUNCTION pg_temp.like_it(whole jsonb, n int) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_object_agg(key, CASE
        WHEN value #>> '{}' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-' AND NOT EXISTS
            (SELECT FROM pg_temp.stays WHERE id = (value #>> '{}')::uuid)
            THEN to_jsonb(md5(n || (value #>> '{}'))::uuid)
        WHEN value #>> '{}' LIKE '\\x_%%' THEN to_jsonb('\\x' || md5(n || (value #>> '{}')))
        WHEN key IN ('number', 'serial', 'code', 'batch', 'key', 'reason_key', 'job') 
            THEN to_jsonb((value #>> '{}') || '-' || n)
        ELSE value END) FROM jsonb_each(whole) $$
"""
"""A row of the one site as one of another site's: other ids, and all else as it was."""


def multiply(url: str) -> None:
    """Beside each row of the one site stand such rows of the other ones, past no guard."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection, connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(
            "CREATE TEMP TABLE stays AS SELECT id FROM account UNION SELECT id FROM policy_version;"
            " CREATE INDEX ON pg_temp.stays (id)"
        )
        connection.execute(_LIKE.replace("%%", "%"))
        tables = connection.execute("""SELECT c.relname, string_agg('theirs.' || quote_ident(a.attname), ', '),
                string_agg(quote_ident(a.attname), ', ')
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                AND attgenerated = ''
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relname = ANY (
                '{account,account_password,alembic_version,policy_version,role_grant,sign_in,station,vault_key}')
            GROUP BY 1 ORDER BY 1""").fetchall()
        for table, values, columns in tables:
            connection.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM {table} AS of, generate_series(2, {SITES}) AS n,"
                f" LATERAL pg_temp.like_it(to_jsonb(of), n) AS alike, jsonb_populate_record(NULL::{table}, alike)"
                " AS theirs ON CONFLICT DO NOTHING"
            )
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ANALYZE")


@dataclass
class Watched:
    """The plans of what was asked for in a block, with what each step of them did."""

    plans: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, notice: psycopg.errors.Diagnostic) -> None:
        said = notice.message_primary or ""
        if "plan:" in said:
            self.plans.append(json.loads(said.split("plan:", 1)[1]))

    def steps(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Each step of each plan, with the statement that it belongs to."""
        for plan in self.plans:
            stack = [plan["Plan"]]
            while stack:
                step = stack.pop()
                yield plan["Query Text"], step
                stack += step.get("Plans", ())


@contextmanager
def watching(database: Database) -> Iterator[Watched]:
    """PostgreSQL tells how it went about each statement of this block, as it really ran."""
    name = make_url(database.url).database
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        for setting in (
            "session_preload_libraries = 'auto_explain'", "auto_explain.log_min_duration = 0",
            "auto_explain.log_analyze = on", "auto_explain.log_timing = off", "auto_explain.log_format = 'json'",
            "auto_explain.log_level = 'notice'", "client_min_messages = 'notice'",
        ):  # fmt: skip
            connection.execute(f"ALTER DATABASE {name} SET {setting}")
    watched = Watched()

    def tells(connection: psycopg.Connection, _: object) -> None:
        connection.add_notice_handler(watched)

    for engine in database._engines:
        engine.dispose()
        event.listen(engine, "connect", tells)
    try:
        yield watched
    finally:
        for engine in database._engines:
            event.remove(engine, "connect", tells)
            engine.dispose()


@pytest.fixture
def country(database: Database, now: datetime, tmp_path: Path) -> tuple[Desks, list[ClientId]]:
    """Thirty sites with thirty clients each, and a week of doses; at the first one somebody sits at the desks."""
    here = desks(database, now, tmp_path)
    clients = [here.place.client(began=here.today - timedelta(days=DAYS)) for _ in range(CLIENTS)]
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _PAST.split(";\n")[:-1]:
            connection.execute(text(statement), {"today": here.today, "days": DAYS})
    for client in clients[:5]:
        here.place.give(client)
    here.seat(Role.PHARMACIST, Role.DOCTOR, Role.EVALUATOR)
    count_behind(database)
    multiply(database.url)
    return here, clients


_JUDGES = ("client", "guest_stay", "role_grant")
"""The tables that walls ask for the sites in view."""
_BY_THE_DAY = ("audit_entry", "day_outcome", "dose", "supply")
"""What grows by the day. Of people and their episodes PostgreSQL may read all where it counts a whole programme."""


def asked_anew(watched: Watched) -> list[str]:
    """What a wall looked up for each row by itself, and not once for the statement."""
    return [
        f"{step['Actual Loops']} times {step['Relation Name']}, {step.get('Index Cond')}: {said}"
        for said, step in watched.steps()
        if step.get("Parent Relationship") == "SubPlan" and step.get("Relation Name") in _JUDGES
        if step["Actual Loops"] > 1 and "takehome.sites" in step.get("Filter", "")
    ]


def read_through(watched: Watched, tables: Collection[str] = ()) -> list[str]:
    """Where PostgreSQL read rows of other sites, to find out that they are not to be shown: of these tables, or any."""
    return [
        f"{step['Node Type']} on {step['Relation Name']}, {step['Rows Removed by Filter']} for nothing: {said}"
        for said, step in watched.steps()
        if step.get("Relation Name", "") in (tables or {step.get("Relation Name")})
        and step.get("Rows Removed by Filter", 0) * step["Actual Loops"] > 5 * CLIENTS
    ]


def test_pages_are_found_by_an_index_and_the_wall_is_asked_once_for_a_statement(
    country: tuple[Desks, list[ClientId]], database: Database
) -> None:
    here, clients = country
    with database.reading() as session:
        assert session.execute(text("SELECT count(*), count(DISTINCT site_id) FROM client")).one() == (900, SITES)
        assert session.execute(text("SELECT count(*), count(DISTINCT site_id) FROM dose")).one() == (5550, SITES)
    desk = here.seat(Role.PHARMACIST, Role.DOCTOR, Role.EVALUATOR)
    for path, tables in (
        ("/counter", ()),
        (f"/counter/clients/{clients[9]}", ()),
        ("/counter/day", ()),
        ("/consulting", ()),
        (f"/consulting/clients/{clients[0]}", ()),
        ("/evaluation?measure=programme", _BY_THE_DAY),
        ("/evaluation?measure=adherence&first=2026-11-15&last=2026-11-22", _BY_THE_DAY),
    ):
        assert desk.get(path).status_code == 200, path  # what is done once a morning is done
        with watching(database) as watched:
            assert desk.get(path).status_code == 200
        assert len(watched.plans) > 3, path
        # Figures step before the wall: who has moved away since is counted where they were.
        behind_it = any("takehome.sites" in step.get("Filter", "") for _, step in watched.steps())
        assert behind_it or path.startswith("/evaluation"), path
        assert (path, asked_anew(watched), read_through(watched, tables)) == (path, [], [])
