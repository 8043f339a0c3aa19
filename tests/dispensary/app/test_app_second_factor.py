"""The second factor at the door: what a password alone opens, codes that were used, guessed, stolen, raced for."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import psycopg
import pytest
from litestar import Litestar
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import NotAllowed, Refused
from dispensary.staff import factors, service
from dispensary.staff.factor_models import HalfSignIn, RecoveryCode, SecondFactor
from dispensary.staff.factor_rules import in_groups
from dispensary.staff.models import Account, AuditEntry, Site
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.web import entering
from tests.dispensary.factored import Authenticator, has_authenticator
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, acts_of, hire, open_site, text_of


@pytest.fixture
def siti(database: Database, site: Site, now: datetime) -> Account:
    return hire(database, site, "siti", [Role.DOCTOR], now)


@pytest.fixture
def phone(database: Database, siti: Account, now: datetime) -> tuple[Authenticator, list[str]]:
    return has_authenticator(database, siti.id, now)


def half_in(app: Litestar, onward: str = "/a-desk") -> Visitor:
    """A browser in which Siti's password was typed."""
    visitor = Visitor(app)
    answer = visitor.post("/signin", {"username": "siti", "password": PASSWORD, "next": onward})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/signin/code?next={onward}")
    return visitor


def types(visitor: Visitor, code: str) -> object:
    return visitor.post("/signin/code", {"code": code, "next": "/a-desk"})


