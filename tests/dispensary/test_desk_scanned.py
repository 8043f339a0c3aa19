"""A bottle's label is scanned on the counter's first screen: its client's bottles open, and that one is marked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from httpx import Response
from sqlalchemy import select

from dispensary.database import Database
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.supplies.models import Bottle, PassAttempt
from dispensary.supplies.pickups import prepare_pickup
from dispensary.supplies.serials import bottle_code, checked_serial, spoken_serial
from dispensary.units import ClientId
from tests.builders import clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor, text_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    client = here.place.client(mg="80")
    here.place.decide(client, per_supply=6)
    here.place.give(client, take_home_days=here.place.ahead(1, 2, 3))
    return client


def bottle(here: Desks, nth: int = 0) -> Bottle:
    with here.database.reading() as session:
        return session.scalars(select(Bottle).order_by(Bottle.dose_day)).all()[nth]


def scans(counter: Visitor, text: str) -> Response:
    return counter.post("/counter/find", {"sought": text})


@pytest.mark.parametrize("written", [bottle_code, spoken_serial])
def test_a_label_opens_its_clients_bottles_with_that_one_marked(
    here: Desks, counter: Visitor, client: ClientId, written: type
) -> None:
    one = bottle(here, 1)

    answer = scans(counter, written(one.serial))

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/counter/clients/{client}/bottles?bottle={one.id}"
    opened = counter.get(answer.headers["location"])
    assert f"Scanned: bottle {spoken_serial(one.serial)} for Thu 26 Nov 2026." in text_of(opened)
    assert "Thu 26 Nov 2026 scanned 80 mg" in text_of(opened)
    assert opened.text.count('class="bottle marked"') == 1
    assert "not with the client" not in text_of(opened)


def test_the_log_says_that_a_label_was_scanned_and_which(here: Desks, counter: Visitor, client: ClientId) -> None:
    one = bottle(here)

    counter.get(scans(counter, bottle_code(one.serial)).headers["location"])

    assert here.acts_about(client)[-2:] == ["scanned bottle", "looked at"]
    with here.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "scanned bottle")).one()
    assert json.loads(entry.details) == {"bottle": str(one.id), "serial": one.serial, "state": "handed_over"}


def test_a_bottle_of_long_ago_is_on_the_list_when_it_is_scanned(
    here: Desks, counter: Visitor, client: ClientId
) -> None:
    one = bottle(here)
    here.days_pass(60)
    counter = here.seat(Role.PHARMACIST, Role.NURSE)

    opened = counter.get(scans(counter, bottle_code(one.serial)).headers["location"])

    assert opened.text.count('class="bottle marked"') == 1
    assert '<details class="more" open>' in opened.text


def test_a_bottle_that_is_not_with_the_client_says_so(here: Desks, counter: Visitor) -> None:
    place = here.place
    client = place.client()
    place.decide(client, per_supply=2)
    with place.database.writing() as session:
        prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=place.today,
            take_home_days=place.ahead(1),
            valid=(place.now, place.now + timedelta(hours=10)),
            today=place.today,
            at=place.now,
        )

    opened = counter.get(scans(counter, bottle_code(bottle(here).serial)).headers["location"])

    assert "It is not with the client: it was not handed over, or it came back before." in text_of(opened)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda written: written[:5] + str((int(written[5]) + 1) % 10) + written[6:], "bottle-mistyped"),
        (lambda _: bottle_code("000000000000001"), "bottle-unknown"),
    ],
    ids=["wrong digit", "nobody's"],
)
def test_what_is_no_bottle_of_ours_is_said_to_be_none(
    here: Desks, counter: Visitor, client: ClientId, spoil: type, code: str
) -> None:
    answer = scans(counter, spoil(bottle_code(bottle(here).serial)))

    assert code in text_of(answer)
    assert "scanned bottle" not in here.acts_about(client)


def test_a_bottle_of_another_sites_client_opens_nobody(
    here: Desks, counter: Visitor, database: Database, now: datetime
) -> None:
    there = clinic(database, now, code="FAR")
    client = there.client()
    there.decide(client, per_supply=2)
    there.give(client, take_home_days=there.ahead(1))

    answer = scans(counter, bottle_code(bottle(here).serial))

    assert "bottle-other-site" in text_of(answer)
    assert "FAR" in text_of(answer)


def test_a_bottles_label_is_no_pass(here: Desks, counter: Visitor, client: ClientId) -> None:
    scans(counter, bottle_code(bottle(here).serial))

    with here.database.reading() as session:
        assert session.scalars(select(PassAttempt)).all() == []


def test_sixteen_digits_that_are_a_clients_own_number_open_the_client(here: Desks, counter: Visitor) -> None:
    client = here.enrolled(checked_serial("317101010190000"))

    assert scans(counter, checked_serial("317101010190000")).headers["location"] == f"/counter/clients/{client}"
