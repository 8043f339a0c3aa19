"""Judging the health of 10,000 clients with five years of results: as the night does it, and one by one (of a part)."""

from __future__ import annotations

import time
import tracemalloc
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks.clinics import noon_zone
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from dispensary.database import Database
from dispensary.monitoring.judging import judge_health
from tests.builders import Clinic, clinic

NAME = "health"
CLIENTS = 10_000
ALONE = 250
"""How many are judged one by one; the time of all of them is so many times as long."""
ROUNDS = 3

# One in ten is on HIV treatment, four in ten have hepatitis C; ALT and the like twice a year, an ECG once a year.
_FILL = """
CREATE TEMP TABLE people AS
    SELECT gen_random_uuid() AS id, gen_random_uuid() AS episode, n FROM generate_series(1, :n) n;
INSERT INTO client (id, site_id, number, name_sealed, sex, birth_year, made_at)
    SELECT id, :site, 'B' || n, '\\x00',
        CASE n % 4 WHEN 0 THEN 'female' ELSE 'male' END, 1970 + n % 30, :at FROM people;
INSERT INTO client_home (client_id, no, site_id, number) SELECT id, 1, site_id, number FROM client
    WHERE NOT EXISTS (SELECT FROM client_home WHERE client_id = client.id);
INSERT INTO episode (id, client_id, site_id, began_on, origin)
    SELECT episode, id, :site, CAST(:on AS date) - 1825, 'import' FROM people;
INSERT INTO client_condition (client_id, kind, noted_on)
    SELECT id, 'hepatitis_c', CAST(:on AS date) - 1800 FROM people WHERE n % 10 < 4
    UNION ALL SELECT id, 'hiv', CAST(:on AS date) - 1800 FROM people WHERE n % 10 = 9;
INSERT INTO treatment (id, client_id, site_id, kind, started_on, stop_reason, entered_at)
    SELECT episode, id, :site, 'art', CAST(:on AS date) - 1790, '', :at FROM people WHERE n % 10 = 9;
INSERT INTO medication (id, client_id, site_id, treatment_id, substance, name, started_on, stop_reason, entered_at)
    SELECT episode, id, :site, episode, 'dolutegravir', 'dolutegravir', CAST(:on AS date) - 1790, '', :at
    FROM people WHERE n % 10 = 9;
INSERT INTO refill (id, medication_id, on_day, days, observed, source_key, given_at, void_reason)
    SELECT gen_random_uuid(), episode, CAST(:on AS date) - 30 * m, 30, false, m::text, :at, ''
    FROM people, generate_series(1, 59) m WHERE n % 10 = 9 AND (n + m) % 11 > 0;
INSERT INTO health_result (id, client_id, site_id, analyte, taken_on, number, comparator, upper, panel, formula, typed,
        source, source_key, reason, entered_at)
    SELECT gen_random_uuid(), id, :site, analyte, CAST(:on AS date) - 182 * half - n % 90,
        base + (n * 7919 + half * 104729) % spread, '', CASE WHEN base < 30 THEN 40 END, episode, '', '', 'csv',
        analyte || half, '', :at
    FROM people, generate_series(0, 9) half,
        (VALUES ('alt', 10, 160, 1), ('ast', 10, 120, 1), ('bilirubin', 5, 40, 1), ('platelets', 90, 300, 1),
            ('albumin', 25, 25, 1), ('viral_load', 40, 3000, 2), ('qtc', 400, 110, 1))
            AS tests (analyte, base, spread, who)
    WHERE who = 1 OR n % 10 = 9;
"""


def run(ground: Ground) -> list[Figure]:
    """The night in turns with one by one; both must come to the same alerts and days for those whom both judged."""
    say(f"health: {CLIENTS} clients, {ROUNDS} rounds")
    ground.copy("health")
    at_once, alone = [], []
    with ground.database("health") as database:
        place = _filled(database)
        for number in range(ROUNDS):
            say(f"health: round {number + 1} of {ROUNDS}")
            some = place.clients[number * ALONE : (number + 1) * ALONE]
            began = time.perf_counter()
            for client in some:
                with database.writing() as session:
                    judge_health(session, site_id=place.site_id, on=place.today, at=place.now, client_ids=[client])
            alone.append((time.perf_counter() - began) * CLIENTS / ALONE)
            singly = _kept(place, some)
            began = time.perf_counter()
            with database.writing() as session:
                judge_health(session, site_id=place.site_id, on=place.today, at=place.now)
            at_once.append(time.perf_counter() - began)
            if singly != _kept(place, some):
                raise RuntimeError("the two ways do not come to the same")
        tracemalloc.start()
        with database.writing() as session:
            judge_health(session, site_id=place.site_id, on=place.today, at=place.now)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    together = of_rounds(NAME, f"{CLIENTS:,} clients in one nightly run", at_once, "s")
    single = of_rounds(NAME, f"the same one by one, from {ALONE} of them", alone, "s")
    return [
        together,
        single,
        ratio(NAME, "at once, as a part of one by one", together, single, 0.1),
        Figure(NAME, "memory of the program's own objects at once, most", peak / 1e6, "MB"),
    ]


def _filled(database: Database) -> Clinic:
    now = datetime.now(UTC)
    place = clinic(database, now - timedelta(days=1830), zone=noon_zone(now))
    place.move_on(1830)
    asked = {"n": CLIENTS, "site": place.site_id, "on": place.today, "at": place.now}
    with database.engine.begin() as connection:
        for statement in _FILL.split(";\n"):
            if statement.strip():
                connection.execute(text(statement), asked)
        place.clients += list(connection.execute(text("SELECT id FROM client ORDER BY id")).scalars())
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return place


def _kept(place: Clinic, clients: object) -> tuple[object, ...]:
    """The alerts and the days of these clients, but for ids and moments."""
    with place.database.engine.connect() as connection:
        alerts = connection.execute(
            text(
                "SELECT client_id, cause, severity, sentence, evidence::text FROM alert WHERE client_id = ANY(:some)"
                " ORDER BY 1, 2"
            ),
            {"some": clients},
        ).all()
        days = connection.execute(
            text("SELECT client_id, test, due_on, rule FROM test_due WHERE client_id = ANY(:some) ORDER BY 1, 2"),
            {"some": clients},
        ).all()
    return tuple(alerts), tuple(days)
