from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
from litestar import Litestar, Router, get
from litestar.params import FromPath
from litestar.response import Template
from sqlalchemy import text

from dispensary.app import create_app
from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.staff.models import Site
from dispensary.staff.rules import Act, Role
from dispensary.web.guards import requires, requires_prescriber
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
        assert len(set(links)) == 5
        for link in links:
            answer = stranger.get(link)
            assert answer.status_code == 200
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert stranger.get("/static/nothing.css?x").headers["cache-control"] == "no-store"
        assert stranger.get("/static/../signin.py").status_code == 404

    def test_the_picture_of_the_house_is_there_where_browsers_ask_for_it_unasked(self, stranger: Visitor) -> None:
        answer = stranger.get("/favicon.ico")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("image/svg+xml")

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
        app = create_app(production_settings(tmp_path), database, clock)
        behind, seen = app.asgi_handler, ["10.9.9.9"]

        async def by_the_proxy(scope: Any, receive: Any, send: Any) -> None:
            await behind({**scope, "client": (seen[-1], 50000)}, receive, send)

        app.asgi_handler = by_the_proxy
        visitor = Visitor(app, "https://clinic.example.org")
        # The first entry is whatever a browser made up; the last is what the proxy saw.
        for number in range(20):
            form = {"username": f"name{number}", "password": "wrong"}
            visitor.post("/signin", form, headers={"X-Forwarded-For": f"10.1.1.{number}, 203.0.113.9"})
        form = {"username": "siti", "password": "a walk to the river"}
        assert visitor.post("/signin", form, headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"}).status_code == 429
        assert visitor.post("/signin", form, headers={"X-Forwarded-For": "203.0.113.9, 1.2.3.4"}).status_code == 303
        # Whoever comes past the proxy is counted by their own address, whatever they write.
        seen.append("198.51.100.7")
        for number in range(20):
            form = {"username": f"more{number}", "password": "wrong"}
            visitor.post("/signin", form, headers={"X-Forwarded-For": f"203.0.113.{number}"})
        form = {"username": "siti", "password": "a walk to the river"}
        assert visitor.post("/signin", form, headers={"X-Forwarded-For": "192.0.2.1"}).status_code == 429


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
        assert "Harapan Consulting Siti Lock Q Sign out" in text_of(siti.get("/"))
        assert "Harapan Counter Rosa Lock Q Sign out" in text_of(rosa.get("/"))


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
