"""A new programme by data alone: the page's own example is built, and what is wrong with a folder is told at once."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispensary.commands.programmes import demonstrate
from dispensary.database import Database
from dispensary.programmes.reading import CARE, FILES, WORDS, BadProgramme, read_programme, shipped
from dispensary.settings import BadSettings, Settings
from dispensary.verification.verifying import verify
from dispensary.words import spoken
from tests.dispensary.visiting import demo_settings
from tests.programmes.conftest import Built

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "new-programme.md").read_text("utf-8")


def example(folder: Path) -> Path:
    """The four files of the page, in a folder."""
    folder.mkdir()
    tables = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name, words in zip((*FILES, CARE), tables, strict=True):
        (folder / name).write_text(words, "utf-8")
    return folder


def test_the_example_of_the_page_runs_and_prints_the_table_of_the_page(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the command itself, which is told to serve this test's database; another programme is not built over it."""
    folder = str(example(tmp_path / "my-folder"))
    (table,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    def serves(
        settings: Settings, *, jobs: bool, ready: Callable[[], None], prepare: Callable[[Database], None]
    ) -> None:
        prepare(database)
        ready()

    def demonstrates(name: str) -> str:
        demonstrate(demo_settings(tmp_path), name, fresh=False, table=False, serve=serves)
        return capsys.readouterr().out

    first, second = demonstrates(folder), demonstrates(folder)

    assert table in first
    assert table in second, "what is there already is not made again"
    assert "NOT EQUAL" not in first
    assert "kampung          Lina binti Said, pharmacist at Kampung, a satellite (EX-K), PIN " in first
    assert "There are no screens in" not in first, "it is in English"
    with pytest.raises(BadSettings, match=r"Another clinic is in this data folder \(EX, EX-K\): add --fresh"):
        demonstrates("harapan")
    with database.reading() as session:
        assert [str(finding) for finding in verify(session, now=datetime.now(UTC))] == []


def test_every_programme_that_comes_with_the_program_is_read_and_the_page_of_acts_is_current() -> None:
    assert {"harapan", "ping-an"} <= set(shipped())
    for name in shipped():
        programme = read_programme(name)
        assert programme.published, f"{name} says what was published"
        assert all(figure.source for figure in programme.published)
    assert (DOCS / "acts.md").read_text("utf-8") == runpy.run_path(str(DOCS / "acts.py"))["page"](), "make acts"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        (
            "programme.toml",
            'languages = ["ms", "en"]',
            'langauges = ["ms"]',
            "programme.toml, [[site]] EX: “langauges” means nothing here. It knows code, name, parent",
        ),
        ("programme.toml", 'title = "Two villages, an example"', "", "[programme]: “title” is missing. Add it."),
        ("programme.toml", "[[area]]", "[[area", "programme.toml, the file: it is not TOML"),
        (
            "programme.toml",
            'roles = ["pharmacist"]',
            'roles = ["chemist"]',
            "invalid enum value 'chemist'. Choose one of pharmacist, doctor",
        ),
        ("programme.toml", 'parent = "EX"', 'parent = "EY"', "[[site]] EX-K: it lies in “EY”, which is nowhere."),
        ("programme.toml", 'username = "kampung"', 'username = "doctor"', "the account doctor is there twice"),
        ("records.toml", 'act = "life"', 'act = "live"', "there is no act “live”. Choose one of"),
        ("records.toml", 'step = "tested"', 'step = "testd"', "act 4 (“linkage”): step: invalid enum value 'testd'."),
        ("records.toml", "who = { every = 2 }", "who = { each = 2 }", "who: “each” means nothing here. It knows first"),
        ("records.toml", "day = 30", 'day = "soon"', "“soon” is no day. Write a number of days ago"),
        ("records.toml", 'site = "EX"\nprefix = "E"', 'site = "XX"\nprefix = "E"', "there is no site “XX”."),
        ("published.toml", 'measure = "programme"\n', "", "in-treatment: nothing of ours answers it"),
        (
            "published.toml",
            'measure = "programme"',
            'measure = "program"',
            "there is no measure “program”. Choose one of",
        ),
        ("published.toml", 'measure = "programme"', 'figure = "carers"', "there is no figure “carers”. Choose one of"),
        (
            "published.toml",
            'indicator = "in_care"',
            'indicator = "care"',
            "programme has no indicator “care”. Choose one",
        ),
        ("published.toml", "split = { disease", "split = { illness", "linkage has no split “illness”. Choose one of"),
        (
            "programme.toml",
            re.search(r"\[site\.policy\]\n.*?\n\n", PAGE, re.DOTALL)[0],  # type: ignore[index]
            "",
            "[[site]] EX: it follows no policy. Add `policy`, or say by `take_home` of [programme]",
        ),
    ],
)
def test_a_mistake_is_told_with_its_file_its_table_and_what_to_do(
    file: str, old: str, new: str, told: str, tmp_path: Path
) -> None:
    folder = example(tmp_path / "mine")
    words = (folder / file).read_text("utf-8")
    assert old in words
    (folder / file).write_text(words.replace(old, new, 1), "utf-8")

    with pytest.raises(BadProgramme) as bad:
        read_programme(str(folder))

    assert told in str(bad.value)


def test_what_a_service_refuses_names_the_act_the_person_and_the_day(
    built: Callable[[Path], Built], tmp_path: Path
) -> None:
    folder = example(tmp_path / "mine")
    words = (folder / "records.toml").read_text("utf-8")
    (folder / "records.toml").write_text(words.replace("day = 5\nwho = { last = 10 }", "day = 13"), "utf-8")

    with pytest.raises(BadProgramme, match=r"act 2 \(“take-home”\), number 1, 13 days ago: EXAMPLE-WEEKLY allows"):
        built(folder)


def test_there_is_no_programme_by_another_name() -> None:
    with pytest.raises(BadProgramme, match=r"no folder “nowhere”\. Those that come with it: .*harapan"):
        read_programme("nowhere")


def test_a_programme_says_itself_in_the_language_of_its_screens_sentence_by_sentence(tmp_path: Path) -> None:
    folder = example(tmp_path / "my-folder")
    (folder / WORDS).write_text('[ms]\n"people in treatment" = "orang dalam rawatan"\n', "utf-8")
    publication = read_programme(str(folder)).publication
    with spoken("ms"):
        assert publication.spoken("people in treatment") == "orang dalam rawatan"
        assert publication.spoken("naloxone kits given") == "naloxone kits given", "what has no words is said as it is"
    assert publication.spoken("people in treatment") == "people in treatment"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            '[ms]\n"people in care" = "x"',
            "words.toml, [ms]: “people in care” is not said by the programme. Write it as",
        ),
        ('[xx]\n"people in treatment" = "x"', "words.toml, [xx]: no screen is read in “xx”. Choose one of fil, id,"),
        ('[ms]\n"people in treatment" = ""', "words.toml, the file: it is no table of words. Write [ms], and below it"),
        ("ms = 3", "words.toml, the file: it is no table of words. Write [ms], and below it"),
    ],
)
def test_words_that_nobody_says_or_reads_are_told(tmp_path: Path, written: str, told: str) -> None:
    folder = example(tmp_path / "my-folder")
    (folder / WORDS).write_text(written, "utf-8")
    with pytest.raises(BadProgramme) as bad:
        read_programme(str(folder))
    assert told in str(bad.value)