class TestTheDoor:
    def test_password_and_code_lead_to_where_one_wanted_to_go(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        visitor = half_in(app)
        assert "siti" in text_of(visitor.get("/signin/code?next=/a-desk"))
        answer = types(visitor, phone[0].shows(clock()))
        assert (answer.status_code, answer.headers["location"]) == (303, "/a-desk")
        assert visitor.get("/a-desk").status_code == 200
        assert "takehome.half" not in visitor.client.cookies
        with database.reading() as session:
            entry = session.scalars(select(AuditEntry).order_by(AuditEntry.seq.desc())).first()
        assert (entry.act, entry.details) == ("sign in", '{"by":"authenticator"}')

    def test_half_signed_in_opens_nothing(
        self, app: Litestar, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        visitor = half_in(app)
        cookie = visitor.post("/signin", {"username": "siti", "password": PASSWORD}).headers["set-cookie"]
        assert cookie.startswith("takehome.half=")
        for said in ("; HttpOnly", "Path=/signin/code", "SameSite=strict", "Max-Age=300"):
            assert said in cookie
        assert "takehome=" not in cookie
        assert visitor.get("/a-desk").headers["location"].startswith("/signin")
        assert visitor.get("/api/whoami").status_code == 401
        token = visitor.client.cookies["takehome.half"]
        thief = Visitor(app)
        thief.client.cookies.set("takehome", token)
        assert thief.get("/api/whoami").status_code == 401

    def test_nobody_learns_of_a_second_factor_without_the_password(
        self, app: Litestar, database: Database, site: Site, now: datetime, phone: tuple[Authenticator, list[str]]
    ) -> None:
        hire(database, site, "ben", [Role.DOCTOR], now)
        said = []
        for name in ("siti", "ben", "nobody"):
            visitor = Visitor(app)
            answer = visitor.signs_in(name, "a wrong password")
            said.append((answer.status_code, text_of(answer), sorted(visitor.client.cookies)))
            answer = visitor.send("POST", "/api/session", {"username": name, "password": "wrong", "code": "123456"})
            said[-1] += (answer.status_code, answer.json()["code"])
        assert said == [said[0]] * 3

    def test_the_code_comes_within_five_minutes_and_in_the_same_browser(
        self, app: Litestar, database: Database, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        visitor = half_in(app)
        stolen = visitor.client.cookies["takehome.half"]
        hire_another = Visitor(app)
        hire_another.client.cookies.set("takehome.half", stolen, path="/signin/code")
        hire_another.client.cookies.set("takehome", "x" * 43)
        assert "begin-anew" in text_of(types(hire_another, phone[0].shows(clock())))
        clock.goes_on(minutes=5)
        answer = types(visitor, phone[0].shows(clock()))
        assert (answer.status_code, "begin-anew" in text_of(answer)) == (401, True)
        assert visitor.get("/signin/code").headers["location"].startswith("/signin?next=")
        with database.reading() as session:
            (kept,) = session.scalars(select(HalfSignIn.token_digest)).all()
        assert stolen.encode() not in kept

    def test_a_half_is_used_up_by_one_code_and_ends_with_the_password(
        self,
        app: Litestar,
        database: Database,
        clock: MovableClock,
        siti: Account,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        visitor = half_in(app)
        half = visitor.client.cookies["takehome.half"]
        assert types(visitor, phone[0].shows(clock())).status_code == 303
        again = Visitor(app)
        again.client.cookies.set("takehome.half", half, path="/signin/code")
        clock.goes_on(seconds=60)
        assert "begin-anew" in text_of(types(again, phone[0].shows(clock())))
        other = half_in(app)
        with database.writing() as session:
            service.set_password(
                session,
                actor=Actor(siti.id, site_of(database, siti), frozenset()),
                password="another walk to the river",
                current=PASSWORD,
                at=clock(),
            )
        assert "begin-anew" in text_of(types(other, phone[0].shows(clock())))

    def test_a_recovery_code_opens_once_and_leads_to_where_one_mends_it(
        self, app: Litestar, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        code = phone[1][3]
        visitor = half_in(app)
        answer = visitor.post("/signin/code", {"recovery": code.lower().replace("-", " "), "next": "/a-desk"})
        assert answer.headers["location"] == "/second-factor?done=recovered&next=/a-desk"
        assert "9 are left" in text_of(visitor.get(answer.headers["location"]))
        assert "wrong-code" in text_of(half_in(app).post("/signin/code", {"recovery": code}))

    def test_a_program_sends_the_code_with_the_password(
        self, app: Litestar, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        program, body = Visitor(app), {"username": "siti", "password": PASSWORD}
        answer = program.send("POST", "/api/session", body)
        assert (answer.status_code, answer.json()["code"]) == (401, "second-factor-needed")
        wrong = program.send("POST", "/api/session", {**body, "code": "000000"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "wrong-code")
        code = phone[0].shows(clock())
        assert program.send("POST", "/api/session", {**body, "code": code}).status_code == 204
        assert program.get("/api/whoami").status_code == 200
        assert Visitor(app).send("POST", "/api/session", {**body, "code": code}).json()["code"] == "wrong-code"


def site_of(database: Database, account: Account) -> object:
    with database.reading() as session:
        from dispensary.staff.queries import sites_of

        return sites_of(session, account.id)[0].id


class TestAttacks:
    def test_the_same_code_from_twenty_browsers_at_once_lets_one_in(
        self,
        app: Litestar,
        database: Database,
        siti: Account,
        clock: MovableClock,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        half = [enters(database, clock(), address=f"10.0.0.{n}").token for n in range(20)]
        assert raced(lambda half: by_code(database, half, phone[0].shows(clock()), clock()), half) == 1

        def heard(code: str) -> None:  # past the count, which lets five of them be looked at
            with database.writing() as session:
                factors.hear(session, account_id=siti.id, typed=code, at=clock())

        clock.goes_on(seconds=30)
        assert [raced(heard, [code] * 20) for code in (phone[0].shows(clock()), phone[1][0])] == [1, 1]
        with database.reading() as session:
            assert session.scalar(text("SELECT count(*) FROM sign_in")) == 1

    def test_a_code_of_the_step_before_is_refused_after_a_newer_one_was_used(
        self, app: Litestar, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        assert types(half_in(app), phone[0].shows(clock(), steps_on=1)).status_code == 303
        for steps_on in (1, 0, -1, 2, -2):
            answer = types(half_in(app), phone[0].shows(clock(), steps_on=steps_on))
            assert (answer.status_code, "wrong-code" in text_of(answer)) == (422, True), steps_on
        clock.goes_on(minutes=15, seconds=1)
        assert types(half_in(app), phone[0].shows(clock(), steps_on=-1)).status_code == 303

    def test_codes_are_guessed_five_times_in_fifteen_minutes_from_however_many_addresses(
        self, app: Litestar, database: Database, site: Site, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        half = enters(database, clock(), address="10.0.0.1")
        said = []
        for number in range(8):
            with pytest.raises(Refused) as refused:
                by_code(database, half.token, "000000", clock(), address=f"10.0.1.{number}")
            said.append(refused.value.first.code)
        assert said == ["wrong-code"] * 5 + ["too-many-guesses"] * 3
        assert acts_of(database, site)[-5:] == ["wrong second factor"] * 5
        visitor = half_in(app)
        answer = types(visitor, phone[0].shows(clock()))
        assert (answer.status_code, "Wait 15 minutes" in text_of(answer)) == (429, True)
        recovered = visitor.post("/signin/code", {"recovery": phone[1][0]})
        assert recovered.status_code == 429
        clock.goes_on(minutes=15, seconds=1)
        assert types(half_in(app), phone[0].shows(clock())).status_code == 303

    def test_its_person_is_told_of_wrong_codes_and_after_a_hundred_the_authenticator_is_heard_no_more(
        self,
        app: Litestar,
        database: Database,
        siti: Account,
        clock: MovableClock,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        def guesses(times: int) -> None:
            for _ in range(times):
                entering.write_down_at_first_site(database, siti.id, factors.WRONG, clock())

        guesses(2)
        clock.goes_on(seconds=30)
        assert types(half_in(app), phone[0].shows(clock())).headers["location"] == "/a-desk"
        clock.goes_on(seconds=30)
        guesses(99)
        clock.goes_on(seconds=30)
        told = half_in(app)
        answer = types(told, phone[0].shows(clock()))
        assert answer.headers["location"] == "/second-factor?done=guessed&next=/a-desk"
        assert "99 wrong codes were typed" in text_of(told.get(answer.headers["location"]))
        clock.goes_on(seconds=30)
        guesses(100)
        clock.goes_on(seconds=30)
        shut = half_in(app)
        answer = types(shut, phone[0].shows(clock()))
        assert (answer.status_code, "guessed-out" in text_of(answer)) == (422, True)
        assert shut.post("/signin/code", {"recovery": phone[1][0]}).status_code == 303
        clock.goes_on(seconds=30)
        assert types(half_in(app), phone[0].shows(clock())).status_code == 303

    def test_the_right_password_again_and_again_gives_no_more_guesses_at_the_code(
        self, app: Litestar, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        body = {"username": "siti", "password": PASSWORD, "code": "000000"}
        answers = [Visitor(app).send("POST", "/api/session", body).status_code for _ in range(7)]
        assert answers == [422] * 5 + [429] * 2

    def test_the_database_holds_neither_secret_nor_code_in_the_clear(
        self,
        database: Database,
        database_url: str,
        clock: MovableClock,
        app: Litestar,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        half = half_in(app)
        words = [phone[0].secret, in_groups(phone[0].secret), half.client.cookies["takehome.half"]]
        words += phone[1] + [code.replace("-", "") for code in phone[1]]
        with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
            tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname='public'")]
            rows = [str(row) for table in tables for row in connection.execute(f'SELECT t::text FROM "{table}" t')]
            held = "\n".join(rows)
        assert len(rows) > 10
        hidden = [word for word in words if word in held or word.encode().hex() in held]
        assert hidden == []

    def test_postgresql_itself_takes_no_step_and_no_code_a_second_time(
        self, database: Database, clock: MovableClock, phone: tuple[Authenticator, list[str]]
    ) -> None:
        for change in (
            update(SecondFactor).values(last_step=SecondFactor.last_step - 1),
            update(SecondFactor).values(confirmed_at=clock()),
            update(RecoveryCode).values(used_at=None),
        ):
            with pytest.raises(IntegrityError), database.writing() as session:
                session.execute(change)


class TestOnesOwnPage:
    def test_setting_up_asks_for_the_password_shows_the_secret_once_and_then_ten_codes(
        self, app: Litestar, doctor: Visitor, database: Database, site: Site, clock: MovableClock
    ) -> None:
        elsewhere = Visitor(app)
        elsewhere.signs_in("siti")
        assert "wrong-password" in text_of(doctor.post("/second-factor/app", {"password": "wrong"}))
        shown = doctor.post("/second-factor/app", {"password": PASSWORD})
        assert "<svg" in shown.text
        assert shown.headers["cache-control"] == "no-store"
        phone = Authenticator(re.search(r'factor-secret">([A-Z2-7 ]+)<', shown.text)[1].replace(" ", ""))
        begun = re.search(r'name="begun" value="([^"]+)"', shown.text)[1]
        wrong = doctor.post("/second-factor/app/confirm", {"begun": begun, "code": "000000"})
        assert ("<svg" in wrong.text, "wrong-code" in text_of(wrong)) == (True, True)
        guessed = doctor.post("/second-factor/app/confirm", {"begun": str(site.id), "code": phone.shows(clock())})
        assert ("<svg" in guessed.text, "set-up-ended" in text_of(guessed)) == (False, True)
        codes = doctor.post("/second-factor/app/confirm", {"begun": begun, "code": phone.shows(clock())})
        assert len(set(re.findall(r"<code>([A-Z2-9]{5}-[A-Z2-9]{5})</code>", codes.text))) == 10
        assert acts_of(database, site)[-1] == "set up second factor"
        assert doctor.get("/api/whoami").status_code == 200
        assert elsewhere.get("/api/whoami").status_code == 401
        page = doctor.get("/second-factor")
        assert phone.secret not in page.text
        assert "10 of ten are left" in text_of(page)
        assert "wrong-code" in text_of(types(half_in(app), phone.shows(clock()))), "the code that confirmed is used"
        clock.goes_on(seconds=30)
        assert types(half_in(app), phone.shows(clock())).status_code == 303

    def test_it_was_begun_too_long_ago(self, doctor: Visitor, clock: MovableClock) -> None:
        shown = doctor.post("/second-factor/app", {"password": PASSWORD})
        begun = re.search(r'name="begun" value="([^"]+)"', shown.text)[1]
        clock.goes_on(minutes=16)
        answer = doctor.post("/second-factor/app/confirm", {"begun": begun, "code": "000000"})
        assert ("set-up-ended" in text_of(answer), "<svg" in answer.text) == (True, False)

    @pytest.mark.parametrize("path", ["/second-factor/app", "/second-factor/codes", "/second-factor/remove"])
    def test_whoever_has_one_changes_it_by_password_and_code(
        self, path: str, doctor: Visitor, database: Database, site: Site, clock: MovableClock
    ) -> None:
        account = doctor.client.get("/api/session").json()["signed_in"]["account_id"]
        phone, codes = has_authenticator(database, account, clock())
        doctor.known_as = None
        inside = signed_in(doctor, phone, clock)
        for form, said in (
            ({"password": PASSWORD}, "wrong-code"),
            ({"password": PASSWORD, "code": "000000"}, "wrong-code"),
            ({"password": "wrong", "code": codes[0]}, "wrong-password"),
        ):
            assert said in text_of(inside.post(path, form))
        answer = inside.post(path, {"password": PASSWORD, "code": codes[0]})
        assert answer.status_code == (303 if path.endswith("remove") else 200)
        with database.reading() as session:
            has = factors.has(session, account)
        assert has.any == (not path.endswith("remove"))
        assert has.recovery_codes == {"app": 9, "codes": 10, "remove": 0}[path.rsplit("/", 1)[1]]

    def test_a_wrong_code_on_the_own_page_is_written_down_also_at_another_site_than_the_first(
        self,
        app: Litestar,
        database: Database,
        site: Site,
        siti: Account,
        clock: MovableClock,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        there = open_site(database, clock(), code="SAT")
        with database.writing() as session:
            service.grant(
                session, actor=the_program(there.id), account_id=siti.id, site_id=there.id, role=Role.NURSE, at=clock()
            )
        visitor, other = (signed_in(Visitor(app), phone[0], clock) for _ in range(2) if clock.goes_on(seconds=30))
        assert visitor.post("/switch-site", {"site_id": str(there.id)}).status_code == 303
        for _ in range(3):
            answer = visitor.post("/second-factor/codes", {"password": PASSWORD, "code": "000000"})
            assert (answer.status_code, "wrong-code" in text_of(answer)) == (422, True)
        assert acts_of(database, site)[-3:] == [factors.WRONG] * 3
        assert "3 wrong codes were typed" in text_of(visitor.get("/second-factor"))
        answer = visitor.post("/second-factor/remove", {"password": PASSWORD, "code": phone[1][0]})
        assert answer.status_code == 303
        assert other.get("/api/whoami").status_code == 401, "a sign-in at the other site ended too"

    def test_an_administrator_takes_it_away_and_its_person_is_told(
        self,
        app: Litestar,
        database: Database,
        site: Site,
        siti: Account,
        clock: MovableClock,
        phone: tuple[Authenticator, list[str]],
    ) -> None:
        ada = hire(database, site, "ada", [Role.ADMINISTRATOR], clock())
        has_authenticator(database, ada.id, clock())
        visitor = signed_in(Visitor(app), phone[0], clock)
        half = half_in(app)
        boss = Actor(ada.id, site.id, frozenset({Role.ADMINISTRATOR}))

        def resets(actor: Actor, whose: Account) -> None:
            with database.writing() as session:
                factors.reset(session, actor=actor, account_id=whose.id, at=clock())

        with pytest.raises(NotAllowed, match="Nobody resets their own"):
            resets(boss, ada)
        with pytest.raises(NotAllowed):
            resets(
                Actor(hire(database, site, "ben", [Role.DOCTOR], clock()).id, site.id, frozenset({Role.DOCTOR})), siti
            )
        there = open_site(database, clock(), code="SAT")
        with database.writing() as session:
            service.grant(
                session, actor=the_program(there.id), account_id=siti.id, site_id=there.id, role=Role.NURSE, at=clock()
            )
        with pytest.raises(NotAllowed, match="every site"):
            resets(boss, siti)
        resets(the_program(site.id), siti)
        assert visitor.get("/api/whoami").status_code == 401
        assert "begin-anew" in text_of(types(half, phone[0].shows(clock(), 1)))
        assert acts_of(database, site)[-1] == "reset second factor"
        answer = visitor.post("/signin", {"username": "siti", "password": PASSWORD, "next": "/a-desk"})
        assert answer.headers["location"] == "/second-factor?next=/a-desk"
        assert "was taken away" in text_of(visitor.get("/second-factor?next=/a-desk"))
        visitor.post("/second-factor/known", {"next": "/a-desk"})
        assert "was taken away" not in text_of(visitor.get("/second-factor"))


def signed_in(visitor: Visitor, phone: Authenticator, clock: MovableClock) -> Visitor:
    visitor.post("/signout")
    visitor.post("/signin", {"username": "siti", "password": PASSWORD})
    assert types(visitor, phone.shows(clock())).status_code == 303
    return visitor


def enters(database: Database, at: datetime, address: str) -> entering.Entered | entering.HalfEntered:
    return entering.enter(database, username="siti", password=PASSWORD, address=address, at=at, presented=None)


def by_code(database: Database, half: str, code: str, at: datetime, address: str = "") -> entering.Entered:
    """From an address of its own, so that the throttle is not what is tried."""
    return entering.enter_by_code(database, half=half, code=code, address=address or half, at=at, presented=None)


def raced(act: Callable[[str], object], halves: list[str]) -> int:
    start = Barrier(len(halves))

    def run(half: str) -> bool:
        start.wait()
        try:
            act(half)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(len(halves)) as pool:
        return sum(pool.map(run, halves))
