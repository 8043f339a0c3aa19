from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from litestar import Litestar, Router, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from dispensary.app import LARGEST_BODY, create_app
from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Act, Role
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheDatabase
from dispensary.web.guards import PUBLIC, requires, requires_prescriber
from dispensary.web.templating import page
from tests.dispensary.visiting import (
    MovableClock,
    Visitor,
    demo_settings,
    hire,
    open_site,
    production_settings,
    text_of,
)


@get("/api/whoami", sync_to_thread=True, guards=[requires_prescriber])
def whoami(actor: TheActor) -> dict[str, str]:
    return {"name": actor.name}


@get("/a-desk", sync_to_thread=True, guards=[requires_prescriber])
def a_desk() -> Template:
    return page("home.html", elsewhere=[])


@post(["/refuse", "/api/refuse"], sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def refuse(kind: FromQuery[str], database: TheDatabase, site_code: FromQuery[str] = "KL") -> None:
    if kind == "refused":
        raise Refused(
            Refusal("already-covered", "The day is covered.", "Choose another day.", {"day": "2026-11-24"}, "day"),
            Refusal("no-order", "There is no order."),
        )
    if kind == "bad input":
        raise BadInput(Refusal("bad-amount", "Not an amount.", field="mg"))
    if kind == "not there":
        raise NotThere(Refusal("no-client", "No such client."))
    if kind == "unexpected":
        raise RuntimeError("Ahmad bin Ali was here")
    if kind == "lost database":
        raise OperationalError("SELECT secret", {}, Exception("server closed the connection"))
    with database.writing() as session:
        if kind == "constraint":
            session.add(Site(code=site_code, name="x", zone="UTC", region="MY", opened_at=datetime.now(UTC)))
            session.flush()
        if kind == "bad data":
            session.execute(text("SELECT :value || 'x'"), {"value": "a\x00b"})
        if kind == "waited":
            session.execute(text("SET LOCAL statement_timeout = 20"))
            session.execute(text("SELECT pg_sleep(2)"))


@post("/form", sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def form(data: Form) -> dict[str, Any]:
    return {"one": one(data, "portion"), "several": several(data, "portion"), "none": one(data, "nothing")}


@post("/keyed", sync_to_thread=True, guards=[requires(Act.ORDER)], status_code=200)
def keyed(data: Form) -> str:
    return str(key_of(data))


@get("/api/typed", sync_to_thread=True, guards=[requires(Act.ORDER)])
def typed(number: FromQuery[int], when: FromQuery[datetime]) -> None: ...


HOUSE = [whoami, a_desk, refuse, form, keyed, typed]


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    return MovableClock(now)


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    app = create_app(demo_settings(tmp_path), database, clock)
    for handler in HOUSE:
        app.register(handler)
    return app


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def doctor(app: Litestar, database: Database, site: Site, now: datetime) -> Visitor:
    hire(database, site, "siti", [Role.DOCTOR], now)
    visitor = Visitor(app)
    assert visitor.signs_in("siti").status_code == 303
    return visitor


@pytest.fixture
def stranger(app: Litestar) -> Visitor:
    return Visitor(app)


@pytest.fixture
def said() -> Iterator[list[dict[str, Any]]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


class TestTheDoor:
    def test_a_page_leads_a_stranger_to_sign_in_and_back(self, stranger: Visitor, doctor: Visitor) -> None:
        answer = stranger.get("/a-desk")
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/a-desk")
        page_of_door = stranger.get("/signin?next=/a-desk")
        assert 'name="next" value="/a-desk"' in page_of_door.text
        answer = stranger.post("/signin", {"username": "siti", "password": "a walk to the river", "next": "/a-desk"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/a-desk")
        assert stranger.get("/a-desk").status_code == 200

    @pytest.mark.parametrize(
        "onward", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/\nx"]
    )
    def test_nobody_is_led_to_another_house(self, doctor: Visitor, stranger: Visitor, onward: str) -> None:
        answer = stranger.post("/signin", {"username": "siti", "password": "a walk to the river", "next": onward})
        assert answer.headers["location"] == "/"

    def test_the_api_tells_a_stranger_so_in_its_own_words(self, stranger: Visitor) -> None:
        answer = stranger.get("/api/whoami")
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "not-signed-in"

    def test_a_wrong_password_comes_back_with_the_name_and_without_the_password(
        self, doctor: Visitor, stranger: Visitor
    ) -> None:
        answer = stranger.signs_in("siti", "my wrong password")
        assert answer.status_code == 401
        assert 'value="siti"' in answer.text
        assert "my wrong password" not in answer.text
        assert "do not belong together" in text_of(answer)
        assert "set-cookie" not in answer.headers

    def test_a_guesser_waits_and_is_told_how_long(
        self, doctor: Visitor, stranger: Visitor, clock: MovableClock
    ) -> None:
        for _ in range(5):
            stranger.signs_in("siti", "wrong")
        answer = stranger.signs_in("siti")
        assert answer.status_code == 429
        assert "Wait 15 minutes" in text_of(answer)
        answer = stranger.send("POST", "/api/session", {"username": "siti", "password": "wrong"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
        clock.goes_on(minutes=16)
        assert stranger.signs_in("siti").status_code == 303

    def test_a_planted_cookie_is_not_adopted(self, doctor: Visitor, stranger: Visitor) -> None:
        planted = doctor.client.cookies["takehome"]
        stranger.client.cookies.set("takehome", planted)
        stranger.signs_in("siti")
        assert stranger.client.cookies.get("takehome", domain="clinic.test.local") != planted
        assert doctor.get("/api/whoami").status_code == 401

    def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(self, doctor: Visitor) -> None:
        cookie = doctor.signs_in("siti").headers["set-cookie"]
        assert cookie.startswith("takehome=")
        assert "; HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert "Path=/" in cookie
        assert "Max-Age" not in cookie

    def test_half_an_hour_without_use_leads_to_the_door_again(self, doctor: Visitor, clock: MovableClock) -> None:
        clock.goes_on(minutes=29)
        assert doctor.get("/a-desk").status_code == 200
        clock.goes_on(minutes=29)
        assert doctor.get("/a-desk").status_code == 200
        clock.goes_on(minutes=31)
        assert doctor.get("/a-desk").status_code == 303

    def test_signing_out_ends_it_at_the_server_too(self, doctor: Visitor) -> None:
        token = doctor.client.cookies["takehome"]
        answer = doctor.post("/signout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
        doctor.client.cookies.set("takehome", token)
        assert doctor.get("/api/whoami").status_code == 401

    def test_signing_out_everywhere_reaches_the_other_browser(self, app: Litestar, doctor: Visitor) -> None:
        other = Visitor(app)
        other.signs_in("siti")
        doctor.post("/signout-everywhere")
        assert other.get("/api/whoami").status_code == 401

    def test_a_program_signs_in_and_out_by_json(self, doctor: Visitor, stranger: Visitor) -> None:
        assert stranger.get("/api/session").json()["signed_in"] is None
        body = {"username": "siti", "password": "a walk to the river"}
        assert stranger.send("POST", "/api/session", body).status_code == 204
        me = stranger.get("/api/session").json()["signed_in"]
        assert (me["name"], me["roles"], me["site"]) == ("Siti", ["doctor"], "KL")
        assert stranger.send("DELETE", "/api/session").status_code == 204
        assert stranger.get("/api/session").json()["signed_in"] is None
        assert stranger.send("DELETE", "/api/session").status_code == 401

    def test_another_site_is_one_button_away(self, database: Database, doctor: Visitor, now: datetime) -> None:
        there = open_site(database, now, code="SAT", name="Satellite")
        assert "You also work at" not in text_of(doctor.get("/"))
        with database.writing() as session:
            from dispensary.staff import queries, service
            from dispensary.staff.rules import the_program

            (siti,) = queries.colleagues(session, queries.site_by_code(session, "KL").id)
            service.grant(
                session, actor=the_program(there.id), account_id=siti.id, site_id=there.id, role=Role.NURSE, at=now
            )
        assert "Satellite" in text_of(doctor.get("/"))
        assert doctor.post("/switch-site", {"site_id": str(there.id)}).status_code == 303
        assert doctor.get("/api/session").json()["signed_in"]["site"] == "SAT"
        assert doctor.get("/api/whoami").status_code == 403
        for nonsense in ("", "x", "01a20e53-587d-77f2-af34-1e4615f633c5"):
            assert doctor.post("/switch-site", {"site_id": nonsense}).status_code == 403


class TestEveryRoute:
    def handlers(self, app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
        for route in app.routes:
            for handler in getattr(route, "route_handlers", ()):
                for method in handler.http_methods:
                    if method != "OPTIONS":
                        yield route.path_format, method, handler

    def test_each_has_a_guard_or_is_named_as_public(self, database: Database, tmp_path: Path) -> None:
        app = create_app(demo_settings(tmp_path), database)
        unguarded = {
            f"{method} {path}"
            for path, method, handler in self.handlers(app)
            if path not in PUBLIC and not handler.resolve_guards()
        }
        assert unguarded == set()

    def test_what_is_public_exists(self, database: Database, tmp_path: Path) -> None:
        app = create_app(demo_settings(tmp_path), database)
        assert set(PUBLIC) - {path for path, _, _ in self.handlers(app)} == set()

    def test_a_forgotten_guard_still_keeps_strangers_out(self, app: Litestar, stranger: Visitor) -> None:
        @get("/api/forgotten", sync_to_thread=False)
        def forgotten() -> None: ...

        app.register(forgotten)
        assert stranger.get("/api/forgotten").status_code == 401

    def test_each_of_the_api_has_an_operation_id_in_the_schema(self, database: Database, tmp_path: Path) -> None:
        schema = Visitor(create_app(demo_settings(tmp_path), database)).get("/schema/openapi.json").json()
        operations = [operation for path in schema["paths"].values() for operation in path.values()]
        assert {"signIn", "signOut", "readSession"} <= {operation["operationId"] for operation in operations}
        assert [path for path in schema["paths"] if not path.startswith(("/api", "/health"))] == []

    def test_the_schema_says_how_it_refuses_and_which_fields_it_does_not_take(self, stranger: Visitor) -> None:
        for address in ("/schema", "/schema/openapi.json"):
            schema = stranger.get(address).json()
            sign_in = schema["paths"]["/api/session"]["post"]
            assert schema["components"]["schemas"]["SignInForm"]["additionalProperties"] is False
            assert "400" not in sign_in["responses"]
            assert list(sign_in["responses"]["default"]["content"]) == ["application/problem+json"]
        stated = schema["components"]["schemas"]["Problem"]
        problem = stranger.get("/api/whoami").json()
        assert set(problem) == set(stated["required"])
        assert set(problem["errors"][0]) == set(stated["properties"]["errors"]["items"]["required"])

    def test_a_role_that_does_not_open_it_is_refused(
        self, app: Litestar, database: Database, site: Site, doctor: Visitor, now: datetime
    ) -> None:
        hire(database, site, "rosa", [Role.PHARMACIST, Role.RECEPTION], now)
        rosa = Visitor(app)
        rosa.signs_in("rosa")
        answer = rosa.get("/api/whoami")
        assert (answer.status_code, answer.json()["code"]) == (403, "not-allowed")
        answer = rosa.get("/a-desk")
        assert answer.status_code == 403
        assert "Your work at this site does not include this." in text_of(answer)


class TestForgery:
    def test_a_form_without_its_token_does_nothing(self, doctor: Visitor) -> None:
        for token in ({}, {"_csrf_token": "0" * 128}):
            answer = doctor.client.post("/signout", data=token, follow_redirects=False)
            assert answer.status_code == 403
            assert "Nothing was done" in text_of(answer)
        answer = doctor.client.request("DELETE", "/api/session")
        assert (answer.status_code, answer.json()["code"]) == (403, "form-too-old")
        assert doctor.get("/api/whoami").status_code == 200

    def test_a_cookie_of_another_key_does_not_lock_the_door(
        self, database_url: str, app: Litestar, doctor: Visitor, tmp_path: Path
    ) -> None:
        other = Database(database_url, Vault("k001", {"k001": b"k" * 32}, b"i" * 32, b"s" * 32))
        earlier = Visitor(create_app(demo_settings(tmp_path), other))
        earlier.get("/signin")
        other.close()
        later = Visitor(app)
        later.client.cookies.update(earlier.client.cookies)
        assert later.signs_in("siti").status_code == 303


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
        assert (answer.status_code, answer.json()["evidence"]) == (409, {"constraint": "uq_site_code"})

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
        for bad in ({}, {"key": "x"}):
            answer = doctor.post("/keyed", bad)
            assert answer.status_code == 422
            assert "lost its number" in text_of(answer)


class TestHeaders:
    @pytest.mark.parametrize("path", ["/signin", "/", "/nothing", "/api/session", "/health/live", "/static/house.css"])
    def test_each_answer_allows_nothing_from_elsewhere(self, stranger: Visitor, path: str) -> None:
        headers = stranger.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'; base-uri 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers

    def test_a_page_has_no_inline_code_or_style(self, doctor: Visitor, stranger: Visitor) -> None:
        import re

        for answer in (doctor.get("/"), stranger.get("/signin"), doctor.get("/nothing")):
            assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", answer.text) == []

    def test_static_files_are_kept_by_the_digest_of_their_content(self, stranger: Visitor) -> None:
        import re

        links = re.findall(r'"(/static/[^"]+)"', stranger.get("/signin").text)
        assert len(set(links)) == 4
        for link in links:
            answer = stranger.get(link)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert stranger.get("/static/nothing.css?x").headers["cache-control"] == "no-store"
        assert stranger.get("/static/../signin.py").status_code == 404

    def test_production_sends_cookies_over_tls_alone(
        self, database: Database, doctor: Visitor, clock: MovableClock, tmp_path: Path
    ) -> None:
        app = create_app(production_settings(tmp_path), database, clock)
        visitor = Visitor(app, base_url="https://clinic.example.org")
        page_of_door = visitor.get("/signin")
        assert "Secure" in page_of_door.headers["set-cookie"]
        assert page_of_door.headers["strict-transport-security"].startswith("max-age=31536000")
        assert "Demonstration" not in text_of(page_of_door)
        assert "Secure" in visitor.signs_in("siti").headers["set-cookie"]

    def test_behind_a_proxy_each_address_is_counted_by_itself(
        self, database: Database, doctor: Visitor, clock: MovableClock, tmp_path: Path
    ) -> None:
        visitor = Visitor(create_app(production_settings(tmp_path), database, clock), "https://clinic.example.org")
        # The first entry is whatever a browser made up; the last is what the proxy saw.
        for number in range(20):
            form = {"username": f"name{number}", "password": "wrong"}
            visitor.post("/signin", form, headers={"X-Forwarded-For": f"10.1.1.{number}, 203.0.113.9"})
        form = {"username": "siti", "password": "a walk to the river"}
        assert visitor.post("/signin", form, headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"}).status_code == 429
        assert visitor.post("/signin", form, headers={"X-Forwarded-For": "203.0.113.9, 1.2.3.4"}).status_code == 303


class TestSendingAgain:
    def test_a_script_that_keeps_a_form_is_told_where_to_go_on(self, doctor: Visitor) -> None:
        answer = doctor.post("/signout", headers={"X-Keep": "1"})
        assert (answer.status_code, answer.headers["x-onward"]) == (200, "/signin")
        assert "location" not in answer.headers
        assert doctor.get("/api/whoami").status_code == 401

    def test_one_who_is_signed_out_is_told_so_and_not_led_away(self, stranger: Visitor) -> None:
        assert stranger.post("/keyed", headers={"X-Keep": "1"}).status_code == 401


class TestHealth:
    def test_alive_without_a_database(self, vault: Vault, tmp_path: Path) -> None:
        nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", vault)
        visitor = Visitor(create_app(demo_settings(tmp_path), nowhere))
        assert visitor.get("/health/live").json()["status"] == "alive"
        answer = visitor.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "detail": "The database does not answer."}
        nowhere.close()

    def test_ready_with_all_migrations_alone(self, database: Database, stranger: Visitor) -> None:
        assert stranger.get("/health/ready").json()["status"] == "ready"
        with database.writing() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '0001_scheduling'"))
        answer = stranger.get("/health/ready")
        assert (answer.status_code, answer.json()["status"]) == (503, "not ready")


class TestTheLog:
    def test_a_request_is_one_line_without_names_ids_queries_and_bodies(
        self, doctor: Visitor, said: list[dict[str, Any]]
    ) -> None:
        doctor.post("/refuse?kind=refused&site_code=SECRET", {"name": "Ahmad"})
        (line,) = [line for line in said if line.get("route") == "/refuse"]
        assert {key: type(value).__name__ for key, value in line.items()} == {
            "request": "str",
            "method": "str",
            "route": "str",
            "status": "int",
            "ms": "float",
            "account": "str",
            "event": "str",
            "log_level": "str",
        }
        assert (line["method"], line["status"]) == ("POST", 409)
        assert "SECRET" not in json.dumps(said)
        assert "Ahmad" not in json.dumps(said)

    def test_a_path_with_an_id_is_logged_as_its_template(
        self, app: Litestar, doctor: Visitor, said: list[dict[str, Any]]
    ) -> None:
        @get("/api/tried/{client_id:uuid}", sync_to_thread=False, guards=[requires_prescriber])
        def client(client_id: FromPath[UUID]) -> None: ...

        app.register(client)
        doctor.get("/api/tried/01a20e53-587d-77f2-af34-1e4615f633c5")
        doctor.get("/tried/01a20e53-587d-77f2-af34-1e4615f633c5")
        routes = [line["route"] for line in said if line["event"] == "request"]
        assert routes == ["/api/tried/{client_id}", "no route"]

    def test_production_writes_json_and_quotes_no_failure(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        from dispensary.logs import configure_logs, failure

        root = logging.getLogger()
        before = root.handlers, root.level
        try:
            configure_logs(production=True)
            try:
                raise ValueError("Ahmad bin Ali")
            except ValueError as reason:
                structlog.get_logger().error("unexpected", **failure(reason, production=True))
            logging.getLogger("library").warning("from a library")
        finally:
            structlog.reset_defaults()
            root.handlers, root.level = before
        ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
        assert (ours["event"], ours["failure"], ours["level"]) == ("unexpected", "ValueError", "error")
        assert "Ahmad" not in json.dumps(ours)
        assert theirs["event"] == "from a library"


class TestWords:
    def test_pages_speak_the_language_of_the_site(
        self, app: Litestar, database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from dispensary import words

        folder = tmp_path / "ms" / "LC_MESSAGES"
        folder.mkdir(parents=True)
        (folder / "dispensary.po").write_text(
            'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
            'msgid "Sign out"\nmsgstr "Log keluar"\n\nmsgid "There is no such page."\nmsgstr "Tiada halaman."\n'
        )
        monkeypatch.setattr(words, "LOCALES", tmp_path)
        words._translations.cache_clear()
        hire(database, open_site(database, now, code="MS", language="ms"), "ana", [Role.DOCTOR], now)
        hire(database, open_site(database, now, code="QQ", language="qq"), "ben", [Role.DOCTOR], now)
        ana, ben = Visitor(app), Visitor(app)
        ana.signs_in("ana")
        ben.signs_in("ben")
        try:
            answer = ana.get("/a-desk")
            assert '<html lang="ms">' in answer.text
            assert "Log keluar" in text_of(answer)
            assert '<html lang="en">' in ben.get("/a-desk").text
            assert "Sign out" in text_of(ben.get("/a-desk"))
        finally:
            words._translations.cache_clear()


class TestTheHeader:
    def test_it_shows_the_site_the_person_and_only_the_desks_that_the_roles_open_and_that_exist(
        self, app: Litestar, database: Database, site: Site, now: datetime, tmp_path: Path, monkeypatch: Any
    ) -> None:
        from dispensary import desks

        monkeypatch.setattr(desks, "HANDLERS", [*desks.signin.HANDLERS, counter, consulting])
        hire(database, site, "siti", [Role.DOCTOR], now)
        hire(database, site, "rosa", [Role.PHARMACIST, Role.EVALUATOR], now)
        house = create_app(demo_settings(tmp_path), database, MovableClock(now))
        siti, rosa = Visitor(house), Visitor(house)
        siti.signs_in("siti")
        rosa.signs_in("rosa")
        assert "Harapan Consulting Siti Sign out" in text_of(siti.get("/"))
        assert "Harapan Counter Rosa Sign out" in text_of(rosa.get("/"))


@get("/counter", sync_to_thread=True, guards=[requires(Act.DISPENSE)])
def counter() -> Template:
    return page("home.html", elsewhere=[])


@get("/consulting", sync_to_thread=True, guards=[requires_prescriber])
def consulting() -> Template:
    return page("home.html", elsewhere=[])


def test_handlers_run_in_forty_threads_and_the_language_follows_them(doctor: Visitor, app: Litestar) -> None:
    import threading

    from dispensary import words

    @get("/api/thread", sync_to_thread=True, guards=[requires_prescriber])
    def thread() -> dict[str, str]:
        return {"thread": threading.current_thread().name, "language": words.language()}

    app.register(Router("/", route_handlers=[thread]))
    answer = doctor.get("/api/thread").json()
    assert answer["thread"].startswith("desk")
    assert answer["language"] == "en"


def test_the_clock_of_a_running_program_knows_its_zone() -> None:
    from dispensary.app import now

    assert abs(now() - datetime.now(UTC)) < timedelta(seconds=5)
