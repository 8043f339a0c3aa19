"""Several people at one browser: who is in its shift, whose screen it is, when it closes, what an old token opens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from httpx import Response
from litestar import Litestar
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff import service, sessions, stations
from dispensary.staff.models import SignIn, Site
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.shift_models import ShiftSetting
from dispensary.web.entering import come_back
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, acts_of, has_pin, hire, open_site, text_of

PINS = {"siti": "271839", "ben": "314195", "rosa": "161803"}


@pytest.fixture
def people(database: Database, site: Site, now: datetime) -> dict[str, Any]:
    """Three doctors, each with a PIN; their ids by name."""
    ids = {}
    for name, pin in PINS.items():
        ids[name] = hire(database, site, name, [Role.DOCTOR], now).id
        has_pin(database, Actor(ids[name], site.id, frozenset()), pin, now)
    return ids


@pytest.fixture
def browser(app: Litestar, people: dict[str, Any]) -> Visitor:
    """One browser, at which Siti signed in and then Ben: he is in front."""
    visitor = Visitor(app, comes_back=False)
    for name in ("siti", "ben"):
        assert visitor.signs_in(name).status_code == 303
    return visitor


def token_of(visitor: Visitor) -> str:
    return str(visitor.client.cookies["takehome"])


def in_front(visitor: Visitor) -> str | None:
    me = visitor.client.get("/api/session").json()["signed_in"]
    return me["name"] if me else None


def comes_back(visitor: Visitor, account_id: object, secret: str, onward: str = "/a-desk", **headers: str) -> Response:
    sent = {"account_id": str(account_id), "secret": secret, "next": onward}
    return visitor.post("/lock", sent, headers=headers)


class TestTheShift:
    def test_a_colleague_signs_in_beside_and_the_first_one_comes_back_by_pin(
        self, database: Database, site: Site, browser: Visitor, people: dict[str, Any]
    ) -> None:
        assert in_front(browser) == "Ben"
        answer = comes_back(browser, people["siti"], PINS["siti"], onward="/a-desk?x=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/a-desk?x=1")
        assert in_front(browser) == "Siti"
        assert acts_of(database, site)[-1] == "come back"

    def test_a_token_that_was_left_opens_nothing(self, browser: Visitor, people: dict[str, Any], app: Litestar) -> None:
        left = token_of(browser)
        comes_back(browser, people["siti"], PINS["siti"])
        thief = Visitor(app, comes_back=False)
        thief.client.cookies.set("takehome", left)
        assert thief.get("/a-desk").headers["location"].startswith("/signin")
        assert thief.get("/lock").headers["location"].startswith("/signin")
        assert comes_back(thief, people["ben"], PINS["ben"]).status_code == 401
        assert in_front(browser) == "Siti"

    def test_two_who_come_at_once_do_not_both_come(
        self, database: Database, browser: Visitor, people: dict[str, Any], clock: MovableClock
    ) -> None:
        token, start = token_of(browser), Barrier(2)

        def come(name: str) -> str | None:
            start.wait()
            try:
                with database.writing() as session:
                    return stations.come_back(session, presented=token, account_id=people[name], at=clock())
            except Refused:
                return None

        with ThreadPoolExecutor(2) as pool:
            tokens = list(pool.map(come, ["siti", "ben"]))
        came = [each for each in tokens if each]
        assert len(came) == 1
        with database.reading() as session:
            assert sessions.signed_in(session, token=came[0], at=clock()) is not None
            front = select(SignIn.account_id).where(SignIn.locked_at.is_(None))
            assert session.scalars(front).all() == [people[["siti", "ben"][tokens.index(came[0])]]]

    def test_whoever_is_not_in_the_shift_does_not_come_back(
        self, browser: Visitor, people: dict[str, Any], database: Database, site: Site, clock: MovableClock
    ) -> None:
        for stranger in (people["rosa"], "x", ""):
            answer = comes_back(browser, stranger, PINS["rosa"])
            assert "not-in-shift" in text_of(answer)
        with database.writing() as session:
            service.close_account(session, actor=the_program(site.id), account_id=people["siti"], at=clock())
        assert "not-in-shift" in text_of(comes_back(browser, people["siti"], PINS["siti"]))
        assert in_front(browser) == "Ben"

    def test_five_wrong_pins_and_the_password_is_asked_for(
        self, browser: Visitor, people: dict[str, Any], app: Litestar
    ) -> None:
        for _ in range(5):
            answer = comes_back(browser, people["siti"], "999000")
            assert (answer.status_code, "wrong-pin" in text_of(answer)) == (422, True)
            assert "999000" not in answer.text
        assert comes_back(browser, people["siti"], PINS["siti"]).status_code == 422, "at whichever screen"
        assert "by password" in text_of(browser.get("/lock"))
        assert comes_back(browser, people["siti"], PASSWORD).status_code == 303
        comes_back(browser, people["ben"], PINS["ben"])
        assert comes_back(browser, people["siti"], PINS["siti"]).status_code == 303

    def test_a_hundred_guesses_at_once_are_five(
        self, database: Database, browser: Visitor, people: dict[str, Any], clock: MovableClock
    ) -> None:
        def guess(number: int) -> str:
            try:
                come_back(
                    database,
                    presented=token_of(browser),
                    account_id=people["siti"],
                    secret=f"9{number:05d}",
                    address="10.0.0.1",
                    at=clock(),
                )
            except Refused as refused:
                return refused.first.code
            return "came"

        with ThreadPoolExecutor(20) as pool:
            said = list(pool.map(guess, range(30)))
        assert "came" not in said
        with database.reading() as session:
            wrong = text("SELECT wrong FROM counter_pin WHERE account_id = :a")
            assert session.scalar(wrong, {"a": people["siti"]}) == 5

    def test_eight_fit_in_and_the_ninth_signs_in_when_one_has_left(
        self, database: Database, app: Litestar, site: Site, now: datetime
    ) -> None:
        visitor = Visitor(app, comes_back=False)
        for number in range(1, 10):
            hire(database, site, f"person{number}", [Role.DOCTOR], now)
        for number in range(1, 9):
            assert visitor.signs_in(f"person{number}").status_code == 303
        answer = visitor.signs_in("person9")
        assert (answer.status_code, "shift-full" in text_of(answer)) == (409, True)
        assert in_front(visitor) == "Person8"
        visitor.post("/signout")
        assert visitor.signs_in("person9").status_code == 303
        with database.reading() as session:
            assert sorted(session.scalars(select(SignIn.place)).all()) == list(range(1, 9))

    def test_a_digit_stays_whose_it_is(self, database: Database, browser: Visitor, people: dict[str, Any]) -> None:
        browser.signs_in("rosa")
        browser.signs_in("siti")
        with database.reading() as session:
            places = dict(session.execute(select(SignIn.account_id, SignIn.place)).all())
        assert places == {people["siti"]: 1, people["ben"]: 2, people["rosa"]: 3}

    def test_whoever_signs_out_leaves_the_others_a_closed_screen(
        self, browser: Visitor, people: dict[str, Any]
    ) -> None:
        answer = browser.post("/signout")
        assert answer.headers["location"] == "/lock"
        assert in_front(browser) is None
        page = text_of(browser.get("/lock"))
        assert "Siti" in page
        assert "Ben" not in page
        assert comes_back(browser, people["siti"], PINS["siti"]).status_code == 303
        assert browser.post("/signout").headers["location"] == "/signin"

    def test_a_shift_is_one_browsers(self, browser: Visitor, people: dict[str, Any], app: Litestar) -> None:
        other = Visitor(app, comes_back=False)
        other.signs_in("rosa")
        assert "not-in-shift" in text_of(comes_back(other, people["siti"], PINS["siti"]))

    def test_the_database_knows_one_in_front_and_eight_at_most(
        self, database: Database, browser: Visitor, people: dict[str, Any]
    ) -> None:
        with pytest.raises(IntegrityError, match="uq_sign_in_front"), database.writing() as session:
            session.execute(text("UPDATE sign_in SET locked_at = NULL"))
        with pytest.raises(IntegrityError, match="ck_sign_in_place"), database.writing() as session:
            session.execute(text("UPDATE sign_in SET place = 9 WHERE place = 1"))
        with pytest.raises(IntegrityError, match="uq_sign_in_station_id_place"), database.writing() as session:
            session.execute(text("UPDATE sign_in SET place = 1"))


class TestTheClosedScreen:
    def test_two_minutes_without_a_touch_close_it_and_a_touch_keeps_it_open(
        self, browser: Visitor, clock: MovableClock, people: dict[str, Any]
    ) -> None:
        for _ in range(4):
            clock.goes_on(seconds=119)
            assert browser.get("/awake").status_code == 204
        clock.goes_on(seconds=119)
        assert browser.get("/a-desk").status_code == 200
        clock.goes_on(seconds=125)
        answer = browser.get("/a-desk?about=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/lock?next=/a-desk%3Fabout%3D1")
        assert comes_back(browser, people["ben"], PINS["ben"]).status_code == 303
        assert browser.get("/a-desk").status_code == 200

    def test_what_a_page_asks_for_by_itself_is_no_touch(self, browser: Visitor, clock: MovableClock) -> None:
        for _ in range(5):
            clock.goes_on(seconds=30)
            answer = browser.get("/a-desk", headers={"X-Quiet": "1"})
        assert answer.headers["location"].startswith("/lock")

    def test_a_form_is_told_so_and_does_nothing(self, browser: Visitor, clock: MovableClock) -> None:
        drawn = browser.drawn()
        clock.goes_on(minutes=3)
        answer = browser.post("/form", {**drawn, "portion": "1"})
        assert (answer.status_code, answer.headers["x-locked"]) == (401, "1")
        assert "This screen is closed" in text_of(answer)
        told = browser.get("/awake", headers={"X-Keep": "1"})
        assert (told.status_code, told.headers["x-locked"]) == (401, "1")
        json = browser.get("/api/whoami")
        assert (json.status_code, json.json()["code"]) == (401, "locked")

    def test_the_lock_screen_shows_nobody_but_the_shift(self, browser: Visitor, clock: MovableClock) -> None:
        clock.goes_on(minutes=3)
        page = browser.get("/lock?next=/a-desk")
        assert page.status_code == 200
        for shown in ("SI", "Siti", "BE", "Ben", "Harapan"):
            assert shown in text_of(page)
        assert "Rosa" not in text_of(page)
        assert 'name="next" value="/a-desk"' in page.text

    def test_it_is_closed_by_hand_at_once(self, browser: Visitor, people: dict[str, Any]) -> None:
        answer = browser.post("/lock/now", {"next": "/a-desk"})
        assert answer.headers["location"] == "/lock?next=/a-desk"
        assert browser.get("/a-desk").headers["location"].startswith("/lock")
        back = comes_back(browser, people["ben"], PINS["ben"], **{"X-Keep": "1"})
        assert (back.status_code, back.headers["x-onward"]) == (200, "/a-desk")
        assert back.headers["x-acting"] == browser.drawn()["_acting"]

    def test_half_an_hour_without_a_touch_ends_the_whole_shift(
        self, browser: Visitor, clock: MovableClock, people: dict[str, Any]
    ) -> None:
        clock.goes_on(minutes=31)
        assert browser.get("/a-desk").headers["location"].startswith("/signin")
        assert browser.get("/lock").headers["location"].startswith("/signin")
        assert comes_back(browser, people["siti"], PINS["siti"]).status_code == 401

    def test_twelve_hours_end_each_persons_own(
        self, browser: Visitor, clock: MovableClock, people: dict[str, Any]
    ) -> None:
        for _ in range(25):
            clock.goes_on(minutes=28)
            comes_back(browser, people["ben"], PINS["ben"])
        assert "Siti" in text_of(browser.get("/lock"))
        browser.signs_in("rosa")
        clock.goes_on(minutes=25)
        assert comes_back(browser, people["rosa"], PINS["rosa"]).status_code == 303
        page = text_of(browser.get("/lock"))
        assert "Rosa" in page
        assert "Siti" not in page
        assert "not-in-shift" in text_of(comes_back(browser, people["ben"], PINS["ben"]))

    def test_a_site_sets_its_own_minutes(
        self, database: Database, site: Site, browser: Visitor, clock: MovableClock
    ) -> None:
        with database.writing() as session:
            session.add(ShiftSetting(site_id=site.id, lock_after_minutes=5))
        clock.goes_on(minutes=4, seconds=59)
        assert browser.get("/a-desk").status_code == 200
        clock.goes_on(minutes=5, seconds=5)
        assert browser.get("/a-desk").status_code == 303
        with pytest.raises(IntegrityError, match="lock_after_minutes"), database.writing() as session:
            session.execute(text("UPDATE shift_setting SET lock_after_minutes = 11"))

    def test_a_program_has_no_screen_and_opens_no_page(
        self, app: Litestar, people: dict[str, Any], clock: MovableClock
    ) -> None:
        program = Visitor(app, comes_back=False)
        body = {"username": "siti", "password": PASSWORD}
        assert program.send("POST", "/api/session", body).status_code == 204
        for _ in range(3):
            clock.goes_on(minutes=29)
            assert program.get("/api/whoami").status_code == 200
        assert program.get("/a-desk").headers["location"].startswith("/signin")
        assert program.post("/form", {"portion": "1"}).status_code == 401
        clock.goes_on(minutes=31)
        assert program.get("/api/whoami").status_code == 401

    def test_touches_are_written_a_few_times_a_minute_and_not_with_each_request(
        self, database: Database, browser: Visitor, clock: MovableClock
    ) -> None:
        seen = set()
        for _ in range(60):
            clock.goes_on(seconds=1)
            browser.get("/a-desk")
            with database.reading() as session:
                seen.add(session.scalar(select(SignIn.seen_at).where(SignIn.locked_at.is_(None))))
        assert len(seen) <= 13

    def test_a_colleague_begins_where_the_others_are(
        self, database: Database, browser: Visitor, people: dict[str, Any], site: Site, now: datetime
    ) -> None:
        first = open_site(database, now, code="AAA")
        with database.writing() as session:
            grants = {"account_id": people["rosa"], "site_id": first.id, "role": Role.DOCTOR, "at": now}
            service.grant(session, actor=the_program(first.id), **grants)
        browser.signs_in("rosa")
        assert browser.get("/api/session").json()["signed_in"]["site"] == "KL"

    def test_what_has_ended_is_forgotten_with_its_browser(
        self, database: Database, browser: Visitor, now: datetime
    ) -> None:
        with database.writing() as session:
            assert sessions.forget_ended(session, at=now + timedelta(minutes=29)) == 0
        with database.writing() as session:
            sessions.forget_ended(session, at=now + timedelta(minutes=31))
            assert session.scalar(text("SELECT count(*) FROM sign_in")) == 0
            assert session.scalar(text("SELECT count(*) FROM station")) == 0
