"""The record of a supply on the screen and by the API: voiding it; and full bottles that came back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.models import Bottle
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, has_pin, text_of

PIN = "271839"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    made = desks(database, now, tmp_path)
    has_pin(database, made.place.doctor, PIN, now)
    return made


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    return client


def bottle_of(here: Desks) -> UUID:
    with here.database.reading() as session:
        return session.scalars(select(Bottle.id)).one()


def comes_back_full(counter: Visitor, client: ClientId, bottle: UUID) -> None:
    sent = counter.post(
        f"/counter/clients/{client}/bottles", {f"bottle_{bottle}": "full", "reason": "travels", "stay": "yes"}
    )
    assert sent.status_code == 303, text_of(sent)


class TestTheRecordOfASupply:
    def test_says_what_left_and_what_became_of_each_bottle(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        supply = here.place.give(client, take_home_days=here.place.ahead(1)).supply_id
        said = text_of(counter.get(f"/counter/supplies/{supply}"))
        assert "taken here" in said
        assert "handed over, AY" in said
        assert "By Aishah binti Yusof." in said

    def test_is_voided_on_its_page_and_then_says_who_and_why(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        supply = here.place.give(client).supply_id
        form = {"reason": "the other Ahmad was meant", "key": str(uuid4())}
        assert counter.post(f"/counter/supplies/{supply}/void", form).status_code == 303
        said = text_of(counter.get(f"/counter/supplies/{supply}"))
        assert "Void: entered in error" in said
        assert "the other Ahmad was meant" in said
        assert "Void this supply" not in said
        assert findings(here.database, here.place.now) == []

    def test_asks_for_the_second_person_and_keeps_what_was_typed_but_the_pin(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        supply = here.place.give(client, take_home_days=here.place.ahead(1)).supply_id
        form = {
            "reason": "the other Ahmad was meant",
            "second_id": str(here.place.doctor.account_id),
            "second_pin": "314195",
            "key": str(uuid4()),
        }
        again = counter.post(f"/counter/supplies/{supply}/void", form)
        assert again.status_code == 422
        assert "This is not their PIN." in text_of(again)
        assert "the other Ahmad was meant" in again.text
        assert "314195" not in again.text
        assert counter.post(f"/counter/supplies/{supply}/void", {**form, "second_pin": PIN}).status_code == 303

    def test_is_voided_by_the_api(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        supply = here.place.give(client).supply_id
        asked = {"key": "void-by-api-1", "reason": "entered twice"}
        first = counter.send("POST", f"/api/supplies/{supply}/void", asked)
        assert first.status_code == 201, first.text
        again = counter.send("POST", f"/api/supplies/{supply}/void", asked)
        assert again.json() == first.json()


class TestFullBottles:
    def test_are_destroyed_by_two_people_on_their_page(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.place.give(client, take_home_days=here.place.ahead(1))
        bottle = bottle_of(here)
        comes_back_full(counter, client, bottle)
        said = text_of(counter.get("/counter/returned"))
        assert "This site destroys them, two people together." in said
        assert "Put the chosen bottles back" not in said
        form = {
            "act": "destroy", "bottle": str(bottle), "how": "onto cat litter",
            "second_id": str(here.place.doctor.account_id), "second_pin": PIN,
        }  # fmt: skip
        assert counter.post("/counter/returned", form).status_code == 303
        said = text_of(counter.get("/counter/returned"))
        assert "No full bottle waits here." in said
        assert "onto cat litter" in said

    def test_go_back_where_the_office_says_that_the_law_allows_it(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        here.place.give(client, take_home_days=here.place.ahead(1))
        comes_back_full(counter, client, bottle_of(here))
        office = here.administrator
        refused = office.post("/office/bottles", {"full_returns": "restock", "source": ""})
        assert "Write down where yours allows it." in text_of(refused)
        assert office.post("/office/bottles", {"full_returns": "restock", "source": "reg. 12"}).status_code == 303
        form = {"act": "restock", "bottle": str(bottle_of(here)), "how": "seal whole"}
        assert counter.post("/counter/returned", form).status_code == 303
        with here.database.reading() as session:
            line = session.execute(text("SELECT ml::text, reason FROM register_line WHERE kind = 'returned'")).one()
        assert line.ml == "16.000"
        assert "seal whole (reg. 12)" in line.reason

    def test_are_nobody_elses_business(self, here: Desks, client: ClientId) -> None:
        for path in ("/counter/returned", "/office/bottles"):
            assert here.seat(Role.RECEPTION).get(path).status_code == 403

    def test_a_bottle_tells_its_record_by_the_api(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.place.give(client, take_home_days=here.place.ahead(1))
        with here.database.reading() as session:
            serial = session.scalars(select(Bottle.serial)).one()
        told = counter.get(f"/api/bottles/{serial}").json()
        assert (told["state"], [line["by"] for line in told["record"]]) == ("handed_over", ["AY"])


def test_a_voided_pickup_that_waits_again_gets_its_new_pass_from_the_very_page(
    here: Desks, counter: Visitor, client: ClientId
) -> None:
    place = here.place
    with place.database.writing() as session:
        pickup = prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=place.ahead(1),
            valid=(place.now, place.now + timedelta(hours=10)),
            today=place.today,
            at=place.now,
        ).pickup_id
    supply = place.give(client, pickup_id=pickup).supply_id
    assert "Issue a new pass" not in text_of(counter.get(f"/counter/supplies/{supply}"))
    said = {
        "reason": "nobody was there",
        "second_id": str(place.doctor.account_id),
        "second_pin": PIN,
        "key": str(uuid4()),
    }
    voided = counter.post(f"/counter/supplies/{supply}/void", said)
    assert voided.status_code == 303, text_of(voided)

    assert "Issue a new pass" in text_of(counter.get(f"/counter/supplies/{supply}"))
    assert counter.post(f"/counter/pickups/{pickup}/pass", {"key": str(uuid4())}).status_code == 303
    assert "Issue a new pass" not in text_of(counter.get(f"/counter/supplies/{supply}"))
