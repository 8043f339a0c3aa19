"""What the program is made of: its licences, its bill of materials, and what a scanner of weak code says of ours."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.test_house import HOUSES, ROOT

# What bandit says of our code and why it stands. Left out as a whole: B101, since assert states what types cannot and
# nothing hangs on it; B608, since tests/lint.py asks more closely where SQL comes from; B404, since B603 says the same.
KNOWN = {
    ("dispensary/backups/trying.py", "B603"): "PostgreSQL's own tools, found in the wheel or by name, with no shell",
    ("dispensary/desks/factor.py", "B704"): "a QR code that the house draws itself: paths, and no text",
    ("dispensary/desks/staffing.py", "B704"): "a QR code that the house draws itself: paths, and no text",
    ("dispensary/key_sources.py", "B603"): "the program that an administrator named for the keys, with no shell",
    ("dispensary/apart/cutting.py", "B105"): "the name of a table of passes, and which of them are taken along",
    ("dispensary/staff/entry_rules.py", "B105"): "how every token begins, so that a leaked one is known for what it is",
    ("dispensary/staff/factors.py", "B105"): "the column that a secret is sealed for",
    ("dispensary/staff/stamping.py", "B310"): "the address of a setting, which is refused unless it is http or https",
    ("dispensary/desks/passpage.py", "B704"): "an SVG that is drawn from 42 checked characters",
    ("dispensary/supplies/dose_files.py", "B405"): "an error's name; the parsing is openpyxl's, with defusedxml",
    ("dispensary/supplies/passes.py", "B105"): "“not a pass” is what a scanned text turned out to be",
    ("dispensary/supplies/told_whole.py", "B105"): "the name of a table of passes, and why it is not told",
    ("dispensary/demo/clinic.py", "B105"): "the password of the demonstration, which is printed as it starts",
    ("scheduling/simulation.py", "B311"): "drawn from a seed on purpose",
    ("dispensary/programmes/bulk.py", "B311"): "drawn from a seed on purpose",
}


@pytest.fixture(scope="module")
def chain() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "supply_chain.py"))


class TestLicences:
    def test_every_package_of_the_clinic_comes_under_one_that_allows_what_a_clinic_does(
        self, chain: dict[str, Any]
    ) -> None:
        refused = {
            each.name: bad for each in chain["pinned"]() if each.here and (bad := chain["not_allowed"](each.licence))
        }

        assert refused == {}

    def test_one_that_binds_the_whole_program_would_be_refused(self, chain: dict[str, Any]) -> None:
        not_allowed = chain["not_allowed"]

        assert not_allowed("AGPL-3.0-only") == ["AGPL-3.0-only"]
        assert not_allowed("MIT AND SSPL-1.0") == ["SSPL-1.0"]
        assert not_allowed("GPL-3.0-only OR MIT") == []

    def test_the_page_says_what_is_installed(self, chain: dict[str, Any]) -> None:
        page = (ROOT / "docs" / "licences.md").read_text("utf-8")
        rows = {line for line in page.splitlines() if line.startswith("| ")}

        wrong = [
            each.name
            for each in chain["pinned"]()
            if each.here and not any(row == f"| {each.name} | {each.version} | {each.licence} |" for row in rows)
        ]

        assert wrong == [], "run make licences"
        assert len(rows) == len(chain["pinned"]()) + 2


class TestBillOfMaterials:
    def test_it_is_one_and_holds_every_entry_of_the_lock_with_its_digests(self, chain: dict[str, Any]) -> None:
        written = chain["bill"]("0.1.0")

        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None
        components = {each["name"]: each for each in json.loads(written)["components"]}
        for entry in chain["pinned"]():
            component = components[entry.name]
            assert component["version"] == entry.version
            assert {each["content"] for each in component["hashes"]} == set(entry.digests) != set()

    def test_it_says_who_needs_whom(self, chain: dict[str, Any]) -> None:
        needs = {each["ref"]: each.get("dependsOn", []) for each in json.loads(chain["bill"]("0.1.0"))["dependencies"]}

        sqlalchemy = next(ref for ref in needs if ref.startswith("sqlalchemy=="))
        assert [ref.split("==")[0] for ref in needs[sqlalchemy]].count("typing-extensions") == 1
        assert any(ref.startswith("litestar==") for ref in needs["takehome"])

    def test_the_same_lock_gives_the_same_text(self, chain: dict[str, Any]) -> None:
        assert chain["bill"]("0.1.0") == chain["bill"]("0.1.0")


class TestWeakCode:
    def test_a_scanner_finds_nothing_that_nobody_has_looked_at(self) -> None:
        scanned = subprocess.run(
            [sys.executable, "-m", "bandit", "-q", "-r", *HOUSES, "-s", "B101,B404,B608", "-f", "json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        found = {
            (Path(each["filename"]).as_posix(), each["test_id"])
            for each in json.loads(scanned.stdout)["results"]
            if not (each["test_id"] == "B311" and each["filename"].startswith("dispensary/demo/"))  # from a seed
        }

        assert found == set(KNOWN)
