"""A supply that was entered in error: voided whole, once, with its reason, and every lot credited."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.evaluation.queries import Period, dose_days
from dispensary.prescribing.queries import missed_run, outcomes_of
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.staff.rules import Actor
from dispensary.supplies.bottle_models import SupplyVoid
from dispensary.supplies.exceptions import vomited
from dispensary.supplies.models import Supply
from dispensary.supplies.returns import take_back
from dispensary.supplies.voiding import void_supply
from dispensary.units import ClientId
from dispensary.verification.verifying import verify
from tests.builders import Clinic, clinic
from tests.dispensary.test_closing import close
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared, verified
from tests.dispensary.visiting import has_pin

PIN = "271839"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    made = clinic(database, now)
    has_pin(database, made.doctor, PIN, now)
    return made


def void(
    place: Clinic,
    supply_id: UUID,
    *,
    reason: str = "the other Ahmad was meant",
    second: Actor | None = None,
    pin: str = "",
    key: str = "void-key-1",
) -> SupplyVoid:
    return place.database.write(
        lambda session: void_supply(
            session,
            actor=place.pharmacist,
            supply_id=supply_id,
            reason=reason,
            second_id=second.account_id if second else None,
            pin=pin,
            key=key,
            today=place.today,
            at=place.now,
        )
    )


def damage(place: Clinic) -> list[str]:
    with place.database.reading() as session:
        return [str(finding) for finding in verify(session, now=place.now)]


class TestOneDose:
    def test_is_credited_to_its_lot_and_the_day_is_due_again(self, place: Clinic) -> None:
        client = place.client(mg="80")
        supply = place.give(client).supply_id
        void(place, supply)
        assert one(place, "SELECT balance FROM lot") == Decimal("5000.000")
        lines = "SELECT string_agg(kind || ' ' || ml, ', ' ORDER BY seq) FROM register_line WHERE supply_id = :supply"
        assert one(place, lines, supply=supply) == "supplied -16.000, corrected 16.000"
        assert one(place, "SELECT reason FROM register_line WHERE kind = 'corrected'") == (
            "entered in error: the other Ahmad was meant"
        )
        place.give(client)
        assert one(place, "SELECT balance FROM lot") == Decimal("4984.000")
        assert damage(place) == []

    def test_needs_a_reason_and_then_one_person(self, place: Clinic) -> None:
        supply = place.give(place.client()).supply_id
        with pytest.raises(BadInput) as refused:
            void(place, supply, reason="  ")
        assert codes(refused) == ["reason"]
        assert void(place, supply).second_id is None

    def test_is_voided_once_and_a_repeated_request_gets_the_first_answer(self, place: Clinic) -> None:
        supply = place.give(place.client()).supply_id
        first = void(place, supply)
        assert void(place, supply).at == first.at
        with pytest.raises(Refused) as refused:
            void(place, supply, key="void-key-2")
        assert codes(refused) == ["void-already"]
        assert one(place, "SELECT count(*) FROM register_line WHERE kind = 'corrected'") == 1

    def test_eight_at_once_credit_the_lot_once(self, place: Clinic) -> None:
        supply = place.give(place.client()).supply_id

        def attack(n: int) -> str:
            try:
                void(place, supply, key=f"void-key-{n:03d}")
            except Refused as refused:
                return refused.first.code
            return "voided"

        with ThreadPoolExecutor(8) as many:
            answers = list(many.map(attack, range(8)))
        assert sorted(answers) == ["void-already"] * 7 + ["voided"]
        assert one(place, "SELECT balance FROM lot") == Decimal("5000.000")
        assert damage(place) == []

    def test_that_was_vomited_was_swallowed_and_cannot_have_been_an_error(self, place: Clinic) -> None:
        client = place.client()
        supply = place.give(client).supply_id
        with place.database.writing() as session:
            dose = session.execute(text("SELECT id FROM dose")).scalar_one()
            vomited(
                session, actor=place.pharmacist, client_id=client, dose_id=dose, minutes=Decimal(10), witnessed=True,
                pregnant=False, withdrawal=False, key="vomit-key-1", today=place.today, at=place.now,
            )  # fmt: skip
        with pytest.raises(Refused) as refused:
            void(place, supply)
        assert codes(refused) == ["void-reported"]

    def test_of_another_site_is_not_there(self, place: Clinic) -> None:
        other = clinic(place.database, place.now, code="KLG")
        supply = other.give(other.client()).supply_id
        with pytest.raises(NotThere):
            void(place, supply)


class TestBottles:
    @pytest.fixture
    def client(self, place: Clinic) -> ClientId:
        client = place.client(mg="60")
        place.decide(client, per_supply=6)
        return client

    def test_ask_for_a_second_person_who_proves_to_be_there(self, place: Clinic, client: ClientId) -> None:
        supply = place.give(client, take_home_days=place.ahead(1, 2)).supply_id
        with pytest.raises(BadInput) as alone:
            void(place, supply)
        assert codes(alone) == ["no-second"]
        with pytest.raises(BadInput) as guessed:
            void(place, supply, second=place.doctor, pin="314195")
        assert codes(guessed) == ["wrong-pin"]
        assert void(place, supply, second=place.doctor, pin=PIN).second_id == place.doctor.account_id

    def test_are_void_and_their_days_may_be_given_again(self, place: Clinic, client: ClientId) -> None:
        supply = place.give(client, take_home_days=place.ahead(1, 2)).supply_id
        void(place, supply, second=place.doctor, pin=PIN)
        assert one(place, "SELECT string_agg(DISTINCT state, ', ') FROM bottle") == "void"
        place.give(client, take_home_days=place.ahead(1, 2))
        assert one(place, "SELECT balance FROM lot") == Decimal("4964.000")
        assert damage(place) == []

    def test_of_a_pickup_stand_prepared_again_and_need_a_new_pass(self, place: Clinic, client: ClientId) -> None:
        ready = prepared(place, client, 1, 2)
        supply = place.give(client, observed=False, pickup_id=ready.pickup_id).supply_id
        void(place, supply, second=place.doctor, pin=PIN)
        assert one(place, "SELECT string_agg(DISTINCT state, ', ') FROM bottle") == "prepared"
        assert one(place, "SELECT (balance, bottled)::text FROM lot") == "(5000.000,24.000)"
        assert one(place, "SELECT state FROM pickup") == "prepared"
        assert verified(place, ready.token) == "pass-used"
        place.give(client, observed=False, pickup_id=ready.pickup_id)
        assert one(place, "SELECT (balance, bottled)::text FROM lot") == "(4976.000,0.000)"
        assert damage(place) == []

    def test_that_came_back_had_left(self, place: Clinic, client: ClientId) -> None:
        supply = place.give(client, take_home_days=place.ahead(1)).supply_id
        with place.database.writing() as session:
            bottle = session.execute(text("SELECT id FROM bottle")).scalar_one()
            take_back(
                session, actor=place.pharmacist, client_id=client, bottles=[(bottle, True)], reason="travels",
                today=place.today, at=place.now,
            )  # fmt: skip
        with pytest.raises(Refused) as refused:
            void(place, supply, second=place.doctor, pin=PIN)
        assert codes(refused) == ["void-came-back"]


class TestAClosedDay:
    def test_is_corrected_beside_what_was_frozen(self, place: Clinic) -> None:
        client = place.client()
        supply = place.give(client).supply_id
        close(place)
        frozen = one(place, "SELECT (outcome, given_mg)::text FROM day_outcome")
        yesterday = place.today
        place.move_on()
        with pytest.raises(BadInput) as alone:
            void(place, supply)
        assert codes(alone) == ["no-second"]
        void(place, supply, second=place.doctor, pin=PIN)
        assert one(place, "SELECT (outcome, given_mg)::text FROM day_outcome") == frozen == "(observed,80.00)"
        with place.database.reading() as session:
            (known,) = outcomes_of(session, client_id=client, first=yesterday, last=yesterday)
            assert (known.outcome, known.given_mg, known.corrected_at) == ("missed", 0, place.now)
            assert missed_run(session, client_id=client, before=place.today) == 1
        assert one(place, "SELECT count(*) FROM alert WHERE cause LIKE 'day corrected%'") == 1
        assert damage(place) == []

    def test_an_export_as_of_the_day_before_says_what_was_known_then(self, place: Clinic) -> None:
        client = place.client()
        supply = place.give(client).supply_id
        close(place)
        before, day = place.now, place.today
        place.move_on()
        void(place, supply, second=place.doctor, pin=PIN)

        def outcome(as_of: datetime) -> tuple[str, Decimal]:
            with place.database.reading() as session:
                period = Period(day, place.today)
                (row,) = dose_days(session, windows={client: period}, period=period, as_of=as_of)
            return row.outcome, row.given_mg

        assert outcome(before) == ("observed", Decimal("80.00"))
        assert outcome(place.now) == ("missed", Decimal("0.00"))


class TestPostgreSQLRefuses:
    def test_a_supply_that_is_void_while_its_dose_stands(self, place: Clinic) -> None:
        supply = place.give(place.client()).supply_id
        with pytest.raises(IntegrityError, match="voided with a reason"), place.database.writing() as session:
            session.get_one(Supply, supply).voided_at = place.now

    @pytest.mark.parametrize(
        ("sql", "why"),
        [
            ("UPDATE supply SET voided_at = now()", "a dose of a voided supply still stands"),
            ("UPDATE dose SET voided_at = now(); UPDATE supply SET voided_at = now()", "a lot was not credited"),
            ("SELECT 1", "what is said to be void still stands"),
        ],
        ids=["dose", "lot", "supply"],
    )
    def test_a_void_of_which_something_stands(self, place: Clinic, sql: str, why: str) -> None:
        supply = place.give(place.client()).supply_id

        def by_hand() -> None:
            with place.database.writing() as session:
                session.execute(
                    text("""INSERT INTO supply_void (supply_id, site_id, key, request_sha256, reason, account_id, at)
                            VALUES (:supply, :site, 'by hand', '', 'by hand', :account, now())"""),
                    {"supply": supply, "site": place.site_id, "account": place.pharmacist.account_id},
                )
                for statement in sql.split(";"):
                    session.execute(text(statement))

        with pytest.raises(IntegrityError, match=why):
            by_hand()

    @pytest.mark.parametrize("table", ["bottle_event", "supply_void", "day_correction"])
    def test_what_was_written_down_to_be_changed(self, place: Clinic, table: str) -> None:
        client = place.client()
        place.decide(client, per_supply=2)
        supply = place.give(client, take_home_days=place.ahead(1)).supply_id
        close(place)
        place.move_on()
        void(place, supply, second=place.doctor, pin=PIN)
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
            with pytest.raises(IntegrityError, match="only ever added to"), place.database.writing() as session:
                session.execute(text(statement))
