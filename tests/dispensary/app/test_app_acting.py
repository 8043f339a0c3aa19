"""A form counts only for whom its page was drawn: tabs, people and sites that were changed between page and press."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from litestar import Litestar

from dispensary.database import Database
from dispensary.staff import service
from dispensary.staff.models import Site
from dispensary.staff.rules import Role, the_program
from dispensary.web.templating import DESKS
from tests.dispensary.visiting import Visitor, acts_of, hire, open_site, text_of


@pytest.fixture
def rosa(app: Litestar, database: Database, site: Site, now: datetime) -> Visitor:
    hire(database, site, "rosa", [Role.DOCTOR], now)
    visitor = Visitor(app)
    visitor.signs_in("rosa")
    return visitor


class TestWhoseForm:
    def test_a_form_that_was_drawn_for_somebody_else_does_nothing_and_says_whose_it_is(
        self, database: Database, site: Site, doctor: Visitor, rosa: Visitor
    ) -> None:
        before = acts_of(database, site)
        stale = {"_acting": doctor.drawn()["_acting"], "portion": "the cup fell", "password": "my secret words"}
        answer = rosa.post("/form", stale, headers={"referer": "http://clinic.test/a-desk"})
        said = text_of(answer)
        assert answer.status_code == 409
        assert "This page was opened by SI. You are RO. Nothing was recorded." in said
        assert "the cup fell" in said, "what was typed is there to be written again"
        assert "my secret words" not in answer.text
        assert 'href="/a-desk"' in answer.text
        assert acts_of(database, site) == before
        assert rosa.post("/form", {"portion": "1"}).status_code == 200

    @pytest.mark.parametrize("drawn_for", ["", "x", "@", "x@KL", "01a20e53-587d-77f2-af34-1e4615f633c5@KL"])
    def test_a_form_that_says_nothing_of_it_does_nothing(self, rosa: Visitor, drawn_for: str) -> None:
        answer = rosa.post("/form", {"_acting": drawn_for})
        assert answer.status_code == 409
        assert "This page was opened by somebody else. You are RO." in text_of(answer)

    def test_not_even_signing_out_is_done_for_somebody_else(self, doctor: Visitor, rosa: Visitor) -> None:
        stale = {"_acting": doctor.drawn()["_acting"]}
        for path in ("/signout", "/signout-everywhere", "/pin/remove"):
            assert rosa.post(path, stale).status_code == 409
        assert rosa.get("/a-desk").status_code == 200

    def test_a_form_of_another_site_does_nothing_here(
        self, database: Database, site: Site, doctor: Visitor, now: datetime
    ) -> None:
        there = open_site(database, now, code="SAT")
        me = doctor.get("/api/session").json()["signed_in"]["account_id"]
        with database.writing() as session:
            actor = the_program(there.id)
            service.grant(session, actor=actor, account_id=me, site_id=there.id, role=Role.DOCTOR, at=now)
        stale = doctor.drawn()
        assert doctor.post("/switch-site", {"site_id": str(there.id)}).status_code == 303
        answer = doctor.post("/form", stale)
        assert answer.status_code == 409
        assert "This page was opened at KL. You work at SAT now." in text_of(answer)

    def test_the_token_alone_says_who_acts_by_json(self, doctor: Visitor) -> None:
        assert doctor.send("POST", "/api/refuse?kind=refused").json()["code"] == "already-covered"


def test_every_form_of_every_page_carries_for_whom_it_was_drawn() -> None:
    bare = [
        f"{path.name}: {form[:60]}"
        for path in Path(DESKS / "templates").rglob("*.html")
        for form in re.findall(r"<form[^>]*method=\"post\".*?</form>", path.read_text("utf-8"), re.DOTALL)
        if "parts.ours()" not in form
    ]
    assert bare == []
