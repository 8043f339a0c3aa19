"""A program with a token does a part of what its person may, at one site, for a while, and in their name."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from httpx import Response
from litestar import Litestar, post
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput
from dispensary.staff import audit, service, tokens
from dispensary.staff.entry_models import ApiToken, TokenPace
from dispensary.staff.entry_rules import TOKEN_REQUESTS
from dispensary.staff.models import AuditEntry, Site
from dispensary.staff.rules import Act, Actor, Role, the_program
from dispensary.units import AccountId, SiteId
from dispensary.web.given import TheActor, TheDatabase
from dispensary.web.guards import requires
from tests.dispensary.app.stubs import whoami
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, demo_settings, hire, open_site, text_of


@post("/api/noted", sync_to_thread=True, guards=[requires(Act.DISPENSE)], status_code=200)
def noted(database: TheDatabase, actor: TheActor) -> dict[str, bool]:
    with database.writing() as session:
        at = datetime.now().astimezone()
        audit.record(session, actor=actor, act="noted", subject="site", subject_id=actor.site_id, at=at)
    return {act.name: actor.may(act) for act in Act}


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    return MovableClock(now)


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, clock, more=[whoami, noted])


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def pia(database: Database, site: Site, now: datetime) -> Actor:
    account = hire(database, site, "pia", [Role.PHARMACIST, Role.DOCTOR], now)
    return Actor(AccountId(account.id), SiteId(site.id), frozenset({Role.PHARMACIST, Role.DOCTOR}))


def make(database: Database, actor: Actor, at: datetime, *scopes: Act, days: int = 30) -> str:
    with database.writing() as session:
        return tokens.make_token(session, actor=actor, name="Laboratory", scopes=scopes, offered=Act, days=days, at=at)


def asks(app: Litestar, token: str, method: str = "POST", path: str = "/api/noted", **cookies: str) -> Response:
    program = Visitor(app)
    for name, value in cookies.items():
        program.client.cookies.set(name, value)
    return program.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)


class TestWhatATokenOpens:
    def test_it_does_what_it_was_made_for_without_a_cookie_and_is_written_down_by_its_id(
        self, app: Litestar, database: Database, pia: Actor, now: datetime
    ) -> None:
        token = make(database, pia, now, Act.DISPENSE, Act.BOOK)
        answer = asks(app, token)
        assert answer.status_code == 200, answer.text
        assert {name for name, allowed in answer.json().items() if allowed} == {"DISPENSE", "BOOK"}
        assert "set-cookie" not in answer.headers
        assert asks(app, token, "GET", "/api/whoami").status_code == 403, "its person is a doctor, the token is not"
        with database.reading() as session:
            kept = session.scalars(select(ApiToken)).one()
            entry = session.scalars(select(AuditEntry).where(AuditEntry.act == "noted")).one()
        assert entry.account_id == pia.account_id
        assert json.loads(entry.details)["token"] == str(kept.id)
        assert token.encode() not in kept.token_digest

    def test_it_opens_no_page_and_counts_beside_no_sign_in(
        self, app: Litestar, database: Database, pia: Actor, now: datetime
    ) -> None:
        token = make(database, pia, now, Act.DISPENSE)
        assert asks(app, token, "GET", "/counter").headers["location"].startswith("/signin")
        assert asks(app, token, "POST", "/tokens").status_code in (401, 403)
        browser = Visitor(app)
        browser.signs_in("pia")
        both = asks(app, token, takehome=browser.client.cookies["takehome"])
        assert (both.status_code, both.json()["code"]) == (422, "two-sign-ins")
        assert asks(app, token, "DELETE", "/api/session").status_code in (401, 403)

    def test_a_sign_in_still_needs_the_forms_token_and_a_wrong_header_is_no_way_round_it(
        self, app: Litestar, pia: Actor
    ) -> None:
        program = Visitor(app)
        body = {"username": "pia", "password": PASSWORD}
        assert program.send("POST", "/api/session", body).status_code == 204
        assert program.client.post("/api/noted").status_code == 403
        assert program.send("POST", "/api/noted").status_code == 200
        for header in ("Bearer x", "Bearer", "bearer  ", "Basic cGlhOng=", "Bearer x, Bearer y"):
            sent = program.client.post("/api/noted", headers={"Authorization": header})
            assert sent.status_code in (401, 422), header
        for header in ("Bearer x", "Bearer ", "Basic cGlhOng=", "Bearer \u00ff"):
            stranger = Visitor(app).client.post("/api/noted", headers={"Authorization": header.encode("latin-1")})
            assert (stranger.status_code, stranger.json()["code"]) == (401, "not-signed-in"), header

    @pytest.mark.parametrize("ended", ["its day", "revoked", "the person left", "the role is gone", "all roles"])
    def test_it_does_nothing_from_the_next_request_on(
        self, app: Litestar, database: Database, clock: MovableClock, pia: Actor, now: datetime, ended: str
    ) -> None:
        token = make(database, pia, now, Act.DISPENSE, days=1)
        assert asks(app, token).status_code == 200
        assert pia.account_id is not None
        program = the_program(pia.site_id)
        given: dict[str, Any] = {"actor": program, "account_id": pia.account_id, "at": now}
        with database.writing() as session:
            if ended == "revoked":
                token_id = session.scalars(select(ApiToken.id)).one()
                tokens.revoke_token(session, actor=pia, token_id=token_id, at=now)
            if ended == "the person left":
                service.close_account(session, **given)
            gone = {"the role is gone": [Role.PHARMACIST], "all roles": [Role.PHARMACIST, Role.DOCTOR]}
            for role in gone.get(ended, []):
                service.revoke(session, site_id=pia.site_id, role=role, **given)
        if ended == "its day":
            clock.goes_on(days=1)
        assert asks(app, token).status_code == (403 if ended == "the role is gone" else 401)

    def test_its_last_use_is_kept_to_the_minute_and_its_pace_is_its_own(
        self, app: Litestar, database: Database, clock: MovableClock, pia: Actor, now: datetime
    ) -> None:
        token, other = make(database, pia, now, Act.DISPENSE), make(database, pia, now, Act.BOOK)
        asks(app, token)
        clock.goes_on(seconds=59)
        asks(app, token)
        used = select(ApiToken.last_used_at).order_by(ApiToken.last_used_at)
        with database.reading() as session:
            assert list(session.scalars(used)) == [now, None]
        clock.goes_on(seconds=1)
        asks(app, token)
        with database.reading() as session:
            assert next(iter(session.scalars(used))) == clock()
        assert asks(app, other).status_code == 403
        with database.reading() as session:
            one, two = session.scalars(select(ApiToken.id))

        def too_fast(token_id: UUID, at: datetime) -> bool:
            with database.writing() as session:
                return tokens.too_fast(session, token_id=token_id, at=at, most=3)

        later = clock() + timedelta(minutes=5)
        assert [too_fast(one, later) for _ in range(4)] == [False, False, False, True]
        assert not too_fast(two, later)
        assert not too_fast(one, later + timedelta(minutes=1))
        assert not too_fast(one, later), "a clock that went back locks nobody out"

    def test_its_pace_is_one_for_all_servers(
        self, app: Litestar, database_url: str, database: Database, pia: Actor, now: datetime, tmp_path: Path
    ) -> None:
        token = make(database, pia, now, Act.DISPENSE)
        other = Database(database_url, database.vault)
        beside = lent_app(demo_settings(tmp_path), other, MovableClock(now), more=[noted])
        with database.writing() as session:
            (token_id,) = session.scalars(select(ApiToken.id))
            session.add(TokenPace(token_id=token_id, began_at=now, asked=TOKEN_REQUESTS - 2))
        told = [asks(one, token).status_code for one in (app, beside, app, beside)]
        other.close()
        assert told == [200, 200, 429, 429]

    def test_what_ended_stays_ended_and_no_more_is_ever_given(
        self, database: Database, pia: Actor, now: datetime
    ) -> None:
        make(database, pia, now, Act.BOOK)
        for change in (
            """UPDATE api_token SET scopes = '["order"]'""",
            "UPDATE api_token SET expires_at = expires_at + interval '1 day'",
            "DELETE FROM api_token",
        ):
            with pytest.raises(IntegrityError), database.writing() as session:
                session.execute(text(change))
        for scopes, days in (((Act.RUN_SITE,), 30), ((), 30), ((Act.BOOK,), 0), ((Act.BOOK,), 367)):
            with pytest.raises(BadInput):
                make(database, pia, now, *scopes, days=days)


class TestThePages:
    def test_a_person_makes_their_own_after_the_password_and_sees_it_once(self, app: Litestar, pia: Actor) -> None:
        browser = Visitor(app)
        browser.signs_in("pia")
        form = {"name": "Laboratory", "days": "30", "scopes": ["dispense", "book"], "password": PASSWORD}
        wrong = browser.post("/tokens", form | {"password": "not it"})
        assert wrong.status_code == 422
        assert 'value="Laboratory"' in wrong.text
        assert "scope-beyond" in text_of(browser.post("/tokens", form | {"scopes": "run site"}))
        offered = set(re.findall(r'name="scopes" value="([^"]+)"', browser.get("/tokens").text))
        assert {"dispense", "book"} <= offered
        assert not {"stand by", "prepare pickup", "enter legal demand"} & offered, "no resource of the API needs them"
        assert "scope-beyond" in text_of(browser.post("/tokens", form | {"scopes": "prepare pickup"}))
        shown = browser.post("/tokens", form)
        (token,) = re.findall(r"takehome_[\w-]{43}", shown.text)
        assert token not in browser.get("/tokens").text
        assert asks(app, token).status_code == 200
        path = re.findall(r"/tokens/[0-9a-f-]{36}/revoke", browser.get("/tokens").text)[0]
        assert browser.post(path).headers["location"] == "/tokens?done=revoked"
        assert asks(app, token).status_code == 401

    def test_an_administrator_sees_and_revokes_all_at_the_site_and_nobody_else_anothers(
        self, app: Litestar, database: Database, site: Site, pia: Actor, now: datetime
    ) -> None:
        token = make(database, pia, now, Act.DISPENSE)
        hire(database, site, "anna", [Role.ADMINISTRATOR], now)
        hire(database, site, "nora", [Role.NURSE], now)
        there = open_site(database, now, code="SAT")
        hire(database, there, "ben", [Role.ADMINISTRATOR], now)
        browsers = {name: Visitor(app) for name in ("anna", "nora", "ben")}
        for name, browser in browsers.items():
            browser.signs_in(name)
        with database.reading() as session:
            token_id = session.scalars(select(ApiToken.id)).one()
        assert browsers["nora"].post(f"/tokens/{token_id}/revoke").status_code == 404
        assert browsers["ben"].post(f"/office/tokens/{token_id}/revoke").status_code == 404
        assert "Laboratory" not in text_of(browsers["ben"].get("/office/tokens"))
        assert "Pia Laboratory dispense" in text_of(browsers["anna"].get("/office/tokens"))
        assert asks(app, token).status_code == 200
        assert browsers["anna"].post(f"/office/tokens/{token_id}/revoke").status_code == 303
        assert asks(app, token).status_code == 401
