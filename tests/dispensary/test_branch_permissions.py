"""What a branch allows whom: set at all its sites in one act, by whoever runs all of them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.refusals import NotAllowed, NotThere
from dispensary.staff.branch_permissions import branches_run_above, set_permission_at_branch
from dispensary.staff.branch_rules import Kind
from dispensary.staff.branches import add_area, grant_at_branch, place_site
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.permission_rules import Difference, permissions
from dispensary.staff.permissions import own_of, set_permission
from dispensary.staff.rules import Act, Actor, Role, the_program
from dispensary.units import AccountId, SiteId
from tests.builders import Clinic
from tests.dispensary.branch_place import Programme, programme
from tests.dispensary.desk_place import desks
from tests.dispensary.visiting import hire, open_site, text_of

CHANGE = next(
    Difference(role, each.act, True)
    for each in permissions().values()
    for role in sorted(each.may_add)
)  # fmt: skip


@pytest.fixture
def here(database: Database, now: datetime) -> Programme:
    return programme(database, now)


def lets(here: Programme, actor: Actor, branch: str, change: Difference = CHANGE) -> int:
    with here.database.writing() as session:
        return set_permission_at_branch(
            session, actor=actor, branch=branch, role=change.role, act=change.act, allowed=change.allowed,
            reason="the ministry's letter of May", at=here.main.now,
        )  # fmt: skip


def has(here: Programme, place: Clinic) -> bool:
    with here.database.reading() as session:
        return CHANGE in own_of(session, place.site_id)


class TestABranch:
    def test_has_it_at_each_of_its_sites_with_an_entry_in_each_trail_and_nowhere_else(self, here: Programme) -> None:
        assert lets(here, here.chief, "P1") == 2
        assert (has(here, here.main), has(here, here.satellite), has(here, here.other)) == (True, True, False)
        with here.database.reading() as session:
            said = session.scalars(select(AuditEntry.site_id).where(AuditEntry.act == "allow")).all()
        assert sorted(said) == sorted([here.main.site_id, here.satellite.site_id])
        assert lets(here, here.chief, "MY") == 1, "those that have it already are left alone"
        assert lets(here, here.chief, "MY", replace_allowed(False)) == 3
        assert not has(here, here.other)

    def test_is_set_by_whoever_runs_all_of_it_alone(self, here: Programme, now: datetime) -> None:
        with here.database.reading() as session:
            site = session.get_one(Site, here.main.site_id)
            session.expunge(site)
        account = hire(here.database, site, "one-site", [Role.ADMINISTRATOR], now)
        one = Actor(AccountId(account.id), here.main.site_id, frozenset({Role.ADMINISTRATOR}), "One", "ON")
        for branch in ("P1", "HRP", "MY"):
            with pytest.raises(NotAllowed):
                lets(here, one, branch)
        with pytest.raises(NotThere):
            lets(here, here.chief, "NOWHERE")
        assert not has(here, here.main)
        with here.database.reading() as session:
            assert branches_run_above(session, one) == []
            assert [each.code for each in branches_run_above(session, here.chief)] == ["HRP", "D1", "P1", "MY"]
            assert [each.code for each in branches_run_above(session, here.chief_at(here.other))] == ["MY"]

    def test_refused_at_one_site_is_changed_at_none(self, here: Programme) -> None:
        with here.database.writing() as session:
            set_permission(
                session, actor=here.chief, role=Role.NURSE, act=Act.RECEIVE_STOCK, allowed=True,
                reason="she unpacks", at=here.main.now,
            )  # fmt: skip
            before = own_of(session, here.main.site_id)
        with pytest.raises(NotAllowed) as refused:  # at the main site the nurse is left, elsewhere nobody
            lets(here, here.chief, "MY", Difference(Role.PHARMACIST, Act.RECEIVE_STOCK, False))
        assert refused.value.first.code == "permission-nobody-left"
        assert refused.value.first.sentence.split(":")[0] in {"KLG", "OTH"}
        with here.database.reading() as session:
            assert own_of(session, here.main.site_id) == before
            assert own_of(session, here.other.site_id) == frozenset()


def replace_allowed(allowed: bool) -> Difference:
    return CHANGE._replace(allowed=allowed)


def test_the_page_asks_where_and_sets_it_at_all_of_them(database: Database, now: datetime, tmp_path: Path) -> None:
    desk = desks(database, now, tmp_path)
    asked = f"/office/permissions?act={CHANGE.act.value}&role={CHANGE.role.value}"
    assert "At this site alone" not in text_of(desk.administrator.get(asked)), (
        "a clinic that stands alone has no branch"
    )

    site_id = desk.place.site_id
    other = open_site(database, now, "OTH")
    program = the_program(site_id)
    with database.writing() as session:
        add_area(session, actor=program, kind=Kind.COUNTRY, code="MY", name="Malaysia", parent="", at=now)
        for each in (site_id, SiteId(other.id)):
            place_site(session, actor=program, site_id=each, parent="MY", lat=None, lon=None, at=now)
        grant_at_branch(session, actor=program, username="administrator", branch="MY", role=Role.ADMINISTRATOR, at=now)
    assert "At all 2 sites of Malaysia" in text_of(desk.administrator.get(asked))
    form = {"act": CHANGE.act.value, "role": CHANGE.role.value, "allowed": "yes", "branch": "MY"}
    short = desk.administrator.post("/office/permissions", {**form, "reason": "law"})
    assert (short.status_code, '<option value="MY" selected>' in short.text) == (422, True), "what was chosen is kept"
    assert desk.administrator.post("/office/permissions", {**form, "reason": "the law of May"}).status_code == 303
    with database.reading() as session:
        assert all(CHANGE in own_of(session, each) for each in (site_id, SiteId(other.id)))
    refused = desk.administrator.post("/office/permissions", {**form, "branch": "NOWHERE", "reason": "the law of May"})
    assert refused.status_code == 404
