from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dispensary.app import LARGEST_BODY, create_app
from dispensary.database import Database
from dispensary.keys import Vault
from tests.dispensary.visiting import (
    Visitor,
    demo_settings,
    text_of,
)


class TestRefusals:
    def test_the_api_says_code_sentence_remedy_evidence_and_field(self, doctor: Visitor) -> None:
        answer = doctor.send("POST", "/api/refuse?kind=refused")
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert {key: problem[key] for key in problem if key != "errors"} == {
            "type": "urn:takehome:already-covered",
            "title": "Conflict",
            "status": 409,
            "code": "already-covered",
            "detail": "The day is covered.",
            "remedy": "Choose another day.",
            "evidence": {"day": "2026-11-24"},
            "field": "day",
        }
        assert [error["code"] for error in problem["errors"]] == ["already-covered", "no-order"]

    @pytest.mark.parametrize(
        ("kind", "status", "sentence"),
        [
            ("refused", 409, "The day is covered. Choose another day."),
            ("bad input", 422, "Not an amount."),
            ("not there", 404, "No such client."),
            ("constraint", 409, "contradicts what is already recorded"),
            ("bad data", 422, "A value holds a sign"),
            ("lost database", 503, "The database does not answer."),
            ("waited", 503, "Somebody else is working on the same record."),
            ("unexpected", 500, "Something went wrong in the program"),
        ],
    )
    def test_a_person_reads_a_page_with_the_way_back(
        self, doctor: Visitor, kind: str, status: int, sentence: str
    ) -> None:
        answer = doctor.post(f"/refuse?kind={kind}", headers={"Referer": "http://clinic.test/a-desk"})
        assert answer.status_code == status
        assert sentence in text_of(answer)
        assert 'href="/a-desk"' in answer.text

    def test_the_way_back_never_leads_to_another_house(self, doctor: Visitor) -> None:
        answer = doctor.post("/refuse?kind=refused", headers={"Referer": "https://evil.example/x"})
        assert "evil" not in answer.text

    def test_an_unmapped_constraint_is_named(self, doctor: Visitor) -> None:
        answer = doctor.send("POST", "/api/refuse?kind=constraint")
        assert (answer.status_code, answer.json()["evidence"]) == (409, {"constraint": "uq_account_username"})

    def test_a_lost_database_asks_to_come_again_and_tells_nothing(self, doctor: Visitor) -> None:
        answer = doctor.send("POST", "/api/refuse?kind=lost database")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "secret" not in answer.text

    def test_the_unexpected_has_a_number_that_is_in_the_log_too_and_says_nothing_else(
        self, doctor: Visitor, said: list[dict[str, Any]]
    ) -> None:
        answer = doctor.send("POST", "/api/refuse?kind=unexpected")
        assert answer.status_code == 500
        assert "Ahmad" not in answer.text
        number = answer.json()["evidence"]["incident"]
        (line,) = [line for line in said if line["event"] == "unexpected"]
        assert line["request"] == number
        assert line["failure"] == "RuntimeError"
        assert any("refuse" in where for where in line["where"])

    @pytest.mark.parametrize(
        ("query", "field", "sentence"),
        [
            ("number=x&when=2026-11-24T07:00:00Z", "number", "It must be a whole number."),
            ("number=1&when=yesterday", "when", "It must be a moment such as 2026-11-24T07:05:00+08:00."),
            ("number=1", "when", "when is missing."),
        ],
    )
    def test_a_value_that_does_not_fit_is_explained_in_plain_words(
        self, doctor: Visitor, query: str, field: str, sentence: str
    ) -> None:
        problem = doctor.get(f"/api/typed?{query}").json()
        assert (problem["status"], problem["field"], problem["detail"]) == (422, field, sentence)

    @pytest.mark.parametrize(
        ("body", "field", "sentence"),
        [
            ({"username": "siti"}, "password", "password is missing."),
            ({"username": "siti", "password": "x", "role": "doctor"}, "role", "role is not a field here."),
            ({"username": 7, "password": "x"}, "username", "It must be text."),
            ({"username": "", "password": "x"}, "username", "It must be at least 1 long."),
        ],
    )
    def test_a_body_that_does_not_fit_is_explained_in_plain_words(
        self, stranger: Visitor, body: dict[str, Any], field: str, sentence: str
    ) -> None:
        problem = stranger.send("POST", "/api/session", body).json()
        assert (problem["status"], problem["field"], problem["detail"]) == (422, field, sentence)

    def test_what_is_not_json_is_refused(self, stranger: Visitor) -> None:
        headers = {"X-CSRFToken": stranger.csrf(), "Content-Type": "application/json"}
        answer = stranger.client.post("/api/session", content=b"{", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request")

    def test_what_is_not_there_is_said_to_people_and_programs(self, doctor: Visitor) -> None:
        assert doctor.get("/api/nothing").json()["code"] == "no-page"
        answer = doctor.get("/nothing")
        assert answer.status_code == 404
        assert "There is no such page." in text_of(answer)

    def test_more_than_two_megabytes_are_not_read(self, doctor: Visitor) -> None:
        answer = doctor.post("/form", {"portion": "x" * LARGEST_BODY})
        assert answer.status_code == 413
        assert "larger than 2 MB" in text_of(answer)

    def test_a_lost_database_is_noticed_at_the_door(
        self, database_url: str, vault: Vault, doctor: Visitor, tmp_path: Path
    ) -> None:
        nowhere = Database(database_url.replace("/test_", "/gone_"), vault)
        visitor = Visitor(create_app(demo_settings(tmp_path), nowhere))
        visitor.client.cookies.set("takehome", "x" * 43)
        answer = visitor.get("/")
        assert answer.status_code == 503
        assert "The database does not answer." in text_of(answer)
        nowhere.close()


class TestForms:
    def test_a_field_is_read_once_or_several_times(self, doctor: Visitor) -> None:
        assert doctor.post("/form", {"portion": " a "}).json() == {"one": "a", "several": [" a "], "none": ""}
        assert doctor.post("/form", {"portion": ["a", "b"]}).json() == {"one": "a", "several": ["a", "b"], "none": ""}

    def test_a_form_that_lost_its_key_is_refused(self, doctor: Visitor) -> None:
        key = "01a20e53-587d-77f2-af34-1e4615f633c5"
        assert doctor.post("/keyed", {"key": key}).text == key
        for bad in ({"key": ""}, {"key": "x"}):
            answer = doctor.post("/keyed", bad)
            assert answer.status_code == 422
            assert "lost its number" in text_of(answer)


class TestSendingAgain:
    def test_a_script_that_keeps_a_form_is_told_where_to_go_on(self, doctor: Visitor) -> None:
        answer = doctor.post("/signout", headers={"X-Keep": "1"})
        assert (answer.status_code, answer.headers["x-onward"]) == (200, "/signin")
        assert "location" not in answer.headers
        assert doctor.get("/api/whoami").status_code == 401

    def test_one_who_is_signed_out_is_told_so_and_not_led_away(self, stranger: Visitor) -> None:
        assert stranger.post("/keyed", headers={"X-Keep": "1"}).status_code == 401
