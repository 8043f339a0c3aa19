from __future__ import annotations

from base64 import b64encode
from dataclasses import fields
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from PIL import Image

from dispensary.clients.circumstances import Circumstances
from dispensary.clients.models import Client
from dispensary.clients.queries import photo_of
from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, day, desks


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


@pytest.fixture
def client(here: Desks) -> ClientId:
    return here.place.client(mg="80")


def picture() -> str:
    written = BytesIO()
    Image.new("RGB", (700, 900), (150, 120, 90)).save(written, "PNG")
    return b64encode(written.getvalue()).decode()


class TestFinding:
    def test_by_number_and_by_the_beginnings_of_a_name(self, here: Desks) -> None:
        client = here.enrolled("H-1", "Ahmad bin Yusof")
        found = {"id": str(client), "number": "H-1", "name": "Ahmad bin Yusof", "born": "1985-04-03"}

        for sought in ("h-1", "yus ahm"):
            assert here.doctor.send("POST", "/api/clients/search", {"find": sought}).json() == [found]
        assert here.doctor.get("/api/clients?find=h-1").status_code == 405, "no name stands in an address"

    @pytest.mark.parametrize("body", [{}, {"find": ""}, {"find": "x" * 121}])
    def test_nothing_to_look_for_finds_nobody_and_lists_nobody(self, here: Desks, body: dict[str, str]) -> None:
        here.enrolled("H-1")

        assert here.doctor.send("POST", "/api/clients/search", body).status_code == 422

    def test_not_at_another_site(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        desks(here.database, now, tmp_path, code="SAT").enrolled("H-1")

        assert here.doctor.send("POST", "/api/clients/search", {"find": "H-1"}).json() == []


class TestEnrolling:
    def body(self, here: Desks, **changed: Any) -> dict[str, Any]:
        return {"number": "h-1", "name": "Tan Wei Ming", "born": "1980-02-29", "began_on": day(0, here), **changed}

    def test_a_person_with_photo_and_phone(self, here: Desks) -> None:
        phone = {"number": "012-345 6789", "language": "ms", "consented": True}
        body = self.body(here, photo=picture(), phone=phone, lockbox=True)

        answer = here.doctor.send("POST", "/api/clients", body)

        assert answer.status_code == 201
        assert (answer.json()["number"], answer.json()["name"]) == ("H-1", "Tan Wei Ming")
        with here.database.reading() as session:
            kept = photo_of(session, ClientId(answer.json()["id"]), site_id=here.place.site_id)
        assert kept is not None
        assert kept.startswith(b"\xff\xd8")

    def test_what_they_told_of_their_circumstances_is_kept_and_the_rest_is_not_asked(self, here: Desks) -> None:
        told = {"lockbox": True, "employed": False, "children_at_home": True, "guardian": False, "distance_km": 35}

        answer = here.doctor.send("POST", "/api/clients", self.body(here, **told))

        with here.database.reading() as session:
            client = session.get_one(Client, answer.json()["id"])
        kept = {each.name: getattr(client, each.name) for each in fields(Circumstances)}
        assert kept == {**told, "housing_stable": None, "health_stable": None}

    def test_the_same_request_again_gets_the_same_client(self, here: Desks) -> None:
        first, second = (here.doctor.send("POST", "/api/clients", self.body(here)).json() for _ in range(2))

        assert first == second

    @pytest.mark.parametrize(
        ("changed", "status", "code", "field"),
        [
            ({"number": ""}, 422, "bad-value", "number"),
            ({"born": None}, 422, "no-identifier", "second_identifier"),
            ({"born": "29.2.1980"}, 422, "bad-value", "born"),
            ({"began_on": "2026-12-24"}, 422, "begins-later", "began_on"),
            ({"photo": b64encode(b"<svg/>").decode()}, 422, "photo-unreadable", "photo"),
            ({"photo": "%%%"}, 422, "bad-value", "photo"),
            ({"phone": {"number": "12"}}, 422, "bad-number", "phone"),
            ({"phone": {"number": "012-345 6789", "language": "xx"}}, 422, "bad-language", "language"),
            ({"sex": "other than these"}, 422, "bad-value", "sex"),
            ({"colour": "blue"}, 422, "unknown-field", "colour"),
            ({"distance_km": 2001}, 422, "bad-value", "distance_km"),
            ({"guardian": "perhaps"}, 422, "bad-value", "guardian"),
        ],
    )
    def test_what_cannot_be_kept_is_refused_by_field_and_nobody_is_enrolled(
        self, here: Desks, changed: dict[str, Any], status: int, code: str, field: str
    ) -> None:
        answer = here.doctor.send("POST", "/api/clients", self.body(here, **changed))

        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert field in answer.json()["field"]
        assert here.doctor.send("POST", "/api/clients/search", {"find": "H-1"}).json() == []

    def test_a_number_that_another_has(self, here: Desks) -> None:
        here.enrolled("H-1", "Somebody Else")

        answer = here.doctor.send("POST", "/api/clients", self.body(here))

        assert (answer.status_code, answer.json()["code"]) == (409, "number-taken")


class TestReading:
    def read(self, here: Desks, client: ClientId) -> dict[str, Any]:
        answer = here.doctor.get(f"/api/clients/{client}")
        assert answer.status_code == 200
        return dict(answer.json())

    def test_what_the_counter_would_see_before_the_dose(self, here: Desks, client: ClientId) -> None:
        now = self.read(here, client)

        assert (now["today"], now["order"]["mg"], now["order"]["portions"]) == (day(0, here), "80", ["80"])
        assert now["due"] == {"portion": 1, "of": 1, "mg": "80"}
        assert (now["covered_portions"], now["refusals"], now["held"], now["take_home"]) == ([], [], None, None)

    def test_and_after_it(self, here: Desks, client: ClientId) -> None:
        here.place.decide(client, per_supply=2)
        here.place.give(client, take_home_days=here.place.ahead(1, 2))

        now = self.read(here, client)

        assert (now["due"], now["covered_portions"]) == (None, [1])
        assert [refusal["code"] for refusal in now["refusals"]] == ["already-covered"]
        assert all(refusal["remedy"] for refusal in now["refusals"])
        assert [(bottle["day"], bottle["mg"]) for bottle in now["at_home"]] == [
            (day(1, here), "80"),
            (day(2, here), "80"),
        ]
        assert now["take_home"]["per_supply"] == 2

    def test_a_split_dose_portion_by_portion(self, here: Desks) -> None:
        client = here.place.client(mg="100", parts=("62.5", "37.5"))
        here.place.give(client)

        now = self.read(here, client)

        assert now["order"]["portions"] == ["62.5", "37.5"]
        assert now["due"] == {"portion": 2, "of": 2, "mg": "37.5"}

    def test_an_absence_says_why_the_old_order_does_not_count(self, here: Desks, client: ClientId) -> None:
        here.place.give(client)
        here.days_pass(5)

        now = self.read(here, client)

        assert (now["days_without"], now["last_covered"]) == (4, day(-5, here))
        assert [refusal["code"] for refusal in now["refusals"]] == ["absent"]

    def test_every_look_is_written_down(self, here: Desks, client: ClientId) -> None:
        self.read(here, client)

        assert here.acts_about(client)[-1] == "looked at"

    def test_who_is_not_there_is_not_there(self, here: Desks, tmp_path: Path, now: datetime) -> None:
        other = desks(here.database, now, tmp_path, code="SAT").place.client()

        for nobody in (uuid4(), other):
            answer = here.doctor.get(f"/api/clients/{nobody}")
            assert (answer.status_code, answer.json()["code"]) == (404, "no-client")


class TestOrders:
    def order(self, here: Desks, client: ClientId, **changed: Any) -> Any:
        body = {"mg": "85", "from_day": day(1, here), "reason": "craving", **changed}
        return here.doctor.send("POST", f"/api/clients/{client}/orders", body)

    def test_a_dose_in_portions_from_a_day_on(self, here: Desks, client: ClientId) -> None:
        answer = self.order(here, client, portions=["50", "35"], until_day=day(8, here))

        assert answer.status_code == 201
        told = answer.json()
        assert (told["mg"], told["portions"]) == ("85", ["50", "35"])
        assert (told["from_day"], told["until_day"]) == (day(1, here), day(8, here))

    def test_a_question_is_answered_and_sent_again(self, here: Desks, client: ClientId) -> None:
        asked = self.order(here, client, mg="130").json()
        assert (asked["code"], asked["field"]) == ("second-look", "second_look")
        assert asked["evidence"] == {"last_mg": "80.00", "dose_mg": "130.00"}

        assert self.order(here, client, mg="130", second_look="known from another clinic").status_code == 201

    def test_bottles_at_home_are_a_question_too(self, here: Desks, client: ClientId) -> None:
        here.place.decide(client, per_supply=3)
        here.place.give(client, take_home_days=here.place.ahead(2, 3))

        assert self.order(here, client).json()["code"] == "bottles-at-home"
        assert self.order(here, client, bottles="stay").status_code == 201

    def test_the_same_order_again_is_the_same_order(self, here: Desks, client: ClientId) -> None:
        first, second = self.order(here, client).json(), self.order(here, client).json()

        assert first == second

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"mg": "NaN"}, "mg"),
            ({"mg": "1e500"}, "mg"),
            ({"mg": "Infinity"}, "mg"),
            ({"mg": "0"}, "mg"),
            ({"mg": "80.001"}, "mg"),
            ({"mg": 85}, "mg"),
            ({"mg": 85.5}, "mg"),
            ({"portions": ["50", "x"]}, "portions"),
            ({"portions": ["50"] * 5}, "portions"),
            ({"portions": ["50", "36"]}, "portions"),
            ({"from_day": "0001-01-01"}, ""),
            ({"until_day": "2026-11-25"}, "until_day"),
            ({"reason": ""}, "reason"),
            ({"reason": " "}, "reason"),
            ({"unknown": 1}, ""),
        ],
    )
    def test_what_is_no_order_is_refused_and_nothing_is_ordered(
        self, here: Desks, client: ClientId, changed: dict[str, Any], field: str
    ) -> None:
        answer = self.order(here, client, **changed)

        assert answer.status_code in (409, 422)
        assert answer.json()["field"].startswith(field)
        assert here.acts_about(client).count("ordered dose") == 1


