"""An evaluator's hour at the browser: retention by sex, a measure by strata, sites compared, the report: and taken."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from playwright.sync_api import Browser
from sqlalchemy import text

from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from tests.builders import clinic
from tests.dispensary.measured import history
from tests.dispensary.visiting import hire
from tests.e2e.conftest import PHONE, House, Person

PAGES = ("", "/retention", "/sites", "/report", "/files", "/feedback")


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files of a download, each of which has the hash that its manifest says."""
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    manifests = [json.loads(files[name]) for name in files if name.endswith(".manifest.json")]
    said = {each["name"]: each["sha256"] for manifest in manifests for each in manifest["tables"]}
    assert said == {name: sha256(files[name]).hexdigest() for name in files if not name.endswith(".manifest.json")}
    return files


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def a_country(house: House) -> None:
    """Four sites, at all of which one person evaluates; at the first a year of history of women and men."""
    now = house.clock()
    first = clinic(house.database, now)
    for mg in ["80"] * 8 + ["50"] * 6:
        first.client(mg=mg)
    history(first, *((f"F{n}", 0, 250) for n in range(6)), *((f"M{n}", 0, 60 + 9 * n) for n in range(9)))
    for code, enough, few in (("BIG", 24, 6), ("LOW", 9, 27), ("MID", 12, 6)):
        there = clinic(house.database, now, code=code)
        for mg in ["80"] * enough + ["40"] * few:
            there.client(mg=mg)
    with house.database.reading() as session:
        site = session.get_one(Site, first.site_id)
    hire(house.database, site, "evaluator", [Role.EVALUATOR], now)
    with house.database.writing() as session:
        session.execute(
            text(
                "UPDATE client SET sex = CASE left(number, 1) WHEN 'F' THEN 'female' WHEN 'M' THEN 'male' ELSE sex END"
            )
        )
        session.execute(
            text(
                "INSERT INTO role_grant SELECT gen_random_uuid(), a.id, s.id, 'evaluator' FROM account a, site s"
                " WHERE a.username = 'evaluator' AND s.code <> 'HRP'"
            )
        )


