"""The methadone arm of a public trial, replayed day by day: the levels are those that a query over raw days gives."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.database import Database, ReadSession
from dispensary.staff.rules import the_program
from dispensary.supplies.dose_files import read_doses
from dispensary.supplies.history import import_doses
from dispensary.takehome.history import History
from dispensary.takehome.policy import Policy, parse, shipped_policies
from dispensary.takehome.queries import history_of_all
from dispensary.takehome.rules import NO_LEVEL, assess
from dispensary.units import SiteId
from tests.builders import clinic

REAL = Path(__file__).parents[3] / "shared/data/ctn0094/methadone_arm_daily.csv"
START = date(2024, 5, 1)
"""The rule of 2024 is in force from the first of these days to the last."""
HALF_YEAR = 180
BY_TIME, BY_ADHERENCE = "US-42CFR8.12i-2024", "DEMONSTRATION-CLINIC-ADHERENCE"

_RAW = "CREATE TEMPORARY TABLE raw (who text, day int, mg numeric)"
# Written from the wording of the two policies, over the file's own days, and from nothing that the program computes.
_LEVELS = """
WITH span AS (
    SELECT who, min(day) AS first, max(day) AS last, min(day) FILTER (WHERE mg > 0) AS first_dose FROM raw GROUP BY who
), seen AS (
    SELECT who, first_dose, day, CASE WHEN mg > 0 THEN 1 ELSE 0 END AS covered
    FROM span CROSS JOIN LATERAL generate_series(first, last) AS day LEFT JOIN raw USING (who, day)
), counted AS (
    SELECT who, day + 1 AS on_day, day + 1 - first_dose + 1 AS day_of_treatment,
        sum(covered) OVER recent AS covered, count(*) OVER recent AS days
    FROM seen WINDOW recent AS (PARTITION BY who ORDER BY day ROWS BETWEEN 27 PRECEDING AND CURRENT ROW)
)
SELECT who, on_day,
    CASE WHEN day_of_treatment >= 31 THEN 'day 31 and later' WHEN day_of_treatment >= 15 THEN 'days 15 to 30'
         WHEN day_of_treatment >= 1 THEN 'days 1 to 14' ELSE :none END AS by_time,
    CASE WHEN covered < 21 THEN :none
         WHEN covered = days THEN '6 a week'
         WHEN 100 * covered >= 95 * days THEN '5 a week'
         WHEN 100 * covered >= 90 * days THEN '4 a week'
         WHEN 100 * covered >= 85 * days THEN '3 a week'
         WHEN 100 * covered >= 75 * days THEN '2 a week'
         ELSE :none END AS by_adherence
FROM counted
"""
Key = tuple[str, int]


def policy(name: str) -> Policy:
    return max((one for one in map(parse, shipped_policies()) if one.policy == name), key=lambda one: one.version)


def expected(session: ReadSession) -> dict[Key, tuple[str, str]]:
    session.execute(text(_RAW))
    with REAL.open() as file:
        rows = [{"who": row["who"], "day": int(row["day"]), "mg": row["mg"]} for row in csv.DictReader(file)]
    session.execute(text("INSERT INTO raw VALUES (:who, :day, :mg)"), rows)
    found = session.execute(text(_LEVELS), {"none": NO_LEVEL})
    return {(row.who, row.on_day): (row.by_time, row.by_adherence) for row in found}


def day_by_day(session: ReadSession, site_id: SiteId, days: Iterable[Key]) -> Iterator[tuple[Key, History, date]]:
    """Each client on each of these days, as the record stood then: read from the database every half year."""
    numbers = {row.id: row.number for row in session.execute(text("SELECT id, number FROM client"))}
    for half_year, keys in groupby(sorted(days, key=lambda key: key[1]), key=lambda key: key[1] // HALF_YEAR):
        until = START + timedelta(days=(half_year + 1) * HALF_YEAR)
        known = {numbers[each]: history for each, history in history_of_all(session, site_id, until).items()}
        for key in keys:
            who, on = known[key[0]], START + timedelta(days=key[1])
            begun = who.first_dose_day if who.first_dose_day and who.first_dose_day <= on else None
            yield key, replace(who, record=who.record[: (on - who.record_from).days], first_dose_day=begun), on


@pytest.mark.skipif(not REAL.exists(), reason="the trial's file lies beside the project, not in it")
def test_520_clients_replayed_day_by_day_have_the_levels_that_a_query_over_raw_days_gives(
    database: Database, now: datetime
) -> None:
    place = clinic(database, now)
    with database.writing() as session:
        import_doses(session, actor=the_program(place.site_id), reading=read_doses(REAL, start=START), at=now)
    with database.writing() as session:
        levels = expected(session)
    by_time, by_adherence = policy(BY_TIME), policy(BY_ADHERENCE)
    with database.reading() as session:
        replayed = {
            key: (assess(by_time, history, on).level, assess(by_adherence, history, on).level)
            for key, history, on in day_by_day(session, place.site_id, levels)
        }

    assert len({who for who, _ in replayed}) == 520
    assert len(replayed) > 71_971  # every day of the file, and the days between that were missed
    assert [(key, said, levels[key]) for key, said in replayed.items() if said != levels[key]][:5] == []
    # Both policies were put to the proof: every level of either was somebody's.
    assert {level for level, _ in replayed.values()} >= {one.name for one in by_time.levels}
    assert {level for _, level in replayed.values()} == {one.name for one in by_adherence.levels} | {NO_LEVEL}
