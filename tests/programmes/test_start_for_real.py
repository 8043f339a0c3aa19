"""A real clinic is opened from a folder: its place and its people, invited, and nobody of its records."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from dispensary.care.offers import pathway_of
from dispensary.care.own_documents import plans_there
from dispensary.cli import main
from dispensary.commands import parts
from dispensary.database import Database
from dispensary.programmes.reading import BadProgramme, read_place
from dispensary.staff.invitations import invited_by
from dispensary.staff.rules import Role
from dispensary.units import SiteId
from tests.programmes.test_new_programme import example


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The place of the page's example, without its people and its figures."""
    made = example(tmp_path / "two-villages")
    for name in ("records.toml", "published.toml"):
        (made / name).unlink()
    return made


@pytest.fixture
def types(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(parts, "vault_of", lambda _: database.vault)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path))
    return lambda *asked: CliRunner().invoke(main, ["open-programme", *map(str, asked)])


NOBODY = ("client", "dose", "register_line", "lot", "counter_pin", "screening", "naloxone_kit", "contact_note")
SETTINGS = ("opening", "instrument_setting", "pathway_setting", "policy_adoption", "paper_setting")


def counted(database: Database, *tables: str) -> list[int]:
    with database.reading() as session:
        return [session.scalar(text(f"SELECT count(*) FROM {table}")) or 0 for table in tables]


def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.reading() as session:
        return [tuple(row) for row in session.execute(text(statement))]


def changed(folder: Path, old: str, new: str) -> None:
    words = (folder / "programme.toml").read_text("utf-8")
    assert old in words
    (folder / "programme.toml").write_text(words.replace(old, new), "utf-8")


def test_the_page_s_own_place_is_opened_with_everything_but_people_s_records(
    database: Database, folder: Path, types: object
) -> None:
    assert callable(types)
    said: Result = types(folder)
    assert said.exit_code == 0, said.output
    sites = "SELECT s.code, m.code FROM site s LEFT JOIN site m ON m.id = s.main_site_id ORDER BY 1"
    assert rows(database, sites) == [("EX", None), ("EX-K", "EX")]
    assert rows(database, "SELECT code FROM area") == [("MY",)]
    assert counted(database, *NOBODY) == [0] * len(NOBODY)
    assert rows(database, "SELECT DISTINCT accepted_at IS NULL FROM account") == [(True,)], "nobody has a password"
    assert counted(database, *SETTINGS) == [7, 2, 1, 1, 1]
    assert rows(
        database, "SELECT policy FROM policy_adoption a JOIN policy_version v ON v.id = a.policy_version_id"
    ) == [("EXAMPLE-WEEKLY",)]
    (reason,) = rows(database, "SELECT reason FROM instrument_setting WHERE used AND band_told")[0]
    assert reason == "The cut-off of this example. As the folder “two-villages” had it when the site was opened."
    assert rows(database, "SELECT role FROM branch_grant ORDER BY 1") == [
        (Role.ADMINISTRATOR.value,), (Role.EVALUATOR.value,),
    ]  # fmt: skip
    codes = re.findall(r"(\S+)”\) is invited: \S+/invited#(\S+)", said.output)
    assert len(codes) == 4
    with database.reading() as session:
        for username, code in codes:
            assert invited_by(session, code=code, at=parts.now()).username == username.lstrip("(“")
    assert "It still lacks: stock." in said.output
    assert rows(database, "SELECT instrument, used FROM instrument_setting ORDER BY 1") == [
        ("dast10", False), ("srq20", True),
    ]  # fmt: skip
    with database.reading() as session:
        (site_id,) = session.execute(text("SELECT id FROM site WHERE code = 'EX'")).one()
        pathway = pathway_of(session, site_id=SiteId(site_id))
        assert pathway is not None
        assert pathway.name == "By distress, as this example has it"
        assert "ex-four-weeks" in plans_there(session)


