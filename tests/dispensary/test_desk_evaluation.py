"""The evaluator's desk: any measure is asked, seen and taken away, and what the page says is what the file says."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import zipfile
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from httpx import Response
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import text

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation.answering import ask
from dispensary.evaluation.exports import export_measure
from dispensary.evaluation.measures import measure, measures
from dispensary.reporting.compared import comparable
from dispensary.staff.models import Site
from dispensary.staff.queries import place
from dispensary.staff.rules import Role
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.measured import Period, date, history
from tests.dispensary.visiting import Visitor, acts_of, hire, open_site, text_of

NOVEMBER = "first=2026-11-01&last=2026-11-30"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """Six clients on 80 mg, five on 50, one on 60."""
    here = desks(database, now, tmp_path)
    for mg in ["80"] * 6 + ["50"] * 5 + ["60"]:
        here.place.client(mg=mg)
    return here


@pytest.fixture
def evaluator(here: Desks) -> Visitor:
    return here.seat(Role.EVALUATOR)


def taken(answer: Response) -> dict[str, bytes]:
    """The files of a download, each with the hash that the manifest says of it."""
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    manifests = [json.loads(files[name]) for name in files if name.endswith(".manifest.json")]
    assert {each["name"]: each["sha256"] for manifest in manifests for each in manifest["tables"]} == {
        name: sha256(content).hexdigest() for name, content in files.items() if not name.endswith(".manifest.json")
    }
    return files


def details(here: Desks, act: str) -> list[dict[str, Any]]:
    with here.database.reading() as session:
        found = session.scalars(text("SELECT details FROM audit_entry WHERE act = :act ORDER BY seq"), {"act": act})
        return [json.loads(each) for each in found]


class TestAMeasure:
    def test_is_seen_with_its_table_its_definition_and_what_it_leaves_out(
        self, here: Desks, evaluator: Visitor
    ) -> None:
        page = evaluator.get(f"/evaluation?measure=prv-14&{NOVEMBER}")
        said = text_of(page)

        assert "58.3 % (7 of 12)" in page.text, "the figure has its numbers"
        assert "clients maintained on at least the minimum dose, of those maintained 7 12 58.3 %" in said
        assert "clients on reducing doses by a signed plan 0" in said
        assert measure("prv-14").says in page.text.replace("&#39;", "'")
        assert details(here, "looked at figures")[-1]["figures"] == "prv-14"
        assert details(here, "looked at figures")[-1]["last"] == "2026-11-30"

    def test_each_fits_its_page_and_never_calls_a_field_as_the_page_does(self, evaluator: Visitor) -> None:
        for key, each in measures().items():
            own = {parameter.key for parameter in each.parameters}
            assert own.isdisjoint({"measure", "of", "first", "last", "as_of", "site", "by", "draw", "format"}), key
            by = "".join(f"&by={stratum}" for stratum in each.strata[:3])
            for page in (evaluator.get(f"/evaluation?measure={key}&{NOVEMBER}{split}") for split in ("", by)):
                assert page.status_code == 200, (key, text_of(page))
                assert len(page.content) < 60_000, key

    def test_shows_no_small_group_and_says_why(self, evaluator: Visitor) -> None:
        page = evaluator.get(f"/evaluation?measure=doses&{NOVEMBER}&by=sex&draw=from_60")
        said = text_of(page)

        assert "clients with 60 to below 80 mg, of those with an order everybody everybody" not in said
        assert "not shown" in said
        assert "what would speak of fewer than 5 people" in said
        assert "1 of 12" not in page.text

    def test_too_few_people_or_nobody_is_said_in_words(self, database: Database, now: datetime, tmp_path: Path) -> None:
        few = desks(database, now, tmp_path)
        for _ in range(3):
            few.place.client()
        evaluator = few.seat(Role.EVALUATOR)
        assert "Nobody is counted in this period." in evaluator.get("/evaluation?first=2020-01-01&last=2020-02-01").text
        page = evaluator.get(f"/evaluation?measure=prv-14&{NOVEMBER}")
        assert "Too few people: nothing here can be shown." in page.text
        assert 'class="chart"' not in page.text

    def test_another_measure_leaves_behind_what_was_typed_for_the_one_before(self, evaluator: Visitor) -> None:
        page = evaluator.get(f"/evaluation?of=prv-14&measure=waiting&{NOVEMBER}&by=dose&least_mg=70&boundary=from")
        assert page.status_code == 200
        assert 'value="2026-11-30"' in page.text
        assert 'name="by" value="dose" checked' not in page.text

    def test_what_is_wrong_stands_at_its_field_and_what_was_typed_is_kept(self, evaluator: Visitor) -> None:
        page = evaluator.get(
            "/evaluation?measure=prv-14&first=2026-11-31&last=2026-11-01&as_of=tomorrow&site=XX&least_mg=lots&by=sex&by=hat"
        )
        assert page.status_code == 422
        for field in ("first", "as_of", "by", "least_mg"):
            assert f'id="error-{field}"' in page.text, field
        for typed in ("2026-11-31", "2026-11-01", "tomorrow", "lots"):
            assert f'value="{typed}"' in page.text, typed
        assert 'name="by" value="sex" checked' in page.text
        assert "You do not evaluate a site “XX”." in page.text
        assert 'class="chart"' not in page.text, "no figure answers another question than the one that was typed"
        assert evaluator.get("/evaluation?measure=nothing").status_code == 404


class TestTakingAway:
    def test_a_table_is_what_the_command_line_writes(self, here: Desks, evaluator: Visitor, tmp_path: Path) -> None:
        address = f"/evaluation/measure.zip?measure=prv-14&{NOVEMBER}&by=dose&least_mg=70&as_of=2026-11-23T23:00:00Z"
        with here.database.reading() as session:
            question = ask(
                measure("prv-14"),
                places=[place(session, here.place.site_id)],
                period=Period(date(2026, 11, 1), date(2026, 12, 1)),
                as_of=here.place.now,
                now=here.place.now,
                by=["dose"],
                typed={"least_mg": "70"},
            )
            for kind in ("csv", "xlsx", "parquet", "ndjson"):
                export_measure(session, asked=question, path=tmp_path / f"prv-14.{kind}")
        assert here.place.now.isoformat() == "2026-11-23T23:00:00+00:00"

        for kind, name in (("csv", "prv-14.csv"), ("xlsx", "prv-14.xlsx"), ("parquet", "prv-14.parquet")):
            files = taken(evaluator.get(f"{address}&format={kind}"))
            assert files[name] == (tmp_path / name).read_bytes()
        files = taken(evaluator.get(f"{address}&format=fhir"))
        assert files["prv-14-MeasureReport.ndjson"] == (tmp_path / "prv-14-MeasureReport.ndjson").read_bytes()
        assert files["prv-14.manifest.json"] == (tmp_path / "prv-14.manifest.json").read_bytes()
        last = details(here, "exported prv-14")[-1]
        assert (last["format"], last["by"], last["parameters"]["least_mg"]) == ("fhir", ["dose"], "70")

    def test_a_figure_comes_with_its_table_and_is_the_same_twice(self, evaluator: Visitor) -> None:
        for kind in ("svg", "png"):
            address = f"/evaluation/measure.zip?measure=doses&{NOVEMBER}&by=dose&format={kind}&as_of=2026-11-23T23:00Z"
            files = taken(evaluator.get(address.replace("by=dose", "by=sex")))
            assert files == taken(evaluator.get(address.replace("by=dose", "by=sex")))
            assert {"doses.csv", f"doses.{kind}", "doses.manifest.json"} == set(files)
            if kind == "svg":
                drawing = ElementTree.fromstring(files["doses.svg"])
                assert drawing.get("role") == "img"
                (title, described) = (
                    drawing.findtext(f"{{http://www.w3.org/2000/svg}}{tag}") for tag in ("title", "desc")
                )
                assert title == "How high the doses are, by sex"
                assert described
                assert "style=" not in files["doses.svg"].decode()
            else:
                assert Image.open(io.BytesIO(files["doses.png"])).width == 1440

    def test_the_page_and_the_file_say_the_same(self, evaluator: Visitor) -> None:
        page = evaluator.get(f"/evaluation?measure=doses&{NOVEMBER}")
        link = page.text.split('href="/evaluation/measure.zip?')[1].split('"')[0].replace("&amp;", "&")
        rows = list(
            csv.DictReader(io.StringIO(taken(evaluator.get(f"/evaluation/measure.zip?{link}"))["doses.csv"].decode()))
        )
        shown = {row["indicator"]: row for row in rows}
        assert shown["ordered"]["value"] == "12"
        assert f"{float(shown['mean']['value']):.2f} mg" in page.text
        assert shown["from_60"]["value"] == ""

    def test_an_unknown_format_is_refused(self, evaluator: Visitor) -> None:
        assert evaluator.get("/evaluation/measure.zip?format=docx").status_code == 422


class TestSites:
    def test_an_evaluator_sees_their_own_and_no_other(self, here: Desks, evaluator: Visitor, now: datetime) -> None:
        second, third = (open_site(here.database, now, code=code) for code in ("TWO", "THREE"))
        hire(here.database, second, "both", [Role.EVALUATOR], now)
        hire(here.database, third, "third", [Role.PHARMACIST], now)
        with here.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO role_grant SELECT gen_random_uuid(), a.id, :site, :role FROM account a"
                    " WHERE a.username IN ('both', 'third') AND :role = 'evaluator' AND a.username = 'both'"
                ),
                {"site": here.place.site_id, "role": "evaluator"},
            )
        both = Visitor(here.app)
        both.signs_in("both")
        every = both.get(f"/evaluation?measure=programme&{NOVEMBER}&site=all&by=site")
        assert "All 2 sites" in every.text
        assert taken(both.get(f"/evaluation/measure.zip?{NOVEMBER}&site=all"))["programme.csv"]
        assert sorted(details(here, "exported programme")[-1]["sites"]) == ["HRP", "TWO"]
        assert both.get(f"/evaluation?{NOVEMBER}&site=THREE").status_code == 422
        assert evaluator.get(f"/evaluation?{NOVEMBER}&site=TWO").status_code == 422
        assert evaluator.get(f"/evaluation/measure.zip?{NOVEMBER}&site=TWO").status_code == 422
        assert here.seat(Role.DOCTOR).get("/evaluation").status_code == 403


class TestRetention:
    def test_by_sex_with_other_roles(self, here: Desks, evaluator: Visitor) -> None:
        history(here.place, *((f"F{n}", 0, 200) for n in range(5)), *((f"M{n}", 0, 40 + n) for n in range(6)))
        with here.database.writing() as session:
            session.execute(text("UPDATE client SET sex = CASE left(number, 1) WHEN 'F' THEN 'female' ELSE 'male' END"))
        asked = "first=2026-01-01&last=2026-03-31&by=sex&role_died=censored&stays=all"
        page = evaluator.get(f"/evaluation/retention?{asked}")
        said = text_of(page)

        assert "female: All stays of 5 clients" in said
        assert "male: All stays of 6 clients" in said
        assert "Log-rank test between the groups shown" in said
        assert "Died is observed no longer" in said
        link = page.text.split('href="/evaluation/retention.zip?')[1].split('"')[0].replace("&amp;", "&")
        files = taken(evaluator.get(f"/evaluation/retention.zip?{link}".replace("format=csv", "format=svg")))
        assert {"retention.csv", "retention-log-rank.csv", "retention.svg"} < set(files)
        manifest = json.loads(files["retention.manifest.json"])
        assert manifest["parameters"]["roles"]["died"] == "censored"
        assert manifest["parameters"]["by"] == ["sex"]
        names = {each.text for each in ElementTree.fromstring(files["retention.svg"]).iter()}
        assert {"female", "male", "5", "6"} <= names, "each curve has its name, and its numbers at risk"

        bad = evaluator.get("/evaluation/retention?gap=0&landmark=soon&role_died=lost&by=shoe&month_days=moon")
        assert bad.status_code == 422
        for field in ("gap", "landmark", "role_died", "month_days"):
            assert f'id="error-{field}"' in bad.text, field
        assert 'id="error-by"' in evaluator.get("/evaluation/retention?by=shoe").text


class TestComparingSites:
    def test_sites_lie_by_their_size_within_limits_of_chance(self, here: Desks, now: datetime) -> None:
        for code, enough, few in (("BIG", 24, 6), ("LOW", 9, 27), ("MID", 12, 6), ("TINY", 1, 2)):
            there = clinic(here.database, now, code=code)
            for mg in ["80"] * enough + ["40"] * few:
                there.client(mg=mg)
        evaluator = here.seat(Role.EVALUATOR)
        assert "There is nothing to compare here." in evaluator.get(f"/evaluation/sites?{NOVEMBER}").text
        with here.database.writing() as session:
            session.execute(
                text(
                    "INSERT INTO role_grant SELECT gen_random_uuid(), a.id, s.id, 'evaluator' FROM account a, site s"
                    " WHERE a.username = 'evaluator' AND s.code <> 'HRP'"
                )
            )
        page = evaluator.get(f"/evaluation/sites?{NOVEMBER}&figure=prv-14/minimum")
        said = text_of(page)
        rows = re.findall(
            r'<tr><th scope="row">(\w+)</th><td class="number">(\d+)</td><td class="number">(\d+)</td>', page.text
        )
        assert [row for row in rows if row[0] in ("BIG", "LOW")] == [("BIG", "24", "30"), ("LOW", "9", "36")]
        assert [int(of) for _, _, of in rows] == sorted(int(of) for _, _, of in rows), "by size"
        assert "TINY" not in {code for code, _, _ in rows}
        assert "is not shown" in said or "are not shown" in said
        assert re.search(r"LOW 9 36 25.0 % .* below the 99.8 % limit", said)
        assert "There is no ranking" in said
        files = taken(evaluator.get(f"/evaluation/sites.zip?{NOVEMBER}&figure=prv-14/minimum"))
        assert {"prv-14-sites.svg", "prv-14-sites.png", "prv-14-sites-limits.csv", "prv-14-sites.csv"} < set(files)
        limits = list(csv.DictReader(io.StringIO(files["prv-14-sites-limits.csv"].decode())))
        assert [row["site"] for row in limits] == [code for code, _, _ in rows]
        assert evaluator.get("/evaluation/sites?figure=doses/mean").status_code == 422

    def test_every_share_of_people_can_be_compared_and_no_other_figure(self) -> None:
        found = {f"{key}/{each.key}" for key, of in measures().items() for each in comparable(of)}
        assert {"prv-14/minimum", "prv-13/retained", "doses/from_60"} <= found
        assert found.isdisjoint(
            {"adherence/pdc", "waiting/over_first", "doses/mean", "doses/median", "programme/in_care"}
        )


class TestTheReport:
    def test_is_one_page_with_the_figures_the_curve_and_what_they_mean(self, here: Desks, evaluator: Visitor) -> None:
        history(here.place, *((f"R{n}", 0, 60 + n) for n in range(8)))
        asked = "first=2026-11-01&last=2026-11-30&as_of=2026-11-23T23:00:00Z"
        page = evaluator.get(f"/evaluation/report?{asked}")
        assert "report.pdf?first=2026-11-01" in page.text
        one = evaluator.get(f"/evaluation/report.pdf?{asked}")
        assert one.headers["content-type"] == "application/pdf"
        (sheet,) = PdfReader(io.BytesIO(one.content)).pages
        said = " ".join(sheet.extract_text().split())
        for words in (
            "Programme report",
            "1 Nov 2026 to 30 Nov 2026",
            "as known on 2026-11-23 23:00 UTC",
            "Harapan",
            "clients with a running episode on the last day 20 - 20",
            "Still in treatment, first stays",
            "At risk, by months since the first dose",
            "Naloxone with take-home",
            "clients in care whom nobody asked: 20.",
            "No dose for more than 30 whole days",
            "Not shown: what would speak of fewer than 5 people",
        ):
            assert words in said, (words, said)
        files = taken(evaluator.get(f"/evaluation/report.zip?{asked}"))
        assert files["programme-report.pdf"] == one.content, "the same question gives the same bytes"
        table = list(csv.DictReader(io.StringIO(files["programme-report.csv"].decode())))
        assert {row["indicator"]: row["value"] for row in table}["registered"] in said
        assert [each["format"] for each in details(here, "exported programme-report")] == ["pdf", "zip"]
        assert evaluator.get("/evaluation/report?first=2026-11-02&last=2026-11-01").status_code == 422

    def test_the_command_writes_the_same(
        self, here: Desks, evaluator: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", database_url)
        monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
        monkeypatch.setattr("dispensary.commands.parts.vault_of", lambda settings: here.database.vault)
        period = ["--from", "2026-11-01", "--to", "2026-11-30", "--as-of", "2026-11-23T23:00:00"]
        made = CliRunner().invoke(main, ["export", "report", *period, "--out", str(tmp_path / "out")])
        assert made.exit_code == 0, made.output
        asked = "first=2026-11-01&last=2026-11-30&as_of=2026-11-23T23:00:00Z"
        for name, content in taken(evaluator.get(f"/evaluation/report.zip?{asked}")).items():
            assert (tmp_path / "out" / name).read_bytes() == content, name


class TestWholeRecords:
    def test_are_written_beside_the_work_and_taken_by_whoever_asked(self, here: Desks, evaluator: Visitor) -> None:
        here.place.give(here.place.client())
        bad = evaluator.post(
            "/evaluation/files", {"kind": "dose-days.csv", "first": "2026-12-01", "last": "2026-11-01"}
        )
        assert bad.status_code == 422
        assert "The period ends before it begins." in bad.text
        for kind in ("dose-days.parquet", "fhir.ndjson"):
            asked = {"kind": kind, "first": "2026-11-01", "last": "2026-11-30"}
            assert evaluator.post("/evaluation/files", asked).status_code == 303
        page = evaluator.get("/evaluation/files")
        for _ in range(200):
            if page.text.count("Download") == 2:
                break
            assert 'http-equiv="refresh"' in page.text
            time.sleep(0.05)
            page = evaluator.get("/evaluation/files")
        assert 'http-equiv="refresh"' not in page.text
        links = [part.split('"')[0] for part in page.text.split('href="')[1:] if part.startswith("/evaluation/files/")]
        assert acts_of_exports(here) == []
        files = [taken(evaluator.get(link)) for link in links]
        assert {"dose-days.parquet", "fhir-Medication.ndjson"} & {name for each in files for name in each}
        assert sorted(acts_of_exports(here)) == ["exported dose-days", "exported fhir"]

        other = here.seat(Role.EVALUATOR, Role.NURSE)
        assert "Download" not in other.get("/evaluation/files").text
        assert other.get(links[0]).status_code == 404
        for _ in range(3):
            here.clock.goes_on(minutes=25)
            evaluator.get("/evaluation/files")
        assert evaluator.get(links[0]).status_code == 404


def acts_of_exports(here: Desks) -> list[str]:
    with here.database.reading() as session:
        site = session.get_one(Site, here.place.site_id)
    return [act for act in acts_of(here.database, site) if act.startswith("exported")]
