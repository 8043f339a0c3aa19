"""Figures of measures as FHIR's MeasureReport and as DHIS2's data value sets."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from fhir.resources.R4B.measurereport import MeasureReport

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation.answering import ALL, Answer, Row, answer, ask
from dispensary.evaluation.dhis2 import period_name, read_mapping, value_sets
from dispensary.evaluation.measure_reports import measure_reports
from dispensary.evaluation.measures import measure, measures
from dispensary.evaluation.queries import Period
from dispensary.refusals import BadInput
from dispensary.staff.queries import sites
from tests.builders import Clinic, clinic

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
MAPPING = """
dataSet = "OAMT"
[orgUnits]
HRP = "MY_KL_HRP"
[[element]]
indicator = "minimum"
figure = "numerator"
dataElement = "OAMT_60_N"
[element.options]
"60-79 mg" = "D60"
"80 mg and more" = "D80"
"below 60 mg" = "D0"
[[element]]
indicator = "minimum"
figure = "value"
dataElement = "OAMT_60_P"
[element.options]
"60-79 mg" = "D60"
"80 mg and more" = "D80"
"below 60 mg" = "D0"
"""


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    """Six clients on 80 mg, five on 50, one on 60."""
    here = clinic(database, now)
    for mg in ["80"] * 6 + ["50"] * 5 + ["60"]:
        here.client(mg=mg)
    return here


def asked(here: Clinic, key: str = "prv-14", *, by: tuple[str, ...] = (), least: int = 5) -> Answer:
    with here.database.reading() as session:
        question = ask(
            measure(key), places=sites(session), period=NOVEMBER, as_of=here.now, now=here.now, by=by, least=least
        )
        return answer(session, question)


def mapping(folder: Path, text: str = MAPPING) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text)
    return path


class TestMeasureReports:
    @pytest.mark.parametrize("key", sorted(measures()))
    def test_every_measure_is_a_valid_report(self, here: Clinic, key: str) -> None:
        by = tuple(each for each in ("sex", "dose") if each in measure(key).strata)
        for each in measure_reports(asked(here, key, by=by)):
            MeasureReport.model_validate(json.loads(json.dumps(each, default=float)))

    def test_it_has_the_figures_and_says_which_are_hidden(self, here: Clinic) -> None:
        (report,) = measure_reports(asked(here, by=("dose",)))
        (group,) = report["group"]
        assert [each.get("count") for each in group["population"]] == [7, 12]
        assert group["measureScore"] == {"value": Decimal("0.58333333")}
        strata = {each["component"][0]["value"]["text"]: each for each in group["stratifier"][0]["stratum"]}
        assert set(strata) == {"60-79 mg", "80 mg and more", "below 60 mg"}
        masked = strata["60-79 mg"]["population"][0]
        assert (masked.get("count"), masked["_count"]["extension"][0]["valueCode"]) == (None, "masked")

    def test_what_is_no_whole_number_is_said_in_words(self, here: Clinic) -> None:
        found = asked(here)
        row = Row("minimum", (), Decimal("1.5"), Decimal(3), Decimal("0.5"), True)
        (report,) = measure_reports(Answer(found.asked, (row,), {}))
        assert report["group"][0]["population"][0]["code"]["text"] == "1.5"


class TestDataValueSets:
    def test_it_has_the_documented_form(self, here: Clinic, tmp_path: Path) -> None:
        sets = value_sets(asked(here), read_mapping(mapping(tmp_path)))
        assert sets.by_site == {
            "HRP": {
                "dataSet": "OAMT",
                "completeDate": "2026-11-23",
                "period": "202611",
                "orgUnit": "MY_KL_HRP",
                "dataValues": [
                    {"dataElement": "OAMT_60_N", "value": "7"},
                    {"dataElement": "OAMT_60_P", "value": "0.58333333"},
                ],
            }
        }

    def test_split_it_names_the_group_and_does_not_send_what_is_hidden(self, here: Clinic, tmp_path: Path) -> None:
        found = asked(here, by=("site", "dose"))
        sets = value_sets(found, read_mapping(mapping(tmp_path)))
        values = {
            (each["dataElement"], each["categoryOptionCombo"]): each["value"]
            for each in sets.by_site["HRP"]["dataValues"]
        }
        shown = {row.strata[1]: row for row in found.rows if row.strata[0] != ALL and row.numerator is not None}
        assert {option for element, option in values if element == "OAMT_60_N"} == {
            {"60-79 mg": "D60", "80 mg and more": "D80", "below 60 mg": "D0"}[dose] for dose in shown
        }
        assert ("OAMT_60_N", "D60") not in values
        assert sets.hidden > 0

    def test_every_name_that_the_mapping_lacks_is_told_at_once(self, here: Clinic, tmp_path: Path) -> None:
        lacking = MAPPING.replace("HRP =", "OTHER =").replace('"below 60 mg" = "D0"', "") + (
            '[[element]]\nindicator = "x"\ndataElement = "Y"\n'
        )
        with pytest.raises(BadInput) as refused:
            value_sets(asked(here, by=("site", "dose"), least=1), read_mapping(mapping(tmp_path, lacking)))
        assert {each.code for each in refused.value.refusals} == {"unit", "option", "indicator"}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("dataSet = 1", "no mapping"),
            ("nonsense", "no mapping"),
            (MAPPING + "\n[more]\n", "no mapping"),
            ('scheme = "uid"\n' + MAPPING, "No uid of DHIS2: OAMT, MY_KL_HRP, OAMT_60_N"),
        ],
        ids=["not complete", "not TOML", "unknown key", "no uids"],
    )
    def test_what_is_no_mapping_is_refused(self, tmp_path: Path, text: str, said: str) -> None:
        with pytest.raises(BadInput, match=said):
            read_mapping(mapping(tmp_path, text))

    @pytest.mark.parametrize(
        ("first", "until", "name"),
        [
            ("2026-01-01", "2026-02-01", "202601"),
            ("2024-02-01", "2024-03-01", "202402"),
            ("2026-01-01", "2026-04-01", "2026Q1"),
            ("2026-10-01", "2027-01-01", "2026Q4"),
            ("2026-07-01", "2027-01-01", "2026S2"),
            ("2026-01-01", "2027-01-01", "2026"),
            ("2026-02-01", "2026-05-01", None),
            ("2026-01-01", "2026-01-31", None),
            ("2026-01-02", "2026-02-02", None),
            ("2025-01-01", "2027-01-01", None),
        ],
    )
    def test_periods_are_those_of_dhis2(self, first: str, until: str, name: str | None) -> None:
        period = Period(date.fromisoformat(first), date.fromisoformat(until))
        if name is None:
            with pytest.raises(BadInput, match="no period"):
                period_name(period)
        else:
            assert period_name(period) == name


@pytest.mark.parametrize(("written", "file"), [("fhir", "prv-14-MeasureReport.ndjson"), ("dhis2", "prv-14-HRP.json")])
def test_the_command_writes_them(
    here: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str, written: str, file: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda settings: here.database.vault)
    day = (here.today - timedelta(days=3)).replace(day=1)
    last = (day + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    asked_for = ["export", "prv-14", "--from", f"{day}", "--to", f"{last}", "--format", written, "--out", str(tmp_path)]
    lacking = CliRunner().invoke(main, asked_for)
    if written == "dhis2":
        assert (lacking.exit_code, "its own names" in lacking.output) == (2, True)
        made = CliRunner().invoke(main, [*asked_for, "--mapping", str(mapping(tmp_path))])
        assert made.exit_code == 0, made.output
    assert (tmp_path / file).exists()
    assert json.loads((tmp_path / "prv-14.manifest.json").read_text())["tables"][0]["name"] == file
