"""A clinic is never locked out, and whoever opens it is seen: the sealed code, two people, some hours, an alarm."""

from __future__ import annotations

import contextlib
import getpass
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar import Litestar
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.app import create_app
from dispensary.cli import main
from dispensary.database import Database
from dispensary.refusals import NotAllowed, Refused
from dispensary.staff import glass, invitations, service
from dispensary.staff.entry_models import BreakGlass
from dispensary.staff.entry_rules import Entry
from dispensary.staff.entry_settings import set_entry
from dispensary.staff.models import Account, Site
from dispensary.staff.rules import Act, Actor, Role, may, the_program
from dispensary.units import AccountId, SiteId
from dispensary.verification.entry import ENTRY
from tests.dispensary.factored import has_authenticator
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import (
    PASSWORD,
    MovableClock,
    Visitor,
    acts_of,
    demo_settings,
    has_pin,
    hire,
    open_site,
    production_settings,
    text_of,
)


@dataclass
class House:
    """A site with an administrator, a pharmacist, a nurse and an evaluator, and its sealed code."""

    database: Database
    site: Site
    app: Litestar
    clock: MovableClock
    actors: dict[str, Actor] = field(default_factory=dict)
    code: str = ""

    def form(self, **changed: str) -> dict[str, str]:
        return {
            "code": self.code,
            "first_username": "pia",
            "first_secret": PASSWORD,
            "second_username": "nora",
            "second_secret": PASSWORD,
            **changed,
        }

    def seal(self) -> str:
        with self.database.writing() as session:
            self.code = glass.seal(session, actor=self.actors["anna"], at=self.clock())
        return self.code

    def opens(self, code: str, first: str = "pia", second: str = "nora") -> str:
        try:
            with self.database.writing() as session:
                people = {"first": self.actors[first].account_id, "second": self.actors[second].account_id}
                glass.open_glass(session, code=code, at=self.clock(), **people)  # type: ignore[arg-type]
        except Refused as refused:
            return refused.first.code
        return "opened"


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> House:
    site = open_site(database, now)
    clock = MovableClock(now)
    house = House(database, site, lent_app(demo_settings(tmp_path), database, clock), clock)
    for name, role in (
        ("anna", Role.ADMINISTRATOR),
        ("pia", Role.PHARMACIST),
        ("nora", Role.NURSE),
        ("eva", Role.EVALUATOR),
    ):
        account = hire(database, site, name, [role], now)
        house.actors[name] = Actor(AccountId(account.id), SiteId(site.id), frozenset({role}))
    house.seal()
    return house


