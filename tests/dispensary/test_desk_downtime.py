"""Downtime packs and sheets on the screen: taking a pack along, setting its words, entering lines by keyboard."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.jobs import make_packs
from dispensary.staff.rules import Role
from dispensary.units import ClientId
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