class TestHolds:
    def test_a_hold_is_placed_once_and_released_once(self, here: Desks, client: ClientId) -> None:
        path = f"/api/clients/{client}/holds"
        body = {"from_day": day(0, here), "until_day": day(2, here), "reason": "chest pain"}
        first, second = (here.doctor.send("POST", path, body) for _ in range(2))
        assert (first.status_code, first.json()) == (201, second.json())
        assert here.doctor.get(f"/api/clients/{client}").json()["held"] == "chest pain"

        release = {"reason": "ECG is well"}
        assert here.doctor.send("POST", f"{path}/{first.json()['id']}/release", {"reason": ""}).status_code == 422
        for _ in range(2):
            assert here.doctor.send("POST", f"{path}/{first.json()['id']}/release", release).status_code == 204

        assert here.doctor.get(f"/api/clients/{client}").json()["held"] is None
        assert here.acts_about(client).count("released hold") == 1
        assert here.doctor.send("POST", f"{path}/{uuid4()}/release", release).status_code == 404


class TestTakeHome:
    def test_a_client_is_assessed_the_doctor_decides_and_the_counter_obeys(self, here: Desks, client: ClientId) -> None:
        for _ in range(28):
            here.place.give(client)
            here.days_pass(1)
        assessed = here.doctor.send("POST", f"/api/clients/{client}/assessments", {})
        assert assessed.status_code == 201
        allowance = assessed.json()["result"]["allowance"]
        assert (assessed.json()["level"], allowance["per_supply"]) == ("6 a week", 6)
        decision = {"assessment_id": assessed.json()["id"], "days_from": day(0, here), "per_supply": 3, "per_week": 3}
        decision["naloxone"] = "given"

        path = f"/api/clients/{client}/decisions"
        refused = here.doctor.send("POST", path, decision)
        assert (refused.status_code, refused.json()["code"]) == (422, "reason-missing")
        first, second = (here.doctor.send("POST", path, {**decision, "reason": "three first"}) for _ in range(2))

        assert first.status_code == 201
        assert first.json() == second.json()
        assert first.json()["differs"]
        now = here.doctor.get(f"/api/clients/{client}").json()
        assert (now["take_home"]["decision"], len(now["proposed_days"])) == (first.json()["id"], 3)

    def test_an_answer_to_a_criterion_that_the_policy_lacks_is_refused(self, here: Desks, client: ClientId) -> None:
        answer = here.doctor.send("POST", f"/api/clients/{client}/assessments", {"judged": {"haircut": True}})

        assert (answer.status_code, answer.json()["code"]) == (422, "no-criterion")

    @pytest.mark.parametrize(
        "changed", [{"per_supply": 29}, {"per_week": 8}, {"per_supply": "six"}, {"per_supply": -1}]
    )
    def test_figures_out_of_bounds_are_refused(self, here: Desks, client: ClientId, changed: dict[str, Any]) -> None:
        body = {"assessment_id": str(uuid4()), "days_from": day(0, here), "per_supply": 1, **changed}

        answer = here.doctor.send("POST", f"/api/clients/{client}/decisions", body)

        assert (answer.status_code, answer.json()["code"]) == (422, "bad-value")


