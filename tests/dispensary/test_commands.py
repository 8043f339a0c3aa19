"""The command line: what it says, what it refuses in one line, and that nothing half-done stays."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from dispensary.cli import main
from dispensary.commands.taking import who_runs_this
from dispensary.database import Database
from dispensary.keys import Vault
from tests.dispensary.measured import what_is_counted

HISTORY = Path(__file__).parent / "history-of-doses.csv"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "ctn0094" / "methadone_arm_daily.csv"


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on this test's database with a key file of its own."""
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DISPENSARY_KEYS", raising=False)
    monkeypatch.delenv("DISPENSARY_ENV", raising=False)

    def command(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    return command


def counted(database: Database, table: str) -> int:
    with database.reading() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_history_comes_in_once_and_its_figures_come_out(run, database: Database, tmp_path: Path) -> None:
    first = run("import", "doses", HISTORY, "--site", "OLD", "--zone", "Asia/Bangkok", "--start", "2024-01-01")
    assert first.exit_code == 0, first.output
    assert "Site OLD was made, in the zone Asia/Bangkok." in first.output
    doses = counted(database, "dose")
    assert f"{doses} dose days brought in" in first.output
    again = run("import", "doses", HISTORY, "--site", "OLD", "--start", "2024-01-01")
    assert "0 dose days brought in" in again.output
    assert counted(database, "dose") == doses

    verified = run("verify")
    assert (verified.exit_code, verified.output) == (0, "All is well: no row breaks a rule.\n")

    period = ("--from", "2024-01-01", "--to", "2024-12-31", "--out", tmp_path)
    assert run("export", "retention", *period).exit_code == 0
    exported = run("export", "dose-days", *period)
    assert " clients, " in exported.output
    manifest = json.loads((tmp_path / "dose-days.manifest.json").read_text())
    assert manifest["tables"][1]["rows"] == counted(database, "client")
    outside = next(each["count"] for each in manifest["exclusions"] if "own window" in each["what"])
    assert manifest["tables"][0]["rows"] + outside == counted(database, "day_outcome")
    assert (tmp_path / "retention.csv").read_text().startswith("stays,months,at_risk")


def test_a_dry_run_says_what_would_happen_and_changes_nothing(run, database: Database) -> None:
    said = run("import", "doses", HISTORY, "--site", "OLD", "--start", "2024-01-01", "--dry-run")
    assert "would be made" in said.output
    assert "Dry run: nothing was changed." in said.output
    assert [counted(database, table) for table in ("site", "client", "dose")] == [0, 0, 0]


def test_bad_lines_are_named_and_nothing_is_kept_unless_asked(run, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("who,day,mg\nA,0,40\nA,1,forty\nB,0,NaN\nB,1,50\n")
    refused = run("import", "doses", file, "--site", "OLD", "--start", "2024-01-01")
    assert refused.exit_code == 2
    assert "line 3" in refused.output
    assert "line 4" in refused.output
    assert counted(database, "client") == 0
    kept = run("import", "doses", file, "--site", "OLD", "--start", "2024-01-01", "--keep-good")
    assert kept.exit_code == 0
    assert counted(database, "dose") == 2


def test_a_site_is_opened_with_its_first_administrator(run, database: Database) -> None:
    opening = ("open-site", "KL", "--zone", "Asia/Kuala_Lumpur", "--region", "MY", "--name", "Harapan")
    person = ("--administrator", "farid", "--person", "Farid bin Osman", "--initials", "FO", "--password")
    short = run(*opening, *person, "short")
    assert (short.exit_code, "The password is too short" in short.output) == (2, True)
    assert counted(database, "site") == 0, "nothing half-done stays"
    opened = run(*opening, *person, "a walk to the river")
    assert "Site KL is open." in opened.output
    assert [counted(database, table) for table in ("site", "place", "account", "role_grant")] == [1, 1, 1, 1]
    assert run(*opening, *person, "a walk to the river").exit_code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("close-day", "--site", "NONE", "--day", "2026-01-01"), "There is no site with the code “NONE”."),
        (("assess", "--site", "NONE"), "There is no site with the code “NONE”."),
        (("export", "retention", "--from", "2026-02-01", "--to", "2026-01-01"), "The period ends before it begins."),
    ],
)
def test_a_mistake_gets_one_clear_line_and_exit_code_2(run, words: tuple[str, ...], says: str) -> None:
    refused = run(*words)
    assert refused.exit_code == 2
    assert says in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("DATABASE_URL", "mysql://here", "DATABASE_URL must begin with postgresql://"),
        ("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "The database does not answer"),
        ("DISPENSARY_ENV", "staging", "Set it to demo or production."),
        ("DISPENSARY_ENV", "production", "Production needs PUBLIC_BASE_URL with https://"),
        ("DISPENSARY_PORT", "80000", "Set it to a number from 1 to 65535."),
        ("TWILIO_FROM", "+15005550006", "missing: TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN"),
        ("PUBLIC_BASE_URL", "clinic", "Set it to an address such as https://clinic.example.org."),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(
    run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    refused = run("verify")
    assert (refused.exit_code, says in refused.output, refused.output.count("\n")) == (2, True, 1), refused.output


def test_a_day_is_closed_from_the_command_line(run, database: Database) -> None:
    run("import", "doses", HISTORY, "--site", "OLD", "--start", "2024-01-01")
    day = datetime.now(UTC).date()  # the command reads the machine's clock
    run("import", "doses", HISTORY, "--site", "NEW", "--start", "2024-01-01")
    closed = run("close-day", "--site", "OLD", "--day", day)
    assert closed.exit_code == 0, closed.output
    assert "The safe is not counted yet." in closed.output
    again = run("close-day", "--site", "OLD", "--day", day)
    assert (again.exit_code, f"{day} is closed." in again.output) == (2, True)

    everywhere = run("close-day", "--day", day)
    assert (everywhere.exit_code, everywhere.output.count("\n")) == (0, 1), everywhere.output
    assert everywhere.output.startswith(f"{day} closed at 1 sites, with ")
    assert everywhere.output.endswith("; 1 had closed it before.\n")
    assert "closed at 0 sites, with 0 portions; 2 had closed it" in run("close-day", "--day", day).output
    ahead = run("close-day", "--day", day + timedelta(days=3))
    assert (ahead.exit_code, ahead.output.count("OLD: "), ahead.output.count("NEW: ")) == (2, 1, 1), ahead.output


def test_what_is_counted_is_counted_anew_and_looked_at_from_the_command_line(run, database: Database) -> None:
    run("import", "doses", HISTORY, "--site", "OLD", "--start", "2024-01-01")
    done = run("evaluation", "rebuild")
    assert (done.exit_code, done.output) == (0, f"Counted {counted(database, 'client')} clients anew.\n")
    rows = what_is_counted(database)
    assert counted(database, "fact_client") == counted(database, "client")
    assert run("evaluation", "rebuild", "--check").output == "What is counted is what the records say.\n"
    with database.writing() as session:
        session.execute(text("UPDATE fact_month SET ordered = ordered + 1"))
    wrong = run("evaluation", "rebuild", "--check")
    assert (wrong.exit_code, "is counted otherwise than their records say" in wrong.output) == (1, True)
    assert run("evaluation", "rebuild").exit_code == 0
    assert what_is_counted(database) == rows


def test_the_real_trial_comes_in_where_it_lies_beside_the_project(run, database: Database, vault: Vault) -> None:
    """520 people and 71,971 dose days of NIDA CTN-0027; where the data is not there, the file above stands for it."""
    file, clients, days = (SHARED, 520, 71_971) if SHARED.exists() else (HISTORY, None, None)
    brought = run("import", "doses", file, "--site", "X", "--start", "2006-05-01")
    assert brought.exit_code == 0, brought.output
    assert clients is None or counted(database, "client") == clients
    assert days is None or counted(database, "dose") == days
    assert run("verify").exit_code == 0


def test_every_export_is_put_on_record_with_the_computers_account_and_one_that_fails_is_not(
    run, database: Database, tmp_path: Path
) -> None:
    assert run("import", "doses", HISTORY, "--site", "OLD", "--start", "2024-01-01").exit_code == 0
    asked = ("--from", "2024-01-01", "--to", "2024-06-30", "--out", tmp_path / "figures")
    for name in ("dose-days", "retention", "fhir", "prv-14"):
        assert run("export", name, *asked).exit_code == 0
    assert run("export", "prv-14", *asked, "--by", "nonsense").exit_code == 2
    with database.reading() as session:
        rows = session.execute(
            text(
                "SELECT act, account_id, CAST(details AS jsonb) FROM audit_entry"
                " WHERE act LIKE 'exported%' ORDER BY seq"
            )
        ).all()
    assert [row[0] for row in rows] == [f"exported {name}" for name in ("dose-days", "retention", "fhir", "prv-14")]
    assert {(row[1], row[2]["computer_account"], row[2]["first"]) for row in rows} == {
        (None, who_runs_this(), "2024-01-01")
    }
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert "prv-14.csv" in names
    assert not [name for name in names if name.startswith(".")]


def test_a_new_site_in_production_asks_its_administrators_for_a_second_factor_and_the_server_can_take_it_away(
    run, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPENSARY_KEYS", str(tmp_path / "keys.json"))
    opened = ("--name", "A", "--zone", "Asia/Bangkok", "--region", "TH", "--person", "Ada", "--initials", "AA")
    run("open-site", "TRY", *opened, "--administrator", "ada", "--password", "a walk to the river")
    monkeypatch.setenv("DISPENSARY_ENV", "production")
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://clinic.example.org")
    monkeypatch.setenv("DISPENSARY_PROXIES", "127.0.0.1")
    again = run("open-site", "KL", *opened, "--administrator", "ben", "--password", "a walk to the river")
    assert again.exit_code == 0, again.output
    with database.reading() as session:
        asked = session.execute(text("SELECT code, demand, grace_days FROM factor_setting JOIN site ON id = site_id"))
        assert asked.all() == [("KL", "administrators", 7)]
    assert run("reset-second-factor", "nobody").exit_code == 2
    said = run("reset-second-factor", "Ben")
    assert (said.exit_code, "“ben” has no second factor now" in said.output) == (0, True)
    with database.reading() as session:
        told = session.execute(text("SELECT by_account, known_at FROM factor_reset")).one()
        written = session.scalar(text("SELECT act FROM audit_entry ORDER BY at DESC, seq DESC LIMIT 1"))
    assert (tuple(told), written) == ((None, None), "reset second factor")
