"""What is not as usual, through the API: the same acts as at the counter's pages, once for each key."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx import Response
from sqlalchemy import text

from dispensary.database import Database
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.unusual_place import follows, orders, todays_dose
from tests.dispensary.visiting import Visitor


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def counter(here: Desks) -> Visitor:
    return here.seat(Role.PHARMACIST)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client(mg="80")


@pytest.fixture
def stranger(here: Desks, now: datetime, tmp_path: Path) -> ClientId:
    """A client of another site."""
    return desks(here.database, now, tmp_path, code="SAT").place.client()


def sends(visitor: Visitor, path: str, **body: Any) -> Response:
    return visitor.send("POST", f"/api{path}", body)


def notes(visitor: Visitor, client: ClientId, kind: str, **body: Any) -> Response:
    return sends(visitor, f"/clients/{client}/exceptions/{kind}", **{"key": str(uuid4()), **body})


def doctor(here: Desks) -> str:
    return str(here.place.doctor.account_id)


def nothing_is_broken(here: Desks) -> bool:
    with here.database.reading() as session:
        return [str(finding) for finding in verify(session, now=here.place.now)] == []


class TestVomited:
    def test_noted_answered_given_again_and_closed_each_once(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        follows(here.place, Topic.VOMITED, "US-TIP63")
        here.place.give(client)
        body = {
            "key": "vomited-0001",
            "dose_id": str(todays_dose(here.place, client)),
            "minutes": 20,
            "witnessed": True,
        }

        noted = [notes(counter, client, "vomited", **body) for _ in range(2)]
        assert [answer.status_code for answer in noted] == [201, 201]
        assert noted[0].json() == noted[1].json()
        about = noted[0].json()
        assert (about["kind"], about["next"], about["supply"]) == ("vomited", ["call_prescriber"], None)
        assert (about["ruling"]["mg"], about["ruling"]["guideline"]) == ("40", "US-TIP63")

        call = {"prescriber_id": doctor(here), "said": "half of it", "mg": "40"}
        answered = [sends(counter, f"/exceptions/{about['id']}/call", **call).json() for _ in range(2)]
        assert (answered[1]["allowed_mg"], answered[1]["next"]) == ("40", ["give_again"])

        give = {"key": "again-000001", "identified_by": "second_identifier", "well": True}
        first, second = (sends(counter, f"/exceptions/{about['id']}/replacement", **give).json() for _ in range(2))
        assert first["supply"]["extra"] == [{"kind": "replacement", "mg": "40.00", "ml": "8.000"}]
        assert (first["supply"]["repeated"], second["supply"]["repeated"]) == (False, True)
        assert (first["outcome"], first["next"]) == ("40 mg given again", [])
        assert nothing_is_broken(here)

    def test_more_than_the_guideline_is_asked_about(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        follows(here.place, Topic.VOMITED, "US-TIP63")
        here.place.give(client)
        dose = str(todays_dose(here.place, client))
        about = notes(counter, client, "vomited", dose_id=dose, minutes=20, witnessed=True).json()
        call = {"prescriber_id": doctor(here), "said": "all of it", "mg": "60"}

        asked = sends(counter, f"/exceptions/{about['id']}/call", **call)

        assert (asked.status_code, asked.json()["code"], asked.json()["field"]) == (422, "above-guideline", "beyond")
        assert sends(counter, f"/exceptions/{about['id']}/call", **call, beyond=True).json()["allowed_mg"] == "60"


class TestTheOtherKinds:
    @pytest.mark.parametrize(
        ("kind", "said", "next_step"),
        [
            ("withheld", {"observation": "slurred speech"}, ["see_again"]),
            ("refused", {"reason": "wants to come at noon"}, ["see_again"]),
            ("spilled", {"reason": "the cup fell"}, ["see_again"]),
            ("late", {"note": "the bus broke down"}, ["as_missed_days_say"]),
        ],
    )
    def test_is_written_once_and_says_what_comes_next(
        self, here: Desks, counter: Visitor, client: ClientId, kind: str, said: dict[str, str], next_step: list[str]
    ) -> None:
        first, second = (notes(counter, client, kind, key="the-same-key", **said) for _ in range(2))

        assert first.status_code == 201
        assert first.json() == second.json()
        assert first.json()["next"] == next_step
        seen_again = [one["kind"] for one in counter.get("/api/exceptions").json()]
        assert bool(seen_again) is (next_step == ["see_again"])
        assert nothing_is_broken(here)

    def test_partly_taken_has_its_supply(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        body = {"key": "partly-00001", "mg": "50", "reason": "felt sick", "identified_by": "photo"}

        first, second = (notes(counter, client, "partly-taken", **body).json() for _ in range(2))

        assert [dose["mg"] for dose in first["supply"]["doses"]] == ["50.00"]
        assert (first["id"], first["supply"]["supply"]) == (second["id"], second["supply"]["supply"])
        assert second["supply"]["repeated"]
        assert first["next"] == ["prescriber_was_told"]
        assert nothing_is_broken(here)

    def test_a_top_up_goes_up_to_the_increase(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        here.place.give(client)
        here.place.now += timedelta(minutes=10)
        here.clock.moment = here.place.now
        orders(here.place, client, "90", ahead=1)
        body = {"prescriber_id": doctor(here), "said": "add it", "identified_by": "photo", "well": True}

        assert notes(counter, client, "top-up", mg="10.01", **body).json()["code"] == "above-increase"
        given = notes(counter, client, "top-up", mg="10", **body).json()

        assert given["supply"]["extra"] == [{"kind": "top_up", "mg": "10.00", "ml": "2.000"}]
        assert nothing_is_broken(here)

    def test_a_wrong_dose_is_observed_and_closed_by_a_prescriber_alone(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        follows(here.place, Topic.WRONG_DOSE, "AU-NAT-2003")
        about = notes(counter, client, "wrong-dose", mg="200", happened="two cups were mixed up").json()

        assert about["next"] == ["call_at_once", "observe", "give_naloxone", "prescriber_reviews"]
        assert datetime.fromisoformat(about["observe_until"]) == here.place.now + timedelta(hours=4)
        assert [one["id"] for one in counter.get("/api/exceptions").json()] == [about["id"]]
        refused = sends(counter, f"/exceptions/{about['id']}/close", outcome="looks well")
        assert (refused.status_code, refused.json()["code"]) == (403, "prescriber-closes")
        assert sends(here.doctor, f"/exceptions/{about['id']}/close", outcome="well, goes on").json()["closed_at"]
        assert counter.get("/api/exceptions").json() == []


class TestCalls:
    def test_a_call_after_missed_days_gives_less_and_is_written_once(self, here: Desks) -> None:
        follows(here.place, Topic.MISSED, "AU-NAT-2003")
        client = here.place.client(mg="100")
        here.place.give(client)
        here.place.move_on(20)
        orders(here.place, client, "100")
        here.place.give(client, second_look="-")
        here.days_pass(4)
        counter = here.seat(Role.PHARMACIST)
        call = {"prescriber_id": doctor(here), "said": "half, and see me"}

        above = sends(counter, f"/clients/{client}/calls", **call, mg="50.01")
        first, second = (sends(counter, f"/clients/{client}/calls", **call, mg="50") for _ in range(2))

        assert (above.status_code, above.json()["code"]) == (422, "above-guideline")
        assert first.status_code == 201
        assert first.json() == second.json()
        assert (first.json()["mg"], first.json()["from_day"]) == ("50", day(0, here))

    def test_without_missed_days_nothing_provides_for_it(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        answer = sends(counter, f"/clients/{client}/calls", prescriber_id=doctor(here), said="less", mg="10")

        assert (answer.status_code, answer.json()["code"]) == (409, "no-reduction")


class TestBottles:
    @pytest.fixture
    def client(self, here: Desks) -> ClientId:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=6)
        here.place.give(client, take_home_days=here.place.ahead(1, 2, 3))
        return client

    def test_are_read_taken_back_and_read_again(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        before = counter.get(f"/api/clients/{client}/bottles").json()
        assert [bottle["day"] for bottle in before["bottles"]] == [day(n, here) for n in (1, 2, 3)]
        assert (before["expected_full"], before["recall"]) == (3, None)
        assert here.acts_about(client)[-1] == "looked at"
        brought = [{"id": bottle["id"], "full": n == 1} for n, bottle in enumerate(before["bottles"][:2])]

        back = [
            sends(counter, f"/clients/{client}/returns", bottles=brought, reason="goes into hospital") for _ in range(2)
        ]

        assert [answer.status_code for answer in back] == [201, 201]
        assert back[0].json() == back[1].json() == {"empty": 1, "full": 1, "uncovered": [day(2, here)]}
        assert counter.get(f"/api/clients/{client}/bottles").json()["expected_full"] == 1
        assert nothing_is_broken(here)

    def test_the_same_bottle_otherwise_is_refused(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        bottle = counter.get(f"/api/clients/{client}/bottles").json()["bottles"][0]["id"]
        sends(counter, f"/clients/{client}/returns", bottles=[{"id": bottle, "full": False}])

        answer = sends(counter, f"/clients/{client}/returns", bottles=[{"id": bottle, "full": True}], reason="full")

        assert (answer.status_code, answer.json()["code"]) == (409, "returned-already")

    def test_are_called_back_and_counted(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall = {"cause": "check", "from_day": day(0, here), "bring_by": day(2, here)}
        opened, again = (sends(here.doctor, f"/clients/{client}/recalls", **recall).json() for _ in range(2))
        assert (opened["id"], opened["state"]) == (again["id"], "open")
        path = f"/recalls/{opened['id']}/count"

        wrong = sends(counter, path, counted_full=2, portions_taken=1)
        right = [sends(counter, path, counted_full=3, portions_taken=1).json() for _ in range(2)]

        assert (wrong.status_code, wrong.json()["code"]) == (422, "count-differs")
        assert (right[0]["state"], right[0]["expected_full"]) == ("passed", 3)
        assert right[0] == right[1]

    def test_a_recall_is_called_off_once(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall = {"cause": "check", "from_day": day(0, here), "bring_by": day(2, here)}
        opened = sends(here.doctor, f"/clients/{client}/recalls", **recall).json()

        off = [sends(counter, f"/recalls/{opened['id']}/call-off", note="in hospital") for _ in range(2)]

        assert [answer.json()["state"] for answer in off] == ["cancelled", "cancelled"]
        assert sends(counter, f"/recalls/{opened['id']}/call-off", note="other").json()["code"] == "recall-closed"

    def test_only_a_doctor_or_a_nurse_calls_them_back(self, here: Desks, counter: Visitor, client: ClientId) -> None:
        recall = {"cause": "check", "from_day": day(0, here), "bring_by": day(2, here)}

        assert sends(counter, f"/clients/{client}/recalls", **recall).status_code == 403


class TestWhatDoesNotFit:
    @pytest.mark.parametrize(
        ("kind", "body", "field"),
        [
            ("vomited", {"dose_id": str(UUID(int=1)), "minutes": 1441, "witnessed": True}, "minutes"),
            ("vomited", {"dose_id": str(UUID(int=1)), "minutes": 5}, "witnessed"),
            ("withheld", {"observation": "x" * 501}, "observation"),
            ("withheld", {"observation": "asleep", "key": "short"}, "key"),
            ("refused", {"reason": "no", "colour": "blue"}, "colour"),
            ("partly-taken", {"mg": "NaN", "reason": "sick", "identified_by": "photo"}, "mg"),
            ("partly-taken", {"mg": "1e500", "reason": "sick", "identified_by": "photo"}, "mg"),
            ("partly-taken", {"mg": "50", "reason": "sick", "identified_by": "import"}, "identified_by"),
            ("wrong-dose", {"mg": "200", "happened": "x", "observe_hours": 73}, "observe_hours"),
        ],
    )
    def test_is_refused_by_field_and_nothing_is_kept(
        self, here: Desks, counter: Visitor, client: ClientId, kind: str, body: dict[str, Any], field: str
    ) -> None:
        answer = notes(counter, client, kind, **body)

        assert answer.status_code == 422
        assert field in answer.json()["field"]
        assert answer.headers["content-type"] == "application/problem+json"
        with here.database.reading() as session:
            assert session.execute(text("SELECT count(*) FROM dose_exception")).scalar_one() == 0


class TestWhoMay:
    def test_another_sites_client_is_not_there(self, here: Desks, counter: Visitor, stranger: ClientId) -> None:
        answers = [
            counter.get(f"/api/clients/{stranger}/exceptions"),
            counter.get(f"/api/clients/{stranger}/bottles"),
            notes(counter, stranger, "withheld", observation="asleep"),
            sends(counter, f"/clients/{stranger}/calls", prescriber_id=doctor(here), said="less", mg="10"),
            sends(counter, f"/clients/{stranger}/returns", bottles=[{"id": str(UUID(int=1)), "full": False}]),
        ]

        assert [answer.status_code for answer in answers] == [404] * 5
        assert here.acts_about(stranger)[-1] != "looked at"

    def test_another_sites_exception_is_not_answered_given_or_closed(
        self, here: Desks, counter: Visitor, now: datetime, tmp_path: Path
    ) -> None:
        there = desks(here.database, now, tmp_path, code="SAT")
        about = notes(there.seat(Role.PHARMACIST, Role.NURSE), there.place.client(), "withheld", observation="x").json()
        give = {"key": "again-000001", "identified_by": "photo", "well": True}

        answers = [
            sends(counter, f"/exceptions/{about['id']}/call", prescriber_id=doctor(here), said="x"),
            sends(counter, f"/exceptions/{about['id']}/replacement", **give),
            sends(counter, f"/exceptions/{about['id']}/close", outcome="x"),
        ]

        assert [answer.status_code for answer in answers] == [404] * 3
        assert counter.get("/api/exceptions").json() == []

    def test_a_doctor_reads_what_happened_and_the_look_is_written_down(
        self, here: Desks, counter: Visitor, client: ClientId
    ) -> None:
        notes(counter, client, "withheld", observation="asleep")

        read = here.doctor.get(f"/api/clients/{client}/exceptions").json()

        assert [(one["kind"], one["details"]) for one in read] == [("intoxicated", {"observation": "asleep"})]
        assert here.acts_about(client)[-1] == "looked at"
        assert notes(here.doctor, client, "withheld", observation="asleep").status_code == 403
