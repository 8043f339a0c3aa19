"""Every export in every format: the same twice, of a past moment the same for ever, and another one of today."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.clients.circumstances import Circumstances, note_circumstances
from dispensary.clients.rules import ExitReason
from dispensary.clients.service import end_episode
from dispensary.database import Database
from dispensary.evaluation.answering import ask
from dispensary.evaluation.crowds import OPEN
from dispensary.evaluation.dhis2 import Element, Names
from dispensary.evaluation.exports import export_dose_days, export_measure, export_retention
from dispensary.evaluation.fhir import export_fhir
from dispensary.evaluation.measure import Measure
from dispensary.evaluation.measures import measures
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import Question
from dispensary.evaluation.tracker import Mapped, Month, export_tracker
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.refills import void_refill
from dispensary.monitoring.results import correct_result
from dispensary.staff.queries import sites
from dispensary.supplies.voiding import void_supply
from tests.builders import Clinic, clinic
from tests.dispensary.measured import YEAR, fill, has, history, measured_as, stop, treat

TABLES = ("csv", "parquet", "xlsx")
TRACKED = Mapped("P", "T", {"HRP": "U"}, Month("S", {"days_covered": "D"}), attributes={"age": "A"})
QUARTER = Period(YEAR.from_day.replace(month=10), YEAR.until_day)


def export_all(here: Clinic, folder: Path, as_of: datetime) -> dict[str, bytes]:
    """Every export that there is of the site, in each of its formats."""
    with here.database.reading() as session:
        there, now = [each for each in sites(session) if each.id == here.site_id], here.now
        for suffix in TABLES:
            (folder / suffix).mkdir(parents=True)
            asked = {"places": there, "period": YEAR, "as_of": as_of, "now": now}
            export_dose_days(session, **asked, path=folder / suffix / f"dose-days.{suffix}", shield=OPEN)
            question = Question(YEAR, as_of, by=("employed", "dose"))
            path = folder / suffix / f"retention.{suffix}"
            export_retention(session, places=there, question=question, now=now, path=path, shield=OPEN)
        export_fhir(session, **asked, tests=analytes(), path=folder / "fhir.ndjson", shield=OPEN)
        export_tracker(session, **asked, mapping=TRACKED, path=folder / "tracker.json", shield=OPEN)
        for number, each in enumerate(measures().values()):
            for suffix in ("csv", "ndjson", *([TABLES[number % 3], "json"] if number % 3 else [])):
                _export(session, each, there, as_of, now, folder / "measures", suffix)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _export(session, each: Measure, there, as_of: datetime, now: datetime, folder: Path, suffix: str) -> None:
    """Split by what can change afterwards, everything shown."""
    by = tuple(key for key in ("employed", "age", "take_home") if key in each.strata) if suffix != "json" else ()
    period = QUARTER if suffix == "json" else YEAR
    asked = ask(each, places=there, period=period, as_of=as_of, now=now, by=by, least=1)
    folder.mkdir(exist_ok=True)
    names = Names("DS", {"HRP": "U"}, [Element(each.indicators[0].key, "E")])
    export_measure(session, asked=asked, path=folder / f"{each.key}-{suffix}.{suffix}", names=names)


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def test_a_past_moment_stays_what_it_was_and_today_is_another(here: Clinic, tmp_path: Path) -> None:
    history(here, *((f"H{n}", n, 318) for n in range(3)), ("H9", 0, 100), ("H8", 0, 90))
    one, two = here.client(), here.client(mg="50")
    here.decide(one, per_supply=3)
    has(here, one, "hiv")
    art = treat(here, one, "art", ago=200)
    fill(here, one, ago=60, days=90)
    measured_as(here, one, "viral_load", "40", ago=30)
    here.give(one, take_home_days=here.ahead(1, 2))
    other = here.give(two).supply_id
    with here.database.writing() as session:
        told = Circumstances(employed=True, distance_km=3)
        note_circumstances(session, actor=here.doctor, client_id=one, told=told, at=here.now)
    here.now += timedelta(hours=1)
    moment = here.now
    first = export_all(here, tmp_path / "first", moment)
    assert export_all(here, tmp_path / "again", moment) == first, "the same twice"

    here.now += timedelta(hours=2)
    with here.database.writing() as session:
        void_supply(
            session, actor=here.pharmacist, supply_id=other, reason="Another's.", second_id=None, pin="",
            key="void-the-supply", today=here.today, at=here.now,
        )  # fmt: skip
    with here.database.writing() as session:
        told = Circumstances(employed=False, distance_km=30)
        note_circumstances(session, actor=here.doctor, client_id=one, told=told, at=here.now)
        result = session.execute(text("SELECT id FROM health_result")).scalar_one()
        correct_result(session, actor=here.doctor, result_id=result, value="5000", unit="", reason="slip", at=here.now)
        refill = session.execute(text("SELECT id FROM refill")).scalar_one()
        void_refill(session, actor=here.pharmacist, refill_id=refill, reason="slip", at=here.now)
        gone = session.execute(
            text("SELECT e.id FROM episode e JOIN client c ON c.id = e.client_id WHERE c.number = 'H9'")
        ).scalar_one()
        end_episode(
            session, actor=here.doctor, episode_id=gone, ended_on=here.today - timedelta(days=60),
            reason=ExitReason.DIED, at=here.now,
        )  # fmt: skip
    stop(here, art, ago=10)
    here.decide(one, per_supply=1)
    here.client()
    history(here, ("H8", 90, 110), ("NEW", 0, 20))

    later = export_all(here, tmp_path / "later", moment)
    assert sorted(later) == sorted(first)
    assert [name for name in first if later[name] != first[name]] == []
    today = export_all(here, tmp_path / "today", here.now)
    changed = {name for name in first if today.get(name) != first[name] and "manifest" not in name}
    for name in (
        "csv/dose-days.csv", "parquet/dose-days.parquet", "xlsx/dose-days.xlsx", "csv/retention.csv",
        "parquet/retention-stays.parquet", "xlsx/retention-stays.xlsx", "fhir-Observation.ndjson", "tracker.json",
        "measures/tx-csv.csv", "measures/tx-pvls-csv.csv", "measures/employment-ndjson-MeasureReport.ndjson",
        "measures/naloxone-csv.csv", "measures/programme-csv.csv",
    ):  # fmt: skip
        assert name in changed, name


def test_what_was_brought_in_a_moment_ago_is_exported_without_looking_at_all_of_it_for_each_day(
    here: Clinic, tmp_path: Path
) -> None:
    """PostgreSQL has not counted these tables yet, and plans as if they were nearly empty."""
    with here.database.writing() as session:
        for table in ("dose", "supply", "day_outcome"):
            session.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
    history(here, *((f"H{n}", 0, 300) for n in range(10)))
    with here.database.reading() as session:
        session.execute(text("SET LOCAL statement_timeout = '8s'"))  # day by day it is a tenth of a second
        there, asked = sites(session), {"period": YEAR, "as_of": here.now, "now": here.now}
        told = export_dose_days(session, places=there, **asked, path=tmp_path / "dose-days.csv", shield=OPEN)
    assert (told.days, told.covered) == (3000, 3000)
