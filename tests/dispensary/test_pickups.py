"""Bottles prepared for collection, and the pass that opens them once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from dispensary.database import Database
from dispensary.keys import fresh_vault
from dispensary.prescribing.service import order_dose
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import day_begins
from dispensary.supplies import passes
from dispensary.supplies.models import Pickup
from dispensary.supplies.passes import Reading
from dispensary.supplies.pickups import Prepared, cancel_pickup, issue_pass, prepare_pickup
from dispensary.supplies.verifying import MOST_WRONG_CODES, record_refused_pass, verify_pass
from dispensary.units import ClientId, DoseDay, milligrams, new_id
from tests.builders import Clinic, clinic

ZONE = "Asia/Kuala_Lumpur"
VAULT = fresh_vault()


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def window(place: Clinic, day: DoseDay) -> tuple[datetime, datetime]:
    midnight = place.now.replace(hour=0).time()
    return day_begins(ZONE, midnight, day), day_begins(ZONE, midnight, day + timedelta(days=1))


def prepared(place: Clinic, client: ClientId, *days: int, collect: int = 0) -> Prepared:
    on = DoseDay(place.today + timedelta(days=collect))
    with place.database.writing() as session:
        return prepare_pickup(
            session,
            actor=place.pharmacist,
            client_id=client,
            collect_on=on,
            take_home_days=place.ahead(*days),
            valid=window(place, on),
            today=place.today,
            at=place.now,
        )


def verified(place: Clinic, shown: str, at: datetime | None = None) -> str:
    with place.database.reading() as session:
        try:
            verify_pass(session, site_id=place.site_id, text=shown, at=at or place.now)
        except Refused as refused:
            return refused.first.code
    return "opens"


def test_a_prepared_pickup_promises_its_stock_and_its_pass_opens_it_once(place: Clinic) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2, 3, 4, 5, 6)
    with place.database.reading() as session:
        assert session.execute(text("SELECT balance, bottled FROM lot")).one() == (Decimal(5000), Decimal(72))
    assert verified(place, pickup.token) == "opens"
    assert verified(place, passes.spoken(pickup.code)) == "opens", "looking does not redeem"
    handed = place.give(client, pickup_id=pickup.pickup_id)
    assert len(handed.answer["doses"]) == 7
    with place.database.reading() as session:
        assert session.execute(text("SELECT balance, bottled FROM lot")).one() == (Decimal(4916), Decimal(0))
    assert verified(place, pickup.token) == "pass-used"
    assert verified(place, pickup.code) == "pass-used"
    with pytest.raises(Refused) as refused:
        place.give(client, pickup_id=pickup.pickup_id, observed=False)
    assert refused.value.first.code == "pass-used"


def test_two_counters_redeem_one_pass_once(place: Clinic) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2)

    def collect(_: int) -> str:
        try:
            place.give(client, pickup_id=pickup.pickup_id)
        except Refused as refused:
            return refused.first.code
        return "collected"

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(collect, range(16)))
    assert results.count("collected") == 1
    assert set(results) <= {"collected", "pass-used"}


def test_each_pass_that_does_not_open_says_why(place: Clinic, database: Database) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2)
    flipped = pickup.token[:-1] + ("A" if pickup.token[-1] != "A" else "B")
    wrong_digit = pickup.code[:-1] + str((int(pickup.code[-1]) + 1) % 10)
    assert verified(place, "HELLO") == "pass-unreadable"
    assert verified(place, flipped) == "pass-tampered"
    assert verified(place, wrong_digit) == "code-mistyped"
    assert verified(place, passes.token_of(database.vault, new_id())) == "pass-unknown"
    assert verified(place, pickup.token, place.now + timedelta(days=1)) == "pass-expired"
    assert verified(place, pickup.token, place.now - timedelta(days=1)) == "pass-too-early"
    elsewhere = clinic(database, place.now, code="SAT")
    assert verified(elsewhere, pickup.token) == "pass-other-site"
    with place.database.writing() as session:
        waiting = session.get_one(Pickup, pickup.pickup_id)
        issue_pass(session, actor=place.pharmacist, pickup=waiting, valid=window(place, place.today), at=place.now)
    assert verified(place, pickup.token) == "pass-revoked", "a lost pass is replaced and no longer opens"


def test_codes_cannot_be_guessed_at_a_site(place: Clinic, database: Database) -> None:
    for _ in range(MOST_WRONG_CODES):
        with database.writing() as session:
            unknown = Refusal("pass-unknown", "No pickup waits for this pass.")
            record_refused_pass(session, site_id=place.site_id, account_id=None, refusal=unknown, at=place.now)
    assert verified(place, passes.code_of(database.vault, new_id())) == "code-throttled"
    later = place.now + timedelta(minutes=11)
    assert verified(place, passes.code_of(database.vault, new_id()), later) == "pass-unknown"


def test_a_bottle_prepared_under_an_old_order_is_not_handed_over(place: Clinic) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2)
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams("50"),
            from_day=place.ahead(1)[0],
            reason="sleepy",
            today=place.today,
            at=place.now,
        )
    with pytest.raises(Refused) as refused:
        place.give(client, pickup_id=pickup.pickup_id)
    assert refused.value.first.code == "prepared-under-old-order"
    with place.database.writing() as session:
        cancel_pickup(
            session,
            actor=place.pharmacist,
            pickup_id=pickup.pickup_id,
            reason="order changed",
            day=place.today,
            at=place.now,
        )
    with place.database.reading() as session:
        assert session.execute(text("SELECT bottled FROM lot")).scalar_one() == 0
        notes = session.execute(text("SELECT count(*) FROM register_line WHERE kind = 'note'")).scalar_one()
    assert notes == 2
    assert prepared(place, client, 1, 2).bottles == 2


def test_what_is_promised_to_one_is_not_given_to_another(database: Database, now: datetime) -> None:
    place = clinic(database, now, ml="40")
    one, other = place.client(mg="60"), place.client(mg="60")
    place.decide(one, per_supply=6)
    prepared(place, one, 1, 2)  # 24 mL of 40
    place.give(other)  # 12 mL
    with pytest.raises(Refused) as refused:
        place.give(place.client(mg="60"))
    assert refused.value.first.code == "no-stock"


CODE = passes.code_of(VAULT, new_id())


@pytest.mark.parametrize("position", range(8))
def test_the_code_misses_no_single_wrong_digit(position: int) -> None:
    for digit in "0123456789":
        if digit != CODE[position]:
            wrong = CODE[:position] + digit + CODE[position + 1 :]
            assert passes.read(VAULT, wrong) is Reading.MISTYPED


def test_the_code_misses_no_swap() -> None:
    for left, (a, b) in enumerate(pairwise(CODE)):
        if a != b:
            assert passes.read(VAULT, CODE[:left] + b + a + CODE[left + 2 :]) is Reading.MISTYPED


@given(st.text(max_size=80))
def test_reading_any_text_says_what_it_is_and_never_fails(shown: str) -> None:
    assert passes.read(VAULT, shown) in set(Reading)


@given(st.uuids())
def test_a_token_is_genuine_only_under_the_key_that_signed_it(pass_id) -> None:
    token = passes.token_of(VAULT, pass_id)
    assert passes.read(VAULT, token.lower()) is Reading.CARD
    assert len(token) == passes.TOKEN_LENGTH
    assert passes.read(fresh_vault(), token) is Reading.TAMPERED