class TestTheMorning:
    def test_two_people_and_the_code_let_an_administrator_in_again(self, house: House) -> None:
        pia = Visitor(house.app)
        assert pia.signs_in("pia").status_code == 303
        assert pia.get("/office").status_code == 403
        with structlog.testing.capture_logs() as said:
            shown = text_of(pia.post("/break-glass", house.form(code=house.code.lower())))
        assert "pia is an administrator of this site until 11:00" in shown
        assert next(line for line in said if line["log_level"] == "warning")["event"] == "a sealed code was opened"
        assert house.code not in repr(said)
        assert acts_of(house.database, house.site)[-2:] == ["opened the sealed code", "opened it with them"]

        anna = house.actors["anna"].account_id
        assert pia.get("/office").status_code == 200
        invited = pia.post(f"/office/staff/{anna}/invite")
        (code,) = re.findall(r'class="spelled">([^<]+)<', invited.text)
        chosen = {"code": code, "password": "a boat on the lake", "again": "a boat on the lake"}
        assert Visitor(house.app).post("/invited/password", chosen).status_code == 303

        back = Visitor(house.app)
        assert back.signs_in("anna", "a boat on the lake").status_code == 303
        for path in ("/", "/office", "/pin"):
            assert "The sealed code was opened" in text_of(back.get(path)), path
        page = text_of(back.get("/office/glass"))
        assert "Administrator by it Pia Stood by Nora" in page
        glass_id = re.findall(r"/office/glass/([0-9a-f-]{36})/answer", back.get("/office/glass").text)[0]
        path = f"/office/glass/{glass_id}/answer"
        assert back.post(path, {"words": " "}).status_code == 422
        answered = back.post(path, {"words": "Anna had forgotten her password.", "end_now": "yes"})
        assert answered.headers["location"] == "/office/glass?done=answered"
        assert "was opened" not in text_of(back.get("/"))
        assert "Anna had forgotten" in text_of(back.get("/office/glass"))
        assert pia.get("/office").status_code == 403, "ended with the answer"
        assert back.post(path, {"words": "again"}).status_code == 404

    def test_a_second_factor_is_asked_for_too_and_a_recovery_code_is_one(self, house: House) -> None:
        phone, _ = has_authenticator(house.database, house.actors["pia"].account_id, house.clock())
        _, codes = has_authenticator(house.database, house.actors["nora"].account_id, house.clock())
        door = Visitor(house.app)
        shown = text_of(door.post("/break-glass", house.form()))
        assert shown.count("This account has a second factor") >= 2
        wrong = house.form(first_code="000000", second_code=codes[0])
        assert "This code is not right" in text_of(door.post("/break-glass", wrong))
        typed = house.form(first_code=phone.shows(house.clock()), second_code=codes[1])
        assert "pia is an administrator of this site" in text_of(door.post("/break-glass", typed))

    def test_it_stands_among_the_unusual_looks_and_whom_it_made_administrator_does_not_read_it_through(
        self, house: House
    ) -> None:
        pia, anna = Visitor(house.app), Visitor(house.app)
        pia.signs_in("pia")
        pia.post("/break-glass", house.form())
        anna.signs_in("anna")
        assert "Pia opened the sealed code Nora" in text_of(anna.get("/office/looks"))
        day = house.clock().astimezone(ZoneInfo("Asia/Kuala_Lumpur")).date()
        form = {"account_id": str(house.actors["pia"].account_id), "day": str(day), "kind": "sealed_code"}
        assert pia.post("/office/looks/review", {**form, "words": "it was me"}).status_code == 403
        assert anna.post("/office/looks/review", {**form, "words": "I had lost my phone."}).status_code == 303
        assert "I had lost my phone. · Anna" in text_of(anna.get("/office/looks"))

    def test_it_lasts_for_the_sites_hours_and_not_a_second_longer(self, house: House) -> None:
        with house.database.writing() as session:
            set_entry(session, actor=house.actors["anna"], wanted=Entry(glass_hours=1), at=house.clock())
        pia = Visitor(house.app)
        pia.signs_in("pia")
        pia.post("/break-glass", house.form())
        house.clock.goes_on(seconds=3599)
        pia.signs_in("pia")
        assert pia.get("/office").status_code == 200
        house.clock.goes_on(seconds=1)
        assert pia.get("/office").status_code == 403

    def test_it_opens_no_record_gives_no_role_to_its_holder_and_seals_no_code(self, house: House) -> None:
        eva = Visitor(house.app)
        eva.signs_in("eva")
        assert "not-an-opener" in text_of(eva.post("/break-glass", house.form(first_username="eva")))
        pia = Visitor(house.app)
        pia.signs_in("pia")
        before = pia.get("/evaluation").status_code
        pia.post("/break-glass", house.form())
        assert pia.get("/evaluation").status_code == before == 403
        assert not may({Role.ADMINISTRATOR}, Act.LOOK_AT_CLIENT)
        assert may({Role.ADMINISTRATOR}, Act.ERASE), "what an administrator by a grant may"
        for path in ("/disclosure/erasing", "/disclosure/legal-holds"):
            assert pia.get(path).status_code == 403, path
        assert pia.get("/office/staff").status_code == 200
        own = house.actors["pia"].account_id
        for roles in (["pharmacist", "administrator"], ["pharmacist", "doctor"]):
            assert "own-role" in text_of(pia.post(f"/office/staff/{own}/roles", {"roles": roles}))
        assert "by-sealed-code" in text_of(pia.post("/office/glass"))
        # A colleague may be given it, which is what it is for.
        nora = house.actors["nora"].account_id
        given = pia.post(f"/office/staff/{nora}/roles", {"roles": ["nurse", "administrator"]})
        assert given.status_code == 303
        assert "by-sealed-code" in text_of(pia.post(f"/office/glass/{own}/answer", {"words": "it was me"}))

    def test_a_pin_proves_where_its_person_is_in_the_shift_and_nowhere_else(self, house: House) -> None:
        has_pin(house.database, house.actors["nora"], "730195", house.clock())
        shared, other = Visitor(house.app), Visitor(house.app)
        shared.signs_in("nora")
        shared.signs_in("pia")
        form = house.form(second_secret="730195")
        assert "wrong-name-or-password" in text_of(other.post("/break-glass", form))
        assert "wrong-pin" in text_of(shared.post("/break-glass", house.form(second_secret="730196")))
        assert "is an administrator" in text_of(shared.post("/break-glass", form))

    def test_who_has_no_role_left_is_no_administrator_either(self, house: House) -> None:
        pia = Visitor(house.app)
        pia.signs_in("pia")
        pia.post("/break-glass", house.form())
        anna = house.actors["anna"]
        with house.database.writing() as session:
            assert house.actors["pia"].account_id
            service.close_account(session, actor=anna, account_id=house.actors["pia"].account_id, at=house.clock())
        pia.comes_back = False
        assert pia.get("/office").headers["location"].startswith("/signin")


