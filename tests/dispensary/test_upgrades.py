"""A program meets a database that a newer one has brought further: it goes on, or says in one line that it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary import leading, schema
from dispensary.app import create_app
from dispensary.cli import main
from dispensary.database import Database
from dispensary.leading import Leadership
from dispensary.schema import Met, met, migrate
from dispensary.serving import CannotServe, serve_on
from dispensary.wall import DESK
from tests.dispensary.tomorrow import Tomorrow
from tests.dispensary.visiting import Visitor, demo_settings

TODAY = schema._steps()[0]
NEWER = "The database needs a newer program than this"

Command = Callable[..., Result]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("DATABASE_URL", database_url.replace("+psycopg", ""))
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path / "data"))
    for name in ("DISPENSARY_KEYS", "DISPENSARY_ENV"):
        monkeypatch.delenv(name, raising=False)
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def tomorrow(tmp_path: Path) -> Tomorrow:
    return Tomorrow(tmp_path / "tomorrow")


@pytest.fixture
def ahead(database: Database, tomorrow: Tomorrow) -> Tomorrow:
    """The database after an upgrade that lets the programs of today go on."""
    tomorrow.says("0901_known_as", "ALTER TABLE laboratory ADD COLUMN known_as text")
    tomorrow.brings(database)
    return tomorrow


@pytest.fixture
def left_behind(database: Database, ahead: Tomorrow) -> Tomorrow:
    """The database after a later one, which works with the programs of 0901 and later alone."""
    ahead.adds("0902_no_name", 'op.execute(works_since("0901_known_as"))')
    ahead.brings(database)
    return ahead


def revision(database: Database) -> object:
    with database.reading() as session:
        return session.scalar(text("SELECT version_num FROM alembic_version"))


def works_with(database: Database) -> list[str]:
    with database.reading() as session:
        return list(session.scalars(text("SELECT revision FROM works_with ORDER BY no")))


class TestADatabaseThatIsAhead:
    def test_is_served_and_a_proxy_hears_that_this_program_is_ready(
        self, database: Database, ahead: Tomorrow, tmp_path: Path
    ) -> None:
        assert met(database) == Met(ahead="0901_known_as")
        answer = Visitor(create_app(demo_settings(tmp_path), database)).get("/health/ready")
        assert answer.status_code == 200
        assert answer.json() == {"status": "ready", "detail": "The database is ahead of this program."}
        assert Leadership(database).held()

    def test_is_left_as_it_is_by_migrate_and_its_commands_work(
        self, database: Database, ahead: Tomorrow, run: Command, tmp_path: Path
    ) -> None:
        rights = rights_of(database)
        left = run("migrate")
        assert (left.exit_code, left.output) == (
            0,
            "The database is ahead of this program, at 0901_known_as, and works with it. Nothing was done.\n",
        )
        assert (migrate(database), revision(database), rights_of(database)) == ([], "0901_known_as", rights)
        assert run("verify").output == "All is well: no row breaks a rule.\n"
        taken = run("export", "retention", "--from", "2026-01-01", "--to", "2026-02-01", "--out", tmp_path / "taken")
        assert taken.exit_code == 0, taken.output

    def test_without_its_wall_is_for_the_program_that_brought_it_there(
        self, database: Database, ahead: Tomorrow
    ) -> None:
        with database.engine.begin() as connection:
            connection.exec_driver_sql(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {DESK}")
        whose = "Run `dispensary migrate` of the program that brought it to 0901_known_as first."
        assert met(database).needs == f"The database lacks its second wall. {whose}"


class TestADatabaseThatNeedsANewerProgram:
    def test_is_not_served_and_says_since_which(
        self, database: Database, left_behind: Tomorrow, tmp_path: Path
    ) -> None:
        said = (
            f"{NEWER}: it is at 0902_no_name and works with programs since 0901_known_as, and this one is of {TODAY}."
        )
        assert met(database).needs == said
        answer = Visitor(create_app(demo_settings(tmp_path), database)).get("/health/ready")
        assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "detail": f"{NEWER}."})
        with pytest.raises(CannotServe, match=NEWER):
            serve_on(demo_settings(tmp_path), database)

    @pytest.mark.parametrize(
        "words",
        [
            ("migrate",),
            ("serve",),
            ("worker",),
            ("verify",),
            ("export", "retention", "--from", "2026-01-01", "--to", "2026-02-01"),
            ("backup", "--to", "backups"),
            ("keys", "status"),
        ],
        ids=" ".join,
    )
    def test_each_command_says_so_in_one_line_and_does_nothing(
        self, database: Database, left_behind: Tomorrow, run: Command, words: tuple[str, ...]
    ) -> None:
        refused = run(*words)
        assert (refused.exit_code, refused.output.count("\n")) == (2, 1), refused.output
        assert refused.output.startswith(f"{NEWER}: it is at 0902_no_name")
        assert revision(database) == "0902_no_name"

    def test_is_led_by_a_newer_program_as_soon_as_it_is_so(
        self, database: Database, ahead: Tomorrow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(leading, "MEET_EVERY", 0)
        other = Database(database.url, database.vault, pool_size=3)
        old, new = Leadership(database), Leadership(other)
        assert old.held()
        assert not new.held()
        ahead.adds("0902_no_name", 'op.execute(works_since("0901_known_as"))')
        ahead.brings(database)
        assert not old.held()
        ahead.runs(monkeypatch, of="0901_known_as")
        assert new.held()
        new.give_up()
        other.close()

    def test_is_served_by_the_version_before_while_that_is_stopped(
        self, database: Database, left_behind: Tomorrow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left_behind.runs(monkeypatch, of="0901_known_as")
        assert met(database) == Met(ahead="0902_no_name")
        left_behind.runs(monkeypatch, of="0902_no_name")
        assert met(database) == Met()


def test_a_database_that_went_another_way_is_not_taken_for_a_newer_one(database: Database, ahead: Tomorrow) -> None:
    """A revision that this program does not know, without having been at this program's own."""
    with database.writing() as session:
        session.execute(text("DELETE FROM works_with WHERE revision = :today"), {"today": TODAY})
    assert met(database).needs.startswith(NEWER)
    with database.writing() as session:
        session.execute(text("DROP TABLE works_with"))
    assert met(database).needs == f"{NEWER}: it is at 0901_known_as, and this one is of {TODAY}."


