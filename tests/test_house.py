"""The house keeps its own rules: who may know whom, what is never written, which words are never used."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
HOUSES = ("dispensary", "scheduling", "notifications")
LONGEST_FILE = 400
TEXTS = {".py", ".html", ".js", ".css", ".md", ".toml", ".po", ".yml", ".cfg", ".ini", ".mako", ".svg", ".lock", ""}


def written(*folders: str) -> Iterator[Path]:
    """Every text file below these folders of the project, as somebody would read it."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in TEXTS and "__pycache__" not in path.parts:
                yield path


def on_top() -> Iterator[Path]:
    """The files at the top of the project and of its start on a new machine."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.suffix in TEXTS and path.name != ".env":
            yield path
    yield from written("docker", ".ci")


def code(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in written(*folders):
        if path.suffix == ".py":
            yield path, ast.parse(path.read_text("utf-8"), str(path))


def lines_that_say(pattern: str, paths: Iterator[Path]) -> list[str]:
    """Where the pattern stands, as file:line: text."""
    said = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1)
        if said.search(line)
    ]


class TestWhoKnowsWhom:
    def test_every_room_imports_only_what_its_floor_allows(self, capsys: pytest.CaptureFixture[str]) -> None:
        kept = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == 0

        assert kept, capsys.readouterr().out


class TestFiles:
    def test_no_file_is_longer_than_can_be_held_in_mind(self) -> None:
        long = {
            str(path.relative_to(ROOT)): lines
            for path in written(*HOUSES)
            if path.suffix == ".py"
            and "versions" not in path.parts  # a migration is one step, as long as it is, and never touched again
            and (lines := len(path.read_text("utf-8", "replace").splitlines())) > LONGEST_FILE
        }

        assert long == {}

    def test_every_module_opens_with_a_sentence_that_says_what_it_is(self) -> None:
        silent = [
            str(path.relative_to(ROOT)) for path, tree in code(*HOUSES) if tree.body and not ast.get_docstring(tree)
        ]

        assert silent == []


class TestWords:
    def test_clients_are_called_clients(self) -> None:
        never = (
            r"(?i)\b(patients?|addicts?|addicted|abusers?|junk(ie|y)s?|drug users?|pesakit|penagih)\b|病人|患者|吸毒"
        )
        # Lists of words that no text may say.
        own = ("tests/test_house.py", "notifications/discretion.py", "tests/notifications/test_texts.py")
        # FHIR's own name of a resource.
        own += ("dispensary/monitoring/incoming_fhir.py", "tests/dispensary/test_incoming.py")
        own += (
            "dispensary/evaluation/fhir_resources.py",
            "dispensary/evaluation/fhir.py",
            "tests/dispensary/test_fhir.py",
        )
        paths = [*written(*HOUSES, "docs", "tests"), *on_top()]

        found = lines_that_say(never, (path for path in paths if path.relative_to(ROOT).as_posix() not in own))

        assert found == []

    def test_nothing_is_left_for_later(self) -> None:
        later = r"\b(TODO|FIXME|XXX|HACK|(?i:lorem ipsum|coming soon|not implemented))\b"
        paths = [*written(*HOUSES, "docs", "tests"), *on_top()]

        found = lines_that_say(later, (path for path in paths if path != Path(__file__)))
        found += lines_that_say("raise NotImplementedError", written(*HOUSES))

        assert found == []


class TestWhereThingsComeFrom:
    def test_nothing_that_is_written_says_where_packages_are_fetched(self) -> None:
        hosts = r"(?i)pyp[i]\W+org|pythonh[o]sted|npmj[s]|(?<!no-emit-)index-url|find-links|trusted-host|deb\W+deb[i]an"
        paths = [*written(*HOUSES, "docs", "tests"), *on_top()]

        found = lines_that_say(hosts, (path for path in paths if path != Path(__file__)))

        assert found == []

    @pytest.mark.parametrize("lock", ["requirements.lock", "requirements-test.lock"])
    def test_a_lock_names_a_version_and_digests_for_everything(self, lock: str) -> None:
        entries = [line for line in (ROOT / lock).read_text().split("\n") if line and line[0] not in " #"]

        assert len(entries) > 40
        assert [entry for entry in entries if not re.match(r"[a-z0-9.-]+(\[[a-z,]+\])?==\S+", entry)] == []
        assert "://" not in (ROOT / lock).read_text()
        assert [entry for entry in entries if not entry.endswith("\\")] == [], "an entry without digests"

    def test_the_tests_run_on_the_versions_that_the_clinic_runs_on(self) -> None:
        def pinned(lock: str) -> dict[str, str]:
            return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))

        clinic, tests = pinned("requirements.lock"), pinned("requirements-test.lock")

        assert clinic.items() <= tests.items()

    def test_nothing_is_installed_that_nobody_uses(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        asked = {re.split(r"[^a-z0-9-]", line, maxsplit=1)[0] for line in project["dependencies"]}
        extra = {re.split(r"[^a-z0-9-]", line, maxsplit=1)[0] for line in project["optional-dependencies"]["cox"]}
        imported = {
            name.split(".")[0]
            for _, tree in code(*HOUSES)
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        brought = packages_distributions()
        used = {one.lower().replace("_", "-") for name in imported for one in brought.get(name, ())}

        # tzdata is read by zoneinfo where the system has no zones, uharfbuzz by fpdf2 where letters join.
        assert asked - used == {"tzdata", "uharfbuzz"}
        unasked = used - asked - {"alembic", "takehome", "jinja2", "markupsafe"}  # the last two are litestar[jinja]
        unasked -= {*extra, "numpy"}  # which comes with statsmodels
        assert unasked == set(), "it comes with something else today, and may not tomorrow"
