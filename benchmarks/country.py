"""A country to measure on: many clients over years, their days written beside the triggers, the same for the same seed.

Everybody enters in the first half of the time and stays for a while; some come back after a long absence. Of a hundred
days eight are missed, one in two hundred is held, and now and then somebody is away for one to six weeks. Three in four
carry six bottles a week, the others come each day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import text

from benchmarks.clinics import noon_zone
from benchmarks.figures import say
from dispensary.database import Database
from dispensary.units import DoseDay
from tests.builders import clinic

CLIENTS_OF_A_SITE = 115
"""China: 91,000 clients at 790 clinics."""
_AT_ONCE = 5_000
"""Clients whose days are written at once."""

_SITES = """
INSERT INTO site SELECT (jsonb_populate_record(s, jsonb_build_object('id', gen_random_uuid(), 'code', 'B' || n))).*
FROM site s CROSS JOIN generate_series(2, :sites) AS n
"""

# Ids differ in their first half, as real ones do by their moment: by what differs behind it alone an index of ranges
# (GiST) cannot sort, and each look into it reads it whole.
# Chance is a digest of what it is about: no order of rows and no plan of a query changes it.
_PEOPLE = """
CREATE TABLE country_person AS
WITH site_no AS (SELECT id, row_number() OVER (ORDER BY code) - 1 AS no FROM site), chance AS (
    SELECT n, (abs(hashint8extended(n, 1)) % 1000000) / 1e6 AS enters,
        (abs(hashint8extended(n, 2)) % 1000000 + 1) / 1e6 AS stays,
        (abs(hashint8extended(n, 3)) % 1000000) / 1e6 AS returns
    FROM generate_series(1, :clients) AS n
), first AS (
    SELECT n, CAST(enters * :days * 0.62 AS int) AS began, CAST(-ln(stays) * 1080 AS int) + 20 AS lasts, returns
    FROM chance
)
SELECT n, CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad('', 12, '0') AS uuid) AS id, site_no.id AS site_id,
    CAST(:first AS date) + began AS began_on, CAST(:first AS date) + least(began + lasts, :days - 1) AS last_on,
    CASE WHEN returns < 0.25 AND began + lasts + 120 < :days THEN CAST(:first AS date) + began + lasts + 90 END
        AS back_on,
    n % 4 > 0 AS carries, CAST(40 + 10 * (n % 9) AS numeric) AS mg
FROM first JOIN site_no ON site_no.no = n % :sites
"""
_RECORDS = """
INSERT INTO client (id, site_id, number, name_sealed, sex, made_at)
    SELECT id, site_id, 'C' || n, '', CASE n % 5 WHEN 0 THEN 'female' ELSE 'male' END, began_on + time '01:00'
    FROM country_person ORDER BY n;
INSERT INTO client_home (client_id, no, site_id, number) SELECT id, 1, site_id, number FROM client;
INSERT INTO episode (id, client_id, site_id, began_on, origin)
    SELECT id, id, site_id, began_on, 'clinic' FROM country_person ORDER BY n;
INSERT INTO dose_order (id, episode_id, client_id, site_id, days, mg, portions, reason, ordered_at, origin)
    SELECT id, id, id, site_id, daterange(began_on, NULL), mg, ARRAY[mg], 'stable', began_on + time '01:00', 'clinic'
    FROM country_person ORDER BY n;
CREATE INDEX country_person_n ON country_person (n);
ANALYZE country_person
"""
_DAYS = """
CREATE TEMP TABLE country_day ON COMMIT DROP AS
SELECT n, client_id, site_id, mg, carries, day, no, given_no,
    CASE WHEN abs(hashint8extended(CAST(n AS bigint) * 100000 + no / 14, 4)) % 60 = 0
            AND no % 14 <= abs(hashint8extended(CAST(n AS bigint) * 100000 + no / 14, 5)) % 14 + 6
            AND day > began_on THEN 'missed'
        WHEN abs(hashint8extended(CAST(n AS bigint) * 100000 + no, 6)) % 200 = 0 THEN 'held'
        WHEN abs(hashint8extended(CAST(n AS bigint) * 100000 + no, 7)) % 100 < 8 THEN 'missed'
        WHEN no > given_no THEN 'take_home'
        ELSE 'observed' END AS outcome
