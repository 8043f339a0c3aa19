"""Reception's page of a client's phone: number, language, wording, and the PIN that nobody sees again."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from litestar import Litestar
from sqlalchemy import select

from dispensary.database import Database
from dispensary.phone.pin_models import PhonePin
from dispensary.staff.models import AuditEntry
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from notifications.queries import contact_details
from tests.builders import clinic
from tests.dispensary.lending import lent_app
from tests.dispensary.phones import Line, line, with_pin
from tests.dispensary.test_desk_reception import works
from tests.dispensary.visiting import MovableClock, Visitor, demo_settings, text_of


@pytest.fixture
def phone_line(database: Database, now: datetime) -> Line:
    return line(database, now)


@pytest.fixture
def app(database: Database, now: datetime, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, MovableClock(now))


@pytest.fixture
def desk(app: Litestar, phone_line: Line) -> Visitor:
    return works(app, phone_line, Role.RECEPTION)


def form(phone_line: Line, client: ClientId, **changes: str) -> dict[str, str]:
    as_it_is = {"phone": phone_line.numbers[client], "language": "en", "texts": "yes", "wording": "covert"}
    return {**as_it_is, **changes}


def number_of(phone_line: Line, client: ClientId) -> str:
    with phone_line.database.reading() as session:
        details = contact_details(session, vault=session.vault, recipient_id=client)
    return details.phone if details else ""


def entries(phone_line: Line) -> list[str]:
    with phone_line.database.reading() as session:
        kept = session.scalars(select(AuditEntry).order_by(AuditEntry.seq))
        return [f"{entry.act} {entry.details}" for entry in kept if entry.act != "looked at"]


def test_a_number_is_changed_the_new_one_gets_a_first_text_and_the_old_one_none(
    phone_line: Line, desk: Visitor
) -> None:
    client = phone_line.client()
    there = f"/reception/clients/{client}/phone"
    answer = desk.post(there, form(phone_line, client, phone="019-876 5432", language="ms"))
    assert answer.headers["location"] == f"/reception/clients/{client}?done=reached"
    assert "Their phone is noted." in text_of(desk.get(answer.headers["location"]))
    assert number_of(phone_line, client) == "+60198765432"
    assert [body for body in phone_line.bodies() if "STOP" in body] == phone_line.bodies()
    assert len(phone_line.bodies()) == 1
    assert any("changed how they are reached" in entry and "number" in entry for entry in entries(phone_line))
    assert not any("9876" in entry for entry in entries(phone_line))


def test_a_pin_is_set_and_shown_by_nobody_again(phone_line: Line, desk: Visitor) -> None:
    client = phone_line.client()
    there = f"/reception/clients/{client}/phone"
    assert "They have none." in text_of(desk.get(there))
    assert desk.post(there, form(phone_line, client, pin="4821", again="4821")).status_code == 303
    page = desk.get(there)
    assert "They have one. Nobody can see it." in text_of(page)
    assert not re.search(r"\b4821\b", page.text)
    assert phone_line.says(client, "when") == "Please reply with your PIN first."
    assert not any("4821" in entry for entry in entries(phone_line))


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"phone": "12"}, "bad-number"),
        ({"language": "xx"}, "bad-language"),
        ({"wording": "loud"}, "bad-wording"),
        ({"pin": "1234", "again": "1234"}, "guessable-phone-pin"),
        ({"pin": "4821", "again": "4822"}, "pins-differ"),
        ({"pin": "12a", "again": "12a"}, "bad-phone-pin"),
        ({"pin": "4821", "again": "4821", "without_pin": "yes"}, "pin-or-none"),
    ],
    ids=["number", "language", "wording", "guessed", "differ", "digits", "both"],
)
def test_what_does_not_fit_is_refused_and_the_pin_is_not_sent_back(
    phone_line: Line, desk: Visitor, typed: dict[str, str], said: str
) -> None:
    client = phone_line.client()
    answer = desk.post(f"/reception/clients/{client}/phone", form(phone_line, client, **typed))
    assert answer.status_code == 422
    assert said in answer.text
    assert not re.search(r"\b4821\b", answer.text)


def test_all_faults_are_told_at_once(phone_line: Line, desk: Visitor) -> None:
    client = phone_line.client()
    answer = desk.post(f"/reception/clients/{client}/phone", form(phone_line, client, phone="1", pin="0000"))
    assert "bad-number" in answer.text
    assert "guessable-phone-pin" in answer.text


def test_with_another_number_the_pin_never_ends_unnoticed(phone_line: Line, desk: Visitor) -> None:
    client = with_pin(phone_line, phone_line.client(), "4821")
    there, typed = f"/reception/clients/{client}/phone", form(phone_line, client, phone="0198765432")
    assert "pin-of-old-number" in desk.post(there, typed).text
    assert number_of(phone_line, client) == phone_line.numbers[client]
    assert desk.post(there, {**typed, "pin": "4821", "again": "4821"}).status_code == 303
    phone_line.numbers[client] = "+60198765432"
    assert phone_line.says(client, "4821 when") == "You have nothing booked. Reply SLOTS for free times."
    assert desk.post(there, {**typed, "without_pin": "yes"}).status_code == 303
    with phone_line.database.reading() as session:
        assert session.scalars(select(PhonePin)).all() == []


def test_a_shared_number_is_said_to_be_one(phone_line: Line, desk: Visitor) -> None:
    client = phone_line.client()
    phone_line.client(phone_line.numbers[client])
    assert "1 other client has this number" in text_of(desk.get(f"/reception/clients/{client}/phone"))


def test_a_nurse_may_and_another_site_and_an_evaluator_may_not(app: Litestar, phone_line: Line, desk: Visitor) -> None:
    client = phone_line.client()
    there = f"/reception/clients/{client}/phone"
    assert works(app, phone_line, Role.NURSE).post(there, form(phone_line, client)).status_code == 303
    assert works(app, phone_line, Role.EVALUATOR).get(there).status_code == 403
    stranger = clinic(phone_line.database, phone_line.at, code="SAT").client()
    assert desk.get(f"/reception/clients/{stranger}/phone").status_code == 404
    phone_line.numbers[stranger] = "+60198765432"
    assert desk.post(f"/reception/clients/{stranger}/phone", form(phone_line, stranger)).status_code == 404
