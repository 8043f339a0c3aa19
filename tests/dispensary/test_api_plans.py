from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

from dispensary.database import Database
from dispensary.prescribing.queries import order_on
from dispensary.prescribing.sections import Topic
from dispensary.staff.rules import Role
from dispensary.supplies.recalls import open_recall
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks
from tests.dispensary.test_desk_ordering import adopted


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    """Takes 80 mg a day; has had today's."""
    client = here.place.client(mg="80")
    here.place.give(client)
    return client


def plan(here: Desks, client: ClientId, **changed: Any) -> Response:
    steps = [
        {"from_day": day(1, here), "mg": "90"},
        {"from_day": day(8, here), "mg": "100", "portions": ["60", "40"], "places": ["supervised", "take_home"]},
    ]
    body = {"kind": "titration", "steps": steps, "reason": "craving", **changed}
    return here.doctor.send("POST", f"/api/clients/{client}/plans", body)


class TestSigning:
    def test_the_answer_has_the_steps_and_the_orders_of_the_plan(self, here: Desks, client: ClientId) -> None:
        answer = plan(here, client)

        assert answer.status_code == 201
        signed = answer.json()
        assert [(one["from"], one["mg"]) for one in signed["steps"]] == [(day(1, here), "90"), (day(8, here), "100")]
        assert [(one["from_day"], one["until_day"], one["mg"], one["places"]) for one in signed["orders"]] == [
            (day(1, here), day(8, here), "90", []),
            (day(8, here), None, "100", ["supervised", "take_home"]),
        ]

    def test_the_same_request_again_gets_the_same_plan(self, here: Desks, client: ClientId) -> None:
        first, second = (plan(here, client).json() for _ in range(2))

        assert first == second
        assert here.acts_about(client).count("signed plan") == 1

    def test_each_question_names_its_step(self, here: Desks, client: ClientId) -> None:
        adopted(here, Topic.INDUCTION, "AU-NAT-2003")

        answer = plan(here, client)

        assert answer.status_code == 422
        asked = {(error["code"], error["field"]) for error in answer.json()["errors"]}
        assert asked == {("outside-guideline", "why_0")}
        assert answer.json()["evidence"]["source"].startswith("AU-NAT-2003")

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"kind": "detox"}, "kind"),
            ({"steps": []}, "steps"),
            ({"steps": [{"from_day": "2026-11-25", "mg": "NaN"}]}, "mg_0"),
            ({"steps": [{"from_day": "2026-11-25", "mg": "1e500"}]}, "mg_0"),
            ({"steps": [{"from_day": "2026-11-25", "mg": "80", "portions": ["50", "20"]}]}, "portions_0"),
            ({"steps": [{"from_day": "2026-11-25", "mg": "80", "places": ["street"]}]}, "steps"),
            ({"steps": [{"from_day": "2026-11-23", "mg": "80"}]}, ""),
            ({"steps": [{"from_day": "2026-11-25", "mg": "80"}] * 2}, "day_1"),
            ({"steps": [{"from_day": "2026-11-25", "mg": "80"}] * 121}, "steps"),
            ({"until_day": "2026-11-26"}, "until_day"),
            ({"reason": " "}, "reason"),
            ({"trough_ng_ml": -1}, "trough"),
            ({"colour": "blue"}, "colour"),
        ],
    )
    def test_what_is_no_plan_is_refused_and_nothing_is_ordered(
        self, here: Desks, client: ClientId, changed: dict[str, Any], field: str
    ) -> None:
        answer = plan(here, client, **changed)

        assert answer.status_code in (409, 422)
        assert any(field in error["field"] for error in answer.json()["errors"])
        assert here.acts_about(client).count("signed plan") == 0


class TestReading:
    def test_the_plans_of_a_client_are_listed_and_the_look_is_written_down(self, here: Desks, client: ClientId) -> None:
        signed = plan(here, client).json()

        answer = here.seat(Role.PHARMACIST).get(f"/api/clients/{client}/plans")

        assert answer.json() == [signed]
        assert here.acts_about(client)[-1] == "looked at"


