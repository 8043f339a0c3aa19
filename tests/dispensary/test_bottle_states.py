"""Where a bottle is: each state with who and when, moved by its record alone; full ones that came back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.migrations import bottle_guards
from dispensary.refusals import BadInput, Refused
from dispensary.staff.rules import Actor
from dispensary.supplies.bottle_rules import IN_THE_SAFE, MOVES, BottleState, may_become
from dispensary.supplies.bottle_states import move_bottles, record_of
from dispensary.supplies.full_bottles import awaiting, destroy_bottles, destroyed_lately, restock_bottles, set_rule
from dispensary.supplies.models import Bottle
from dispensary.supplies.pickups import cancel_pickup
from dispensary.supplies.recalls import call_back, call_off
from dispensary.supplies.returns import take_back
from dispensary.units import ClientId
from tests.builders import Clinic, clinic
from tests.dispensary.test_dispensing import codes, one
from tests.dispensary.test_pickups import prepared
from tests.dispensary.test_verification import damage, findings
from tests.dispensary.visiting import has_pin

PIN = "271839"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    made = clinic(database, now)
    has_pin(database, made.doctor, PIN, now)
    return made


@pytest.fixture
def client(place: Clinic) -> ClientId:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    return client


def bottles(place: Clinic) -> list[UUID]:
    with place.database.reading() as session:
        return list(session.scalars(select(Bottle.id).order_by(Bottle.dose_day, Bottle.portion)))


def record(place: Clinic, bottle_id: UUID) -> list[tuple[str, str]]:
    with place.database.reading() as session:
        return [(line.event.state, line.by) for line in record_of(session, bottle_id=bottle_id)]


def back(place: Clinic, client: ClientId, *brought: tuple[UUID, bool]) -> None:
    with place.database.writing() as session:
        take_back(
            session, actor=place.pharmacist, client_id=client, bottles=brought, reason="travels after all",
            today=place.today, at=place.now,
        )  # fmt: skip


def destroy(place: Clinic, *ids: UUID, second: Actor | None, pin: str = PIN, how: str = "onto cat litter") -> int:
    return place.database.write(
        lambda session: destroy_bottles(
            session,
            actor=place.pharmacist,
            bottle_ids=ids,
            how=how,
            second_id=second.account_id if second else None,
            pin=pin,
            at=place.now,
        )
    )


def restock(place: Clinic, ids: Sequence[UUID], reason: str = "seal whole, AY") -> int:
    return place.database.write(
        lambda session: restock_bottles(
            session, actor=place.pharmacist, bottle_ids=ids, reason=reason, day=place.today, at=place.now
        )
    )


def allow_restocking(place: Clinic, source: str = "Regulation 12(3)") -> None:
    with place.database.writing() as session:
        set_rule(session, actor=place.doctor, full_returns="restock", source=source, at=place.now)


def test_people_and_postgresql_read_the_same_table_of_moves() -> None:
    assert {state.value: set(after) for state, after in MOVES.items() if after} == {
        state: set(after) for state, after in bottle_guards.MOVES.items()
    }
    assert set(bottle_guards.IN_THE_SAFE) == {state.value for state in IN_THE_SAFE}


class TestItsRecord:
    def test_begins_as_it_is_packed_and_says_who_handed_it_over(self, place: Clinic, client: ClientId) -> None:
        ready = prepared(place, client, 1)
        place.give(client, observed=False, pickup_id=ready.pickup_id)
        place.give(client, take_home_days=place.ahead(2))
        first, second = bottles(place)
        assert record(place, first) == [("prepared", "AY"), ("handed_over", "AY")]
        assert record(place, second) == [("handed_over", "AY")]

    def test_goes_on_when_it_goes_back_into_stock(self, place: Clinic, client: ClientId) -> None:
        ready = prepared(place, client, 1)
        with place.database.writing() as session:
            cancel_pickup(
                session,
                actor=place.pharmacist,
                pickup_id=ready.pickup_id,
                reason="moved",
                day=place.today,
                at=place.now,
            )
        assert record(place, bottles(place)[0]) == [("prepared", "AY"), ("back_in_stock", "AY")]
        assert one(place, "SELECT (balance, bottled)::text FROM lot") == "(5000.000,0.000)"

    def test_knows_that_it_was_called_back_and_stayed_at_home(self, place: Clinic, client: ClientId) -> None:
        place.give(client, take_home_days=place.ahead(1, 2))
        with place.database.writing() as session:
            recall = call_back(
                session, actor=place.doctor, client_id=client, cause="check", from_day=place.today + timedelta(days=2),
                bring_by=place.today + timedelta(days=1), at=place.now,
            ).id  # fmt: skip
        assert [record(place, bottle)[-1] for bottle in bottles(place)] == [("handed_over", "AY"), ("recalled", "LW")]
        with place.database.writing() as session:
            call_off(session, actor=place.pharmacist, recall_id=recall, note="the road is under water", at=place.now)
        assert record(place, bottles(place)[1]) == [("handed_over", "AY"), ("recalled", "LW"), ("handed_over", "AY")]

    def test_of_every_state_and_every_other_postgresql_lets_pass_what_may_be(
        self, place: Clinic, client: ClientId
    ) -> None:
        """Each of the 121 pairs, in one unit that is undone after each."""
        place.give(client, take_home_days=place.ahead(1))
        (bottle,) = bottles(place)
        with place.database.writing() as session:
            dose = session.scalar(select(Bottle.dose_id))
            for before, after in product(BottleState, BottleState):
                with session.begin_nested() as undone:
                    session.execute(text("SET LOCAL session_replication_role = replica"))
                    session.execute(
                        text("UPDATE bottle SET state = :state, dose_id = :dose"),
                        {"state": before, "dose": None if before in IN_THE_SAFE else dose},
                    )
                    session.execute(text("UPDATE lot SET bottled = 12"))
                    session.execute(text("SET LOCAL session_replication_role = origin"))
                    try:
                        with session.begin_nested():
                            move_bottles(
                                session, actor=place.doctor, bottle_ids=[bottle], into=after, at=place.now,
                                note="tried", second_id=place.pharmacist.account_id, dose_ids={bottle: dose},
                            )  # fmt: skip
                        moved = True
                    except IntegrityError:
                        moved = False
                    assert moved is may_become(before, after), (before, after)
                    undone.rollback()

    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE bottle SET state = 'lost'",
            "UPDATE bottle SET mg = 10",
            "DELETE FROM bottle",
            "UPDATE bottle SET serial = '1'",
        ],
        ids=["state", "mg", "delete", "serial"],
    )
    def test_is_the_only_thing_that_moves_it(self, place: Clinic, client: ClientId, sql: str) -> None:
        place.give(client, take_home_days=place.ahead(1))
        with pytest.raises(IntegrityError), place.database.writing() as session:
            session.execute(text(sql))


class TestAFullBottleThatCameBack:
    def test_waits_apart_from_the_stock(self, place: Clinic, client: ClientId) -> None:
        place.give(client, take_home_days=place.ahead(1, 2))
        full, empty = bottles(place)
        back(place, client, (full, True), (empty, False))
        with place.database.reading() as session:
            assert [each.bottle.id for each in awaiting(session, site_id=place.site_id)] == [full]
        assert record(place, full)[-1] == ("returned_full", "AY")
        assert record(place, empty)[-1] == ("returned_empty", "AY")

    def test_is_destroyed_by_two_people_once(self, place: Clinic, client: ClientId) -> None:
        place.give(client, take_home_days=place.ahead(1))
        (full,) = bottles(place)
        back(place, client, (full, True))
        with pytest.raises(BadInput) as alone:
            destroy(place, full, second=None, how=" ")
        assert codes(alone) == ["no-second", "how"]
        assert destroy(place, full, second=place.doctor) == 1
        with pytest.raises(Refused) as again:
            destroy(place, full, second=place.doctor)
        assert codes(again) == ["bottle-gone"]
        with place.database.reading() as session:
            (gone,) = destroyed_lately(session, site_id=place.site_id)
        assert (gone.by, gone.second, gone.how) == ("AY", "LW", "onto cat litter")
        assert one(place, "SELECT balance FROM lot") == Decimal("4976.000"), (
            "it left the balance when it was handed over"
        )
        assert findings(place.database, place.now) == []

    def test_goes_back_into_the_safe_only_where_the_site_says_its_law_allows_it(
        self, place: Clinic, client: ClientId
    ) -> None:
        place.give(client, take_home_days=place.ahead(1))
        (full,) = bottles(place)
        back(place, client, (full, True))
        with pytest.raises(Refused) as refused:
            restock(place, [full])
        assert codes(refused) == ["no-restock"]
        with pytest.raises(BadInput) as unsourced:
            allow_restocking(place, source="")
        assert codes(unsourced) == ["source"]
        allow_restocking(place)
        assert restock(place, [full]) == 1
        assert one(place, "SELECT balance FROM lot") == Decimal("4988.000")
        assert one(place, "SELECT ml FROM register_line WHERE kind = 'returned'") == Decimal("12.000")
        assert findings(place.database, place.now) == []

    def test_of_an_expired_lot_is_destroyed(self, place: Clinic, client: ClientId) -> None:
        place.give(client, take_home_days=place.ahead(1))
        (full,) = bottles(place)
        back(place, client, (full, True))
        allow_restocking(place)
        place.move_on(500)
        with pytest.raises(Refused) as refused:
            restock(place, [full])
        assert codes(refused) == ["expired"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE bottle SET state = 'lost' WHERE state = 'handed_over'",
            r"is lost, and its record ends with handed_over",
        ),
        ("DELETE FROM bottle_event WHERE seq = 1", r"has line 2 after line 0"),
        ("UPDATE bottle SET state = 'recalled'", r"came back full, and is said to be recalled"),
        ("DELETE FROM bottle_return", r"is returned_full, and nobody wrote down that it came back"),
        ("UPDATE supply SET voided_at = now()", r"is void, and nobody said why"),
        (
            "INSERT INTO supply_void (supply_id, site_id, key, request_sha256, reason, account_id, at) "
            "SELECT id, site_id, 'k', '', 'r', dispensed_by, at FROM supply",
            r"was voided, and stands",
        ),
        (
            "INSERT INTO day_outcome SELECT client_id, dose_day, portion, portions, site_id, (SELECT id FROM episode), "
            "order_id, mg, mg, kind, now() FROM dose WHERE voided_at IS NULL; "
            "INSERT INTO day_correction (client_id, dose_day, portion, no, outcome, given_mg, reason, account_id, at) "
            "SELECT client_id, dose_day, 1, 1, 'missed', 0, 'r', (SELECT id FROM account LIMIT 1), now() "
            "FROM day_outcome",
            r"was corrected to missed, and the client has a dose",
        ),
    ],
    ids=["state", "numbering", "came-back", "never-came-back", "void-unsaid", "void-stands", "corrected"],
)
def test_damage_to_it_is_found_and_named(place: Clinic, client: ClientId, sql: str, expected: str) -> None:
    place.give(client, take_home_days=place.ahead(1, 2))
    back(place, client, (bottles(place)[0], True))
    assert findings(place.database, place.now) == []
    damage(place, sql)
    assert any(re.search(expected, found) for found in findings(place.database, place.now))
