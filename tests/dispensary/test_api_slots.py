"""Weekly times, the waiting list with its offers, and the calls of the queue, as a program asks for them."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path
from uuid import uuid4

import pytest

import scheduling.service
from dispensary.database import Database
from dispensary.staff.rules import Role
from scheduling.rules import Hours
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_desk_queue import comes

THURSDAY = date(2026, 11, 26)


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    """A site that opens from seven to eight, one place in each half hour."""
    here = desks(database, now, tmp_path)
    with database.writing() as session:
        hours = [Hours(weekday, time(7), time(8), 30, 1) for weekday in range(6)]
        scheduling.service.set_hours(session, place_id=here.place.site_id, hours=hours, from_day=here.today)
    return here


class TestWeeklyTimes:
    def test_are_set_once_paused_resumed_and_ended(self, here: Desks) -> None:
        desk, client = here.seat(Role.RECEPTION), here.place.client()
        path, wanted = f"/api/clients/{client}/weekly", {"weekdays": [3, 3], "at": "07:30"}
        made = desk.send("POST", path, wanted).json()
        assert [(each["weekday"], each["at"]) for each in made["weekly"]] == [(3, "07:30")]
        assert made["booked"][0] == "2026-11-25T23:30:00Z"
        assert desk.send("POST", path, wanted).json()["booked"] == [], "the same again books nothing"
        paused = desk.send("POST", f"{path}/pause", {"first_day": "2026-11-26", "last_day": "2026-11-26"}).json()
        assert (len(paused["dropped"]), paused["weekly"][0]["paused_until"]) == (1, "2026-11-27")
        assert len(desk.send("POST", f"{path}/resume").json()["booked"]) == 1
        ended = desk.send("POST", f"{path}/end").json()
        assert (len(ended["dropped"]), ended["weekly"]) == (len(made["booked"]), [])
        assert desk.send("POST", f"{path}/end").json()["dropped"] == []
        assert desk.get(path).json() == []

    def test_what_cannot_be_is_refused_with_what_can(self, here: Desks) -> None:
        desk, client = here.seat(Role.RECEPTION), here.place.client()
        path = f"/api/clients/{client}/weekly"
        refused = desk.send("POST", path, {"weekdays": [3], "at": "09:00"})
        assert (refused.status_code, refused.json()["code"]) == (409, "outside-hours")
        assert "2026-11-2" in refused.text
        assert desk.send("POST", path, {"weekdays": [9], "at": "07:00"}).status_code in (400, 422)
        assert desk.send("POST", f"{path}/pause", {"first_day": "2026-11-01"}).json()["code"] == "bad-pause"
        assert desk.get(f"/api/clients/{uuid4()}/weekly").status_code == 404
        assert here.doctor.get(path).status_code == 403


def test_a_place_that_comes_free_is_kept_for_who_waits_and_taken_once(here: Desks) -> None:
    desk = here.seat(Role.RECEPTION)
    first, second, waits = (here.place.client() for _ in range(3))
    booked = [
        desk.send("POST", "/api/bookings", {"client_id": str(client), "starts_at": f"2026-11-25T23:{minute}:00Z"})
        for client, minute in ((first, "00"), (second, "30"))
    ]
    assert [answer.status_code for answer in booked] == [201, 201]
    wish = {"client_id": str(waits), "day": str(THURSDAY)}
    asked = [desk.send("POST", "/api/waits", wish).json() for _ in range(2)]
    assert asked[0] == asked[1]
    assert here.acts_about(waits).count("asked for a place") in (1, 2)
    desk.send("POST", f"/api/bookings/{booked[0].json()['id']}/drop")
    (line,) = desk.get("/api/waits").json()
    assert (line["position"], line["offer"]["starts_at"]) == (1, "2026-11-25T23:00:00Z")
    taken = [desk.send("POST", f"/api/offers/{line['offer']['id']}/take").json() for _ in range(2)]
    assert taken[0] == taken[1]
    assert (taken[0]["client_id"], taken[0]["state"]) == (str(waits), "booked")
    assert desk.get("/api/waits").json() == []
    free = desk.send("POST", "/api/waits", {**wish, "day": "2026-11-27"})
    assert (free.status_code, free.json()["code"]) == (409, "slot-free")
    left = desk.send("POST", f"/api/waits/{line['wait']['id']}/leave")
    assert (left.status_code, left.json()["state"]) == (200, "met")
    assert desk.send("POST", f"/api/waits/{uuid4()}/leave").status_code == 404
    assert here.doctor.get("/api/waits").status_code == 403


class TestTheQueue:
    def test_is_called_skipped_called_again_and_served(self, here: Desks) -> None:
        desk = here.seat(Role.PHARMACIST)
        one, other = comes(here, here.place.client()), comes(here, here.place.client())
        assert [each["ticket"] for each in desk.get("/api/queue").json()] == [1, 2]
        call = {"window": 1, "key": str(uuid4())}
        answers = [desk.send("POST", "/api/queue/next", call).json()["visit"] for _ in range(3)]
        assert [(each["ticket"], each["calls"]) for each in answers] == [(1, 1)] * 3
        path, key = f"/api/queue/{one.id}", str(uuid4())
        skipped = [desk.send("POST", f"{path}/not-there", {"key": key}).json() for _ in range(2)]
        assert [(each["skips"], each["waits"]) for each in skipped] == [(1, True)] * 2
        again = {"window": 2, "key": str(uuid4())}
        called = [desk.send("POST", f"{path}/again", again).json() for _ in range(2)]
        assert [(each["calls"], each["window"]) for each in called] == [(2, 2)] * 2
        late = desk.send("POST", f"{path}/not-there", {"key": key}).json()
        assert (late["skips"], late["window"]) == (1, 2), "a late repetition sends nobody back"
        served = [desk.send("POST", f"{path}/serve", {"window": 2}).json()["started_at"] for _ in range(2)]
        assert served[0] == served[1] is not None
        assert here.acts_about(one.holder_id).count("came to the window") == 1
        assert desk.send("POST", f"/api/queue/{other.id}/left").json()["ended_at"] is not None
        assert desk.send("POST", "/api/queue/next", {"window": 1, "key": str(uuid4())}).json() == {"visit": None}

    def test_knows_who_may_what_and_only_its_own_site(self, here: Desks, now: datetime, tmp_path: Path) -> None:
        there = desks(here.database, now, tmp_path, code="SAT")
        visit = comes(there, there.place.client())
        desk, call = here.seat(Role.PHARMACIST), {"window": 1, "key": str(uuid4())}
        for act, body in (
            ("again", call),
            ("not-there", {"key": call["key"]}),
            ("serve", {"window": 1}),
            ("left", None),
        ):
            assert desk.send("POST", f"/api/queue/{visit.id}/{act}", body).status_code == 404
        assert here.seat(Role.RECEPTION).send("POST", "/api/queue/next", call).status_code == 403
        assert here.seat(Role.NURSE).send("POST", f"/api/queue/{visit.id}/left").status_code == 403
        assert desk.send("POST", "/api/queue/next", {"window": 0, "key": call["key"]}).status_code in (400, 422)
        assert desk.send("POST", "/api/queue/next", {"window": 1}).status_code in (400, 422)
