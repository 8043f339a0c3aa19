from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from litestar import Litestar, get
from litestar.handlers import HTTPRouteHandler

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.web.guards import PUBLIC
from tests.dispensary.visiting import (
    MovableClock,
    Visitor,
    demo_settings,
    hire,
    open_site,
    text_of,
)


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
        drawn = {"_acting": doctor.drawn()["_acting"], "reason": "she asked for it", "password": "a secret"}
        for token in ({}, {"_csrf_token": "0" * 96}, {"_csrf_token": "x"}, {"_csrf_token": "\u00e9" * 96}):
            answer = doctor.client.post("/signout", data={**drawn, **token}, follow_redirects=False)
            assert answer.status_code == 403
            assert "Nothing was done" in text_of(answer)
            assert "she asked for it" in text_of(answer), "what was typed is kept"
            assert "a secret" not in answer.text
        answer = doctor.client.request("DELETE", "/api/session")
        assert (answer.status_code, answer.json()["code"]) == (403, "form-too-old")
        assert doctor.get("/api/whoami").status_code == 200

    def test_a_token_is_of_one_sign_in_in_one_browser(self, app: Litestar, doctor: Visitor, now: datetime) -> None:
        """A stranger's, an earlier sign-in's, another browser's: none is heard, even with its cookie planted."""
        earlier = doctor.drawn()
        other = Visitor(app)
        unsigned = other.drawn()
        other.signs_in("siti")
        assert doctor.signs_in("siti").status_code == 303
        for name, value in other.client.cookies.items():
            if "forms" in name:
                doctor.client.cookies.set(name, value, domain="clinic.test.local")
        for token in (earlier, unsigned, other.drawn()):
            sent = {**doctor.drawn(), "_csrf_token": token["_csrf_token"]}
            answer = doctor.client.post("/signout", data=sent, follow_redirects=False)
            assert (answer.status_code, "x-form-old" in answer.headers) == (403, True)
            headers = {"X-CSRFToken": token["_csrf_token"]}
            assert doctor.client.delete("/api/session", headers=headers).status_code == 403
        assert doctor.get("/api/whoami").status_code == 200
        assert doctor.post("/signout").status_code == 303

    def test_a_form_in_a_second_tab_counts_after_coming_back_and_not_for_a_colleague(
        self, app: Litestar, database: Database, site: Site, doctor: Visitor, now: datetime
    ) -> None:
        hire(database, site, "rosa", [Role.DOCTOR], now)
        doctor.comes_back = False
        drawn, typed = doctor.drawn(), {"reason": "she asked for it"}
        doctor.post("/lock/now")
        siti = drawn["_acting"].split("@")[0]
        back = {"account_id": siti, "secret": "a walk to the river", "next": "/"}
        assert doctor.post("/lock", back).headers["x-acting"] == drawn["_acting"]
        assert doctor.signs_in("rosa").status_code == 303
        answer = doctor.client.post("/switch-site", data={**drawn, **typed}, follow_redirects=False)
        assert "she asked for it" in text_of(answer)
        assert "You are RO" in text_of(answer)
        hers = {**drawn, **typed, "_acting": doctor.drawn()["_acting"]}
        assert doctor.client.post("/signout", data=hers, follow_redirects=False).status_code == 403
        assert doctor.post("/lock", back).status_code == 303
        assert doctor.client.post("/signout", data=drawn, follow_redirects=False).status_code == 303

    def test_the_door_asks_for_a_token_of_its_own_browser(self, app: Litestar, doctor: Visitor) -> None:
        stranger, other = Visitor(app), Visitor(app)
        form = {"username": "siti", "password": "a walk to the river"}
        stranger.get("/signin")
        for token in ({}, {"_csrf_token": other.csrf()}):
            answer = stranger.client.post("/signin", data={**form, **token}, follow_redirects=False)
            assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
        assert stranger.post("/signin", form).status_code == 303

    def test_a_cookie_of_another_key_does_not_lock_the_door(
        self, database_url: str, app: Litestar, doctor: Visitor, tmp_path: Path
    ) -> None:
        other = Database(database_url, fresh_vault())
        earlier = Visitor(create_app(demo_settings(tmp_path), other))
        earlier.get("/signin")
        other.close()
        later = Visitor(app)
        later.client.cookies.update(earlier.client.cookies)
        assert later.signs_in("siti").status_code == 303
