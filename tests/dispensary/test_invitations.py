"""An account has no password that anybody but its person knows; who sleeps and who is at two places is seen."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refused
from dispensary.staff import audit, invitations, queries, service
from dispensary.staff.entry_rules import ALPHABET, Entry, plain_code, spelled
from dispensary.staff.entry_settings import set_entry
from dispensary.staff.models import Account, Site
from dispensary.staff.presence import Presence, presences
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.units import AccountId, SiteId
from dispensary.wall import behind
from tests.dispensary.lending import lent_app
from tests.dispensary.visiting import PASSWORD, MovableClock, Visitor, acts_of, demo_settings, hire, open_site, text_of

CHOSEN = "a boat on the lake"


@pytest.fixture
def clock(now: datetime) -> MovableClock:
    return MovableClock(now)


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def app(database: Database, clock: MovableClock, tmp_path: Path) -> Litestar:
    return lent_app(demo_settings(tmp_path), database, clock)


@pytest.fixture
def chief(database: Database, site: Site, now: datetime) -> Actor:
    anna = hire(database, site, "anna", [Role.ADMINISTRATOR], now)
    return Actor(AccountId(anna.id), SiteId(site.id), frozenset({Role.ADMINISTRATOR}))


def invited(database: Database, chief: Actor, at: datetime, username: str = "siti") -> tuple[Account, str]:
    with database.writing() as session:
        return invitations.hire(
            session,
            actor=chief,
            site_id=chief.site_id,
            username=username,
            name=username.title(),
            initials="S",
            roles=[Role.NURSE],
            at=at,
        )


def accepts(database: Database, code: str, at: datetime, password: str = CHOSEN) -> str:
    try:
        with database.writing() as session:
            invitations.accept(session, code=code, password=password, again=password, at=at)
    except Refused as refused:
        return refused.first.code
    return "done"


class TestACode:
    def test_it_is_read_however_it_was_typed(self) -> None:
        code = invitations.fresh_code(28)
        assert set(code) <= set(ALPHABET)
        assert len(spelled(code)) == 28 + 6
        for typed in (spelled(code), f" {code.lower()} ", code.replace("0", "O").replace("1", "l")):
            assert plain_code(typed) == code

    def test_no_two_are_alike_and_the_database_has_none_of_them(
        self, database: Database, chief: Actor, now: datetime
    ) -> None:
        _, first = invited(database, chief, now)
        _, second = invited(database, chief, now, "ben")
        assert first != second
        with database.reading() as session:
            kept = session.execute(
                text("SELECT i::text, (SELECT string_agg(a::text, '') FROM audit_entry a) FROM invitation i")
            ).all()
        assert not [row for row in kept for value in row if first in value or spelled(first) in value]


class TestAnInvitation:
    def test_nobody_signs_in_before_its_person_chose_and_then_they_do(
        self, database: Database, site: Site, chief: Actor, app: Litestar, now: datetime
    ) -> None:
        _, code = invited(database, chief, now)
        visitor = Visitor(app)
        for guess in ("", "nobody has this password", PASSWORD, code):
            assert visitor.signs_in("siti", guess).status_code == 401
        shown = text_of(visitor.post("/invited", {"code": spelled(code).lower()}))
        assert "Siti at Harapan" in shown
        assert "You sign in as “siti”" in shown
        form = {"code": code, "password": CHOSEN, "again": CHOSEN}
        assert visitor.post("/invited/password", form | {"again": "a boat"}).status_code == 422
        assert visitor.post("/invited/password", form | {"password": "short", "again": "short"}).status_code == 422
        assert visitor.post("/invited/password", form).headers["location"] == "/signin?done=password"
        assert visitor.signs_in("siti", CHOSEN).status_code == 303
        assert acts_of(database, site)[-4:] == ["add account", "invite", "accept invitation", "sign in"]

    def test_it_works_once_also_when_many_use_it_at_once(self, database: Database, chief: Actor, now: datetime) -> None:
        _, code = invited(database, chief, now)
        with ThreadPoolExecutor(8) as threads:
            outcomes = list(threads.map(lambda n: accepts(database, code, now, f"a boat on lake {n}"), range(8)))
        assert sorted(outcomes) == ["done"] + ["no-invitation"] * 7
        with database.reading() as session:
            kept = session.execute(
                text("SELECT hash FROM account LEFT JOIN account_password ON account_id = id WHERE username = 'siti'")
            ).scalar_one()
        assert service.password_is_right(kept, f"a boat on lake {outcomes.index('done')}")

    @pytest.mark.parametrize("ended", ["too old", "taken back", "made anew", "the person left", "never was"])
    def test_one_that_does_not_open_is_answered_alike_whatever_became_of_it(
        self, database: Database, chief: Actor, now: datetime, ended: str
    ) -> None:
        account, code = invited(database, chief, now)
        at = now + timedelta(days=7) if ended == "too old" else now
        with database.writing() as session:
            if ended == "taken back":
                invitations.take_back(session, actor=chief, account_id=account.id, at=now)
            if ended == "made anew":
                invitations.invite(session, actor=chief, site_id=chief.site_id, account_id=account.id, at=now)
            if ended == "the person left":
                service.close_account(session, actor=chief, account_id=account.id, at=now)
        if ended == "never was":
            code = invitations.fresh_code(28)
        with database.reading() as session, pytest.raises(NotThere) as refused:
            invitations.invited_by(session, code=code, at=at)
        assert refused.value.refusals == invitations.no_invitation().refusals
        assert accepts(database, code, at) == "no-invitation"

    def test_its_last_moment_counts_and_the_site_says_how_long_it_opens(
        self, database: Database, chief: Actor, now: datetime
    ) -> None:
        with database.writing() as session:
            set_entry(session, actor=chief, wanted=Entry(invited_days=1), at=now)
        _, code = invited(database, chief, now)
        _, other = invited(database, chief, now, "ben")
        assert accepts(database, code, now + timedelta(days=1)) == "no-invitation"
        assert accepts(database, other, now + timedelta(days=1, microseconds=-1)) == "done"
        with pytest.raises(BadInput), database.writing() as session:
            set_entry(session, actor=chief, wanted=Entry(dormant_days=1), at=now)

    def test_what_ended_stays_ended_whatever_program_writes(
        self, database: Database, chief: Actor, now: datetime
    ) -> None:
        account, code = invited(database, chief, now)
        assert accepts(database, code, now) == "done"
        for change in (
            "UPDATE invitation SET used_at = NULL",
            "UPDATE invitation SET expires_at = expires_at + interval '1 day'",
            "DELETE FROM invitation",
        ):
            with pytest.raises(IntegrityError), database.writing() as session:
                session.execute(text(change))
        again = text(
            "INSERT INTO invitation SELECT gen_random_uuid(), :a, :s, 'again', gen_random_uuid()::text::bytea, NULL,"
            " :at, :at + interval '1 day' FROM generate_series(1, :times)"
        )
        asked = {"a": account.id, "s": chief.site_id, "at": now}
        with pytest.raises(IntegrityError), database.writing() as session:
            session.execute(again, asked | {"times": 2})

    def test_nobody_invites_themselves_nor_whom_they_do_not_run(
        self, database: Database, site: Site, chief: Actor, now: datetime
    ) -> None:
        siti = hire(database, site, "siti", [Role.NURSE], now)
        nurse = Actor(AccountId(siti.id), chief.site_id, frozenset({Role.NURSE}))
        assert chief.account_id is not None
        for actor, whom in ((chief, chief.account_id), (nurse, chief.account_id)):
            with pytest.raises(NotAllowed), database.writing() as session:
                invitations.invite(session, actor=actor, site_id=chief.site_id, account_id=whom, at=now)

    def test_the_only_administrator_is_one_who_has_come(self, database: Database, chief: Actor, now: datetime) -> None:
        """An invited administrator may never come: until they have, the last one stays."""
        account, code = invited(database, chief, now)
        assert chief.account_id is not None
        with database.writing() as session:
            service.grant(
                session, actor=chief, account_id=account.id, site_id=chief.site_id, role=Role.ADMINISTRATOR, at=now
            )

        def leaves() -> str:
            try:
                with database.writing() as session:
                    service.close_account(session, actor=chief, account_id=AccountId(chief.account_id), at=now)
            except Refused as refused:
                return refused.first.code
            return "done"

        assert leaves() == "last-administrator"
        assert accepts(database, code, now) == "done"
        assert leaves() == "done"

    def test_what_is_open_at_another_site_ends_from_here_too_where_one_runs_both(
        self, database: Database, site: Site, chief: Actor, now: datetime
    ) -> None:
        there = open_site(database, now, code="SAT")
        siti = hire(database, site, "siti", [Role.NURSE], now)
        with database.writing() as session:
            for account_id, role in ((chief.account_id, Role.ADMINISTRATOR), (siti.id, Role.NURSE)):
                assert account_id is not None
                program = the_program(SiteId(there.id))
                service.grant(session, actor=program, account_id=account_id, site_id=there.id, role=role, at=now)
            first = invitations.invite(session, actor=program, site_id=there.id, account_id=siti.id, at=now)
        with behind(site.id), database.writing() as session:
            invitations.invite(session, actor=chief, site_id=chief.site_id, account_id=siti.id, at=now)
        assert accepts(database, first, now) == "no-invitation"


class TestOverTheWeb:
    def test_a_code_stands_in_no_address_and_no_log(
        self, database: Database, chief: Actor, app: Litestar, now: datetime
    ) -> None:
        _, code = invited(database, chief, now)
        visitor = Visitor(app)
        with structlog.testing.capture_logs() as lines:
            opened = visitor.get("/invited")
            visitor.post("/invited", {"code": code})
            visitor.post("/invited/password", {"code": code, "password": CHOSEN, "again": CHOSEN})
        assert opened.headers["referrer-policy"] == "no-referrer"
        assert opened.headers["cache-control"] == "no-store"
        said = repr(lines)
        assert [line["route"] for line in lines if line["route"].startswith("/invited")] == [
            "/invited",
            "/invited",
            "/invited/password",
        ]
        assert code not in said
        assert CHOSEN not in said

    def test_whoever_tries_codes_is_not_heard_after_twenty_from_an_address_or_five_for_a_code(
        self, database: Database, chief: Actor, app: Litestar, clock: MovableClock, now: datetime
    ) -> None:
        _, code = invited(database, chief, now)
        visitor = Visitor(app)
        wrong = invitations.fresh_code(28)
        answers = [visitor.post("/invited", {"code": wrong}).status_code for _ in range(6)]
        assert answers == [404] * 5 + [429]
        for _ in range(15):
            assert visitor.post("/invited", {"code": invitations.fresh_code(28)}).status_code == 404
        refused = visitor.post("/invited", {"code": code})
        assert refused.status_code == 429
        assert "Wait 15 minutes" in text_of(refused)
        clock.goes_on(minutes=16)
        for _ in range(30):  # the right code is no guess, however often it is looked at
            assert visitor.post("/invited", {"code": code}).status_code == 200

    def test_a_script_in_a_name_and_a_code_of_nonsense_are_words(
        self, database: Database, chief: Actor, app: Litestar, now: datetime
    ) -> None:
        visitor = Visitor(app)
        for nonsense in ("", "<script>alert(1)</script>", "A" * 5000, "\u0130\u0000x", "%00"):
            answer = visitor.post("/invited", {"code": nonsense})
            assert answer.status_code in (404, 422, 429)
            assert "<script>alert" not in answer.text

    def test_who_leaves_is_refused_within_the_same_second_with_every_key_they_have(
        self, database: Database, site: Site, chief: Actor, app: Litestar, now: datetime
    ) -> None:
        siti = hire(database, site, "siti", [Role.NURSE], now)
        at_desk, other = Visitor(app), Visitor(app)
        assert at_desk.signs_in("siti").status_code == 303
        assert other.signs_in("siti").status_code == 303
        program = Visitor(app)
        assert program.send("POST", "/api/session", {"username": "siti", "password": PASSWORD}).status_code == 204
        with database.writing() as session:
            code = invitations.invite(session, actor=chief, site_id=chief.site_id, account_id=siti.id, at=now)
        assert at_desk.get("/consulting").status_code == 200
        with database.writing() as session:
            service.close_account(session, actor=chief, account_id=siti.id, at=now)
        for visitor in (at_desk, other):
            visitor.comes_back = False
            assert visitor.get("/consulting").headers["location"].startswith("/signin")
        assert program.get("/api/session").json()["signed_in"] is None
        assert Visitor(app).post("/invited", {"code": code}).status_code == 404
        assert Visitor(app).signs_in("siti").status_code == 401


class TestWhoSleeps:
    def seen(self, database: Database, site: Site, at: datetime) -> dict[str, Presence]:
        with behind(site.id), database.reading() as session:
            people = queries.colleagues(session, site.id)
            found = presences(session, people, site_id=SiteId(site.id), at=at)
        return {person.username: found[person.id] for person in people if person.id in found}

    def test_an_account_sleeps_after_the_sites_days_and_a_sign_in_wakes_it(
        self, database: Database, site: Site, chief: Actor, app: Litestar, clock: MovableClock, now: datetime
    ) -> None:
        hire(database, site, "siti", [Role.NURSE], now)
        invited(database, chief, now, "ben")
        visitor = Visitor(app)
        visitor.signs_in("siti")
        later = clock.goes_on(days=45)
        assert not any(one.asleep for one in self.seen(database, site, later).values())
        later = clock.goes_on(seconds=1)
        found = self.seen(database, site, later)
        # Whoever was invited and has not come has nothing that could sleep; the page says that they were invited.
        assert {name for name, one in found.items() if one.asleep} == {"anna", "siti"}
        assert visitor.signs_in("anna").status_code == 303
        page = text_of(visitor.get("/office/staff"))
        assert "1 account has not been used for 45 days" in page
        assert "invitation ended" in page
        assert Visitor(app).signs_in("siti").status_code == 303
        assert not self.seen(database, site, later)["siti"].asleep
        visitor.post("/office/staff/entry", {"invited_days": "7", "dormant_days": "7", "glass_hours": "4"})
        assert self.seen(database, site, clock.goes_on(days=8))["siti"].asleep

    def test_an_account_at_two_browsers_or_two_sites_at_once_is_shown(
        self, database: Database, site: Site, chief: Actor, app: Litestar, clock: MovableClock, now: datetime
    ) -> None:
        hire(database, site, "siti", [Role.NURSE], now)
        first, second = Visitor(app), Visitor(app)
        first.signs_in("siti")
        assert not self.seen(database, site, now)["siti"].shared
        second.signs_in("siti")
        assert self.seen(database, site, now)["siti"].places_now == 2
        anna = Visitor(app)
        anna.signs_in("anna")
        assert "two places" in text_of(anna.get("/office/staff"))
        later = clock.goes_on(minutes=31)
        assert not self.seen(database, site, later)["siti"].shared

        there = open_site(database, now, code="SAT")
        siti = next(one for one in self.people(database, site) if one.username == "siti")
        with database.writing() as session:
            service.grant(
                session,
                actor=the_program(SiteId(there.id)),
                account_id=siti.id,
                site_id=SiteId(there.id),
                role=Role.NURSE,
                at=now,
            )
            for where, minutes in ((site, 0), (there, 9)):
                audit.record(
                    session,
                    actor=Actor(siti.id, SiteId(where.id), frozenset()),
                    act="sign in",
                    subject="account",
                    subject_id=siti.id,
                    at=later + timedelta(minutes=minutes),
                )
        assert len(self.seen(database, site, later + timedelta(hours=1))["siti"].two_sites) == 1
        assert not self.seen(database, site, later + timedelta(days=8))["siti"].two_sites

    def people(self, database: Database, site: Site) -> list[Any]:
        with database.reading() as session:
            return list(queries.colleagues(session, SiteId(site.id)))


def test_a_link_is_in_the_qr_and_on_the_page_alone(
    database: Database, site: Site, chief: Actor, app: Litestar, now: datetime
) -> None:
    anna = Visitor(app)
    anna.signs_in("anna")
    form = {"name": "Siti", "initials": "S", "username": "siti", "roles": "nurse"}
    shown = anna.post("/office/staff", form)
    (code,) = re.findall(r'class="spelled">([^<]+)<', shown.text)
    assert shown.status_code in (200, 201)
    assert shown.headers["cache-control"] == "no-store"
    assert re.search(r"https?://[^<]+/invited#" + code, shown.text)
    assert "<svg" in shown.text
    assert code not in anna.get("/office/staff").text
    assert anna.post("/office/staff", form).status_code == 409, "a page that is sent again makes no second account"
