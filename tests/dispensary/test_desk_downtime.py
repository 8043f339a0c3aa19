"""Downtime packs and sheets on the screen: taking a pack along, setting its words, entering lines by keyboard."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from pypdf import PdfReader
from sqlalchemy import text

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.jobs import make_packs
from dispensary.staff.rules import Act, Role
from dispensary.staff.tokens import make_token
from dispensary.units import ClientId
from dispensary.web.guards import acts_behind
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, text_of

WORDS = "river lamp seven oranges"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


def one(here: Desks, sql: str) -> object:
    with here.database.reading() as session:
        return session.execute(text(sql)).scalar_one()


def number_of(here: Desks, client: ClientId) -> str:
    with here.database.reading() as session:
        return session.get_one(Client, client).number


class TestPacks:
    def test_that_are_not_made_are_missed_at_the_counter_and_in_the_office(self, here: Desks, counter: Visitor) -> None:
        assert "No downtime pack" in text_of(counter.get("/counter"))
        assert "No downtime pack is made" in text_of(counter.get("/counter/downtime"))
        assert "No downtime pack is made" in text_of(here.administrator.get("/office"))

    def test_are_made_by_the_words_that_the_administrator_sets(
        self, here: Desks, counter: Visitor, tmp_path: Path
    ) -> None:
        here.place.client()
        office = here.administrator
        form = {"password": WORDS, "again": WORDS, "days_ahead": "3", "copy_to": str(tmp_path / "stick")}
        wrong = office.post("/office/downtime", {**form, "again": "river lamp"})
        assert wrong.status_code == 422
        assert WORDS not in wrong.text
        assert office.post("/office/downtime", form).status_code == 303
        data = here.app.state["settings"].data
        assert make_packs(here.database, data, lambda: here.place.now) == 1
        shown = text_of(counter.get("/counter/downtime"))
        assert "The newest" in shown
        assert "The copy on the other disk was not written." in shown
        assert "the folder is not there" in shown
        name = next(path.name for path in (data / "downtime" / "HRP").iterdir() if path.suffix == ".html")
        taken = counter.get(f"/counter/downtime/{name}")
        assert taken.headers["content-disposition"] == f'attachment; filename="{name}"'
        assert b"Ahmad" not in taken.content
        assert office.get(f"/counter/downtime/{name}").status_code == 403, "who sets the words takes no pack"
        assert name not in office.get("/office/downtime").text
        assert counter.get("/counter/downtime/keys.json").status_code == 404
        assert one(here, "SELECT count(*) FROM audit_entry WHERE act = 'took downtime pack'") == 1
        assert "No downtime pack" not in text_of(counter.get("/counter"))

    def test_of_this_moment_is_made_by_any_server_and_kept_by_none(
        self, here: Desks, counter: Visitor, tmp_path: Path
    ) -> None:
        client = here.place.client()
        refused = counter.get("/counter/downtime/now/html")
        assert (refused.status_code, "No words are set" in text_of(refused)) == (409, True)
        here.administrator.post(
            "/office/downtime", {"password": WORDS, "again": WORDS, "days_ahead": "3", "copy_to": ""}
        )
        elsewhere = tmp_path / "another server"
        assert make_packs(here.database, elsewhere, lambda: here.place.now - timedelta(minutes=20)) == 1
        shown = counter.get("/counter/downtime")
        assert "lies on another server" in text_of(shown)
        assert "pack is old" not in text_of(shown)
        assert "/counter/downtime/now/html" in shown.text
        for form in ("html", "pdf"):
            taken = counter.get(f"/counter/downtime/now/{form}")
            assert re.fullmatch(
                rf'attachment; filename="downtime-HRP-\d{{8}}T\d{{6}}Z\.{form}"', taken.headers["content-disposition"]
            )
            assert number_of(here, client).encode() not in taken.content, "it is sealed"
        assert number_of(here, client) in "".join(
            page.extract_text() for page in PdfReader(BytesIO(taken.content), password=WORDS).pages
        )
        assert counter.get("/counter/downtime/now/json").status_code == 404
        assert here.administrator.get("/counter/downtime/now/pdf").status_code == 403
        assert not (here.app.state["settings"].data / "downtime").exists(), "nothing of it stays on this disk"
        assert one(here, "SELECT count(*) FROM audit_entry WHERE act = 'took downtime pack'") == 2
        assert one(here, "SELECT count(*) FROM audit_entry WHERE act = 'made downtime pack'") == 3

        # The counter's computer takes it by itself, with a token that opens nothing else.
        with here.database.writing() as session:
            token = make_token(
                session, actor=here.place.pharmacist, name="Counter's computer", scopes=[Act.TAKE_PACK],
                offered=acts_behind(here.app, "/api"), days=30, at=here.place.now,
            )  # fmt: skip
        by_itself = Visitor(here.app).client.get(
            "/api/downtime-pack/html", headers={"Authorization": f"Bearer {token}"}
        )
        assert by_itself.headers["content-disposition"].endswith('Z.html"')
        assert b"<html" in by_itself.content
        assert here.administrator.get("/api/downtime-pack/html").status_code == 403

    def test_that_are_old_are_said_to_be_old(self, here: Desks, counter: Visitor) -> None:
        here.administrator.post(
            "/office/downtime", {"password": WORDS, "again": WORDS, "days_ahead": "3", "copy_to": ""}
        )
        make_packs(here.database, here.app.state["settings"].data, lambda: here.place.now - timedelta(hours=3))
        assert "The newest pack is old" in text_of(counter.get("/counter/downtime"))


class TestSheets:
    def line(self, here: Desks, of: ClientId, **said: str) -> dict[str, str]:
        return {
            "key": str(uuid4()),
            "client": number_of(here, of),
            "day": str(here.today),
            "time": "7:00",
            "mg": "",
            "bottles": "",
            "sheet": "A",
            "line": "4",
            "given_by": str(here.place.pharmacist.account_id),
            "identified_by": "photo",
            "witnessed_by": "",
            "lot_id": "",
            **said,
        }

    def test_take_a_line_and_go_to_the_next(self, here: Desks, counter: Visitor) -> None:
        client = here.place.client(mg="62.5")
        kept = counter.post("/counter/sheets", self.line(here, client))
        assert kept.status_code == 303
        shown = text_of(counter.get(kept.headers["location"]))
        assert "62.5" in shown
        assert "as usual" in shown
        assert "line=5" in kept.headers["location"]
        supply = one(here, "SELECT id FROM supply")
        assert "Entered afterwards from paper" in text_of(counter.get(f"/counter/supplies/{supply}"))
        assert findings(here.database, here.place.now) == []

    def test_show_what_is_against_a_rule_and_keep_it_when_that_was_looked_at(
        self, here: Desks, counter: Visitor
    ) -> None:
        client = here.place.client(mg="80")
        line = self.line(here, client, mg="95")
        shown = counter.post("/counter/sheets", line)
        assert shown.status_code == 409
        assert "95 mg were given where 80 mg were ordered." in text_of(shown)
        assert one(here, "SELECT count(*) FROM supply") == 0
        mark = shown.text.split('name="seen" value="')[1].split('"')[0]
        assert counter.post("/counter/sheets", {**line, "seen": mark}).status_code == 303
        assert "15 mg in error" in text_of(counter.get("/counter/sheets"))

    def test_send_back_what_cannot_be_read(self, here: Desks, counter: Visitor) -> None:
        back = counter.post(
            "/counter/sheets", self.line(here, here.place.client(), client="nobody", time="late", bottles="x")
        )
        assert back.status_code == 422
        said = text_of(back)
        assert "Nobody was found." in said
        assert "is not a time of day" in said
        assert "These are no days." in said
