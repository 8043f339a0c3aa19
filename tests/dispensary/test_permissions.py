"""Permissions are data: the house's document, and what a site has otherwise within its bounds."""

from __future__ import annotations

from datetime import datetime
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from dispensary.database import Database
from dispensary.documents import BadDocument
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff import sessions
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.permission_models import SitePermission
from dispensary.staff.permission_rules import (
    AS_THE_HOUSE,
    Difference,
    as_own,
    may,
    may_change,
    permissions,
    read_permissions,
    roles_for,
    with_change,
)
from dispensary.staff.permissions import changed_at, own_of, set_permission
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import AccountId, SiteId
from tests.dispensary.visiting import hire, open_site

CHANGEABLE = [
    Difference(role, each.act, role in each.may_add)
    for each in permissions().values()
    for role in sorted(each.may_add | each.may_take_away)
]


class TestTheDocument:
    def test_says_of_each_act_who_may_and_why(self) -> None:
        assert set(permissions()) == set(Act)
        assert all(each.roles and each.why.endswith(".") and each.says.endswith(".") for each in permissions().values())

    def test_nobody_but_a_prescriber_can_ever_be_let_prescribe_decide_or_disclose(self) -> None:
        for act in (Act.ORDER, Act.HOLD, Act.DECIDE_TAKE_HOME, Act.DISCLOSE):
            assert (permissions()[act].roles, permissions()[act].may_add) == ({Role.DOCTOR}, frozenset())

    def test_who_only_runs_the_site_the_desk_or_the_figures_can_never_be_let_at_a_record(self) -> None:
        clinical = {Act.LOOK_AT_CLIENT, Act.WATCH_HEALTH, Act.DISPENSE, Act.RESOLVE_ALERT, Act.CARRY, Act.TAKE_PACK}
        outside = {Role.RECEPTION, Role.EVALUATOR, Role.ADMINISTRATOR, Role.PEER_WORKER}
        assert [act for act in clinical if outside & (permissions()[act].roles | permissions()[act].may_add)] == []
        assert permissions()[Act.FIND_CLIENT].roles & outside == {Role.RECEPTION}

    def test_one_that_forgets_an_act_or_contradicts_itself_is_refused_with_every_problem(self) -> None:
        document = """
        [[permission]]
        act = "order"
        says = "Prescribe."
        roles = ["doctor"]
        may_add = ["doctor"]
        colour = "blue"
        why = "So."
        """
        with pytest.raises(BadDocument) as refused:
            read_permissions(document)
        problems = " ".join(refused.value.problems)
        assert "“order” adds a role that has it" in problems
        assert "“run site” is there 0 times." in problems
        assert "colour" in problems


class TestASitesOwn:
    @given(st.sets(st.sampled_from(CHANGEABLE)), st.sampled_from(CHANGEABLE))
    def test_a_change_there_and_back_leaves_the_house_as_it_was(
        self, before: set[Difference], change: Difference
    ) -> None:
        own = with_change(frozenset(before), change)
        assert (change.role in roles_for(change.act, own)) is change.allowed
        back = with_change(own, change._replace(allowed=not change.allowed))
        assert roles_for(change.act, back) == roles_for(change.act, frozenset(before) - {change})

    @given(st.sampled_from(Role), st.sampled_from(Act), st.booleans())
    def test_what_lies_outside_the_documents_bounds_counts_for_nothing(
        self, role: Role, act: Act, allowed: bool
    ) -> None:
        own = frozenset({Difference(role, act, allowed)})
        inside = permissions()[act].bounds(role)
        assert roles_for(act, own) == permissions()[act].roles or inside
        refusal = may_change(AS_THE_HOUSE, Difference(role, act, allowed), [frozenset(Role)])
        assert inside or (refusal is not None and refusal.code == "permission-fast")

    def test_a_role_or_an_act_that_this_version_does_not_know_allows_nothing(self) -> None:
        assert as_own([("wizard", "dispense", "true"), ("nurse", "fly", "true")]) == AS_THE_HOUSE


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def farid(database: Database, site: Site, now: datetime) -> Actor:
    account = hire(database, site, "farid", [Role.ADMINISTRATOR], now)
    return Actor(AccountId(account.id), SiteId(site.id), frozenset({Role.ADMINISTRATOR}), "Farid")


