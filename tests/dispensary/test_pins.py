"""PINs: what they may be, whose hand sets them, how often they are guessed, and a second person who proves it so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import invitations, pins, service
from dispensary.staff.countersign import on_duty, the_second_person, who_can_stand_by
from dispensary.staff.models import Site
from dispensary.staff.pin_rules import pin_fits
from dispensary.staff.rules import Actor, Role, the_program
from dispensary.staff.shift_models import CounterPin
from dispensary.units import AccountId, SiteId
from dispensary.web.entering import set_own_pin
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
    text_of,
)

PIN = "271839"


def sets_pin(database: Database, actor: Actor, at: datetime, pin: str = PIN, password: str = PASSWORD) -> None:
    set_own_pin(database, actor=actor, password=password, pin=pin, again=pin, address="10.0.0.1", at=at)


def wrong_of(database: Database, actor: Actor) -> int | None:
    with database.reading() as session:
        return session.scalar(select(CounterPin.wrong).where(CounterPin.account_id == actor.account_id))


@pytest.fixture
def site(database: Database, now: datetime) -> Site:
    return open_site(database, now)


@pytest.fixture
def siti(database: Database, site: Site, now: datetime) -> Actor:
    account = hire(database, site, "siti", [Role.PHARMACIST], now)
    return Actor(AccountId(account.id), SiteId(site.id), frozenset({Role.PHARMACIST}), "Siti", "SI")


@pytest.fixture
def ben(database: Database, site: Site, now: datetime) -> Actor:
    account = hire(database, site, "ben", [Role.NURSE], now)
    return Actor(AccountId(account.id), SiteId(site.id), frozenset({Role.NURSE}), "Ben", "BE")


class TestWhatAPinMayBe:
    @pytest.mark.parametrize(
        "pin",
        ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", " 27182", "111111", "123456", "654321", "890123", "210987"],
    )
    def test_what_anybody_would_try_first_is_no_pin(self, pin: str) -> None:
        assert [refusal.field for refusal in pin_fits(pin, pin)] == ["pin"]

    @pytest.mark.parametrize(
        "pin", ["121212", "123123", "112233", "100000", "199199", "998877", "771177", "271828", "159753"]
    )
    def test_nor_is_a_pattern(self, pin: str) -> None:
        assert [refusal.code for refusal in pin_fits(pin, pin)] == ["guessable-pin"]

    @pytest.mark.parametrize("pin", ["271839", "314195", "161803", "141421", "577215", "662607", "102958"])
    def test_others_are(self, pin: str) -> None:
        assert pin_fits(pin, pin) == ()

    def test_both_times_are_the_same(self) -> None:
        assert [refusal.code for refusal in pin_fits("271839", "271829")] == ["pins-differ"]

    @given(st.text(max_size=8))
    def test_it_is_six_digits_and_nothing_else(self, typed: str) -> None:
        if pin_fits(typed, typed) == ():
            assert len(typed) == 6
            assert typed.isascii()
            assert typed.isdigit()

    def test_few_are_refused_for_being_guessable(self) -> None:
        fits = sum(pin_fits(f"{number:06d}", f"{number:06d}") == () for number in range(0, 1_000_000, 7))
        assert fits / len(range(0, 1_000_000, 7)) > 0.99


class TestSettingIt:
    def test_only_a_hash_is_kept_and_the_act_is_written_down(
        self, database: Database, site: Site, siti: Actor, now: datetime
    ) -> None:
        sets_pin(database, siti, now)
        with database.reading() as session:
            kept = session.scalars(select(CounterPin.pin_hash)).one()
            details = session.scalars(text("SELECT string_agg(details, '') FROM audit_entry")).one()
        assert kept.startswith("$argon2id$")
        assert PIN not in kept
        assert PIN not in details
        assert acts_of(database, site)[-1] == "set PIN"

    def test_the_password_is_asked_for_and_counted_as_a_sign_in(
        self, database: Database, siti: Actor, now: datetime
    ) -> None:
        for _ in range(5):
            with pytest.raises(BadInput) as refused:
                sets_pin(database, siti, now, password="wrong")
            assert refused.value.first.field == "password"
        with pytest.raises(Refused) as closed:
            sets_pin(database, siti, now)
        assert closed.value.status == 429
        assert wrong_of(database, siti) is None

    def test_an_administrator_takes_it_away_and_cannot_set_it(
        self, database: Database, site: Site, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        sets_pin(database, siti, now)
        chief = Actor(ben.account_id, ben.site_id, frozenset({Role.ADMINISTRATOR}))
        with pytest.raises(NotAllowed), database.writing() as session:
            pins.remove_pin(session, actor=ben, account_id=siti.account_id, at=now)
        hire(database, site, "amin", [Role.ADMINISTRATOR], now)
        with database.writing() as session:
            session.execute(
                text("UPDATE role_grant SET role = 'administrator' WHERE account_id = :a"), {"a": ben.account_id}
            )
            pins.remove_pin(session, actor=chief, account_id=siti.account_id, at=now)
        assert wrong_of(database, siti) is None
        assert acts_of(database, site)[-1] == "remove PIN"

    def test_a_password_that_was_forgotten_ends_the_pin_and_ones_own_change_does_not(
        self, database: Database, siti: Actor, now: datetime
    ) -> None:
        sets_pin(database, siti, now)
        with database.writing() as session:
            service.set_password(session, actor=siti, password="a walk to the sea", current=PASSWORD, at=now)
        assert wrong_of(database, siti) == 0
        assert siti.account_id is not None
        with database.writing() as session:
            program = the_program(siti.site_id)
            code = invitations.invite(session, actor=program, site_id=siti.site_id, account_id=siti.account_id, at=now)
        assert wrong_of(database, siti) == 0, "an invitation that nobody opened changes nothing"
        with database.writing() as session:
            invitations.accept(session, code=code, password="a walk to the hills", again="a walk to the hills", at=now)
        assert wrong_of(database, siti) is None


class TestStandingBy:
    def stands_by(self, database: Database, actor: Actor, second: Actor | None, pin: str, at: datetime) -> list[str]:
        """As an act does it: refused, the unit is undone."""
        try:
            with database.writing() as session:
                second_id = second.account_id if second else None
                if faults := the_second_person(session, actor=actor, second_id=second_id, pin=pin, at=at):
                    raise BadInput(*faults)
        except BadInput as refused:
            return [each.code for each in refused.refusals]
        return []

    def test_the_second_types_their_own_pin_and_both_are_written_down(
        self, database: Database, site: Site, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        has_pin(database, ben, PIN, now)
        assert self.stands_by(database, siti, ben, PIN, now) == []
        with database.reading() as session:
            rows = session.execute(
                text("SELECT act, account_id, subject_id FROM audit_entry ORDER BY seq DESC LIMIT 2")
            ).all()
        assert [tuple(row) for row in reversed(rows)] == [
            ("stood by", ben.account_id, siti.account_id),
            ("had a second person", siti.account_id, ben.account_id),
        ]

    def test_nobody_is_their_own_second_and_a_stranger_is_none(
        self, database: Database, site: Site, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        has_pin(database, siti, PIN, now)
        elsewhere = hire(database, open_site(database, now, code="SAT"), "far", [Role.NURSE], now)
        desk = hire(database, site, "desk", [Role.RECEPTION], now)
        for account_id in (siti.account_id, elsewhere.id, desk.id):
            other = Actor(AccountId(account_id), siti.site_id, frozenset())
            assert self.stands_by(database, siti, other, PIN, now) == ["not-a-second"]
        with database.writing() as session:
            service.close_account(session, actor=the_program(siti.site_id), account_id=ben.account_id, at=now)
        assert self.stands_by(database, siti, ben, PASSWORD, now) == ["not-a-second"]
        assert self.stands_by(database, siti, None, PIN, now) == ["no-second"]

    def test_a_name_alone_proves_nothing_and_counts_nothing(
        self, database: Database, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        has_pin(database, ben, PIN, now)
        assert self.stands_by(database, siti, ben, "", now) == ["no-proof"]
        assert wrong_of(database, ben) == 0

    def test_a_wrong_guess_stays_counted_though_the_act_is_undone(
        self, database: Database, siti: Actor, ben: Actor, now: datetime, tmp_path: Path
    ) -> None:
        has_pin(database, ben, PIN, now)
        for count in range(1, 6):
            assert self.stands_by(database, siti, ben, "999000", now) == ["wrong-pin"]
            assert wrong_of(database, ben) == count
        assert self.stands_by(database, siti, ben, PIN, now) == ["pin-closed"]
        Visitor(lent_app(demo_settings(tmp_path), database, MovableClock(now))).signs_in("ben")
        assert self.stands_by(database, siti, ben, PIN, now) == []

    def test_a_right_one_is_counted_back_though_the_act_is_undone_for_another_reason(
        self, database: Database, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        has_pin(database, ben, PIN, now)

        def loses_without_a_word() -> None:
            with database.writing() as session:
                assert the_second_person(session, actor=siti, second_id=ben.account_id, pin=PIN, at=now) == ()
                raise BadInput(Refusal("reason", "Write how it was lost."))

        for _ in range(7):
            with pytest.raises(BadInput):
                loses_without_a_word()
        assert wrong_of(database, ben) == 0

    def test_a_hundred_guesses_at_once_are_five(
        self, database: Database, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        has_pin(database, ben, PIN, now)
        guesses = [f"9{number:05d}" for number in range(40)]
        with ThreadPoolExecutor(20) as pool:
            said = list(pool.map(lambda pin: self.stands_by(database, siti, ben, pin, now), guesses))
        assert said.count(["wrong-pin"]) == 5
        assert said.count(["pin-closed"]) == 35

    def test_without_a_pin_the_password_is_typed_and_counted_as_a_sign_in(
        self, database: Database, siti: Actor, ben: Actor, now: datetime
    ) -> None:
        assert self.stands_by(database, siti, ben, PASSWORD, now) == []
        for _ in range(5):
            assert self.stands_by(database, siti, ben, PIN, now) == ["wrong-password"]
        assert self.stands_by(database, siti, ben, PASSWORD, now) == ["too-many-guesses"]
        later = now + timedelta(minutes=16)
        assert self.stands_by(database, siti, ben, PASSWORD, later) == []

    def test_who_can_stand_by_is_everybody_who_treats_and_on_duty_whoever_is_signed_in(
        self, database: Database, site: Site, siti: Actor, ben: Actor, now: datetime, tmp_path: Path
    ) -> None:
        hire(database, site, "doc", [Role.DOCTOR, Role.NURSE], now)
        Visitor(lent_app(demo_settings(tmp_path), database, MovableClock(now))).signs_in("ben")
        with database.reading() as session:
            assert [one.name for one in who_can_stand_by(session, actor=siti)] == ["Ben", "Doc"]
            assert [one.name for one in on_duty(session, actor=siti, at=now)] == ["Ben"]
            assert on_duty(session, actor=siti, at=now + timedelta(minutes=31)) == []

    def test_the_database_itself_counts_no_further_than_five(
        self, database: Database, siti: Actor, now: datetime
    ) -> None:
        has_pin(database, siti, PIN, now)
        with pytest.raises(IntegrityError, match="ck_counter_pin_wrong"), database.writing() as session:
            session.execute(text("UPDATE counter_pin SET wrong = 6"))


class TestThePages:
    def test_a_person_sets_changes_and_removes_their_own(
        self, database: Database, siti: Actor, now: datetime, tmp_path: Path
    ) -> None:
        visitor = Visitor(lent_app(demo_settings(tmp_path), database, MovableClock(now)))
        visitor.signs_in("siti")
        assert "Set your PIN" in text_of(visitor.get("/pin"))
        typed = {"password": PASSWORD, "pin": PIN, "again": "271829"}
        refused = visitor.post("/pin", typed)
        assert (refused.status_code, "pins-differ" in text_of(refused)) == (422, True)
        assert PIN not in refused.text
        assert PASSWORD not in refused.text
        assert visitor.post("/pin", {**typed, "again": PIN}).headers["location"] == "/pin?done=set"
        assert "Change your PIN" in text_of(visitor.get("/pin?done=set"))
        assert visitor.post("/pin/remove").headers["location"] == "/pin?done=removed"
        assert wrong_of(database, siti) is None

    def test_the_office_takes_one_away(
        self, database: Database, site: Site, siti: Actor, now: datetime, tmp_path: Path
    ) -> None:
        hire(database, site, "amin", [Role.ADMINISTRATOR], now)
        visitor = Visitor(lent_app(demo_settings(tmp_path), database, MovableClock(now)))
        visitor.signs_in("amin")
        path = f"/office/staff/{siti.account_id}"
        assert "Remove the PIN" not in text_of(visitor.get(path))
        sets_pin(database, siti, now)
        assert "Remove the PIN" in text_of(visitor.get(path))
        assert visitor.post(f"{path}/remove-pin").headers["location"] == f"{path}?done=pin"
        assert "Remove the PIN" not in text_of(visitor.get(f"{path}?done=pin"))
