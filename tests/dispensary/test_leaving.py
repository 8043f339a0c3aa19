"""Whoever closes an account or takes a role back reads first what the site would be left without; it is not refused."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from dispensary.database import Database
from dispensary.staff.leaving import last_ones
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Act, Role
from dispensary.wall import behind
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import hire, text_of

GIVES = "Nobody else at Harapan may hand over doses"
PRESCRIBES = "Nobody else at Harapan may prescribe"


def page_of(here: Desks, account_id: object) -> str:
    return text_of(here.administrator.get(f"/office/staff/{account_id}"))


def test_the_last_who_gives_and_the_last_who_prescribes_are_named_before_they_go(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    here = desks(database, now, tmp_path)
    pharmacist, doctor = here.place.pharmacist.account_id, here.place.doctor.account_id
    # By the roles, and again where the account is closed.
    assert page_of(here, pharmacist).count(GIVES) == 2
    assert PRESCRIBES not in page_of(here, pharmacist)
    assert page_of(here, doctor).count(PRESCRIBES) == 2

    here.seat(Role.PHARMACIST)  # a second one, who has a password
    assert GIVES not in page_of(here, pharmacist)
    with database.writing() as session:
        session.execute(text("UPDATE account SET accepted_at = NULL WHERE username = 'pharmacist'"))
    assert GIVES in page_of(here, pharmacist)

    # It is said, and it is theirs to decide.
    path = f"/office/staff/{pharmacist}"
    assert here.administrator.post(f"{path}/roles", {"roles": ["nurse"]}).status_code == 303
    with database.reading() as session:
        name = session.get_one(Account, doctor).username
    closed = here.administrator.post(f"/office/staff/{doctor}/close", {"confirmed": name})
    assert closed.headers["location"] == "/office/staff?done=closed"


def test_it_is_said_for_each_site_that_the_administrator_runs_and_by_what_each_site_allows(
    database: Database, now: datetime
) -> None:
    here, there = clinic(database, now), clinic(database, now, code="KLG")
    assert here.pharmacist.account_id is not None
    with database.writing() as session:
        for site in (here.site_id, there.site_id):
            session.execute(
                text("INSERT INTO role_grant (id, account_id, site_id, role) VALUES (gen_random_uuid(), :a, :s, :r)"),
                {"a": here.doctor.account_id, "s": site, "r": "administrator"},
            )
        session.execute(
            text("INSERT INTO role_grant (id, account_id, site_id, role) VALUES (gen_random_uuid(), :a, :s, :r)"),
            {"a": here.pharmacist.account_id, "s": there.site_id, "r": "pharmacist"},
        )

    def said() -> list[tuple[str, Act]]:
        assert here.pharmacist.account_id is not None
        with behind(here.site_id), database.reading() as session:
            found = last_ones(session, actor=here.doctor, account_id=here.pharmacist.account_id)
        return [(last.place.code, last.act) for last in found]

    assert said() == [("HRP", Act.DISPENSE)]
    with database.writing() as session:
        session.execute(
            text("UPDATE account SET left_at = :now WHERE id = :id"), {"now": now, "id": there.pharmacist.account_id}
        )
    assert said() == [("HRP", Act.DISPENSE), ("KLG", Act.DISPENSE)]
    with database.writing() as session:  # over there nurses give doses too, and there is one
        session.execute(
            text(
                "INSERT INTO site_permission (site_id, role, act, allowed, reason, set_by, since)"
                " VALUES (:s, 'nurse', 'dispense', true, 'the law lets them', :by, :at)"
            ),
            {"s": there.site_id, "by": here.doctor.account_id, "at": now},
        )
        site = session.get_one(Site, there.site_id)
        session.expunge(site)
    hire(database, site, "nurse-there", [Role.NURSE], now)
    assert said() == [("HRP", Act.DISPENSE)]
