"""Bottles for a home: two people know what leaves and what comes back, and overnight nothing stays out unanswered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, broken_constraint
from dispensary.refusals import Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor, Role
from dispensary.stock.queries import lots
from dispensary.supplies import passes
from dispensary.supplies.carrying import bring_back, count_out, deliver, out_now, take
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.supplies.pickups import Prepared
from dispensary.units import ClientId, Millilitres
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_pickups import prepared, verified
from tests.dispensary.visiting import hire, text_of

ZONE = "Asia/Kuala_Lumpur"


@dataclass
class Round:
    """A pickup of two bottles, and the nurse who is to carry it."""

    place: Clinic
    nurse: Actor
    client: ClientId
    pickup: Prepared
    carrying_id: UUID | None = None

    def counts_out(self, bottles: int = 2, by: Actor | None = None) -> UUID:
        counted = self.place.database.write(
            lambda session: count_out(
                session,
                actor=by or self.place.pharmacist,
                pickup_id=self.pickup.pickup_id,
                carrier_id=self.nurse.account_id,
                bottles=bottles,
                today=self.place.today,
                at=self.place.now,
            )
        )
        self.carrying_id = counted.id
        return counted.id

    def takes(self, bottles: int = 2, by: Actor | None = None) -> None:
        self.place.database.write(
            lambda session: take(
                session,
                actor=by or self.nurse,
                carrying_id=self.carrying_id,
                bottles=bottles,
                today=self.place.today,
                at=self.place.now,
            )
        )

    def goes(self) -> Round:
        self.counts_out()
        self.takes()
        return self

    def delivers(self, shown: str = "", **other: object) -> str:
        asked = {"identified_by": "photo", "well": True, "happened_at": None, "key": "delivery-1", **other}
        try:
            self.place.database.write(
                lambda session: deliver(
                    session,
                    actor=self.nurse,
                    carrying_id=self.carrying_id,
                    shown=shown or self.pickup.code,
                    zone=ZONE,
                    at=self.place.now,
                    **asked,
                )
            )
        except Refused as refused:
            return refused.first.code
        return "delivered"

    def brings_back(self, bottles: int = 2, by: Actor | None = None, *, into_stock: bool = False) -> str:
        try:
            self.place.database.write(
                lambda session: bring_back(
                    session,
                    actor=by or self.place.pharmacist,
                    carrying_id=self.carrying_id,
                    bottles=bottles,
                    reason="nobody was there",
                    into_stock=into_stock,
                    today=self.place.today,
                    at=self.place.now,
                )
            )
        except Refused as refused:
            return refused.first.code
        return "back"

    def closes(self) -> str:
        place = self.place

        def act(session) -> None:
            counts = {
                row.lot.id: Counted(row.expected_bulk)
                for row in to_count(session, site_id=place.site_id, day=place.today)
            }
            close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=counts, at=place.now)

        try:
            place.database.write(act)
        except Refused as refused:
            return refused.first.code
        return "closed"

    def one(self, sql: str) -> object:
        with self.place.database.reading() as session:
            return session.execute(text(sql)).scalar_one()

    def states(self) -> list[str]:
        with self.place.database.reading() as session:
            return list(session.execute(text("SELECT state FROM bottle ORDER BY dose_day")).scalars())

    def nothing_is_broken(self) -> bool:
        with self.place.database.reading() as session:
            return [str(finding) for finding in verify(session, now=self.place.now)] == []


@pytest.fixture
def around(database: Database, now: datetime) -> Round:
    place = clinic(database, now)
    with database.reading() as session:
        site = session.get_one(Site, place.site_id)
    account = hire(database, site, "nurse", [Role.NURSE], now)
    nurse = Actor(account.id, place.site_id, frozenset({Role.NURSE}), "Nurse", "NU")
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    return Round(place, nurse, client, prepared(place, client, 1, 2))


class TestOnTheWay:
    def test_counted_out_taken_and_handed_over(self, around: Round) -> None:
        around.counts_out()
        assert around.states() == ["prepared", "prepared"]
        around.takes()
        assert around.states() == ["out", "out"]
        assert around.one("SELECT state FROM pickup") == "out"
        assert around.one("SELECT bottled FROM lot") == 24, "it still belongs to the safe"
        assert around.nothing_is_broken()
        around.place.now += timedelta(hours=1)
        assert around.delivers() == "delivered"
        assert around.states() == ["handed_over", "handed_over"]
        with around.place.database.reading() as session:
            row = session.execute(text("SELECT collected_by, dispensed_by, identified_by FROM supply")).one()
            assert tuple(row) == ("carrier", around.nurse.account_id, "photo")
            assert list(out_now(session, site_id=around.place.site_id)) == []
        assert around.delivers() == "delivered", "the same key gets the first answer"
        assert around.delivers(key="delivery-2") == "pass-used"
        assert around.one("SELECT count(*) FROM supply") == 1
        assert around.closes() == "closed"
        assert around.nothing_is_broken()

    def test_both_count_and_neither_is_alone(self, around: Round) -> None:
        with pytest.raises(Refused, match="2 bottles are prepared, not 3"):
            around.counts_out(3)
        with pytest.raises(Refused, match="Somebody else of the staff carries"):
            around.counts_out(by=around.nurse)
        around.counts_out()
        with pytest.raises(Refused, match="2 sealed bottles were counted out to you"):
            around.takes(1)
        with pytest.raises(Refused):
            around.takes(by=around.place.pharmacist)
        assert around.states() == ["prepared", "prepared"]

    def test_while_they_are_out_the_counter_hands_over_nothing_of_them(self, around: Round) -> None:
        around.goes()
        assert verified(around.place, around.pickup.code) == "pickup-out"
        with pytest.raises(Refused) as refused:
            around.place.give(around.client, pickup_id=around.pickup.pickup_id)
        assert refused.value.first.code == "pickup-out"
        assert around.place.give(around.client), "today's dose is given here all the same"

    def test_the_clients_own_pass_confirms_it_and_they_are_known(self, around: Round) -> None:
        place = around.place
        other = place.client(mg="60")
        place.decide(other, per_supply=6)
        theirs = prepared(place, other, 1)
        around.goes()
        assert around.delivers(theirs.code) == "pickup-not-out"
        assert around.delivers(around.pickup.code[:-1] + "x") in ("pass-unreadable", "code-mistyped")
        assert around.delivers(identified_by="") == "not-identified"
        assert around.delivers(well=False) == "not-well"
        old = passes.screen_of(place.database.vault, around.pickup.pass_id, place.now - timedelta(minutes=10))
        assert around.delivers(old) == "pass-photographed"
        fresh = passes.screen_of(place.database.vault, around.pickup.pass_id, place.now)
        assert around.delivers(fresh) == "delivered"

    def test_another_clients_pass_that_is_out_too_opens_nothing_here(self, around: Round) -> None:
        place = around.place
        other = place.client(mg="60")
        place.decide(other, per_supply=6)
        second = Round(place, around.nurse, other, prepared(place, other, 1, 2)).goes()
        around.goes()
        assert around.delivers(second.pickup.code) == "pass-of-another"


class TestBroughtBack:
    def test_somebody_else_counts_them_in_and_they_wait_again(self, around: Round) -> None:
        around.goes()
        assert around.brings_back(1) == "carrier-count"
        assert around.brings_back(by=around.nurse) == "carrier-counts-in"
        assert around.brings_back() == "back"
        assert around.states() == ["prepared", "prepared"]
        assert verified(around.place, around.pickup.code) == "opens"
        assert around.delivers() == "not-carried"
        assert around.nothing_is_broken()
        around.place.give(around.client, pickup_id=around.pickup.pickup_id)
        assert around.nothing_is_broken()

    def test_or_they_go_back_into_stock(self, around: Round) -> None:
        around.goes()
        assert around.brings_back(into_stock=True) == "back"
        assert around.states() == ["back_in_stock", "back_in_stock"]
        with around.place.database.reading() as session:
            (lot,) = lots(session, site_id=around.place.site_id)
            assert (lot.balance, lot.bottled) == (Millilitres(5000), 0)
        assert around.nothing_is_broken()

    def test_handed_over_and_brought_back_at_once_is_one_of_both(self, around: Round) -> None:
        around.goes()

        def act(n: int) -> str:
            return around.delivers() if n % 2 else around.brings_back()

        with ThreadPoolExecutor(8) as pool:
            done = list(pool.map(act, range(8)))
        assert ("delivered" in done) != ("back" in done)
        assert around.nothing_is_broken()


class TestTheClose:
    def test_it_names_what_is_out_and_waits_for_the_answer(self, around: Round) -> None:
        around.goes()
        assert around.closes() == "still-out"
        assert around.one("SELECT count(*) FROM day_close") == 0
        assert around.brings_back() == "back"
        assert around.closes() == "closed"

    def test_what_was_handed_over_is_entered_late_with_its_time(self, around: Round) -> None:
        around.goes()
        then = around.place.now + timedelta(hours=2)
        around.place.now += timedelta(hours=9)
        assert around.delivers(happened_at=around.place.now + timedelta(hours=1)) == "delivered-when"
        assert around.delivers(happened_at=then - timedelta(hours=3)) == "delivered-when"
        assert around.delivers(happened_at=then) == "delivered"
        assert around.one("SELECT at FROM supply") == then
        assert around.one("SELECT happened_at FROM carrying") == then
        assert around.closes() == "closed"

    def test_also_after_the_night_has_closed_the_day(self, around: Round) -> None:
        around.goes()
        then, day = around.place.now + timedelta(hours=2), around.place.today
        around.place.move_on()
        around.place.database.write(
            lambda session: close_day(
                session,
                actor=around.place.pharmacist,
                day=day,
                today=around.place.today,
                counts=None,
                at=around.place.now,
            )
        )
        assert around.closes() == "still-out"
        assert around.states() == ["out", "out"]
        assert around.delivers() == "pass-expired"
        assert around.delivers(happened_at=then) == "delivered"
        assert around.nothing_is_broken()

    def test_what_was_never_taken_is_called_off(self, around: Round) -> None:
        around.counts_out()
        around.place.give(around.client, pickup_id=around.pickup.pickup_id)
        assert around.closes() == "closed"
        assert around.one("SELECT state FROM carrying") == "called_off"
        assert around.nothing_is_broken()


class TestPostgreSQLRefuses:
    @pytest.mark.parametrize(
        ("sql", "constraint"),
        [
            ("UPDATE carrying SET carrier_id = counted_out_by", "carrying_goes_forward"),
            ("UPDATE carrying SET bottles = 1", "carrying_goes_forward"),
            ("DELETE FROM carrying", "carrying_goes_forward"),
            (
                "UPDATE carrying SET state = 'called_off', ended_at = now(), ended_by = carrier_id, note = 'x'",
                "carrying_goes_forward",
            ),
            (
                "UPDATE carrying SET state = 'brought_back', ended_at = now(), ended_by = carrier_id, note = 'x'",
                "ck_carrying_two_people_in",
            ),
            (
                "UPDATE carrying SET state = 'brought_back', ended_at = now(), ended_by = counted_out_by, note = 'x'",
                "carrying_is_answered",
            ),
            (
                "UPDATE carrying SET state = 'delivered', ended_at = now(), ended_by = carrier_id, happened_at = now()",
                "carrying_is_answered",
            ),
        ],
        ids=["carrier", "count", "deleted", "called off", "alone", "bottles still out", "no supply"],
    )
    def test_what_is_out_is_not_made_away_with(self, around: Round, sql: str, constraint: str) -> None:
        around.goes()
        with pytest.raises(IntegrityError) as broken, around.place.database.writing() as session:
            session.execute(text(sql))
        assert broken_constraint(broken.value) == constraint

    def test_a_pickup_is_not_out_by_itself(self, around: Round) -> None:
        with pytest.raises(IntegrityError) as broken, around.place.database.writing() as session:
            session.execute(text("UPDATE pickup SET state = 'out'"))
        assert broken_constraint(broken.value) == "carrying_is_answered"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE pickup SET state = 'prepared'", "is prepared, and 1 carry it"),
        ("DELETE FROM carrying", "is out, and 0 carry it"),
        ("DELETE FROM carrying", "is out, and nobody carries it"),
        ("UPDATE carrying SET bottles = 3", "went out with 3 bottles, and 2 are out"),
    ],
    ids=range(4),
)
def test_damage_is_found_and_named(around: Round, sql: str, expected: str) -> None:
    around.goes()
    with around.place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(sql))
    with around.place.database.reading() as session:
        found = [str(finding) for finding in verify(session, now=around.place.now)]
    assert any(expected in finding for finding in found), found


def test_from_the_counter_to_the_home_and_on_the_phone(database: Database, now: datetime, tmp_path: Path) -> None:
    house: Desks = desks(database, now, tmp_path)
    client = house.place.client(mg="60")
    house.place.decide(client, per_supply=6)
    pickup = prepared(house.place, client, 1, 2)
    counter, nurse = house.seat(Role.PHARMACIST), house.seat(Role.NURSE)
    with database.reading() as session:
        nurse_id = session.execute(text("SELECT id FROM account WHERE username = 'nurse'")).scalar_one()
    here = f"/counter/pickups/{pickup.pickup_id}"
    assert "Nurse" in counter.get(here).text
    assert "carrier-count" in counter.post(f"{here}/carry", {"carrier_id": str(nurse_id), "bottles": "1"}).text
    done = counter.post(f"{here}/carry", {"carrier_id": str(nurse_id), "bottles": "2"})
    assert done.headers["location"] == f"{here}?done=counted-out"
    with database.reading() as session:
        carrying = session.execute(text("SELECT id FROM carrying")).scalar_one()
    home = f"/carrying/{carrying}"
    assert counter.get(home).status_code == 404, "nobody else's"
    assert "to be taken" in text_of(nurse.get("/carrying"))
    assert nurse.post(f"{home}/take", {"bottles": "2"}).status_code == 303
    assert "out since 07:00" in text_of(nurse.get("/carrying"))
    assert "Out with a carrier" in text_of(counter.get("/counter/pickups"))
    assert "The client's code" in text_of(nurse.get(home))
    assert "2 bottles for" in text_of(counter.get("/counter/close"))
    key = {"key": "0192f000-0000-7000-8000-000000000001"}
    wrong = nurse.post(f"{home}/deliver", {**key, "shown": "12345678", "well": "yes"})
    assert "code-mistyped" in wrong.text or "pass-unknown" in wrong.text
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM pass_attempt")).scalar_one() == 1
        born = session.execute(text("SELECT 1 FROM client WHERE born_sealed IS NOT NULL")).first()
    assert born
    good = {**key, "shown": pickup.code, "well": "yes", "identified_by": "03 04 1985"}
    assert nurse.post(f"{home}/deliver", good).headers["location"] == "/carrying?done=delivered"
    assert "You carry nothing" in text_of(nurse.get("/carrying"))
    assert house.seat(Role.RECEPTION).get("/carrying").status_code == 403
    assert "took bottles out" in house.acts_about(client)
