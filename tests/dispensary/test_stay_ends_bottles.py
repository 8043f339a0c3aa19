"""Bottles that are packed or on the way to somebody whose visit is called off, or whose stay ends, are not lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from dispensary.care.visit_models import HomeVisit
from dispensary.care.visits import Purpose, plan_visit
from dispensary.clients.contacts import note_visit_wish
from dispensary.clients.rules import ExitReason
from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.carrying import carried_to
from dispensary.supplies.visits import call_visit_off, move_visit
from dispensary.units import AccountId
from tests.dispensary.phones import Line, line
from tests.dispensary.stays import left
from tests.dispensary.test_carrying import Round
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import hire


@pytest.fixture
def here(database: Database, now: datetime) -> Line:
    return line(database, now)


class TestBottlesOnTheWay:
    @pytest.fixture
    def round_(self, here: Line) -> Round:
        place, client = here.clinic, here.client()
        with here.database.reading() as session:
            site = session.get_one(Site, place.site_id)
        account = hire(here.database, site, "nurse-goes", [Role.NURSE], place.now)
        nurse = Actor(account.id, place.site_id, frozenset({Role.NURSE}), "Nurse", "NU")
        place.decide(client, per_supply=6)
        pickup = prepared(place, client, 1, 2)
        with here.database.writing() as session:
            note_visit_wish(
                session, actor=place.doctor, client_id=client, agreed=True, where="Blue door", today=place.today,
                at=place.now,
            )  # fmt: skip
            plan_visit(
                session, actor=place.doctor, client_id=client, visitor_id=account.id, on=place.today,
                purpose=Purpose.DOSES, today=place.today, at=place.now,
            )  # fmt: skip
        return Round(place, nurse, client, pickup)

    def visit(self, here: Line) -> UUID:
        with here.database.reading() as session:
            return session.scalars(select(HomeVisit.id)).one()

    def refused(self, here: Line) -> str:
        visit = self.visit(here)
        doctor, said = here.clinic.doctor, set()
        assert doctor.account_id is not None
        seen = (here.clinic.today, self.visitor(here))
        for act in (
            lambda s: call_visit_off(s, actor=doctor, visit_id=visit, at=here.clinic.now),
            lambda s: move_visit(
                s,
                actor=doctor,
                visit_id=visit,
                to=here.clinic.today + timedelta(days=1),
                visitor_id=seen[1],
                seen=seen,
                today=here.clinic.today,
                at=here.clinic.now,
            ),
        ):
            with here.database.writing() as session:
                kept = session.begin_nested()
                try:
                    act(session)
                except Refused as why:
                    said.add(why.first.sentence)
                else:
                    said.add("")
                kept.rollback()  # where it is allowed, it is not done
        assert len(said) == 1, "to move it is as little as to call it off"
        return said.pop()

    def visitor(self, here: Line) -> AccountId:
        with here.database.reading() as session:
            return AccountId(session.scalars(select(HomeVisit.visitor_id)).one())

    def test_keep_a_visit_where_it_is_until_they_are_answered_for(self, here: Line, round_: Round) -> None:
        assert self.refused(here) == "", "packed bottles are in the safe, whoever goes and when"
        round_.counts_out()
        assert "counted out to" in self.refused(here)
        round_.takes()
        assert "on the way with 2 bottles" in self.refused(here)
        assert round_.brings_back() == "back"
        assert self.refused(here) == ""
        assert round_.nothing_is_broken()

    def test_counted_out_stay_in_the_safe_when_the_stay_ends(self, here: Line, round_: Round) -> None:
        round_.counts_out()
        left(here, round_.client, ExitReason.DIED)
        assert round_.one("SELECT state FROM carrying") == "called_off"
        assert round_.states() == ["prepared"] * len(round_.states())
        assert round_.closes() == "closed", "and the close puts them back into stock"
        assert set(round_.states()) == {"back_in_stock"}
        assert round_.nothing_is_broken()

    def test_on_the_way_come_back_and_are_counted_in(self, here: Line, round_: Round) -> None:
        round_.goes()
        left(here, round_.client, ExitReason.DIED)
        assert round_.one("SELECT state FROM home_visit") == "called_off"
        assert set(round_.states()) == {"out"}
        with here.database.reading() as session:
            assert [row.state for row, _ in carried_to(session, client_id=round_.client)] == ["out"]
        assert round_.delivers() != "delivered", "nobody hands doses over whose client has died"
        assert set(round_.states()) == {"out"}
        assert round_.brings_back(into_stock=True) == "back"
        assert set(round_.states()) == {"back_in_stock"}
        assert round_.nothing_is_broken()