class TestChangingIt:
    def change(self, database: Database, actor: Actor, at: datetime, *change: object, reason: str = "Our law") -> None:
        role, act, allowed = change
        with database.writing() as session:
            set_permission(session, actor=actor, role=role, act=act, allowed=allowed, reason=reason, at=at)  # type: ignore[arg-type]

    def test_it_counts_from_the_next_request_on_whichever_process_hears_it(
        self, database: Database, database_url: str, site: Site, farid: Actor, now: datetime
    ) -> None:
        hire(database, site, "aishah", [Role.PHARMACIST], now)
        kavitha = hire(database, site, "kavitha", [Role.NURSE], now)
        other = Database(database_url, database.vault)
        with database.writing() as session:
            token = sessions.let_in(session, account=session.merge(kavitha), by="password", at=now)

        def nurse_may(process: Database) -> bool:
            who = process.glance(lambda glance: sessions.signed_in(glance, token=token, at=now))
            assert who is not None
            return who.actor.may(Act.DISPENSE)

        try:
            heard = [nurse_may(database), nurse_may(other)]
            self.change(database, farid, now, Role.NURSE, Act.DISPENSE, True)
            heard += [nurse_may(other), nurse_may(database)]
            self.change(other, farid, now, Role.NURSE, Act.DISPENSE, False)
            heard += [nurse_may(database), nurse_may(other)]
        finally:
            other.close()
        assert heard == [False, False, True, True, False, False]

    def test_it_is_kept_with_who_when_and_why_and_each_step_is_in_the_trail(
        self, database: Database, site: Site, farid: Actor, now: datetime
    ) -> None:
        self.change(database, farid, now, Role.NURSE, Act.DISPENSE, True, reason="Nurses  dispense here by decree")
        self.change(database, farid, now, Role.NURSE, Act.DISPENSE, True)
        with database.reading() as session:
            (kept,) = changed_at(session, SiteId(site.id))
        assert (kept.role, kept.act, kept.allowed) == (Role.NURSE, Act.DISPENSE, True)
        assert (kept.by, kept.reason) == ("Farid", "Nurses dispense here by decree")
        self.change(database, farid, now, Role.NURSE, Act.DISPENSE, False)
        with database.reading() as session:
            assert own_of(session, SiteId(site.id)) == AS_THE_HOUSE
            acts = session.scalars(select(AuditEntry.act).where(AuditEntry.subject == "site")).all()
        assert acts[-2:] == ["allow", "disallow"]

    def test_what_a_site_cannot_go_without_is_never_taken_from_its_last(
        self, database: Database, site: Site, farid: Actor, now: datetime
    ) -> None:
        hire(database, site, "aishah", [Role.PHARMACIST], now)
        with pytest.raises(NotAllowed) as refused:
            self.change(database, farid, now, Role.PHARMACIST, Act.RECEIVE_STOCK, False)
        assert refused.value.first.code == "permission-nobody-left"
        self.change(database, farid, now, Role.NURSE, Act.RECEIVE_STOCK, True)
        with pytest.raises(NotAllowed):  # nurses may, but no nurse works here
            self.change(database, farid, now, Role.PHARMACIST, Act.RECEIVE_STOCK, False)
        hire(database, site, "kavitha", [Role.NURSE], now)
        self.change(database, farid, now, Role.PHARMACIST, Act.RECEIVE_STOCK, False)
        with database.reading() as session:
            assert roles_for(Act.RECEIVE_STOCK, own_of(session, SiteId(site.id))) == {Role.NURSE}

    def test_two_who_each_take_one_of_the_last_two_away_at_once_leave_one(
        self, database: Database, site: Site, farid: Actor, now: datetime
    ) -> None:
        for name, role in (("aishah", Role.PHARMACIST), ("kavitha", Role.NURSE), ("siti", Role.DOCTOR)):
            hire(database, site, name, [role], now)
        self.change(database, farid, now, Role.NURSE, Act.RECEIVE_STOCK, True)
        ready, refused = Barrier(2), []

        def take(role: Role) -> None:
            ready.wait()
            try:
                self.change(database, farid, now, role, Act.RECEIVE_STOCK, False)
            except Refused as reason:
                refused.append(reason.first.code)

        both = [Thread(target=take, args=[role]) for role in (Role.PHARMACIST, Role.NURSE)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        assert refused == ["permission-nobody-left"]
        with database.reading() as session:
            assert len(roles_for(Act.RECEIVE_STOCK, own_of(session, SiteId(site.id)))) == 1

    def test_another_site_an_outsider_or_no_reason_change_nothing(
        self, database: Database, site: Site, farid: Actor, now: datetime
    ) -> None:
        aishah = Actor(farid.account_id, SiteId(site.id), frozenset({Role.PHARMACIST}))
        with pytest.raises(NotAllowed):
            self.change(database, aishah, now, Role.NURSE, Act.DISPENSE, True)
        with pytest.raises(BadInput):
            self.change(database, farid, now, Role.NURSE, Act.DISPENSE, True, reason="  x ")
        with pytest.raises(NotAllowed):
            self.change(database, farid, now, Role.RECEPTION, Act.LOOK_AT_CLIENT, True)
        self.change(database, farid, now, Role.NURSE, Act.DISPENSE, True)
        there = open_site(database, now, code="SAT", name="Satellite")
        with database.reading() as session:
            assert own_of(session, SiteId(there.id)) == AS_THE_HOUSE
            assert session.scalar(select(func.count()).select_from(SitePermission)) == 1
        assert not may([Role.NURSE], Act.DISPENSE)
