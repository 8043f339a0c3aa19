"""Who must have a second factor: told in time, then led to set one up and to nothing else, and never kept from it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from litestar import Litestar
from sqlalchemy import event

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed
from dispensary.staff import factor_setting, factors, sessions
from dispensary.staff.factor_rules import Demand
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Actor, Role, the_program
from tests.dispensary.factored import has_authenticator
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, acts_of, hire, text_of


def asks(database: Database, site: Site, demand: Demand, at: datetime, days: int = 7) -> None:
    with database.writing() as session:
        factor_setting.ask_for(session, actor=the_program(site.id), demand=demand, grace_days=days, at=at)


@pytest.fixture
def ada(database: Database, site: Site, now: datetime) -> Account:
    return hire(database, site, "ada", [Role.ADMINISTRATOR], now)


def in_as(app: Litestar, name: str) -> Visitor:
    visitor = Visitor(app)
    assert visitor.signs_in(name).status_code == 303
    return visitor


class TestTheGrace:
    def test_for_seven_days_a_line_says_so_and_then_nothing_else_opens(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, doctor: Visitor
    ) -> None:
        asks(database, site, Demand.ALL, clock())
        assert "Set up your second factor by Tue 1 Dec 2026, 07:00" in text_of(doctor.get("/"))
        assert doctor.get("/a-desk").status_code == 200
        clock.goes_on(days=7, seconds=-1)
        assert in_as(app, "siti").get("/a-desk").status_code == 200
        clock.goes_on(seconds=1)
        late = in_as(app, "siti")
        answer = late.get("/a-desk")
        assert (answer.status_code, answer.headers["location"]) == (303, "/second-factor?done=due&next=/a-desk")
        assert "Nothing else opens" in text_of(late.get(answer.headers["location"]))
        for path in ("/", "/pin", "/office/site", "/consulting"):
            assert late.get(path).headers["location"].startswith("/second-factor?done=due"), path
        posted = late.post("/pin/remove")
        assert (posted.status_code, "second-factor-due" in text_of(posted)) == (403, True)
        answer = late.get("/api/whoami")
        assert (answer.status_code, answer.json()["code"]) == (403, "second-factor-due")
        assert late.get("/awake").status_code == 204
        assert late.get("/second-factor/app").status_code == 200
        assert late.post("/second-factor/app", {"password": PASSWORD}).status_code == 200
        assert late.post("/signout").status_code == 303

    def test_a_program_is_told_so_and_can_sign_out(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, doctor: Visitor
    ) -> None:
        asks(database, site, Demand.ALL, clock(), days=0)
        program = Visitor(app)
        assert program.send("POST", "/api/session", {"username": "siti", "password": PASSWORD}).status_code == 204
        assert program.get("/api/whoami").json()["code"] == "second-factor-due"
        assert program.send("DELETE", "/api/session").status_code == 204

    def test_whoever_has_one_and_whoever_need_have_none_notices_nothing(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, doctor: Visitor, ada: Account
    ) -> None:
        boss = in_as(app, "ada")
        asks(database, site, Demand.ADMINISTRATORS, clock(), days=0)
        assert "second factor by" not in text_of(doctor.get("/a-desk"))
        assert boss.get("/office").headers["location"].startswith("/second-factor?done=due")
        phone, _ = has_authenticator(database, ada.id, clock())
        visitor = Visitor(app)
        visitor.post("/signin", {"username": "ada", "password": PASSWORD})
        visitor.post("/signin/code", {"code": phone.shows(clock())})
        assert "second factor by" not in text_of(visitor.get("/office/second-factor"))
        asks(database, site, Demand.OPTIONAL, clock())
        assert doctor.get("/a-desk").status_code == 200

    def test_somebody_new_and_somebody_whose_phone_was_lost_have_the_days_too(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock
    ) -> None:
        asks(database, site, Demand.ALL, clock())
        clock.goes_on(days=100)
        rosa = hire(database, site, "rosa", [Role.DOCTOR], clock())
        assert in_as(app, "rosa").get("/a-desk").status_code == 200
        has_authenticator(database, rosa.id, clock())
        clock.goes_on(days=30)
        with database.writing() as session:
            factors.reset(session, actor=the_program(site.id), account_id=rosa.id, at=clock())
        visitor = in_as(app, "rosa")
        assert visitor.get("/a-desk").status_code == 200
        visitor.post("/second-factor/known")
        assert visitor.get("/a-desk").status_code == 200
        clock.goes_on(days=7)
        assert in_as(app, "rosa").get("/a-desk").headers["location"].startswith("/second-factor")

    def test_who_asks_is_still_found_by_one_query(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, doctor: Visitor
    ) -> None:
        asks(database, site, Demand.ALL, clock())
        token, asked = doctor.client.cookies["takehome"], []
        with database.reading() as session:
            event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2]))
            straight = session.straight
            once = straight.run

            def counted(statement: str, values: object) -> object:
                asked.append(statement)
                return once(statement, values)

            straight.run = counted
            who = sessions.signed_in(straight, token=token, at=clock())
        assert (len(asked), who.factor_due) == (1, clock() + timedelta(days=7))


class TestTheOffice:
    def test_an_administrator_says_who_must_have_one_and_sees_who_has(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, ada: Account, doctor: Visitor
    ) -> None:
        has_authenticator(database, doctor.client.get("/api/session").json()["signed_in"]["account_id"], clock())
        boss = in_as(app, "ada")
        page = text_of(boss.get("/office/second-factor"))
        assert "1 of 2 people" in page
        assert page.index("has none Ada") < page.index("has one Siti")
        for days in ("", "-1", "61", "x"):
            assert boss.post("/office/second-factor", {"demand": "all", "grace_days": days}).status_code == 422
        assert boss.post("/office/second-factor", {"demand": "some", "grace_days": "7"}).status_code == 422
        answer = boss.post("/office/second-factor", {"demand": "all", "grace_days": "14"})
        assert answer.headers["location"] == "/office/second-factor?done=changed"
        assert acts_of(database, site)[-1] == "changed site"
        clock.goes_on(days=3)
        boss = in_as(app, "ada")
        boss.post("/office/second-factor", {"demand": "all", "grace_days": "7"})
        assert "by Tue 1 Dec 2026, 07:00" in text_of(boss.get("/office")), "since it was first asked for"

    def test_nobody_else_does(
        self, app: Litestar, database: Database, site: Site, doctor: Visitor, now: datetime
    ) -> None:
        assert doctor.post("/office/second-factor", {"demand": "all", "grace_days": "0"}).status_code == 403
        nobody = Actor(None, site.id, frozenset())
        with pytest.raises(BadInput), database.writing() as session:
            factor_setting.ask_for(session, actor=nobody, demand=Demand.ALL, grace_days=99, at=now)
        somebody = Actor(hire(database, site, "ben", [Role.NURSE], now).id, site.id, frozenset({Role.NURSE}))
        with pytest.raises(NotAllowed), database.writing() as session:
            factor_setting.ask_for(session, actor=somebody, demand=Demand.ALL, grace_days=9, at=now)
