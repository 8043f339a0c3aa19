"""The page of the programme's tree: begun from nothing, mistakes beside their fields, and each change undone."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dispensary.cli import main
from dispensary.commands import parts
from dispensary.database import Database
from dispensary.staff.rules import Role
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_branches import FILE
from tests.dispensary.visiting import hire, open_site, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def of(here: Desks, table: str, code: str) -> object:
    with here.database.reading() as session:
        return session.scalar(text(f"SELECT id FROM {table} WHERE code = :code"), {"code": code})


def test_a_clinic_that_stands_alone_begins_a_tree_and_each_change_of_it_is_undone(here: Desks) -> None:
    chief = here.administrator
    assert "This clinic stands alone." in text_of(chief.get("/programme/tree"))

    begun = chief.post("/programme/areas", {"code": "my", "name": "Malaysia"})
    assert begun.headers["location"].startswith("/programme/tree?at=MY&done=added")
    long = "A province with a name as long as any " + "x" * 82
    for code, name in (("SEL", "Selangor"), ("LONG", long)):
        assert chief.post("/programme/areas", {"parent": "MY", "kind": "province", "code": code, "name": name})
    shown = text_of(chief.get("/programme/tree?at=MY"))
    assert long in shown
    assert "Harapan (HRP)" in shown, "what lies in no area yet is named"

    site_id = of(here, "site", "HRP")
    placed = chief.post(f"/programme/sites/{site_id}", {"site_parent": "sel", "lat": "3.139", "lon": "101.6869"})
    assert "Undo" in chief.get(placed.headers["location"]).text
    moved = chief.post(f"/programme/sites/{site_id}", {"site_parent": "LONG", "lat": "3.139", "lon": "101.6869"})
    assert "was=SEL%7C3.13900%7C101.68690" in moved.headers["location"]
    chief.post(f"/programme/sites/{site_id}", {"site_parent": "SEL", "lat": "3.139", "lon": "101.6869", "undo": "yes"})
    assert "HRP Harapan site 1 3.139, 101.6869" in text_of(chief.get("/programme/tree?at=SEL"))
    assert here.acts_about(site_id)[-3:] == ["placed site"] * 3

    area_id = of(here, "area", "LONG")
    changed = chief.post(f"/programme/areas/{area_id}", {"area_name": "Short", "area_parent": "MY"})
    assert chief.get(changed.headers["location"]).text.count(long) == 1, "in the form that undoes it"
    assert chief.post(f"/programme/areas/{area_id}/remove").status_code == 303
    refused = chief.post(f"/programme/areas/{of(here, 'area', 'SEL')}/remove")
    assert (refused.status_code, "is not empty" in text_of(refused)) == (409, True)


def test_mistakes_are_said_beside_their_fields_and_what_was_typed_stays(here: Desks) -> None:
    chief = here.administrator
    chief.post("/programme/areas", {"code": "MY", "name": "Malaysia"})
    bad = chief.post(
        "/programme/areas", {"parent": "MY", "kind": "province", "code": "a b", "name": "", "zone": "Mars"}
    )
    assert (bad.status_code, bad.text.count('aria-invalid="true"')) == (422, 3)
    assert 'value="Mars"' in bad.text
    off = chief.post(f"/programme/sites/{of(here, 'site', 'HRP')}", {"site_parent": "MY", "lat": "1", "lon": ""})
    assert (off.status_code, 'value="1"' in off.text) == (422, True)
    assert chief.get("/programme/tree?at=NOWHERE").status_code == 404


def test_a_role_at_a_branch_opens_the_pages_of_its_sites_and_is_shown_as_such_among_the_staff(here: Desks) -> None:
    chief = here.administrator
    other = open_site(here.database, here.place.now, code="OTH", name="Other")
    hire(here.database, other, "sara", [Role.RECEPTION], here.place.now)
    with here.database.writing() as session:  # the other site has an administrator of its own, who agrees
        hire_id = session.scalar(text("SELECT account_id FROM role_grant WHERE role = 'administrator'"))
        session.execute(
            text("""INSERT INTO role_grant (id, account_id, site_id, role) VALUES (gen_random_uuid(), :who, :site,
                    'administrator')"""),
            {"who": hire_id, "site": other.id},
        )
    chief.post("/programme/areas", {"code": "MY", "name": "Malaysia"})
    for code in ("HRP", "OTH"):
        assert chief.post(f"/programme/sites/{of(here, 'site', code)}", {"site_parent": "MY"}).status_code == 303
    given = chief.post("/programme/roles", {"branch": "MY", "username": "sara", "role": "nurse"})
    assert given.status_code == 303
    assert "sara" in text_of(chief.get("/programme/tree?at=MY"))
    assert "by a branch" in chief.get(f"/office/staff/{of_account(here, 'sara')}").text
    nobody = chief.post("/programme/roles", {"branch": "MY", "username": "nobody", "role": "nurse"})
    assert (nobody.status_code, "There is no account" in text_of(nobody)) == (422, True)
    with here.database.reading() as session:
        grant_id = session.scalar(text("SELECT id FROM branch_grant WHERE role = 'nurse'"))
    assert chief.post(f"/programme/roles/{grant_id}/take-back", {"branch": "MY"}).status_code == 303
    with here.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM role_grant WHERE role = 'nurse' AND NOT direct")) == 0


def of_account(here: Desks, username: str) -> object:
    with here.database.reading() as session:
        return session.scalar(text("SELECT id FROM account WHERE username = :name"), {"name": username})


def test_the_command_line_takes_a_file_of_sites_and_gives_the_first_role(
    database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "vault_of", lambda _: database.vault)
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path))
    file = tmp_path / "sites.csv"
    file.write_bytes(FILE + b"KL-9,Nine,NOWHERE,main,,,,\n")

    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, arguments)
        return result.exit_code, result.output

    assert run("import", "sites", str(file), "--region", "MY") == (
        2, "Line 6: There is no “NOWHERE” that KL-9 could lie in. Correct its parent, or add that line.\n"
    )  # fmt: skip
    file.write_bytes(FILE)
    assert run("import", "sites", str(file), "--region", "MY", "--dry-run")[1].endswith("nothing was changed.\n")
    code, said = run("import", "sites", str(file), "--region", "MY")
    assert (code, said.splitlines()[0]) == (0, "2 areas made, 2 sites opened, 0 changed.")
    hire(database, open_site(database, now, code="HQ"), "chief", [Role.ADMINISTRATOR], now)
    assert run("branch-role", "SEL", "chief")[0] == 0
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM role_grant WHERE NOT direct")) == 2
        assert session.scalar(text("SELECT count(*) FROM place")) == 2
