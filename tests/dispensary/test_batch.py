"""Tomorrow's bottles: who is on the pack list, preparing them in one go, and the second person's look."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.prescribing.service import hold_doses
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.batch import check_bottles, lost_in_the_safe, set_second_check, to_pack
from dispensary.supplies.models import Bottle
from dispensary.supplies.serials import bottle_code
from dispensary.units import ClientId, DoseDay
from tests.builders import Clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, has_pin, text_of

PIN = "271839"


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    made = desks(database, now, tmp_path)
    has_pin(database, made.place.doctor, PIN, now)
    return made


@pytest.fixture
def place(here: Desks) -> Clinic:
    return here.place


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


def carrying(place: Clinic, per_supply: int = 3) -> ClientId:
    client = place.client(mg="60")
    place.decide(client, per_supply=per_supply)
    return client


def listed(place: Clinic, on: DoseDay) -> dict[ClientId, tuple[int, bool]]:
    with place.database.reading() as session:
        rows = to_pack(session, site_id=place.site_id, on=on, booked={})
    return {row.face.client_id: (len(row.bottles), row.prepared) for row in rows}


def bottle_ids(place: Clinic) -> list[UUID]:
    with place.database.reading() as session:
        return list(session.scalars(select(Bottle.id).order_by(Bottle.dose_day)))


def checks(place: Clinic, actor: Actor, *ids: UUID) -> int:
    return place.database.write(lambda session: check_bottles(session, actor=actor, bottle_ids=ids, at=place.now))


def must_be_checked(place: Clinic) -> None:
    with place.database.writing() as session:
        set_second_check(session, actor=place.doctor, second_check=True, at=place.now)


class TestThePackList:
    def test_has_who_comes_and_may_carry(self, place: Clinic) -> None:
        comes, has_bottles, carries_nothing, is_held = carrying(place), carrying(place), place.client(), carrying(place)
        place.give(comes)
        place.give(has_bottles, take_home_days=place.ahead(1, 2))
        tomorrow = place.ahead(1)[0]
        with place.database.writing() as session:
            hold_doses(
                session, actor=place.doctor, client_id=is_held, from_day=tomorrow, until_day=None, reason="seen first",
                at=place.now,
            )  # fmt: skip
        assert listed(place, tomorrow) == {comes: (3, False)}
        assert carries_nothing not in listed(place, tomorrow)

    def test_prepares_what_is_ticked_and_says_who_could_not_be(
        self, here: Desks, place: Clinic, counter: Visitor
    ) -> None:
        good, changed = carrying(place), carrying(place)
        tomorrow = place.ahead(1)[0]
        days = " ".join(str(day) for day in place.ahead(2, 3))
        far = " ".join(str(day) for day in place.ahead(2, 3, 4, 5, 6, 7))
        sent = counter.post("/counter/pack", {"on": str(tomorrow), "client": [f"{good} {days}", f"{changed} {far}"]})
        said = text_of(sent)
        assert "1 pickup is prepared." in said
        assert "6 take-home days at once, decided: 3. Leave out 3" in said
        assert listed(place, tomorrow)[good] == (3, True)
        assert listed(place, tomorrow)[changed] == (3, False)
        again = text_of(counter.post("/counter/pack", {"on": str(tomorrow), "client": f"{good} {days}"}))
        assert "A pickup is already prepared" in again
        assert one(place, "SELECT count(*) FROM bottle") == 2

    def test_asks_for_somebody(self, place: Clinic, counter: Visitor) -> None:
        assert "Tick whose bottles to prepare." in text_of(counter.post("/counter/pack", {"on": ""}))


class TestTheSecondLook:
    def test_is_never_by_whoever_packed(self, place: Clinic) -> None:
        prepared(place, carrying(place), 1, 2)
        ids = bottle_ids(place)
        with pytest.raises(Refused) as refused:
            checks(place, place.pharmacist, *ids)
        assert codes(refused) == ["own-bottle"]
        assert checks(place, place.doctor, *ids) == 2
        assert checks(place, place.doctor, *ids) == 0, "what is checked stays checked"
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(
                text("""INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)
                        SELECT id, 0, 'checked', now(), packed_by, '' FROM bottle""")
            )

    def test_comes_before_any_bottle_leaves_where_the_site_says_so(self, place: Clinic) -> None:
        client = carrying(place)
        ready = prepared(place, client, 1)
        must_be_checked(place)
        with pytest.raises(Refused) as refused:
            place.give(client, observed=False, pickup_id=ready.pickup_id)
        assert codes(refused) == ["unchecked"]
        checks(place, place.doctor, *bottle_ids(place))
        place.give(client, observed=False, pickup_id=ready.pickup_id)
        assert one(place, "SELECT state FROM bottle") == "handed_over"

    def test_asks_nothing_of_bottles_that_are_packed_before_the_clients_eyes(self, place: Clinic) -> None:
        must_be_checked(place)
        client = carrying(place)
        place.give(client, take_home_days=place.ahead(1))
        assert one(place, "SELECT state FROM bottle") == "handed_over"

    def test_goes_by_scanning_label_after_label(self, here: Desks, place: Clinic, counter: Visitor) -> None:
        prepared(place, carrying(place), 1, 2)
        with place.database.reading() as session:
            serials = session.scalars(select(Bottle.serial)).all()
        for serial in serials:
            assert counter.post("/counter/check", {"scanned": bottle_code(serial)}).status_code == 303
        assert one(place, "SELECT string_agg(DISTINCT state, ' ') FROM bottle") == "checked"
        wrong = counter.post("/counter/check", {"scanned": "1234 5678"})
        assert "This is not the label of a bottle." in text_of(wrong)

    def test_is_not_given_to_a_bottle_that_left(self, place: Clinic) -> None:
        client = carrying(place)
        ready = prepared(place, client, 1)
        place.give(client, observed=False, pickup_id=ready.pickup_id)
        with pytest.raises(NotThere):
            checks(place, place.doctor, *bottle_ids(place))


class TestAPreparedBottleThatBroke:
    def broke(self, place: Clinic, *, reason: str = "fell", second: Actor | None = None, pin: str = "") -> Decimal:
        (bottle, *_) = bottle_ids(place)
        return place.database.write(
            lambda session: lost_in_the_safe(
                session,
                actor=place.pharmacist,
                bottle_id=bottle,
                reason=reason,
                second_id=second.account_id if second else None,
                pin=pin,
                day=place.today,
                at=place.now,
            )
        )

    def test_is_written_off_by_two_and_the_others_of_its_pickup_stand(self, place: Clinic) -> None:
        client = carrying(place)
        ready = prepared(place, client, 1, 2)
        with pytest.raises(BadInput) as refused:
            self.broke(place, reason=" ")
        assert codes(refused) == ["no-second", "reason"]
        assert self.broke(place, second=place.doctor, pin=PIN) == Decimal("12.000")
        assert one(place, "SELECT (balance, bottled)::text FROM lot") == "(4988.000,12.000)"
        assert one(place, "SELECT ml FROM register_line WHERE kind = 'lost'") == Decimal("-12.000")
        place.give(client, observed=False, pickup_id=ready.pickup_id)
        assert one(place, "SELECT (balance, bottled)::text FROM lot") == "(4976.000,0.000)"
        assert findings(place.database, place.now) == []

    def test_is_written_off_on_the_page(self, here: Desks, place: Clinic, counter: Visitor) -> None:
        prepared(place, carrying(place), 1)
        (bottle,) = bottle_ids(place)
        form = {"reason": "fell off the shelf", "second_id": str(place.doctor.account_id), "second_pin": "111111"}
        again = counter.post(f"/counter/check/{bottle}/lost", form)
        assert "This is not their PIN." in text_of(again)
        assert "fell off the shelf" in again.text
        assert counter.post(f"/counter/check/{bottle}/lost", {**form, "second_pin": PIN}).status_code == 303
        assert one(place, "SELECT state FROM bottle") == "lost"


def test_a_loss_is_told_at_the_counter_and_decided_by_the_doctor(here: Desks, counter: Visitor) -> None:
    place = here.place
    client = carrying(place)
    place.give(client, take_home_days=place.ahead(1))
    (bottle,) = bottle_ids(place)
    assert "Lost, stolen or damaged?" in text_of(counter.get(f"/counter/clients/{client}/bottles"))
    form = {"bottle": str(bottle), "what": "stolen", "told": "bag taken at the market", "police_number": "KL/1234"}
    form["key"] = str(UUID(int=7))
    sent = counter.post(f"/counter/clients/{client}/lost", form)
    assert sent.status_code == 303
    report = sent.headers["location"]
    assert "It waits for the prescriber." in text_of(counter.get(report))
    assert counter.post(f"{report}/decide", {"decision": "stays", "said": "no"}).status_code == 403
    doctor = here.doctor
    assert "Read and decide" in text_of(doctor.get(f"/consulting/clients/{client}"))
    refused = doctor.post(f"{report}/decide", {"decision": "given_again", "said": ""})
    assert "The reason is missing." in text_of(refused)
    assert doctor.post(f"{report}/decide", {"decision": "given_again", "said": "come each day"}).status_code == 303
    assert "come each day" in text_of(counter.get(report))
    here.days_pass(1)
    place.give(client)
    assert findings(place.database, place.now) == []


def test_the_office_sets_the_rules_for_bottles(here: Desks) -> None:
    office = here.administrator
    assert office.post("/office/bottles/check", {"second_check": "yes"}).status_code == 303
    rule = {"from_bottles": "3", "per_year": "2", "within_days": "x", "recall_source": "Rule 24-2-53.7"}
    assert "within_days" in office.post("/office/bottles/recalls", rule).text
    assert office.post("/office/bottles/recalls", {**rule, "within_days": "2"}).status_code == 303
    assert "brings them within 2 days. Rule 24-2-53.7" in text_of(office.get("/office/bottles"))
    assert office.post("/office/bottles/recalls", {"act": "none"}).status_code == 303
    assert "Chance calls nobody back now." in text_of(office.get("/office/bottles"))