FROM (
    SELECT n, id AS client_id, site_id, mg, carries, began_on, CAST(:first AS date) + no AS day, no,
        CASE WHEN carries THEN greatest(no - no % 7, came) ELSE no END AS given_no
    FROM country_person p
    CROSS JOIN LATERAL (
        SELECT came, generate_series(came, last_on - CAST(:first AS date)) AS no
        FROM (SELECT began_on - CAST(:first AS date) AS came) AS entry
        UNION ALL SELECT came, generate_series(came, CAST(:today AS date) - CAST(:first AS date))
        FROM (SELECT back_on - CAST(:first AS date) AS came) AS return WHERE back_on IS NOT NULL
    ) AS days
    WHERE n > :after AND n <= :upto
) AS ordered;
INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by, observation,
        second_look, origin, answer)
    SELECT CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(no), 12, '0') AS uuid), site_id,
        client_id, client_id, CAST(:first AS date) + no, CAST(:first AS date) + no + time '02:00', n || '-' || no,
        '', 'photo', '', '', 'counter', '{}'
    FROM (SELECT DISTINCT n, site_id, client_id, given_no AS no FROM country_day
        WHERE outcome IN ('observed', 'take_home')) AS handed ORDER BY n, no;
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
    SELECT CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(no), 12, '0') AS uuid),
        CAST(lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(given_no), 12, '0') AS uuid),
        site_id, client_id, client_id, day, 1, 1, outcome, mg, false
    FROM country_day WHERE outcome IN ('observed', 'take_home') ORDER BY n, no;
INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg, given_mg,
        outcome, frozen_at)
    SELECT client_id, day, 1, 1, site_id, client_id, client_id, mg,
        CASE WHEN outcome IN ('observed', 'take_home') THEN mg ELSE 0 END, outcome, day + time '10:00'
    FROM country_day WHERE day < :today ORDER BY n, no
"""


@dataclass(frozen=True)
class Country:
    """What was built."""

    clients: int
    days: int
    """Closed dose days."""
    first: DoseDay
    today: DoseDay
    now: datetime


def build(database: Database, *, clients: int, years: float, sites: int = 0) -> Country:
    """Writes a country into an empty database. Its last day is today, which is not closed.

    It has as many sites as China would for so many clients, unless a number is given.
    """
    now = datetime.now(UTC)
    length = round(years * 365.25)
    place = clinic(database, now - timedelta(days=length), zone=noon_zone(now), ml="900000")
    place.move_on(length)
    first, sites = DoseDay(place.today - timedelta(days=length)), sites or -(-clients // CLIENTS_OF_A_SITE)
    asked = {"clients": clients, "sites": sites, "first": first, "days": length + 1, "today": place.today}
    run_past(database, _SITES, asked)
    run_past(database, _PEOPLE, asked)
    run_past(database, _RECORDS, asked)
    for after in range(0, clients, _AT_ONCE):
        run_past(database, _DAYS, asked | {"after": after, "upto": after + _AT_ONCE})
        say(f"a country of {clients:,}: the days of {min(after + _AT_ONCE, clients):,} are written")
    with psycopg.connect(database.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        row = connection.execute("SELECT count(*) FROM day_outcome").fetchone()
    assert row is not None
    return Country(clients, int(row[0]), first, place.today, now)


def run_past(database: Database, sql: str, asked: dict[str, object]) -> None:
    """Runs statements that end with `;` at the ends of lines, in one transaction and beside the triggers."""
    with database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # the past obeys; nobody asks again
        for statement in sql.split(";\n"):
            connection.execute(text(statement), {key: value for key, value in asked.items() if f":{key}" in statement})


if __name__ == "__main__":
    from benchmarks.peak import main

    main()
