"""A site is opened from a branch's page as from the command line: in its place, run by whoever runs the branch."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from dispensary.cli import main
from dispensary.commands import parts
from dispensary.database import Database
from dispensary.staff.audit import broken_links
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.rules import Role, the_program
from dispensary.takehome.opening import Missing, missing_at
from dispensary.units import SiteId
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, text_of

NEW = {"code": "klg", "name": "Klang clinic", "zone": "Asia/Kuala_Lumpur", "region": "MY", "language": "ms",
       "day_starts": "04:00", "lat": "3.0449", "lon": "101.4456"}  # fmt: skip


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """HRP lies in province SEL of Malaysia; its administrator runs the country."""
    here = desks(database, now, tmp_path)
    here.seat(Role.ADMINISTRATOR)
    with database.writing() as session:
        program = the_program(here.place.site_id)
        for kind, code, parent in ((Kind.COUNTRY, "MY", ""), (Kind.PROVINCE, "SEL", "MY")):
            add_area(
                session, actor=program, kind=kind, code=code, name=f"Area {code}", parent=parent,
                zone="Asia/Kuala_Lumpur", at=now,
            )  # fmt: skip
        place_site(session, actor=program, site_id=here.place.site_id, parent="SEL", lat=None, lon=None, at=now)
        grant_at_branch(session, actor=program, username="administrator", branch="MY", role=Role.ADMINISTRATOR, at=now)
    return here


def sends(visitor: Visitor, parent: str, key: str = "", **fields: object) -> object:
    return visitor.post("/programme/sites/new", {"parent": parent, "key": key or str(uuid4()), **NEW, **fields})


def rows(here: Desks, sql: str, **values: object) -> list[tuple[object, ...]]:
    with here.database.reading() as session:
        return [tuple(row) for row in session.execute(text(sql), values)]


def id_of(here: Desks, code: str) -> SiteId:
    return SiteId(rows(here, "SELECT id FROM site WHERE code = :code", code=code)[0][0])  # type: ignore[arg-type]


def test_a_site_is_opened_in_its_province_and_says_what_it_lacks(here: Desks) -> None:
    chief = here.administrator
    assert "Open a site here" in text_of(chief.get("/programme/tree?at=SEL"))
    form = chief.get("/programme/sites/new?at=SEL")
    assert 'value="Asia/Kuala_Lumpur"' in form.text

    key = str(uuid4())
    for _ in range(2):  # pressed twice, it is opened once
        sent = sends(chief, "SEL", key, drafts=["ta"])
        assert (sent.status_code, sent.headers["location"]) == (303, "/programme/tree?at=KLG&done=opened")
    assert rows(
        here,
        "SELECT s.name, s.zone, s.region, s.language, s.day_starts::text, s.lat::float, s.lon::float, a.code, p.zone"
        " FROM site s JOIN area a ON a.id = s.area_id JOIN place p ON p.id = s.id WHERE s.code = 'KLG'",
    ) == [("Klang clinic", "Asia/Kuala_Lumpur", "MY", "ms", "04:00:00", pytest.approx(3.0449), pytest.approx(101.4456),
           "SEL", "Asia/Kuala_Lumpur")]  # fmt: skip
    accepted = "SELECT language FROM text_language WHERE site_id = :site"
    assert rows(here, accepted, site=id_of(here, "KLG")) == [("ta",)]

    page = text_of(chief.get(sent.headers["location"]))
    for lacks in ("gives doses", "prescribes", "Hours in which", "Methadone in its safe", "take-home policy"):
        assert lacks in page, lacks
    site_id = id_of(here, "KLG")
    with here.database.reading() as session:
        assert missing_at(session, site_id=site_id, today=here.today) == tuple(Missing)
        assert list(broken_links(session, site_id=site_id)) == []
    (who,) = rows(here, "SELECT id FROM account WHERE username = 'administrator'")[0]
    acts = "SELECT act, account_id FROM audit_entry WHERE site_id = :site ORDER BY seq"
    assert rows(here, acts, site=site_id)[0] == ("open site", who)
    by_branch = rows(here, "SELECT direct FROM role_grant WHERE site_id = :site", site=site_id)
    assert by_branch == [(False,)]

    assert chief.post("/switch-site", {"code": "KLG"}).status_code == 303
    assert 'href="/office/hours"' in chief.get("/programme/tree?at=KLG").text
    assert chief.get("/office/hours").status_code == 200
    assert findings(here.database, here.place.now) == []


def test_a_satellite_has_the_days_of_its_main_site_and_needs_neither_prescriber_nor_policy(here: Desks) -> None:
    chief = here.administrator
    form = text_of(chief.get("/programme/sites/new?at=HRP"))
    assert "A satellite of Harapan (HRP)" in form
    assert sends(chief, "HRP", zone="", day_starts="", lat="", lon="").status_code == 303
    assert rows(here, "SELECT zone, day_starts, main_site_id FROM site WHERE code = 'KLG'") == rows(
        here, "SELECT zone, day_starts, id FROM site WHERE code = 'HRP'"
    )
    with here.database.reading() as session:
        lacks = missing_at(session, site_id=id_of(here, "KLG"), today=here.today)
    assert lacks == (Missing.PHARMACIST, Missing.HOURS, Missing.STOCK)
    assert chief.get("/programme/sites/new?at=KLG").status_code == 404, "a satellite has no satellites"


def test_everything_that_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(here: Desks) -> None:
    chief = here.administrator
    wrong = {"code": "a b", "name": " ", "zone": "Mars", "region": "ZZ", "language": "xx", "day_starts": "15:00"}
    bad = sends(chief, "SEL", **wrong, lat="1", lon="")
    assert (bad.status_code, bad.text.count('aria-invalid="true"')) == (422, 7), text_of(bad)
    assert 'value="Mars"' in bad.text
    assert 'value="a b"' in bad.text
    for taken in ("HRP", "SEL"):
        again = sends(chief, "MY", code=taken, name="Another clinic")
        assert again.status_code in (409, 422)
        assert 'value="Another clinic"' in again.text
    assert sends(chief, "NOWHERE").status_code == 404
    assert rows(here, "SELECT count(*) FROM site") == [(1,)]


def test_nobody_opens_a_site_in_a_branch_that_they_do_not_run(here: Desks) -> None:
    clinic(here.database, here.place.now, code="OTH")
    with here.database.writing() as session:
        session.execute(text("DELETE FROM branch_grant"))
    assert "Open a site here" not in text_of(here.administrator.get("/programme/tree?at=SEL"))
    for parent in ("SEL", ""):  # HRP is theirs by a role at the site itself, and OTH is not
        refused = sends(here.administrator, parent)
        assert (refused.status_code, "Only an administrator of the whole branch" in text_of(refused)) == (403, True)
    assert sends(here.administrator, "HRP").status_code == 303, "a satellite of their own site"
    assert rows(here, "SELECT role, direct FROM role_grant WHERE site_id = :s", s=id_of(here, "KLG")) == [
        ("administrator", True)
    ]


def test_the_command_line_opens_it_by_the_same_function(
    here: Desks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "vault_of", lambda _: here.database.vault)
    monkeypatch.setenv("DATABASE_URL", here.database.url)
    monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path))
    asked = ["open-site", "JB", "--name", "Johor", "--zone", "Asia/Kuala_Lumpur", "--region", "MY", "--administrator",
             "lim", "--person", "Lim", "--initials", "LI", "--password", "papaya on the verandah"]  # fmt: skip
    refused = CliRunner().invoke(main, [*asked, "--parent", "NOWHERE"])
    assert (refused.exit_code, "NOWHERE" in refused.output) == (2, True)
    opened = CliRunner().invoke(main, [*asked, "--parent", "SEL"])
    assert opened.exit_code == 0, opened.output
    assert rows(here, "SELECT a.code FROM site s JOIN area a ON a.id = s.area_id WHERE s.code = 'JB'") == [("SEL",)]
