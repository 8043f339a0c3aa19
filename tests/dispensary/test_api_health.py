"""Health through the API: results, medicines, refills, alerts and due tests, for those who treat and nobody else."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx import Response

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


def sends(here: Desks, client: ClientId, path: str, **body: Any) -> Response:
    return here.doctor.send("POST", f"/api/clients/{client}/{path}", body)


def done(here: Desks, client: ClientId, path: str, **body: Any) -> Any:
    answer = sends(here, client, path, **body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def got(here: Desks, path: str) -> Any:
    return here.doctor.get(f"/api/{path}").json()


def liver(value: str = "260", **more: Any) -> dict[str, Any]:
    return {"key": str(uuid4()), "results": [{"test": "alt", "value": value, "upper": "40"}], **more}


class TestResults:
    def test_an_urgent_value_opens_an_alert_that_is_read_and_closed(self, here: Desks, client: ClientId) -> None:
        entry = liver(taken_on=day(0, here), laboratory="Hospital")
        first = done(here, client, "results", **entry)
        assert done(here, client, "results", **entry) == first
        (result,) = got(here, f"clients/{client}/results")
        assert (result["value"], result["unit"], result["upper"]) == ("260", "U/L", "40")
        (alert,) = got(here, f"alerts?client_id={client}")
        assert (alert["severity"], alert["read_at"]) == ("urgent", None)
        assert result["id"] in alert["evidence"]["rests_on"]
        assert got(here, "alerts") == [alert]

        read = done(here, client, f"alerts/{alert['id']}/read")
        assert read["read_at"]
        closing = {"resolution": "Repeated next week.", "dismissed": True}
        closed = done(here, client, f"alerts/{alert['id']}/close", **closing)
        assert done(here, client, f"alerts/{alert['id']}/close", **closing) == closed
        assert closed["dismissed"]
        assert sends(here, client, f"alerts/{alert['id']}/close", resolution="Again.").status_code == 404
        acts = here.acts_about(client)
        assert [acts.count(each) for each in ("entered results", "read alert", "resolved alert")] == [1, 1, 1]
        assert acts.count("looked at") == 2

    def test_every_fault_is_named_by_the_number_of_its_result(self, here: Desks, client: ClientId) -> None:
        results = [{"test": "alt", "value": "many"}, {"test": "platelets", "value": "2"}, {"test": "moon", "value": ""}]
        answer = sends(here, client, "results", key=str(uuid4()), taken_on=day(1, here), results=results)
        assert answer.status_code == 422
        assert [(each["code"], each["field"]) for each in answer.json()["errors"]] == [
            ("bad-value", "results.0"),
            ("implausible", "results.1"),
            ("no-test", "results.2"),
            ("day-to-come", "taken_on"),
        ]

    def test_a_correction_stands_in_its_place_once(self, here: Desks, client: ClientId) -> None:
        (wrong,) = done(here, client, "results", **liver("26", taken_on=day(0, here)))
        path, body = f"results/{wrong['id']}/correct", {"value": "62", "reason": "turned round"}
        assert done(here, client, path, **body) == done(here, client, path, **body)
        assert sends(here, client, path, value="63", reason="no").status_code == 409
        assert [each["value"] for each in got(here, f"clients/{client}/results")] == ["62"]
        other = here.place.client()
        assert sends(here, other, path, **body).status_code == 404


class TestMedicines:
    def test_a_treatment_begins_is_switched_and_ends(self, here: Desks, client: ClientId) -> None:
        drugs = ["efavirenz", "tenofovir", "lamivudine"]
        begun = {"kind": "art", "substances": drugs, "started_on": day(0, here)}
        treatment = done(here, client, "treatments", **begun)
        assert done(here, client, "treatments", **begun) == treatment
        second = sends(here, client, "treatments", **{**begun, "substances": ["dolutegravir"]})
        assert (second.status_code, second.json()["code"]) == (409, "running")
        now = got(here, f"clients/{client}/medicines")
        efavirenz = next(each for each in now["medicines"] if each["substance"] == "efavirenz")
        assert "methadone falls" in efavirenz["says"][0]
        assert now["looks"]

        path = f"treatments/{treatment['id']}/switch"
        change = {"on": day(0, here), "stop": [efavirenz["id"]], "start": ["dolutegravir"], "reason": "dreams"}
        assert done(here, client, path, **change) == done(here, client, path, **change)
        after = got(here, f"clients/{client}/medicines")["medicines"]
        assert sorted(each["substance"] for each in after if not each["stopped_on"]) == [
            "dolutegravir",
            "lamivudine",
            "tenofovir",
        ]
        every = [each["id"] for each in after if not each["stopped_on"]]
        nothing = sends(here, client, path, on=day(0, here), stop=every, reason="all")
        assert nothing.json()["code"] == "nothing-left"

        ended = done(here, client, f"treatments/{treatment['id']}/stop", stopped_on=day(0, here), reason="moved away")
        assert ended["stop_reason"] == "moved away"
        assert all(each["stopped_on"] for each in got(here, f"clients/{client}/medicines")["medicines"])

    def test_refills_are_written_once_and_taken_back(self, here: Desks, client: ClientId) -> None:
        medicine = done(here, client, "medicines", substance="isoniazid", started_on=day(0, here))
        path, body = f"medicines/{medicine['id']}/refills", {"key": str(uuid4()), "on": day(0, here), "days": 28}
        refill = done(here, client, path, **body)
        assert done(here, client, path, **body) == refill
        assert done(here, client, f"refills/{refill['id']}/void", reason="another client's")["voided"]
        assert got(here, f"clients/{client}/medicines")["refills"] == []
        stopped = done(here, client, f"medicines/{medicine['id']}/stop", stopped_on=day(0, here), reason="finished")
        assert stopped["stopped_on"] == day(0, here)

    def test_an_unknown_medicine_says_so_and_a_look_is_done_once(self, here: Desks, client: ClientId) -> None:
        unknown = done(here, client, "medicines", substance="moonflower", started_on=day(0, here))
        assert "Nothing is known here" in unknown["says"][0]
        done(here, client, "medicines", substance="rifampicin", started_on=day(0, here))
        look = got(here, f"clients/{client}/medicines")["looks"][0]
        assert done(here, client, f"looks/{look['id']}/done", found="well")["found"] == "well"
        assert done(here, client, f"looks/{look['id']}/done", found="other")["found"] == "well"

    def test_a_day_that_nobody_means_is_a_fault_of_its_field(self, here: Desks, client: ClientId) -> None:
        answer = sends(here, client, "medicines", substance="isoniazid", started_on="9999-12-31")
        assert (answer.status_code, answer.json()["field"]) == (422, "started_on")


def test_a_condition_makes_tests_due_until_it_ends(here: Desks, client: ClientId) -> None:
    noted = {"kind": "hepatitis_c", "noted_on": day(0, here)}
    assert sends(here, client, "conditions", **noted).status_code == 204
    (row,) = got(here, f"clients/{client}/conditions")
    assert row == {"kind": "hepatitis_c", "noted_on": day(0, here), "ended_on": None}
    assert "liver" in {each["test"] for each in got(here, f"due-tests?client_id={client}")}
    assert sends(here, client, "conditions/hepatitis_c/end", ended_on=day(0, here)).status_code == 204
    assert "liver" not in {each["test"] for each in got(here, "due-tests")}
    assert sends(here, client, "conditions", **noted).status_code == 204
    assert [each["ended_on"] for each in got(here, f"clients/{client}/conditions")] == [None]


def test_only_those_who_treat_see_or_change_anything(here: Desks, client: ClientId) -> None:
    answers = {
        role: {
            here.seat(role).get(f"/api/{path}").status_code
            for path in (
                f"clients/{client}/results",
                f"clients/{client}/medicines",
                f"clients/{client}/conditions",
                f"alerts?client_id={client}",
                "alerts",
                "due-tests",
            )
        }
        | {here.seat(role).send("POST", f"/api/clients/{client}/results", liver(taken_on=day(0, here))).status_code}
        for role in Role
    }
    treat = {Role.DOCTOR, Role.NURSE, Role.PHARMACIST}
    assert answers == {role: {200, 201} if role in treat else {403} for role in Role}


def test_what_is_of_another_site_is_not_there(here: Desks, now: datetime, tmp_path: Path) -> None:
    stranger = desks(here.database, now, tmp_path, code="SAT").place.client()
    assert sends(here, stranger, "results", **liver(taken_on=day(0, here))).status_code == 404
    assert here.doctor.get(f"/api/clients/{stranger}/medicines").status_code == 404
    assert here.doctor.get(f"/api/alerts?client_id={stranger}").status_code == 404
