"""Requests as somebody with ill will writes them: with another's cookie, from another page, with strange heads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.staff.models import Site
from dispensary.staff.rules import Role
from dispensary.web.shell import CONTENT_POLICY
from dispensary.web.signed_in import COOKIE
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, hire, production_settings


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


class TestSomebodyElsesCookie:
    def test_it_opens_nothing_once_its_owner_has_signed_out_or_comes_back(self, here: Desks) -> None:
        thief = Visitor(here.app, comes_back=False)
        stolen = here.doctor.client.cookies[COOKIE]
        thief.client.cookies.set(COOKIE, stolen)
        assert thief.get("/consulting").status_code == 200, "until then it is the sign-in itself"
        here.doctor.post("/signout")
        assert thief.get("/consulting").headers["location"].startswith("/signin")
        assert thief.client.get("/api/slots?day=2026-11-24").status_code == 401

    def test_a_program_s_opens_no_page_and_a_page_s_cookie_is_not_what_the_server_keeps(self, here: Desks) -> None:
        assert here.doctor.get("/consulting").status_code == 200
        with here.database.engine.connect() as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM sign_in s WHERE s::text LIKE %s", (f"%{here.doctor.client.cookies[COOKIE]}%",)
            ).scalar_one()
        assert found == 0

    @pytest.mark.parametrize("token", ["", "0", "a" * 10_000, "' OR 1=1 --", "%00", "\u00e9", "null", "../../x"])
    def test_a_made_up_one_opens_nothing(self, here: Desks, token: str) -> None:
        visitor = Visitor(here.app, comes_back=False)
        cookie = f"{COOKIE}={token}".encode("latin-1")
        answer = visitor.client.get("/consulting", headers={b"cookie": cookie}, follow_redirects=False)
        assert answer.headers["location"].startswith("/signin")


class TestAnotherOrigin:
    @pytest.mark.parametrize(
        ("headers", "heard"),
        [
            ({"Origin": "https://evil.example"}, False),
            ({"Origin": "http://pages.clinic.test"}, False),
            ({"Origin": "null"}, False),
            ({"Origin": "http://clinic.test:8443"}, False),
            ({"Origin": "http://["}, False),
            ({"Sec-Fetch-Site": "cross-site"}, False),
            ({"Sec-Fetch-Site": "same-site"}, False),
            ({"Sec-Fetch-Site": "same-origin"}, True),
            ({"Origin": "http://clinic.test"}, True),
            ({}, True),
        ],
    )
    def test_changes_nothing_even_with_a_token_that_fits_its_planted_cookie(
        self, here: Desks, headers: dict[str, str], heard: bool
    ) -> None:
        visitor = here.seat(Role.PHARMACIST)
        answer = visitor.post("/signout", headers=headers)
        assert (answer.status_code == 303) is heard
        if not heard:
            assert answer.status_code == 403
            assert visitor.get("/counter").status_code == 200, "nobody was signed out"

    def test_reads_no_answer(self, here: Desks) -> None:
        for path in ("/api/session", "/counter", "/api/slots?day=2026-11-24"):
            answer = here.doctor.client.get(path, headers={"Origin": "https://evil.example"})
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
            assert answer.headers["cross-origin-resource-policy"] == "same-origin"


class TestPathsAndHeads:
    WAYS = (
        "//consulting",
        "/consulting/",
        "/consulting//",
        "/./consulting",
        "/x/../consulting",
        "/consulting%2f",
        "/%63onsulting",
        "/consulting;x=1",
        "/consulting%00",
        "/consulting%20",
        "/CONSULTING",
        "/static/../consulting",
        "/static/..%2fconsulting",
        "/static/%2e%2e/consulting",
        "/static/..%5cconsulting",
        "/static/%252e%252e/consulting",
        "/static/../../app.py",
        "/static/..%2f..%2fapp.py",
        "/health/live/../../consulting",
        "/p/../consulting",
        "/p/x%2f..%2f..%2fconsulting",
        "/kiosk/../consulting",
        "/api/../consulting",
        "/api//session/../slots",
        "/schema/../api/slots",
        "/signin/../consulting",
    )
    HEADS = (
        {"X-Original-URL": "/consulting"},
        {"X-Rewrite-URL": "/consulting"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "for=127.0.0.1;host=evil.example"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"Host": "evil.example"},
        {"Accept": "application/json"},
        {"Accept-Language": "\u00ff" * 10},
        {"Range": "bytes=0-99999999999"},
        {"If-None-Match": "*"},
        {"Content-Type": "application/x-www-form-urlencoded; charset=nowhere"},
        {"Cookie": "takehome=a; takehome=b"},
        {"Authorization": "Bearer x"},
        {"X-Keep": "1", "X-Quiet": "1"},
        {"Expect": "something else"},
    )

    def test_no_way_round_leads_a_stranger_past_the_door(
        self, here: Desks, record_property: Callable[[str, object], None]
    ) -> None:
        here.place.client(mg="60")
        inside = here.doctor.get("/consulting").text
        assert len(inside) > 2000
        tries = 0
        for way in self.WAYS:
            for heads in ({}, *self.HEADS):
                stranger = Visitor(here.app, comes_back=False)
                # By hand: a client would tidy the address up before it sends it.
                raw = [(name.encode(), value.encode("latin-1")) for name, value in heads.items()]
                request = stranger.client.build_request("GET", "http://clinic.test/", headers=raw)
                request.url = request.url.copy_with(raw_path=way.encode())
                answer = stranger.client.send(request, follow_redirects=False)
                tries += 1
                assert answer.status_code < 500, (way, heads)
                assert "evil.example" not in answer.headers.get("location", "") + answer.text, (way, heads)
                assert answer.text != inside
                if answer.status_code == 200:
                    assert answer.headers.get("x-onward", "").startswith("/signin"), (way, heads)
        record_property("tries", tries)

    def test_a_method_that_a_path_does_not_have_is_refused_and_says_which_it_has(self, here: Desks) -> None:
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND"):
            answer = here.doctor.client.request(method, "/consulting", headers={"X-CSRFToken": here.doctor.csrf()})
            assert (answer.status_code, "GET" in answer.headers["allow"]) == (405, True), method
        told = here.doctor.client.options("/api/session").headers["allow"]
        assert set(told.split(", ")) == {"GET", "POST", "DELETE", "OPTIONS"}

    def test_every_answer_of_every_path_has_its_heads_and_none_is_kept(
        self, database: Database, now: datetime, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        clock = MovableClock(now)
        here = desks(database, now, tmp_path)
        app = create_app(production_settings(tmp_path), database, clock)
        with database.reading() as session:
            site = session.get_one(Site, here.place.site_id)
        hire(database, site, "everything", Role, now)
        visitor = Visitor(app, "https://clinic.example.org")
        answer = visitor.signs_in("everything", PASSWORD)
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-takehome="), cookie
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; ")), cookie
        client, asked = str(here.place.client(mg="60")), 0
        for route in app.routes:
            if not isinstance(route, HTTPRoute) or route.path_format == "/screen/events":
                continue
            handlers = [each for each in route.route_handlers if isinstance(each, HTTPRouteHandler)]
            for method in {method for each in handlers for method in each.http_methods}:
                if route.path_format in ("/signout", "/lock"):
                    continue
                path = route.path_format
                for name in [part for part in path.split("/") if part.startswith("{")]:
                    path = path.replace(name, client)
                answer = visitor.client.request(str(method), path, follow_redirects=False)
                asked += 1
                _heads(answer, f"{method} {path}")
        record_property("tries", asked)
        record_property("figure", f"heads of {asked} answers")


def _heads(answer: Any, where: str) -> None:
    heads = answer.headers
    policy = heads["content-security-policy"]
    assert "default-src 'none'" in policy, where
    assert "unsafe" not in policy, where
    assert policy == CONTENT_POLICY or "frame-ancestors 'none'" in policy, where
    assert heads["x-content-type-options"] == "nosniff", where
    assert heads["referrer-policy"] in ("same-origin", "no-referrer"), where
    assert heads["cross-origin-opener-policy"] == "same-origin", where
    assert heads["cross-origin-resource-policy"] == "same-origin", where
    assert "geolocation=()" in heads["permissions-policy"], where
    assert heads["strict-transport-security"] == "max-age=31536000; includeSubDomains", where
    assert heads["cache-control"] == "no-store", where
    assert not {"server", "x-powered-by"} & set(heads), where
