"""Measures on small clinics whose figures are counted by hand, and a registry to which one file is added."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation import measures as registry
from dispensary.evaluation.answering import ask
from dispensary.evaluation.exports import export_measure
from dispensary.evaluation.measures import measure, measures
from dispensary.evaluation.queries import Period
from dispensary.refusals import BadInput, NotThere
from dispensary.staff.queries import sites
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.measured import START, YEAR, asked, figures, history


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def as_woman(here: Clinic, client: ClientId) -> None:
    with here.database.writing() as session:
        session.execute(text("UPDATE client SET sex = 'female' WHERE id = :id"), {"id": client})


class TestTheRegistry:
    def test_every_measure_says_what_it_is(self) -> None:
        for key, each in measures().items():
            assert key == each.key
            assert all((each.title, each.version, each.source, each.says, each.numerator, each.denominator))
            for parameter in each.parameters:
                assert parameter.read(str(parameter.default)) == parameter.default
                assert parameter.meaning.endswith(".")

    @pytest.mark.parametrize("key", sorted(measures()))
    def test_every_measure_answers_over_nobody_and_split_by_all_that_it_names(self, here: Clinic, key: str) -> None:
        each = measure(key)
        strata = [*each.strata, *(own.key for own in each.own_strata)]
        asked(here, key)
        for n in range(0, len(strata), 3):
            asked(here, key, by=tuple(strata[n : n + 3]))

    def test_one_file_is_a_measure(self, here: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "everybody.py").write_text(
            "from dispensary.evaluation.measure import Figure, Indicator, Measure\n"
            "MEASURE = Measure(key='everybody', title='Everybody', version='1', source='a test', says='All.',\n"
            "    numerator='clients', denominator='none', strata=('sex',),\n"
            "    indicators=(Indicator('clients', 'clients on record', Figure.COUNT),),\n"
            "    query=\"SELECT 'clients' AS indicator, client_id, 1 AS numerator, CAST(NULL AS int) AS denominator\"\n"
            "          ' FROM person')\n"
        )
        monkeypatch.setattr(registry, "__path__", [*registry.__path__, str(tmp_path)])
        here.client()
        here.client()
        assert figures(asked(here, "everybody")) == {"clients": ("2", "None")}
        told = CliRunner().invoke(main, ["export", "everybody", "--help"])
        assert told.exit_code == 0
        assert "--by" in told.output

    def test_a_measure_that_there_is_not_names_those_that_there_are(self) -> None:
        with pytest.raises(NotThere) as refused:
            measure("prv-15")
        assert "prv-14" in refused.value.first.remedy

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            pytest.param({"least_mg": "many"}, "least_mg", id="no number"),
            pytest.param({"least_mg": "0.5"}, "least_mg", id="out of bounds"),
            pytest.param({"least_mg": "NaN"}, "least_mg", id="not a number"),
            pytest.param({"boundary": "over"}, "boundary", id="no such word"),
            pytest.param({"induction_days": "1.5"}, "induction_days", id="not whole"),
            pytest.param({"colour": "red"}, "colour", id="no such parameter"),
        ],
    )
    def test_a_bad_parameter_is_named(self, here: Clinic, typed: dict[str, str], field: str) -> None:
        with pytest.raises(BadInput) as refused:
            asked(here, "prv-14", **typed)
        assert [each.field for each in refused.value.refusals] == [field]
        assert field in refused.value.first.sentence

    def test_all_that_is_wrong_is_said_at_once(self, here: Clinic) -> None:
        with pytest.raises(BadInput) as refused:
            asked(here, "prv-14", by=("shoe_size",), least_mg="0", period=Period(START, START))
        assert [each.field for each in refused.value.refusals] == ["until", "by", "least_mg"]


class TestMinimumDose:
    def test_exactly_the_minimum_counts_unless_one_asks_for_more(self, here: Clinic) -> None:
        for mg in ("59.99", "60", "60.01", "120"):
            here.client(mg=mg)
        assert figures(asked(here, "prv-14")) == {"minimum": ("3", "4")}
        assert figures(asked(here, "prv-14", boundary="above")) == {"minimum": ("2", "4")}
        assert figures(asked(here, "prv-14", least_mg="60.01")) == {"minimum": ("2", "4")}

    def test_the_first_days_are_left_out_where_one_says_so_and_counted(self, here: Clinic) -> None:
        here.client(mg="80", began=here.today - timedelta(days=30))
        here.client(mg="80", began=here.today - timedelta(days=29))
        found = asked(here, "prv-14", induction_days="30")
        assert figures(found) == {"minimum": ("1", "1")}
        assert found.excluded == {"induction": 1, "taper": 0}

    def test_what_was_ordered_later_is_not_seen_from_before(self, here: Clinic) -> None:
        here.client(mg="80")
        before = here.now
        here.move_on(1)
        here.client(mg="40")
        assert figures(asked(here, "prv-14")) == {"minimum": ("1", "2")}
        assert figures(asked(here, "prv-14", as_of=before)) == {"minimum": ("1", "1")}

    def test_strata_add_up_and_few_people_are_hidden(self, here: Clinic) -> None:
        for n in range(9):
            client = here.client(mg="80")
            if n < 3:
                as_woman(here, client)
        whole = asked(here, "prv-14", by=("sex",))
        assert [(row.strata, row.numerator) for row in whole.rows] == [
            (("all",), 9), (("female",), 3), (("unknown",), 6),
        ]  # fmt: skip
        safe = asked(here, "prv-14", by=("sex",), least=5)
        assert [(row.strata, row.numerator, row.shown) for row in safe.rows] == [
            (("all",), 9, True), (("female",), None, False), (("unknown",), None, False),
        ]  # fmt: skip


class TestSixMonths:
    def test_exactly_six_months_are_six_months(self, here: Clinic) -> None:
        """From 10 January to 9 July, both in it, are 181 days and six months."""
        history(here, ("A", 0, 181), ("B", 0, 180))
        found = asked(here, "kp-mat")
        assert figures(found) == {"on_mat": ("1", "None")}
        assert found.excluded == {"too_short": 1}

    def test_who_began_too_late_or_left_before_is_not_counted(self, here: Clinic) -> None:
        history(here, ("A", 0, 181), ("B", 200, 318))
        assert figures(asked(here, "kp-mat")) == {"on_mat": ("1", "None")}
        autumn = Period(date(2026, 8, 1), date(2026, 11, 25))
        assert figures(asked(here, "kp-mat", period=autumn)) == {"on_mat": ("0", "None")}

    def test_months_inside_the_period_are_another_reading(self, here: Clinic) -> None:
        history(here, ("A", 0, 181))
        spring = Period(date(2026, 3, 1), date(2026, 9, 1))
        assert figures(asked(here, "kp-mat", period=spring)) == {"on_mat": ("1", "None")}
        assert figures(asked(here, "kp-mat", period=spring, counted="inside")) == {"on_mat": ("0", "None")}

    def test_a_gap_that_is_too_long_begins_anew(self, here: Clinic) -> None:
        history(here, ("A", 0, 100), ("A", 115, 200))
        assert figures(asked(here, "kp-mat")) == {"on_mat": ("1", "None")}
        assert figures(asked(here, "kp-mat", gap_days="14")) == {"on_mat": ("0", "None")}


class TestExports:
    def write(self, here: Clinic, folder: Path) -> dict[str, bytes]:
        folder.mkdir()
        with here.database.reading() as session:
            question = ask(
                measure("prv-14"),
                places=sites(session),
                period=YEAR,
                as_of=here.now,
                now=here.now,
                by=["sex"],
            )
            export_measure(session, asked=question, path=folder / "prv-14.csv")
        return {path.name: path.read_bytes() for path in folder.iterdir()}

    def test_a_table_with_its_definition_the_same_to_the_byte(self, here: Clinic, tmp_path: Path) -> None:
        for mg in ("50", "60", "80", "80", "80", "80", "100", "40", "45", "50", "55"):
            here.client(mg=mg)
        first, second = self.write(here, tmp_path / "1"), self.write(here, tmp_path / "2")
        assert first == second
        rows = list(csv.DictReader(first["prv-14.csv"].decode().splitlines()))
        assert rows[0] == {
            "indicator": "minimum",
            "sex": "all",
            "numerator": "6",
            "denominator": "11",
            "value": "0.54545455",
            "shown": "1",
        }
        manifest = json.loads(first["prv-14.manifest.json"])
        assert manifest["definition"]["version"] == "1"
        assert manifest["parameters"] == {
            "least_mg": "60",
            "boundary": "from",
            "induction_days": 0,
            "titration": "excluded",
        }
        assert manifest["exclusions"][1] == {"what": "clients on reducing doses by a signed plan", "count": "0"}
        assert set(manifest["tables"][0]["columns"]) == set(rows[0])
        assert Decimal(rows[0]["value"]) == (Decimal(6) / 11).quantize(Decimal("0.00000001"))