class TestEnding:
    def test_a_plan_ends_and_the_dose_stays(self, here: Desks, client: ClientId) -> None:
        signed = plan(here, client).json()
        path = f"/api/clients/{client}/plans/{signed['id']}/stop"
        body = {"from_day": day(8, here), "reason": "drowsy"}

        first, second = (here.doctor.send("POST", path, body) for _ in range(2))

        assert (first.status_code, first.json()) == (201, second.json())
        assert (first.json()["mg"], first.json()["from_day"], first.json()["until_day"]) == ("90", day(8, here), None)
        assert here.doctor.send("POST", f"/api/clients/{client}/plans/{uuid4()}/stop", body).status_code == 404

    def test_an_order_is_stopped_once_with_what_comes_after_it(self, here: Desks, client: ClientId) -> None:
        order = plan(here, client).json()["orders"][0]
        path = f"/api/clients/{client}/orders/{order['id']}/stop"
        body = {"from_day": day(3, here), "reason": "moves away"}

        for _ in range(2):
            assert here.doctor.send("POST", path, body).status_code == 204

        (left,) = here.doctor.get(f"/api/clients/{client}/plans").json()[0]["orders"]
        assert (left["id"], left["until_day"]) == (order["id"], day(3, here))
        assert here.acts_about(client).count("stopped order") == 1

    def test_an_order_that_does_not_count_on_that_day_is_not_there(self, here: Desks, client: ClientId) -> None:
        order = plan(here, client).json()["orders"][1]

        for order_id in (order["id"], uuid4()):
            path = f"/api/clients/{client}/orders/{order_id}/stop"
            answer = here.doctor.send("POST", path, {"from_day": day(3, here), "reason": "moves away"})
            assert (answer.status_code, answer.json()["code"]) == (404, "no-order")

    def test_bottles_at_home_are_asked_about_and_called_back(self, here: Desks) -> None:
        client = here.place.client(mg="80")
        here.place.decide(client, per_supply=2)
        here.place.give(client, take_home_days=here.place.ahead(1, 2))
        order = here.doctor.send(
            "POST",
            f"/api/clients/{client}/orders",
            {"mg": "85", "from_day": day(3, here), "reason": "craving"},
        ).json()
        assert order["mg"] == "85"
        with here.database.reading() as session:
            running = order_on(session, client_id=client, day=here.today)
        assert running is not None
        path = f"/api/clients/{client}/orders/{running.id}/stop"
        body = {"from_day": day(1, here), "reason": "intoxicated again and again"}
        assert here.doctor.send("POST", path, {**body, "bottles": "stay"}).json()["code"] == "day-covered"

        assert here.doctor.send("POST", path, {**body, "bottles": "call_back"}).status_code == 204

        with here.database.reading() as session:
            recall = open_recall(session, client_id=client)
        assert recall is not None
        assert recall.cause == "stopped"


class TestWhoMay:
    @pytest.mark.parametrize(
        ("method", "path", "may"),
        [
            ("GET", "/plans", {Role.PHARMACIST, Role.DOCTOR, Role.NURSE}),
            ("POST", "/plans", {Role.DOCTOR}),
            ("POST", "/plans/{client}/stop", {Role.DOCTOR}),
            ("POST", "/orders/{client}/stop", {Role.DOCTOR}),
        ],
    )
    def test_each_act_is_open_to_those_whose_work_it_is(
        self, here: Desks, client: ClientId, method: str, path: str, may: set[Role]
    ) -> None:
        def refused(role: Role) -> bool:
            whole = f"/api/clients/{client}{path.format(client=client)}"
            return here.seat(role).send(method, whole, {} if method == "POST" else None).status_code == 403

        assert {role for role in Role if not refused(role)} == may

    def test_a_client_of_another_site_is_not_there(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        other = desks(here.database, now, tmp_path, code="SAT").place.client()

        assert plan(here, other).status_code == 404
        assert here.doctor.get(f"/api/clients/{other}/plans").status_code == 404
