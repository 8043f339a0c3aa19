from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refused
from dispensary.staff import audit, queries, service, sessions
from dispensary.staff.attempts import TooManyGuesses
from dispensary.staff.models import SignIn
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.web import entering
from tests.dispensary.visiting import PASSWORD, acts_of, hire, open_site


def enter(
    database: Database,
    username: str,
    at: datetime,
    password: str = PASSWORD,
    address: str = "10.0.0.1",
    program: bool = False,
    presented: str | None = None,
) -> str:
    who = {"username": username, "password": password, "address": address, "at": at, "presented": presented}
    if program:
        return entering.enter_as_program(database, **who, code="")
    entered = entering.enter(database, **who)
    assert isinstance(entered, entering.Entered)
    return entered.token


def who_is(database: Database, token: str, at: datetime) -> sessions.SignedIn | None:
    with database.reading() as session:
        return sessions.signed_in(session, token=token, at=at)


class TestSigningIn:
    def test_the_token_is_long_and_only_its_digest_is_kept(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        token = enter(database, "Siti ", now)
        assert len(token) >= 43
        with database.reading() as session:
            (kept,) = session.scalars(select(SignIn.token_digest)).all()
        assert len(kept) == 32
        assert token.encode() not in kept

    def test_who_is_signed_in_is_known_with_site_and_roles(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        siti = hire(database, site, "siti", [Role.DOCTOR, Role.NURSE], now)
        who = who_is(database, enter(database, "siti", now), now)
        assert who is not None
        assert who.actor == Actor(siti.id, site.id, frozenset({Role.DOCTOR, Role.NURSE}), "Siti", "SI")
        assert (who.site.code, who.site.zone, who.works_elsewhere) == ("KL", "Asia/Kuala_Lumpur", False)

    @pytest.mark.parametrize("password", ["wrong", "", PASSWORD.upper(), PASSWORD + " "])
    def test_a_wrong_password_is_refused(self, database: Database, now: datetime, password: str) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        with pytest.raises(sessions.NotSignedIn):
            enter(database, "siti", now, password=password)

    def test_an_unknown_name_and_one_who_left_are_answered_like_a_wrong_password(
        self, database: Database, now: datetime
    ) -> None:
        site = open_site(database, now)
        siti = hire(database, site, "siti", [Role.DOCTOR], now)
        hire(database, site, "ben", [Role.DOCTOR], now)
        with database.writing() as session:
            service.close_account(session, actor=the_program(site.id), account_id=siti.id, at=now)
        said = []
        for username, password in (
            ("nobody", PASSWORD),
            ("siti", PASSWORD),
            ("ben", "wrong"),
            ("nobody", "nobody has this password"),
        ):
            with pytest.raises(sessions.NotSignedIn) as refused:
                enter(database, username, now, password=password)
            said.append(refused.value.first)
        assert said == [said[0]] * 4

    def test_an_unknown_name_costs_as_much_hashing_as_a_known_one(
        self, database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch, real_argon2: None
    ) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        heard: list[str] = []

        class Counting:
            def verify(self, kept: str, password: str) -> bool:
                heard.append(kept.split("$")[3])
                return service.PasswordHasher().verify(kept, password)

        monkeypatch.setattr(service, "_HASHER", Counting())
        for username in ("siti", "nobody"):
            with pytest.raises(sessions.NotSignedIn):
                enter(database, username, now, password="wrong")
        assert heard == ["m=19456,t=2,p=1"] * 2

    def test_a_token_that_was_planted_before_is_never_adopted_and_ends(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        planted = enter(database, "siti", now)
        token = enter(database, "siti", now, presented=planted)
        assert token != planted
        assert who_is(database, planted, now) is None
        assert who_is(database, token, now) is not None

    def test_an_account_without_a_role_does_not_get_in(self, database: Database, now: datetime) -> None:
        site = open_site(database, now)
        siti = hire(database, site, "siti", [Role.DOCTOR], now)
        token = enter(database, "siti", now)
        with database.writing() as session:
            service.revoke(
                session, actor=the_program(site.id), account_id=siti.id, site_id=site.id, role=Role.DOCTOR, at=now
            )
        assert who_is(database, token, now) is None
        with pytest.raises(NotAllowed):
            enter(database, "siti", now)


class TestGuessing:
    def test_after_five_failures_even_the_right_password_waits(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        for _ in range(5):
            with pytest.raises(sessions.NotSignedIn):
                enter(database, "siti", now, password="wrong")
        with pytest.raises(TooManyGuesses) as refused:
            enter(database, "siti", now + timedelta(minutes=5), address="10.9.9.9")
        assert refused.value.first.evidence == {"minutes": 10}
        assert enter(database, "siti", now + timedelta(minutes=15, seconds=1))

    def test_names_that_nobody_has_are_counted_alike(self, database: Database, now: datetime) -> None:
        for _ in range(5):
            with pytest.raises(sessions.NotSignedIn):
                enter(database, "nobody", now)
        with pytest.raises(TooManyGuesses):
            enter(database, "NOBODY", now)

    def test_twenty_failures_from_one_address_close_it_for_every_name(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        for number in range(20):
            with pytest.raises(sessions.NotSignedIn):
                enter(database, f"name{number}", now)
        with pytest.raises(TooManyGuesses):
            enter(database, "siti", now)
        assert enter(database, "siti", now, address="10.0.0.2")

    def test_a_right_password_takes_its_own_count_back(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        for _ in range(30):
            enter(database, "siti", now)
        for _ in range(4):
            with pytest.raises(sessions.NotSignedIn):
                enter(database, "siti", now, password="wrong")
        enter(database, "siti", now)
        with pytest.raises(sessions.NotSignedIn):
            enter(database, "siti", now, password="wrong")

    def test_forty_guesses_at_once_are_heard_five_times(self, database: Database, now: datetime) -> None:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)

        def guess(number: int) -> str:
            try:
                enter(database, "siti", now, password="wrong", address=f"10.0.0.{number}")
            except Refused as refused:
                return refused.first.code
            return "in"

        with ThreadPoolExecutor(16) as threads:
            outcomes = list(threads.map(guess, range(40)))
        assert outcomes.count("wrong-name-or-password") == 5
        assert outcomes.count("too-many-guesses") == 35


class TestBeingSignedIn:
    @pytest.fixture
    def token(self, database: Database, now: datetime) -> str:
        hire(database, open_site(database, now), "siti", [Role.DOCTOR], now)
        return enter(database, "siti", now)

    def marked(self, database: Database, token: str, at: datetime) -> bool:
        who = who_is(database, token, at)
        if who is None:
            return False
        with database.writing() as session:
            sessions.mark_seen(session, who=who, at=at)
        return True

    def test_thirty_minutes_without_use_end_it(self, database: Database, now: datetime, token: str) -> None:
        assert self.marked(database, token, now + timedelta(minutes=29))
        assert self.marked(database, token, now + timedelta(minutes=58))
        assert who_is(database, token, now + timedelta(minutes=88)) is None

    def test_twelve_hours_end_it_however_busy(self, database: Database, now: datetime, token: str) -> None:
        for minutes in range(0, 12 * 60, 20):
            assert self.marked(database, token, now + timedelta(minutes=minutes))
        assert who_is(database, token, now + timedelta(hours=12)) is None

    @pytest.mark.parametrize(("program", "every"), [(False, 5), (True, 60)])
    def test_not_every_request_writes(self, database: Database, now: datetime, program: bool, every: int) -> None:
        hire(database, open_site(database, now, code="PR"), "rosa", [Role.DOCTOR], now)
        who = who_is(database, enter(database, "rosa", now, program=program), now)
        assert who is not None
        assert not sessions.stale(who, at=now + timedelta(seconds=every - 1))
        assert sessions.stale(who, at=now + timedelta(seconds=every))
        for seconds in (every - 1, every, every + 1):
            with database.writing() as session:
                sessions.mark_seen(session, who=who, at=now + timedelta(seconds=seconds))
        with database.reading() as session:
            assert session.scalar(select(SignIn.seen_at)) == now + timedelta(seconds=every)

    @pytest.mark.parametrize("token", ["", "x", "é" * 50, "0" * 10_000])
    def test_what_is_no_token_is_nobody(self, database: Database, now: datetime, token: str) -> None:
        assert who_is(database, token, now) is None

    def test_signing_out_ends_one_and_everywhere_ends_all(self, database: Database, now: datetime, token: str) -> None:
        second, third = enter(database, "siti", now), enter(database, "siti", now)
        who = who_is(database, second, now)
        assert who is not None
        with database.writing() as session:
            sessions.sign_out(session, who=who, at=now)
        assert [who_is(database, each, now) is not None for each in (token, second, third)] == [True, False, True]
        who = who_is(database, third, now)
        assert who is not None
        with database.writing() as session:
            sessions.sign_out_everywhere(session, who=who, at=now)
        assert [who_is(database, each, now) for each in (token, second, third)] == [None, None, None]

    @pytest.mark.parametrize(
        "ends",
        [
            lambda session, actor, account, at: service.close_account(session, actor=actor, account_id=account, at=at),
            lambda session, actor, account, at: service.set_password(
                session,
                actor=Actor(account, actor.site_id, frozenset()),
                password="another walk home",
                current=PASSWORD,
                at=at,
            ),
        ],
        ids=["the person left", "the password was changed"],
    )
    def test_it_ends_at_once_when(
        self, database: Database, now: datetime, token: str, ends: Callable[..., None]
    ) -> None:
        who = who_is(database, token, now)
        assert who is not None
        with database.writing() as session:
            ends(session, the_program(who.actor.site_id), who.actor.account_id, now)
        assert who_is(database, token, now) is None

    def test_ones_own_password_needs_the_current_one(self, database: Database, now: datetime, token: str) -> None:
        who = who_is(database, token, now)
        assert who is not None
        assert who.actor.account_id is not None
        for current in ("", "wrong"):
            with pytest.raises(BadInput), database.writing() as session:
                service.set_password(
                    session,
                    actor=who.actor,
                    password="another walk home",
                    current=current,
                    at=now,
                )
        with database.writing() as session:
            service.set_password(
                session,
                actor=who.actor,
                password="another walk home",
                current=PASSWORD,
                at=now,
            )
        assert enter(database, "siti", now, password="another walk home")

    def test_another_site_has_other_roles_and_another_token(
        self, database: Database, now: datetime, token: str
    ) -> None:
        there = open_site(database, now, code="SAT", name="Satellite")
        who = who_is(database, token, now)
        assert who is not None
        assert who.actor.account_id is not None
        with pytest.raises(NotAllowed), database.writing() as session:
            sessions.switch_site(session, who=who, site_id=there.id, at=now)
        with database.writing() as session:
            service.grant(
                session,
                actor=the_program(there.id),
                account_id=who.actor.account_id,
                site_id=there.id,
                role=Role.RECEPTION,
                at=now,
            )
        with database.writing() as session:
            there_token = sessions.switch_site(session, who=who, site_id=there.id, at=now)
        assert who_is(database, token, now) is None
        arrived = who_is(database, there_token, now)
        assert arrived is not None
        assert (arrived.site.code, arrived.actor.roles, arrived.works_elsewhere) == (
            "SAT",
            frozenset({Role.RECEPTION}),
            True,
        )

    def test_what_has_ended_is_forgotten(self, database: Database, now: datetime, token: str) -> None:
        with pytest.raises(sessions.NotSignedIn):
            enter(database, "nobody", now)
        with database.writing() as session:
            assert sessions.forget_ended(session, at=now + timedelta(minutes=10)) == 0
        with database.writing() as session:
            assert sessions.forget_ended(session, at=now + timedelta(hours=1)) == 3

    def test_coming_and_going_is_written_down(self, database: Database, now: datetime, token: str) -> None:
        who = who_is(database, token, now)
        assert who is not None
        with database.writing() as session:
            sessions.sign_out(session, who=who, at=now)
        with database.reading() as session:
            site = queries.site_by_code(session, "KL")
            assert list(audit.broken_links(session, site_id=site.id)) == []
        assert acts_of(database, site) == ["open site", "add account", "sign in", "sign out"]