DELIVERY = {"key": "delivery-1", "supplier_name": "Pharmaniaga", "document_no": "DO-1"}


class TestTheSafe:
    def test_a_lot_is_received_and_stands_in_the_register(self, here: Desks) -> None:
        pharmacist = here.seat(Role.PHARMACIST)
        expires = (here.today + timedelta(days=200)).isoformat()
        body = {"batch": "b-77", "strength": "10", "expires_on": expires, "ml": "1000.5", **DELIVERY}

        answer = pharmacist.send("POST", "/api/lots", body)

        assert answer.status_code == 201
        lot = answer.json()
        assert (lot["batch"], lot["strength"], lot["balance_ml"]) == ("B-77", "10", "1000.5")
        assert [each["batch"] for each in pharmacist.get("/api/lots").json()] == ["B-77", "LOT-HRP"]
        books = {book["product"]: book for book in pharmacist.get("/api/register").json()}
        line = books["methadone oral solution 10 mg/mL"]["lines"][0]
        assert (line["kind"], line["ml"], line["balance_ml"], line["initials"]) == (
            "received",
            "1000.5",
            "1000.5",
            "PH",
        )
        assert pharmacist.send("POST", "/api/lots", body).json() == lot, "the same key, the same answer"
        other = {**body, "key": "delivery-2", "strength": "5"}
        assert pharmacist.send("POST", "/api/lots", other).json()["code"] == "batch-known"

    def test_a_dose_is_a_line_that_says_where_it_went(self, here: Desks, client: ClientId) -> None:
        handed = here.place.give(client)

        (book,) = here.seat(Role.ADMINISTRATOR).get("/api/register").json()

        assert [(line["kind"], line["ml"]) for line in book["lines"]] == [("received", "5000"), ("supplied", "-16")]
        assert book["lines"][1]["supply"] == str(handed.supply_id)
        assert book["balance_ml"] == "4984"

    def test_the_register_is_read_by_its_days(self, here: Desks, client: ClientId) -> None:
        here.days_pass(1)
        here.place.give(client)

        def kinds(query: str) -> list[str]:
            (book,) = here.seat(Role.PHARMACIST).get(f"/api/register{query}").json()
            return [line["kind"] for line in book["lines"]]

        assert kinds("") == ["supplied"]
        assert kinds(f"?first={day(-1, here)}") == ["received", "supplied"]
        assert kinds(f"?first={day(-1, here)}&last={day(-1, here)}") == ["received"]
        for query in (f"?first={day(1, here)}&last={day(0, here)}", "?first=2020-01-01", "?first=soon"):
            assert here.seat(Role.PHARMACIST).get(f"/api/register{query}").status_code == 422

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"ml": "-1"}, "ml"),
            ({"ml": "0"}, "ml"),
            ({"ml": "1e9"}, "ml"),
            ({"strength": "0"}, "strength"),
            ({"strength": "101"}, "strength"),
            ({"expires_on": "2026-11-23"}, "expires_on"),
            ({"batch": ""}, "batch"),
            ({"supplier_name": " "}, "supplier_name"),
            ({"document_no": ""}, "document_no"),
            ({"measured_ml": "499"}, "reason"),
        ],
    )
    def test_what_is_no_lot_is_refused(self, here: Desks, changed: dict[str, str], field: str) -> None:
        body = {"batch": "B1", "strength": "5", "expires_on": "2028-01-01", "ml": "500", **DELIVERY, **changed}

        answer = here.seat(Role.PHARMACIST).send("POST", "/api/lots", body)

        assert (answer.status_code, answer.json()["field"]) == (422, field)