def test_a_second_time_changes_nothing_and_a_dry_run_neither(database: Database, folder: Path, types: object) -> None:
    assert callable(types)
    tables = ("site", "area", "account", "invitation", "audit_entry", "policy_adoption", "instrument_setting")
    before = counted(database, *tables)
    tried: Result = types(folder, "--dry-run")
    assert tried.output.count("has these roles at every site of MY, those that were there before too") == 1
    assert (tried.exit_code, "Dry run" in tried.output, "invited#" in tried.output) == (0, True, False)
    assert counted(database, *tables) == before
    assert types(folder).exit_code == 0
    once = counted(database, *tables)
    again: Result = types(folder)
    assert again.exit_code == 0
    assert "There already, and left as they are: EX, EX-K." in again.output
    assert counted(database, *tables) == once


def test_what_is_there_stays_and_a_new_site_joins_it(database: Database, folder: Path, types: object) -> None:
    assert callable(types)
    assert types(folder).exit_code == 0
    with database.writing() as session:
        session.execute(text("UPDATE instrument_setting SET every_months = 12"))
    changed(folder, 'code = "EX-K"\nname = "Kampung, a', 'code = "EX-L"\nname = "Laut, another')
    said: Result = types(folder)
    assert said.exit_code == 0, said.output
    assert "“kampung” works here too, and signs in as before." in said.output
    assert "invited#" not in said.output
    assert rows(database, "SELECT DISTINCT every_months FROM instrument_setting") == [(12,)]
    assert counted(database, "site", "account") == [3, 4]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "Example clinic"', 'name = "Another clinic"', "EX: its name is “Example clinic” there"),
        ('name = "Malaysia"', 'name = "Brunei"', "MY: its name is “Malaysia” there, and “Brunei”"),
        ('zone = "Asia/Kuala_Lumpur"', 'zone = "Asia/Brunei"', "EX-K: its time zone is “Asia/Kuala_Lumpur” there"),
        ('code = "EX-K"\nname = "Kampung, a satellite"\nparent = "EX"', 'code = "MY"\nname = "K"\nparent = "EX"',
         "MY"),
        ('code = "EX-K"', 'code = "EX-M"', ""),
        ('code = "EX-K"\nname = "Kampung, a satellite"\nparent = "EX"\nzone = "Asia/Kuala_Lumpur"\nregion = "MY"\n\n'
         '[[site.staff]]\nusername = "kampung"\nname = "Lina binti Said"',
         'code = "EX-M"\nname = "Kampung, a satellite"\nparent = "EX"\nzone = "Asia/Kuala_Lumpur"\nregion = "MY"\n\n'
         '[[site.staff]]\nusername = "kampung"\nname = "Somebody Else"',
         "EX-M: the account “kampung” is another person's there"),
    ],
)  # fmt: skip
def test_a_difference_is_told_and_nothing_is_opened(
    database: Database, folder: Path, types: object, old: str, new: str, told: str
) -> None:
    assert callable(types)
    assert types(folder).exit_code == 0
    tables = ("site", "area", "account", "invitation", "audit_entry")
    before = counted(database, *tables)
    changed(folder, old, new)
    said: Result = types(folder)
    if not told:
        assert said.exit_code == 0, said.output
        return
    assert said.exit_code == 2
    assert told in said.output
    assert counted(database, *tables) == before


def test_what_a_service_refuses_names_the_site_and_keeps_nothing(
    database: Database, folder: Path, types: object
) -> None:
    assert callable(types)
    changed(folder, 'roles = ["doctor", "nurse"]', 'roles = ["nurse"]')
    said: Result = types(folder)
    assert said.exit_code == 2
    assert "programme.toml, EX: A doctor of the site sets this." in said.output
    assert counted(database, "site", "area", "account") == [0, 0, 0]


def test_a_programme_that_comes_with_the_program_is_copied_first(types: object, folder: Path) -> None:
    assert callable(types)
    said: Result = types("harapan")
    assert (said.exit_code, "Copy its folder" in said.output) == (2, True)
    assert "There is no folder" in types("nowhere").output
    with pytest.raises(BadProgramme, match=r"programme\.toml"):
        read_place(str(folder.parent))