def test_an_older_database_needs_migrating_and_one_without_anything_too(database: Database) -> None:
    assert (met(database), works_with(database)[-1]) == (Met(), TODAY)
    for change in ("UPDATE alembic_version SET version_num = '0066_apart'", "DELETE FROM alembic_version"):
        with database.writing() as session:
            session.execute(text(change))
        assert met(database).needs == "The database is not up to date. Run `dispensary migrate` first."


class TestAStep:
    def test_that_names_no_program_of_this_database_is_refused_whole(self, database: Database, ahead: Tomorrow) -> None:
        known = works_with(database)
        ahead.adds("0902_no_name", 'op.execute("DROP TABLE laboratory_limit")', 'op.execute(works_since("0900_typo"))')
        with pytest.raises(DBAPIError, match="no program of 0900_typo"):
            ahead.brings(database)
        assert (revision(database), works_with(database)) == ("0901_known_as", known)
        assert met(database) == Met(ahead="0901_known_as")

    def test_is_committed_by_itself_with_its_wall_and_the_next_one_fails_alone(
        self, database: Database, tomorrow: Tomorrow
    ) -> None:
        """Between two steps programs work: a guard sees every site's rows, and a new table is in reach."""
        tomorrow.says(
            "0901_anew",
            "CREATE TABLE walled (id uuid PRIMARY KEY)",
            "ALTER TABLE walled ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY wall ON walled FOR SELECT USING (id = ANY (desk_sites()))",
            "ALTER FUNCTION audit_entry_at_home() SECURITY INVOKER",
        )
        tomorrow.says("0902_fails", "ALTER TABLE client ADD COLUMN lost text", "SELECT 1 / 0")
        with pytest.raises(DBAPIError, match="division"):
            tomorrow.brings(database)
        assert revision(database) == "0901_anew"
        assert works_with(database)[-2:] == [TODAY, "0901_anew"]
        with database.reading() as session:
            sees = text("SELECT prosecdef FROM pg_proc WHERE proname = 'audit_entry_at_home'")
            assert session.scalar(sees) is True
            assert session.scalar(text(f"SELECT has_table_privilege('{DESK}', 'walled', 'SELECT')")) is True
            assert not session.scalar(text("SELECT count(*) FROM pg_attribute WHERE attname = 'lost'"))

    def test_does_not_wait_for_whoever_reads_a_view(self, database: Database, tomorrow: Tomorrow) -> None:
        tomorrow.says("0901_known_as", "ALTER TABLE laboratory ADD COLUMN known_as text")
        with database.reading() as session:
            assert session.scalar(text("SELECT count(*) FROM stock_discrepancy")) == 0
            tomorrow.brings(database)
        assert met(database) == Met(ahead="0901_known_as")


def rights_of(database: Database) -> list[tuple[object, ...]]:
    asked = text(
        f"SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = '{DESK}'"
    )
    with database.reading() as session:
        return sorted(tuple(row) for row in session.execute(asked))