class TestWhoMay:
    EVERYBODY = frozenset(Role)
    RECORD = frozenset({Role.PHARMACIST, Role.DOCTOR, Role.NURSE})
    DOCTOR = frozenset({Role.DOCTOR})

    @pytest.mark.parametrize(
        ("method", "path", "may"),
        [
            ("POST", "/api/clients/search", RECORD | {Role.RECEPTION}),
            ("POST", "/api/clients", {Role.DOCTOR, Role.NURSE}),
            ("GET", "/api/clients/{client}", RECORD),
            ("POST", "/api/clients/{client}/orders", DOCTOR),
            ("POST", "/api/clients/{client}/holds", DOCTOR),
            ("POST", "/api/clients/{client}/holds/{client}/release", DOCTOR),
            ("POST", "/api/clients/{client}/assessments", {Role.DOCTOR, Role.NURSE}),
            ("POST", "/api/clients/{client}/decisions", DOCTOR),
            ("GET", "/api/lots", {Role.PHARMACIST, Role.ADMINISTRATOR}),
            ("POST", "/api/lots", {Role.PHARMACIST}),
            ("GET", "/api/register", {Role.PHARMACIST, Role.ADMINISTRATOR}),
        ],
    )
    def test_each_act_is_open_to_those_whose_work_it_is_and_to_nobody_else(
        self, here: Desks, client: ClientId, method: str, path: str, may: set[Role]
    ) -> None:
        def refused(role: Role) -> bool:
            body = {} if method == "POST" else None
            return here.seat(role).send(method, path.format(client=client), body).status_code == 403

        assert {role for role in Role if not refused(role)} == set(may)

    def test_every_operation_has_a_name_of_its_own_in_the_schema(self, here: Desks) -> None:
        schema = here.doctor.get("/schema/openapi.json").json()
        names = [
            operation["operationId"]
            for path in schema["paths"].values()
            for method, operation in path.items()
            if method in ("get", "post", "put", "delete")
        ]

        assert len(names) == len(set(names))
        assert {
            "findClients",
            "enrolClient",
            "readClient",
            "orderDose",
            "holdDoses",
            "releaseHold",
            "assessTakeHome",
            "decideTakeHome",
            "listLots",
            "receiveLot",
            "readRegister",
        } <= set(names)