class TestWhoTries:
    def test_a_wrong_code_tells_nothing_of_a_password_and_five_close_the_door(self, house: House) -> None:
        visitor = Visitor(house.app)
        wrong = house.form(code=invitations.fresh_code(20))
        answers = [visitor.post("/break-glass", wrong | {"first_secret": secret}) for secret in (PASSWORD, "no", "no")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({text_of(answer).split("no-sealed-code")[0] for answer in answers}) == 1
        assert PASSWORD not in answers[0].text
        visitor.post("/break-glass", wrong)
        visitor.post("/break-glass", wrong)
        assert visitor.post("/break-glass", house.form()).status_code == 429
        house.clock.goes_on(minutes=16)
        assert visitor.post("/break-glass", house.form()).status_code == 200

    def test_one_person_alone_opens_nothing_by_whatever_name(self, house: House) -> None:
        visitor = Visitor(house.app)
        for name in ("pia", " PIA ", "pia\u200b"):
            answer = visitor.post("/break-glass", house.form(second_username=name))
            assert answer.status_code == 422, name
        answer = visitor.post("/break-glass", house.form(second_secret="not hers"))
        assert "error-second_secret" in answer.text
        assert house.opens(house.code) == "opened"

    def test_it_opens_once_also_when_many_open_it_at_once_and_the_one_before_opens_nothing(self, house: House) -> None:
        first = house.code
        second = house.seal()
        assert house.opens(first) == "no-sealed-code"
        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(lambda _: house.opens(second), range(8)))
        assert sorted(outcomes) == ["no-sealed-code"] * 7 + ["opened"]
        assert house.opens(house.seal(), "eva", "nora") == "not-an-opener"

    def test_somebody_of_another_site_opens_nothing(self, house: House) -> None:
        there = open_site(house.database, house.clock(), code="SAT")
        ben = hire(house.database, there, "ben", [Role.PHARMACIST], house.clock())
        house.actors["ben"] = Actor(AccountId(ben.id), SiteId(there.id), frozenset({Role.PHARMACIST}))
        assert house.opens(house.code, "ben", "nora") == "not-an-opener"
        assert house.opens(house.code, "pia", "ben") == "not-an-opener"

    def test_what_happened_stays_whatever_program_writes(self, house: House) -> None:
        house.opens(house.code)
        for change in (
            "UPDATE break_glass SET ends_at = ends_at + interval '1 hour'",
            "UPDATE break_glass SET opened_at = NULL, opened_for = NULL, opened_with = NULL, ends_at = NULL",
            "UPDATE break_glass SET opened_with = opened_for",
            "DELETE FROM break_glass",
            "TRUNCATE break_glass",
        ):
            with pytest.raises(IntegrityError), house.database.writing() as session:
                session.execute(text(change))

    def test_the_database_and_the_page_after_have_no_code(self, house: House) -> None:
        anna = Visitor(house.app)
        anna.signs_in("anna")
        shown = anna.post("/office/glass")
        (code,) = re.findall(r'class="spelled">([^<]+)<', shown.text)
        assert re.fullmatch(r"(?:[0-9A-Z]{4}-){4}[0-9A-Z]{4}", code)
        assert shown.headers["cache-control"] == "no-store"
        assert code not in anna.get("/office/glass").text
        with house.database.reading() as session:
            kept = [repr(row) for row in session.execute(text("SELECT g::text FROM break_glass g"))]
        assert not [row for row in kept if code.replace("-", "") in row]


class TestAProductionWithout:
    def test_administrators_are_told_that_there_is_none_and_others_are_not(self, house: House, tmp_path: Path) -> None:
        app = create_app(production_settings(tmp_path), house.database, house.clock)
        anna = Visitor(app, base_url="https://clinic.example.org")
        anna.signs_in("anna")
        assert "There is no sealed code" not in text_of(anna.get("/office/staff"))
        house.opens(house.code)
        assert "There is no sealed code" in text_of(anna.get("/office/staff"))