def test_an_evaluators_hour(house: House, person: Callable[..., Person], chromium: Browser, tmp_path: Path) -> None:
    a_country(house)
    me = person().signs_in("evaluator", "/evaluation")
    page = me.page
    me.sees("The programme in figures", "What the figures mean")
    me.picture("evaluation-programme")

    # Retention by sex, in which a transfer counts as leaving; what is taken away says so, and says what the page says.
    page.get_by_role("link", name="Retention", exact=True).click()
    page.get_by_label("Sites").select_option("HRP")
    page.get_by_label("From").fill("2026-01-01")
    page.get_by_label("To", exact=True).fill("2026-03-31")
    page.get_by_text("Sex", exact=True).click()
    page.get_by_text("What an exit counts as, months, landmark").click()
    page.get_by_label("Transferred").select_option(label="counts as leaving")
    page.get_by_role("button", name="Show").click()
    me.sees(
        "female: First stays of 6 clients", "male: First stays of 9 clients", "Log-rank test between the groups shown"
    )
    assert page.locator("svg[role=img] title").text_content() == "Still in treatment, first stays, by sex"
    me.picture("evaluation-retention")
    files = unpacked(me.downloads("CSV"))
    parameters = json.loads(files["retention.manifest.json"])["parameters"]
    assert (parameters["by"], parameters["roles"]["transferred"]) == (["sex"], "event")
    men = [row for row in rows(files["retention.csv"]) if (row["stays"], row["sex"]) == ("first", "male")]
    (three,) = (row for row in men if row["months"] == "3")
    table = page.get_by_role("table").filter(has_text="male: First stays of 9 clients").filter(has_not_text="female")
    assert table.get_by_role("row", name=f"3 {three['at_risk']}").count() == 1
    figure = unpacked(me.downloads("Figure, SVG"))["retention.svg"].decode()
    assert "female" in figure
    assert "stroke-dasharray" in figure

    # A measure by strata, of all sites together.
    page.get_by_role("link", name="Measures").click()
    page.get_by_label("Measure", exact=True).select_option(label="Minimum maintenance dose (PRV.14)")
    page.get_by_label("Sites").select_option("all")
    page.get_by_label("To", exact=True).fill("2026-11-30")
    page.get_by_role("button", name="Show").click()
    page.get_by_text("Site", exact=True).click()
    page.get_by_role("button", name="Show").click()
    page.get_by_role("columnheader", name="Site").wait_for()
    assert page.locator("svg[role=img] title").text_content() == "Minimum maintenance dose (PRV.14), by site"
    me.picture("evaluation-measure")
    shown = {row["site"]: row for row in rows(unpacked(me.downloads("CSV"))["prv-14.csv"])}
    everybody = page.get_by_role("row", name="everybody").first.inner_text().split()
    assert everybody[1:3] == [shown["all"]["numerator"], shown["all"]["denominator"]]
    assert unpacked(me.downloads("Figure, PNG"))["prv-14.png"].startswith(b"\x89PNG")
    assert b"MeasureReport" in unpacked(me.downloads("FHIR"))["prv-14-MeasureReport.ndjson"]

    # Sites are compared, by size.
    page.get_by_role("link", name="Compare sites by this measure").click()
    me.sees("What a point outside means", "There is no ranking")
    assert "below the 99.8 % limit" in page.get_by_role("row", name="LOW 9 36").inner_text()
    me.picture("evaluation-sites")
    limits = rows(unpacked(me.downloads("Download the comparison"))["prv-14-sites-limits.csv"])
    assert [int(row["people"]) for row in limits] == sorted(int(row["people"]) for row in limits)

    # The report is one page that a program can read.
    page.get_by_role("link", name="Programme report").click()
    page.get_by_label("Sites").select_option("all")
    page.get_by_label("From").fill("2026-11-01")
    page.get_by_label("To", exact=True).fill("2026-11-30")
    page.get_by_role("button", name="Choose").click()
    me.sees("Sun 1 Nov 2026 to Mon 30 Nov 2026")
    me.picture("evaluation-report")
    report = unpacked(me.downloads("Download page and tables"))["programme-report.pdf"]
    (tmp_path / "report.pdf").write_bytes(report)
    read = subprocess.run(["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, check=True)
    said = read.stdout.decode()
    assert said.count("\f") == 1
    for words in ("Programme report", "1 Nov 2026 to 30 Nov 2026", "Still in treatment, first stays", "Not shown:"):
        assert words in said

    # Whole records are written beside the work, and taken when they are ready.
    page.get_by_role("link", name="Whole records").click()
    page.get_by_label("What").select_option(label="Dose days as Parquet")
    page.get_by_role("button", name="Write the file").click()
    page.get_by_text("ready").wait_for()
    me.picture("evaluation-files")
    assert "dose-days.parquet" in unpacked(me.downloads("Download"))

    # What is wrong stands at its field, and what was typed is kept.
    page.goto("/evaluation/retention?first=2026-01-01&last=2026-03-31&site=HRP")
    page.get_by_label("Longest gap, in days").fill("many")
    page.get_by_role("button", name="Show").click()
    me.sees("Nothing was counted: one thing is wrong.")
    assert page.locator("#error-gap").is_visible()
    assert page.get_by_label("Longest gap, in days").input_value() == "many"
    assert page.locator("svg.chart").count() == 0
    me.picture("evaluation-fault")
    assert me.troubles == []

    # No page is wider than a phone, and all of it works without JavaScript.
    plain = chromium.new_context(viewport=PHONE, base_url=house.address, java_script_enabled=False)
    plain.add_cookies(me.context.cookies())
    phone = plain.new_page()
    wide = me.context.new_page()
    wide.set_viewport_size(PHONE)
    for path in PAGES:
        wide.goto(f"/evaluation{path}")
        assert wide.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        answer = phone.goto(f"/evaluation{path}")
        assert answer is not None
        assert answer.status == 200, path
        assert len(answer.body()) < 60_000, path
    phone.goto("/evaluation?measure=prv-14&last=2026-11-30&by=dose")
    phone.get_by_role("button", name="Show").click()
    assert phone.get_by_role("table").first.is_visible()
    plain.close()
