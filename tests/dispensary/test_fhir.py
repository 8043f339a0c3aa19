"""Records as FHIR R4: that others can read them, that they say what was known, and that they name nobody."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.crowds import OPEN, SHIELDED, Shield
from dispensary.evaluation.fhir import SAYS, FhirFigures, export_fhir
from dispensary.evaluation.queries import Period
from dispensary.monitoring.analytes import analytes
from dispensary.monitoring.results import Measurement, correct_result, enter_results
from dispensary.refusals import BadInput
from dispensary.staff.queries import sites
from dispensary.supplies.closing import close_day
from dispensary.supplies.voiding import void_supply
from dispensary.units import ClientId
from tests.dispensary.phones import Line, kl, line

PERIOD = Period(date(2026, 11, 1), date(2026, 12, 1))


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    """Three days of a clinic: doses, bottles, a missed day, a result that was corrected, and bookings."""
    here = line(database, now)
    clinic = here.clinic
    comes, misses = here.client(), here.client()
    clinic.decide(comes, per_supply=2)
    here.book(comes, kl(24, 8))
    here.book(misses, kl(25, 7, 15))
    with database.writing() as session:
        rows = enter_results(
            session,
            actor=clinic.doctor,
            client_id=comes,
            taken_on=clinic.today,
            measurements=[Measurement("viral_load", "<40"), Measurement("hcv_antibody", "positive")],
            key="results",
            today=clinic.today,
            at=now,
        )
        load = next(row for row in rows if row.analyte == "viral_load")
        correct_result(session, actor=clinic.doctor, result_id=load.id, value="41", unit="", reason="slip", at=now)
    clinic.give(comes, take_home_days=clinic.ahead(1, 2))
    with database.writing() as session:
        close_day(session, actor=clinic.pharmacist, day=clinic.today, today=clinic.today, counts=None, at=clinic.now)
    clinic.move_on()
    clinic.give(misses)
    here.at = clinic.now
    return here


def written(
    here: Line, folder: Path, *, as_of: datetime | None = None, period: Period = PERIOD, shield: Shield = OPEN
) -> FhirFigures:
    with here.database.reading() as session:
        return export_fhir(
            session,
            places=sites(session),
            period=period,
            as_of=as_of or here.clinic.now,
            now=here.clinic.now,
            tests=analytes(),
            path=folder / "fhir",
            shield=shield,
        )


def read(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [json.loads(each) for each in (folder / f"fhir-{kind}.ndjson").read_text().splitlines()]


def test_it_has_what_happened_counted_from_each_clients_entry(here: Line, tmp_path: Path) -> None:
    figures = written(here, tmp_path)
    assert figures.resources == {
        "Patient": 2, "EpisodeOfCare": 2, "MedicationRequest": 2, "MedicationAdministration": 3,
        "MedicationDispense": 1, "Observation": 2, "Appointment": 2, "Schedule": 1, "Slot": 2,
    }  # fmt: skip
    doses = [
        (each["status"], each["effectiveDateTime"], each.get("dosage", {}).get("dose", {}).get("value"))
        for each in read(tmp_path, "MedicationAdministration")
    ]
    assert sorted(doses, key=str) == [
        ("completed", "2000-01-01", 80), ("completed", "2000-01-02", 80), ("not-done", "2000-01-01", None),
    ]  # fmt: skip
    (bottles,) = read(tmp_path, "MedicationDispense")
    assert (bottles["quantity"]["value"], bottles["daysSupply"]["value"]) == (160, 2)
    orders = {each["id"] for each in read(tmp_path, "MedicationRequest")}
    assert {each["reference"].split("/")[1] for each in bottles["authorizingPrescription"]} <= orders
    load, antibody = sorted(read(tmp_path, "Observation"), key=lambda each: "valueQuantity" not in each)
    assert (load["status"], load["valueQuantity"]["value"], load["valueQuantity"]["code"]) == (
        "corrected",
        41,
        "{copies}/mL",
    )
    assert (antibody["valueCodeableConcept"], antibody["code"]["coding"][0]["code"]) == (
        {"text": "positive"},
        "16128-1",
    )
    assert sorted(each["status"] for each in read(tmp_path, "Appointment")) == ["booked", "noshow"]


def test_every_resource_is_valid(here: Line, tmp_path: Path) -> None:
    written(here, tmp_path)
    seen = 0
    for kind in SAYS:
        for each in read(tmp_path, kind):
            get_fhir_model_class(kind).model_validate(each)
            seen += 1
    assert seen == 17


def _has_node_fhir() -> bool:
    node = shutil.which("node")
    asked = [node or "node", "-e", "require('fhir')"]
    return node is not None and subprocess.run(asked, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _has_node_fhir(), reason="needs node and its package fhir (NODE_PATH)")
def test_every_resource_has_codes_of_the_value_sets_that_it_must(here: Line, tmp_path: Path) -> None:
    written(here, tmp_path)
    script = (
        "const {Fhir} = require('fhir'); const fhir = new Fhir();"
        "const lines = require('fs').readFileSync(0, 'utf8').trim().split('\\n');"
        "for (const line of lines) { const found = fhir.validate(JSON.parse(line), {errorOnUnexpected: true});"
        "  if (!found.valid) console.log(line, JSON.stringify(found.messages)); }"
        "console.log(lines.length);"
    )
    lines = "".join((tmp_path / f"fhir-{kind}.ndjson").read_text() for kind in SAYS)
    said = subprocess.run(["node", "-e", script], input=lines, capture_output=True, text=True, check=True).stdout
    assert said == "17\n"


def test_the_manifest_is_that_of_bulk_data(here: Line, tmp_path: Path) -> None:
    figures = written(here, tmp_path)
    manifest = json.loads((tmp_path / "fhir.manifest.json").read_text())
    assert manifest["transactionTime"] == here.clinic.now.isoformat()
    assert (manifest["requiresAccessToken"], manifest["error"]) == (False, [])
    assert manifest["request"].startswith("dispensary export fhir --from 2026-11-01 --to 2026-11-30 --as-of 2026-11-2")
    assert {each["type"]: each["count"] for each in manifest["output"]} == figures.resources
    for each in manifest["output"]:
        assert len((tmp_path / each["url"]).read_text().splitlines()) == each["count"]


def test_it_names_nobody(here: Line, tmp_path: Path) -> None:
    written(here, tmp_path)
    whole = "".join(each.read_text() for each in tmp_path.iterdir())
    with here.database.reading() as session:
        secrets = {
            str(value)
            for sql in (
                "SELECT id FROM client",
                "SELECT number FROM client",
                "SELECT id FROM episode",
                "SELECT id FROM supply",
                "SELECT id FROM dose_order",
                "SELECT id FROM health_result",
                "SELECT id FROM booking",
                "SELECT id FROM site",
                "SELECT name FROM account",
            )
            for value in session.scalars(text(sql))
        }
    assert len(secrets) >= 17
    assert {secret for secret in secrets if secret in whole} == set()
    of_people = "".join(
        (tmp_path / f"fhir-{kind}.ndjson").read_text() for kind in SAYS if kind not in ("Schedule", "Slot")
    )
    assert "2026" not in of_people


def test_two_exports_cannot_be_laid_over_each_other(here: Line, tmp_path: Path) -> None:
    named = []
    for number, until in enumerate((date(2026, 12, 1), date(2026, 12, 2))):
        (tmp_path / str(number)).mkdir()
        written(here, tmp_path / str(number), period=Period(PERIOD.from_day, until))
        named.append({each["id"] for kind in SAYS for each in read(tmp_path / str(number), kind)})
    assert named[0] & named[1] == set()


def test_what_is_recorded_later_changes_todays_export_and_not_that_of_the_moment_before(
    here: Line, tmp_path: Path
) -> None:
    before = here.clinic.now
    folders = [tmp_path / name for name in ("first", "again", "today")]
    for folder in folders:
        folder.mkdir()
    written(here, folders[0])
    here.clinic.move_on()
    with here.database.writing() as session:
        supply_id = session.execute(text("SELECT id FROM supply ORDER BY at DESC LIMIT 1")).scalar_one()
        void_supply(
            session, actor=here.clinic.pharmacist, supply_id=supply_id, reason="Another's.", second_id=None, pin="",
            key="void-the-supply", today=here.clinic.today, at=here.clinic.now,
        )  # fmt: skip
    written(here, folders[1], as_of=before)
    written(here, folders[2])
    names = [f"fhir-{kind}.ndjson" for kind in SAYS]
    assert [(folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names] == [True] * len(
        names
    )
    assert len(read(folders[0], "MedicationAdministration")) > len(read(folders[2], "MedicationAdministration"))


def test_a_sex_that_few_have_is_not_told(here: Line, tmp_path: Path) -> None:
    people: list[ClientId] = [here.client() for _ in range(8)]
    with here.database.writing() as session:
        session.execute(text("UPDATE client SET sex = 'male'"))
        session.execute(text("UPDATE client SET sex = 'female' WHERE id = ANY(:some)"), {"some": people[:4]})
    written(here, tmp_path, shield=SHIELDED)
    assert {each["gender"] for each in read(tmp_path, "Patient")} == {"unknown"}
    with here.database.writing() as session:
        session.execute(text("UPDATE client SET sex = 'female' WHERE id = ANY(:some)"), {"some": people[:5]})
    written(here, tmp_path, shield=SHIELDED)
    told = sorted(each["gender"] for each in read(tmp_path, "Patient"))
    assert told == ["female"] * 5 + ["male"] * 5


def test_who_was_not_in_treatment_then_is_not_in_it(here: Line, tmp_path: Path) -> None:
    assert written(here, tmp_path, period=Period(date(2025, 1, 1), date(2025, 2, 1))).clients == 0
    with pytest.raises(BadInput):
        written(here, tmp_path, as_of=here.clinic.now + timedelta(days=1))
