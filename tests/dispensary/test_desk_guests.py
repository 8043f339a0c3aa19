"""Guest doses on the screen and by the API: asked at one site, verified at the other, served like anybody."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from dispensary.clients.models import Client
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_verification import findings
from tests.dispensary.visiting import Visitor, hire, text_of


@pytest.fixture
def home(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def guest(database: Database, now: datetime, home: Desks) -> Clinic:
    return clinic(database, now, code="KLG")


@pytest.fixture
def counter(home: Desks) -> Visitor:
    return home.seat(Role.PHARMACIST)


@pytest.fixture
def there(home: Desks, guest: Clinic) -> Visitor:
    """The pharmacist of the guest site, at a browser of their own."""
    with home.database.reading() as session:
        site = session.get_one(Site, guest.site_id)
    hire(home.database, site, "mei", [Role.PHARMACIST], home.place.now)
    visitor = Visitor(home.app)
    assert visitor.signs_in("mei").status_code == 303
    return visitor


@pytest.fixture
def client(home: Desks) -> ClientId:
    return home.place.client(mg="80")


def number_of(home: Desks, client: ClientId) -> str:
    with home.database.reading() as session:
        return session.get_one(Client, client).number


def asks(home: Desks, there: Visitor, client: ClientId, **other: str) -> str:
    form = {"home": "HRP", "number": number_of(home, client), "from_day": day(0, home), "last_day": day(2, home)}
    sent = there.post("/guests", {**form, "reason": "a funeral", "key": str(uuid4()), **other})
    assert sent.status_code == 303, text_of(sent)
    return str(sent.headers["location"])


def gives(home: Desks, visitor: Visitor, client: ClientId) -> str:
    form = {"observed": "yes", "identified_by": "03 04 1985", "well": "yes", "key": str(uuid4())}
    sent = visitor.post(f"/counter/clients/{client}/supply", {**form, "shown_day": day(0, home), "shown_mg": "80"})
    return text_of(sent) if sent.status_code != 303 else "handed over"


class TestFromAskingToTheDose:
    def test_the_guest_site_asks_home_verifies_and_the_client_is_served_like_anybody(
        self, home: Desks, counter: Visitor, there: Visitor, client: ClientId
    ) -> None:
        stay = asks(home, there, client)
        assert "Nothing is given before home has answered" in text_of(there.get(stay))
        assert there.get(f"/counter/clients/{client}").status_code == 404
        assert "Guests: 1 to answer" in text_of(counter.get("/counter"))
        said = text_of(counter.get(stay))
        assert "80" in said
        assert "a funeral" in said
        refused = counter.post(f"{stay}/answer", {"answer": "verify", "key": str(uuid4())})
        assert "Nobody has confirmed" in text_of(refused)
        sent = counter.post(f"{stay}/answer", {"answer": "verify", "confirmed": "yes", "key": str(uuid4())})
        assert sent.status_code == 303
        number = number_of(home, client)
        found = there.post("/counter/find", {"sought": f"{number}@HRP"})
        assert found.headers["location"] == f"/counter/clients/{client}"
        page = text_of(there.get(found.headers["location"]))
        assert "Of HRP, here until" in page
        assert "Prepare a pickup" not in page
        assert f"{number}@HRP" in text_of(there.get("/counter/day"))
        assert "Guest at KLG until" in gives(home, counter, client)
        assert gives(home, there, client) == "handed over"
        assert "guest at KLG" in text_of(counter.get("/counter/day"))
        assert findings(home.database, home.place.now) == []

    def test_every_look_stands_in_both_trails(
        self, home: Desks, counter: Visitor, there: Visitor, client: ClientId
    ) -> None:
        stay = asks(home, there, client)
        counter.post(f"{stay}/answer", {"answer": "verify", "confirmed": "yes", "key": str(uuid4())})
        before = home.acts_about(client).count("looked at")
        there.get(f"/counter/clients/{client}")
        assert home.acts_about(client).count("looked at") == before + 2

    def test_the_guest_site_opens_nothing_but_the_counter(
        self, home: Desks, guest: Clinic, counter: Visitor, there: Visitor, client: ClientId
    ) -> None:
        stay = asks(home, there, client)
        counter.post(f"{stay}/answer", {"answer": "verify", "confirmed": "yes", "key": str(uuid4())})
        with home.database.reading() as session:
            site = session.get_one(Site, guest.site_id)
        hire(home.database, site, "raj", [Role.DOCTOR], home.place.now)
        doctor = Visitor(home.app)
        doctor.signs_in("raj")
        assert doctor.get(f"/consulting/clients/{client}").status_code == 404
        assert doctor.get(f"/consulting/clients/{client}/take-home").status_code == 404
        for path in ("bottles", "flags", "pickup"):
            assert there.get(f"/counter/clients/{client}/{path}").status_code == 404
        assert there.get(f"/guests/clients/{client}").status_code == 404
        assert there.get(f"/api/clients/{client}").status_code == 200
        assert doctor.get(f"/api/clients/{client}").status_code == 404

    def test_what_is_wrong_with_a_request_is_said_and_what_was_typed_is_kept(
        self, home: Desks, there: Visitor, client: ClientId
    ) -> None:
        form = {"home": "HRP", "number": "H9999", "from_day": day(0, home), "last_day": day(2, home), "reason": "work"}
        said = there.post("/guests", {**form, "key": str(uuid4())})
        assert "HRP has no client with this number" in text_of(said)
        assert 'value="H9999"' in said.text
        form |= {"number": number_of(home, client), "last_day": day(-1, home), "reason": ""}
        said = there.post("/guests", {**form, "key": str(uuid4())})
        assert "lies before the first" in text_of(said)
        assert "Say why the doses are given there" in text_of(said)


class TestHome:
    def test_the_doctor_arranges_a_stay_and_ends_it(self, home: Desks, there: Visitor, client: ClientId) -> None:
        url = f"/guests/clients/{client}"
        assert "Arrange a stay" in text_of(home.doctor.get(url))
        form = {"guest": "KLG", "from_day": day(0, home), "last_day": day(3, home), "reason": "harvest"}
        missing = home.doctor.post(url, {**form, "key": str(uuid4())})
        assert "Nobody has confirmed" in text_of(missing)
        sent = home.doctor.post(url, {**form, "confirmed": "yes", "key": str(uuid4())})
        stay = sent.headers["location"]
        assert there.get(f"/counter/clients/{client}").status_code == 200
        assert home.doctor.post(f"{stay}/end", {"end_reason": "is back", "key": str(uuid4())}).status_code == 303
        assert there.get(f"/counter/clients/{client}").status_code == 404
        assert "is back" in text_of(there.get(stay))

    def test_reception_and_another_site_see_no_stay(self, home: Desks, client: ClientId, there: Visitor) -> None:
        stay = asks(home, there, client)
        assert home.seat(Role.RECEPTION).get(stay).status_code == 403
        other = clinic(home.database, home.place.now, code="PEN")
        with home.database.reading() as session:
            site = session.get_one(Site, other.site_id)
        hire(home.database, site, "tan", [Role.PHARMACIST], home.place.now)
        stranger = Visitor(home.app)
        stranger.signs_in("tan")
        assert stranger.get(stay).status_code == 404

    def test_sets_for_how_many_days(self, home: Desks, client: ClientId, there: Visitor) -> None:
        assert home.administrator.post("/office/guests", {"longest_days": "40"}).status_code != 303
        assert home.administrator.post("/office/guests", {"longest_days": "2"}).status_code == 303
        form = {"home": "HRP", "number": number_of(home, client), "from_day": day(0, home), "last_day": day(2, home)}
        said = there.post("/guests", {**form, "reason": "a funeral", "key": str(uuid4())})
        assert "2 days at most" in text_of(said)


def test_the_api_says_the_same(home: Desks, counter: Visitor, there: Visitor, client: ClientId) -> None:
    wanted = {"key": "api-key-01", "first_day": day(0, home), "last_day": day(1, home), "reason": "work"}
    asked = there.send("POST", "/api/guests", {**wanted, "number": number_of(home, client), "home": "HRP"})
    assert asked.json()["state"] == "asked"
    again = there.send("POST", "/api/guests", {**wanted, "number": number_of(home, client), "home": "HRP"})
    assert again.json()["id"] == asked.json()["id"]
    path = f"/api/guests/{asked.json()['id']}"
    assert there.send("POST", f"{path}/answer", {"accepted": True, "confirmed": True}).status_code == 403
    assert counter.send("POST", f"{path}/answer", {"accepted": True}).status_code == 422
    assert counter.send("POST", f"{path}/answer", {"accepted": True, "confirmed": True}).json()["state"] == "running"
    assert [row["state"] for row in there.get("/api/guests").json()] == ["running"]
    assert counter.send("POST", f"{path}/end", {"reason": "is back"}).json()["state"] == "over"
    arranged = counter.send(
        "POST", f"/api/clients/{client}/guests", {**wanted, "key": "api-key-02", "guest": "KLG", "confirmed": True}
    )
    assert arranged.json()["state"] == "running"


def test_a_move_is_written_by_the_old_site_and_confirmed_by_the_new_one_on_their_pages(
    home: Desks, guest: Clinic, counter: Visitor, there: Visitor, client: ClientId
) -> None:
    number = number_of(home, client)
    form = f"/moves/clients/{client}"
    assert "Move to another site" in text_of(counter.get(f"/guests/clients/{client}"))
    assert "80" in text_of(counter.get(form))
    assert "Say why." in text_of(counter.post(form, {"to": "KLG", "reason": " ", "key": str(uuid4())}))
    sent = counter.post(form, {"to": "KLG", "reason": "lives there", "key": str(uuid4())})
    assert sent.status_code == 303, text_of(sent)
    move = sent.headers["location"]
    assert "Nothing has changed" in text_of(counter.get(move))

    given = home.place.give(client).supply_id

    # The new site sees who is to come, on this page alone.
    assert "Moves between sites: 1 to arrive" in text_of(there.get("/guests"))
    assert f"{number}@HRP" in text_of(there.get("/moves"))
    assert "03 Apr 1985" in text_of(there.get(move)) or "3 Apr 1985" in text_of(there.get(move))
    assert there.get(f"/counter/clients/{client}").status_code == 404
    assert there.get(f"{move}/photo").status_code == 404  # there is none
    assert "Nobody has said" in text_of(there.post(f"{move}/take-on", {"number": "K1", "key": str(uuid4())}))
    taken = there.post(f"{move}/take-on", {"number": "K1", "seen": "yes", "key": str(uuid4())})
    assert taken.status_code == 303, text_of(taken)

    # From now on the record is there, with the move in its course and in what the client is told; and not here.
    assert "has moved" in text_of(counter.get(move))
    assert counter.get(f"/counter/clients/{client}").status_code == 404
    assert counter.get(form).status_code == 404
    assert "handed over" not in (gives(home, there, client), gives(home, counter, client))  # had today's at the old one
    hire(home.database, site_of(home, guest), "dr.mei", [Role.DOCTOR], home.place.now)
    doctor = Visitor(home.app)
    assert doctor.signs_in("dr.mei").status_code == 303
    assert "moved to this site" in text_of(doctor.get(f"/consulting/clients/{client}"))
    # What the old site gave stays its own to read, and to void when it was entered in error.
    assert "Ahmad" in text_of(counter.get(f"/counter/supplies/{given}"))
    voided = counter.post(f"/counter/supplies/{given}/void", {"reason": "another client's", "key": str(uuid4())})
    assert voided.status_code == 303, text_of(voided)
    with home.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM dose WHERE voided_at IS NULL")) == 0
    assert number in text_of(home.administrator.get("/office/audit"))
    assert gives(home, there, client) == "handed over"
    assert "Take the move back" in text_of(there.get(move))
    assert there.post(f"{move}/undo", {"key": str(uuid4())}).status_code == 303
    assert "taken back the same day" in text_of(counter.get(move))
    assert counter.get(f"/counter/clients/{client}").status_code == 200
    assert findings(home.database, home.place.now) == []


def site_of(home: Desks, place: Clinic) -> Site:
    with home.database.reading() as session:
        return session.get_one(Site, place.site_id)
