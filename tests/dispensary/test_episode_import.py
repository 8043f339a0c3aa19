"""Episodes that were kept elsewhere: a file comes in whole or not at all, names nobody, and is evaluated as our own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.cli import main
from dispensary.database import Database
from dispensary.evaluation.episode_files import read_episodes
from dispensary.refusals import BadInput
from tests.builders import Clinic, clinic

Command = Callable[..., Result]

GOOD = """Client ID;Clinic;Start date;End date;Reason;Dose mg;Entry route
N-001;Imphal;2006-05-01;2006-08-01;dropped out;40;street
N-001;Imphal;2007-01-01;;;85;street
N-002;Imphal;2006-05-02;2007-02-02;died;60;prison
N-003;Kohima;2006-06-01;2006-06-01;Moved away;;street
N-004;Kohima;2006-06-01;2007-06-01;transferred;79.5;
"""


def written(folder: Path, content: str, encoding: str = "utf-8-sig") -> Path:
    path = folder / "kept elsewhere.csv"
    path.write_bytes(content.encode(encoding))
    return path


def faults(folder: Path, content: str, **parameters: object) -> list[str]:
    with pytest.raises(BadInput) as refused:
        read_episodes(written(folder, content), **parameters)  # type: ignore[arg-type]
    return [f"{each.sentence} {each.remedy}".strip() for each in refused.value.refusals]


class TestFile:
    def test_headers_are_guessed_and_further_columns_are_strata(self, tmp_path: Path) -> None:
        found = read_episodes(written(tmp_path, GOOD))
        assert found.strata == ("site", "dose", "entry_route")
        assert found.seen_to == date(2007, 6, 1)
        assert [(line.line, line.client, str(line.ended), line.exit_reason) for line in found.lines] == [
            (2, "N-001", "2006-08-01", "dropped_out"),
            (3, "N-001", "None", None),
            (4, "N-002", "2007-02-02", "died"),
            (5, "N-003", "2006-06-01", "moved_away"),
            (6, "N-004", "2007-06-01", "transferred"),
        ]
        assert [tuple(line.strata.values()) for line in found.lines] == [
            ("Imphal", "below 60 mg", "street"),
            ("Imphal", "80 mg and more", "street"),
            ("Imphal", "60-79 mg", "prison"),
            ("Kohima", "unknown", "street"),
            ("Kohima", "60-79 mg", "unknown"),
        ]

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            (";Imphal;2006-05-01;;;40;x", "line 7, column “Client ID”: a client has 1 to 60 characters."),
            ("N-9;Imphal;1.5.2006;;;40;x", "line 7, column “Start date”: “1.5.2006” is not a day like 2026-01-31."),
            ("N-9;Imphal;2006-02-30;;;40;x", "line 7, column “Start date”: “2006-02-30” is not a day like 2026-01-31."),
            ("N-9;Imphal;1950-02-03;;;40;x", "line 7, column “Start date”: “1950-02-03” is not a day like 2026-01-31."),
            ("N-9;Imphal;;;;40;x", "line 7, column “Start date”: the day is missing."),
            (
                "N-9;Imphal;2006-05-01;2006-04-30;died;40;x",
                "line 7, column “End date”: 2006-04-30 is before 2006-05-01, when it started.",
            ),
            (
                "N-9;Imphal;2006-05-01;2006-06-30;;40;x",
                "line 7, column “Reason”: an end has a day and a reason, and an episode that is going on has neither.",
            ),
            (
                "N-9;Imphal;2006-05-01;;died;40;x",
                "line 7, column “End date”: an end has a day and a reason, and an episode that is going on has",
            ),
            ("N-9;Imphal;2006-05-01;;;40 mg;x", "line 7, column “Dose mg”: “40 mg” is not an amount in mg."),
            ("N-9;Imphal;2006-05-01;;;40;hidden", "line 7, column “Entry route”: “hidden” cannot be the value of a"),
            ("N-9;Imphal;2006-05-01;;;40", "line 7 has 6 cells, and the header has 7."),
            (
                "n-001;Imphal;2006-07-01;2006-07-02;died;40;x",
                "line 7, column “Start date”: 2006-07-01 is within the episode of line 2, which ended on 2006-08-01.",
            ),
            (
                "N-001;Imphal;2007-05-01;;;40;x",
                "line 7, column “Start date”: 2007-05-01 is within the episode of line 3, which has no end.",
            ),
        ],
    )
    def test_a_fault_is_named_with_its_line_and_column(self, tmp_path: Path, line: str, says: str) -> None:
        (found,) = faults(tmp_path, GOOD + line + "\n")
        assert found.startswith(says)

    def test_all_faults_are_named_at_once(self, tmp_path: Path) -> None:
        assert len(faults(tmp_path, GOOD + "N-7;A;x;;;;\nN-8;A;2006-01-01;y;died;;\n")) == 2

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            ("", "has no episodes."),
            ("client,started,ended,exit_reason\n", "has no episodes."),
            ("client,started,ended\na,2006-01-01,\n", "There is no column for exit_reason. Columns here: client"),
            ("client,started,ended,reason,1st\na,2006-01-01,,,x\n", "line 1: “1st” cannot name a stratum."),
            ("client,started,ended,reason,sex,Sex\na,2006-01-01,,,x,x\n", "line 1: “Sex” cannot name a stratum."),
            ("client,started,ended,reason,months\na,2006-01-01,,,x\n", "line 1: “months” cannot name a stratum."),
            ('client,started,ended,reason\na,"2006-01-01,,\n', "is not a CSV table"),
        ],
    )
    def test_a_file_that_is_no_table_of_episodes(self, tmp_path: Path, content: str, says: str) -> None:
        assert any(says in fault for fault in faults(tmp_path, content))

    def test_text_of_another_encoding_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(BadInput, match="not text in UTF-8"):
            read_episodes(written(tmp_path, GOOD.replace("Imphal", "Itanagár"), "latin-1"))

    @pytest.mark.parametrize(
        ("clients", "values", "most"),
        [(200, 51, 50), (200, 50, None), (40, 21, 20), (40, 20, None), (9, 9, 8), (8, 8, None)],
    )
    def test_a_column_that_would_name_people_is_refused(
        self, tmp_path: Path, clients: int, values: int, most: int | None
    ) -> None:
        lines = "\n".join(f"c{n},2006-01-01,,,Name {n % values}" for n in range(clients))
        content = f"client,started,ended,exit_reason,name\n{lines}\n"
        if most is None:
            assert read_episodes(written(tmp_path, content)).strata == ("name",)
        else:
            (said,) = faults(tmp_path, content)
            assert f"“name” has {values} different values: it would tell people apart." in said
            assert f"at most {most} of them" in said

    def test_nobody_is_observed_beyond_what_the_records_know(self, tmp_path: Path) -> None:
        (said,) = faults(tmp_path, GOOD, seen_to=date(2007, 5, 31))
        assert said == "line 6, column “End date”: 2007-06-01 is after 2007-05-31, the last day that the records know."

    @given(content=st.text(max_size=200))
    def test_any_text_is_read_or_refused(self, tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
        path = tmp_path_factory.mktemp("any") / "file.csv"
        path.write_bytes(f"client,started,ended,exit_reason\n{content}".encode("utf-8", "replace"))
        with suppress(BadInput):
            assert read_episodes(path).lines


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


def kept(database: Database, sql: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql))]


def test_episodes_come_in_once_are_replaced_when_told_and_it_is_on_the_audit_trail(
    here: Clinic, command: Command, tmp_path: Path
) -> None:
    path = written(tmp_path, GOOD)
    tried = command("import", "episodes", path, "--name", "manipur", "--dry-run")
    assert (tried.exit_code, "Dry run: nothing was changed." in tried.output) == (0, True), tried.output
    assert kept(here.database, "SELECT name FROM episode_set") == []
    told = command("import", "episodes", path, "--name", "manipur")
    assert told.exit_code == 0, told.output
    assert "5 episodes of 4 clients, seen to 2007-06-01." in told.output
    again = command("import", "episodes", path, "--name", "manipur")
    assert (again.exit_code, "There are episodes called manipur already" in again.output) == (2, True)
    path = written(tmp_path, GOOD + "N-005;Kohima;2006-06-01;2007-06-01;transferred;79.5;\n")
    assert command("import", "episodes", path, "--name", "manipur", "--replace").exit_code == 0
    assert kept(here.database, "SELECT name, episodes, clients FROM episode_set") == [("manipur", 6, 5)]
    assert kept(here.database, "SELECT count(*), count(DISTINCT client_digest) FROM imported_episode") == [(6, 5)]
    gone = command("forget-episodes", "manipur")
    assert (gone.exit_code, gone.output) == (0, "6 episodes of 5 clients are gone.\n")
    assert kept(here.database, "SELECT id FROM episode_set UNION ALL SELECT set_id FROM imported_episode") == []
    assert command("forget-episodes", "manipur").exit_code == 2
    acts = "SELECT act FROM audit_entry WHERE subject = 'episode_set' ORDER BY seq"
    assert [act for (act,) in kept(here.database, acts)] == [
        "imported episodes", "replaced imported episodes", "forgot imported episodes",
    ]  # fmt: skip


def test_a_bad_line_leaves_nothing_and_a_bad_name_neither(here: Clinic, command: Command, tmp_path: Path) -> None:
    bad = command("import", "episodes", written(tmp_path, GOOD + "N-7;A;x;;;;\n"), "--name", "manipur")
    assert bad.exit_code == 2
    assert bad.output == "line 7, column “Start date”: “x” is not a day like 2026-01-31.\n"
    named = command("import", "episodes", written(tmp_path, GOOD), "--name", "Manipur 1")
    assert (named.exit_code, "cannot be a name of episodes" in named.output) == (2, True)
    assert kept(here.database, "SELECT count(*) FROM episode_set") == [(0,)]


def test_who_a_client_was_is_kept_nowhere_and_two_files_cannot_be_laid_over_each_other(
    here: Clinic, command: Command, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        assert command("import", "episodes", written(tmp_path, GOOD), "--name", name).exit_code == 0
    rows = kept(
        here.database,
        "SELECT CAST(e AS text) FROM imported_episode e UNION ALL SELECT CAST(s AS text) FROM episode_set s"
        " UNION ALL SELECT CAST(a AS text) FROM audit_entry a",
    )
    assert rows
    assert not any("N-00" in str(row) for row in rows)
    assert kept(here.database, "SELECT count(DISTINCT client_digest) FROM imported_episode") == [(8,)]


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


def test_they_are_evaluated_like_the_clinic_s_own(here: Clinic, command: Command, tmp_path: Path) -> None:
    lines = [
        *(f"a{n},north,2020-01-01,2020-03-01,dropped_out" for n in range(3)),
        *(f"b{n},north,2020-01-01,2020-05-01,died" for n in range(2)),
        *(f"c{n},north,2020-01-01,," for n in range(3)),
        *(f"d{n},south,2020-01-01,2020-02-01,dropped_out" for n in range(5)),
        *(f"e{n},south,2020-01-01,2021-01-01,went_abroad" for n in range(2)),
        *(f"f{n},east,2020-01-01,2020-12-01,dropped_out" for n in range(2)),
        "a0,north,2020-06-01,2020-07-01,dropped_out",
    ]
    path = written(tmp_path, "client,site,started,ended,exit_reason\n" + "\n".join(lines) + "\n")
    assert command("import", "episodes", path, "--name", "far", "--seen-to", "2021-12-31").exit_code == 0
    asked = ("export", "retention", "--episodes", "far", "--by", "site", "--role", "died=event")
    told = command(*asked, "--out", tmp_path / "out")
    assert told.exit_code == 0, told.output
    rows = {(r["stays"], r["site"], r["months"]): r for r in table(tmp_path / "out" / "retention.csv")}
    year = rows["first", "all", "12"]
    # At the month's end those who left on it have left: all but three of the north and, by then, nobody else.
    assert (year["at_risk"], year["events"], year["censored"]) == ("5", "14", "0")
    assert Decimal(year["retention"]) == round(Decimal(3) / 17, 8)
    assert {site for _, site, _ in rows} == {"all", "north"}, "two in the east are hidden, and the south beside them"
    causes = {
        (r["cause"], r["months"]): r["incidence"]
        for r in table(tmp_path / "out" / "retention-incidence.csv")
        if (r["stays"], r["site"]) == ("first", "north")
    }
    assert (causes["died", "6"], causes["dropped_out", "6"]) == ("0.25000000", "0.37500000")
    manifest = json.loads((tmp_path / "out" / "retention.manifest.json").read_text())
    assert manifest["records"]["name"] == "far"
    assert manifest["records"]["seen_to"] == "2021-12-31"
    assert manifest["parameters"]["roles"]["went_abroad"] == "event"
    assert manifest["parameters"]["gap_days"] is None
    assert "No rule of gaps" in manifest["definition"]["says"]
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    command(
        "export", "retention", "--episodes", "far", "--by", "site", "--role", "died=event", "--out", tmp_path / "out"
    )
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    stays = table(tmp_path / "out" / "retention-stays.csv")
    assert sorted(int(row["days"]) for row in stays if row["site"] == "hidden") == [31] * 5 + [335] * 2 + [366] * 2


def test_a_landmark_of_episodes_counts_from_it(here: Clinic, command: Command, tmp_path: Path) -> None:
    assert command("import", "episodes", written(tmp_path, GOOD), "--name", "manipur").exit_code == 0
    told = command("export", "retention", "--episodes", "manipur", "--landmark", "100", "--out", tmp_path)
    assert told.exit_code == 0, told.output
    days = sorted(int(row["days"]) for row in table(tmp_path / "retention-stays.csv"))
    assert days == [151 - 100, 276 - 100, 365 - 100]
    manifest = json.loads((tmp_path / "retention.manifest.json").read_text())
    assert [each["count"] for each in manifest["exclusions"]] == [0, 2, 0]
    assert "bottle" not in manifest["definition"]["landmark"]


def test_a_return_within_the_gap_continues_an_episode(here: Clinic, command: Command, tmp_path: Path) -> None:
    """A was away for 14 whole days and then for 15; B's later line says why it ended, and of which site it began."""
    lines = (
        "A,north,2020-01-01,2020-02-01,died\nA,north,2020-02-15,2020-03-01,dropped_out\n"
        "A,north,2020-03-16,2020-04-01,dropped_out\nB,north,2020-01-01,2020-02-01,dropped_out\nB,south,2020-02-01,,\n"
    )
    path = written(tmp_path, f"client,site,started,ended,exit_reason\n{lines}")
    assert command("import", "episodes", path, "--name", "short", "--seen-to", "2020-05-01").exit_code == 0
    for gap, stays in (
        ((), [("1", "31", "died"), ("1", "31", "dropped_out"), ("2", "15", "dropped_out"), ("2", "90", "in_treatment"),
              ("3", "16", "dropped_out")]),
        (("--gap", 14), [("1", "121", "in_treatment"), ("1", "60", "dropped_out"), ("2", "16", "dropped_out")]),
        (("--gap", 15), [("1", "121", "in_treatment"), ("1", "91", "dropped_out")]),
    ):  # fmt: skip
        told = command("export", "retention", "--episodes", "short", *gap, "--out", tmp_path)
        assert told.exit_code == 0, told.output
        rows = table(tmp_path / "retention-stays.csv")
        assert sorted((row["stay"], row["days"], row["ending"]) for row in rows) == stays
    says = json.loads((tmp_path / "retention.manifest.json").read_text())["definition"]["says"]
    assert "at most 15 whole days after the end of another continues it" in says


def test_what_cannot_be_asked_is_one_clear_line(here: Clinic, command: Command, tmp_path: Path) -> None:
    assert command("import", "episodes", written(tmp_path, GOOD), "--name", "manipur").exit_code == 0
    for words, says in (
        (("--episodes", "none"), "There are no episodes called “none”. There are manipur."),
        (("--episodes", "manipur", "--as-of", "2026-01-01"), "--as-of cannot be asked of episodes."),
        (("--episodes", "manipur", "--gap", "367"), "A gap has 0 to 366 days."),
        (("--episodes", "manipur", "--by", "sex"), "It can be split by site, dose, entry_route."),
        (("--episodes", "manipur", "--role", "dead=event"), "No exit has the reason “dead”."),
        (("--episodes", "manipur", "--from", "2007-01-01", "--to", "2006-01-01"), "The period ends before it begins."),
        (("--by", "site"), "The period is missing."),
    ):
        told = command("export", "retention", *words, "--out", tmp_path / "out")
        assert (told.exit_code, says in told.output) == (2, True), told.output