class TestOnTheConsole:
    def test_whoever_has_the_server_lets_an_administrator_in_and_stands_in_the_trail(
        self, house: House, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = tmp_path / "keys.json"
        monkeypatch.setenv("DISPENSARY_DATA", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", database_url)
        monkeypatch.setenv("DISPENSARY_KEYS", str(keys))
        run = CliRunner().invoke
        refused = run(main, ["let-in", "KL", "nobody"])
        assert (refused.exit_code, "--person" in refused.output) == (2, True)
        said = run(main, ["let-in", "kl", "nora"])
        assert said.exit_code == 0, said.output
        (code,) = re.findall(r"/invited#(\S+)", said.output)
        with house.database.writing() as session:
            invitations.accept(
                session, code=code, password="a boat on it", again="a boat on it", at=datetime.now().astimezone()
            )
            details = session.execute(text("SELECT details FROM audit_entry WHERE act = 'invite'")).scalar_one()
        assert f'"computer_account":"{getpass.getuser()}"' in details
        new = run(main, ["let-in", "KL", "noraini", "--person", "Noraini", "--initials", "N"])
        assert new.exit_code == 0, new.output
        nora = Visitor(house.app)
        assert nora.signs_in("nora", "a boat on it").status_code == 303
        assert nora.get("/office").status_code == 200


ACTS = st.sampled_from(["revoke", "close", "invite", "reset", "accept", "grant", "seal", "open", "expire"])


@settings(max_examples=25, deadline=None)
@given(script=st.lists(st.tuples(ACTS, st.integers(0, 3), st.integers(0, 3)), max_size=14))
def test_whatever_people_do_somebody_can_run_the_site(
    any_database: Database, script: list[tuple[str, int, int]]
) -> None:
    """After each act there is an administrator who has a password and has not left: no sequence locks a clinic out."""
    database, at = any_database, datetime.now().astimezone()
    with database.writing() as session:
        number = len(session.scalars(select(Site.id)).all())
    site = open_site(database, at, code=f"S{number}")
    accounts = [hire(database, site, f"a{number}-0", [Role.ADMINISTRATOR], at)]
    program, codes = the_program(SiteId(site.id)), {}
    sealed: list[str] = []

    def act(what: str, who: Account, whom: Account) -> None:
        nonlocal at
        actor = Actor(AccountId(who.id), SiteId(site.id), frozenset({Role.ADMINISTRATOR}))
        with database.writing() as session:
            given_: dict[str, Any] = {"actor": actor, "at": at}
            if what == "revoke":
                service.revoke(session, account_id=whom.id, site_id=site.id, role=Role.ADMINISTRATOR, **given_)
            if what == "close":
                service.close_account(session, account_id=whom.id, **given_)
            if what == "grant":
                service.grant(session, account_id=whom.id, site_id=site.id, role=Role.ADMINISTRATOR, **given_)
            if what == "invite":
                new, code = invitations.hire(
                    session,
                    site_id=site.id,
                    username=f"a{number}-{len(accounts)}",
                    name="N",
                    initials="N",
                    roles=[Role.ADMINISTRATOR, Role.NURSE],
                    **given_,
                )
                accounts.append(new)
                codes[new.id] = code
            if what == "reset":
                codes[whom.id] = invitations.invite(session, site_id=site.id, account_id=whom.id, **given_)
            if what == "accept" and whom.id in codes:
                invitations.accept(session, code=codes[whom.id], password=PASSWORD, again=PASSWORD, at=at)
            if what == "seal":
                sealed.append(glass.seal(session, **given_))
            if what == "open" and sealed:
                glass.open_glass(session, code=sealed[-1], first=who.id, second=whom.id, at=at)
            if what == "expire":
                at += timedelta(days=8)

    for what, one, other in script:
        with contextlib.suppress(Refused, NotAllowed):
            act(what, accounts[one % len(accounts)], accounts[other % len(accounts)])
        with database.reading() as session:
            assert session.execute(text(ENTRY[1].sql)).all() == [], (what, one, other)
            runs = session.execute(
                text(
                    "SELECT count(*) FROM account a JOIN role_grant g ON g.account_id = a.id AND g.site_id = :s"
                    " AND g.role = 'administrator' WHERE a.left_at IS NULL AND a.accepted_at IS NOT NULL"
                ),
                {"s": site.id},
            ).scalar_one()
            sealed_now = session.scalar(
                select(BreakGlass.id).where(
                    BreakGlass.site_id == site.id, BreakGlass.opened_at.is_(None), BreakGlass.replaced_at.is_(None)
                )
            )
        assert runs or sealed_now, (what, one, other)
    assert program.site_id == site.id


@pytest.fixture(scope="module")
def any_database(server: str, vault: Any) -> Any:
    """One database for every example, which each opens a site of its own in."""
    import psycopg

    admin = server.replace("+psycopg", "").replace("/takehome?", "/postgres?")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE glass TEMPLATE takehome STRATEGY file_copy")
    database = Database(server.replace("/takehome?", "/glass?"), vault, pool_size=4)
    yield database
    database.close()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("DROP DATABASE glass WITH (FORCE)")
