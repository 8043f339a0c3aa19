"""One dose from several lots: first expired first, each lot charged and credited with exactly what it gave."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Role
from dispensary.stock.rules import LotOnHand, choose_shares
from dispensary.supplies.voiding import void_supply
from dispensary.units import ClientId, milligrams, millilitres, strength
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import desks
from tests.dispensary.safe_place import balance, key, lines, one, received, sets, wrong
from tests.dispensary.unusual_place import gave, partly, spilled
from tests.dispensary.visiting import text_of


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def rest(place: Clinic) -> UUID:
    """A lot that expires first and holds 4 mL of the 16 that a dose needs."""
    return received(place, "A-REST", "4", days=10)


def parts(place: Clinic) -> list[tuple[Decimal, Decimal]]:
    with place.database.reading() as session:
        rows = session.execute(
            text("SELECT p.mg, p.ml FROM dose_part p JOIN lot ON lot.id = p.lot_id ORDER BY lot.expires_on")
        )
        return [(row.mg, row.ml) for row in rows]


def test_the_rest_of_the_first_lot_is_poured_and_the_next_gives_what_is_missing(place: Clinic, rest: UUID) -> None:
    client = place.client(mg="80")
    handed = place.give(client)

    assert parts(place) == [(20, 4), (60, 12)]
    assert lines(place, rest)[-1] == ("supplied", Decimal(-4))
    assert lines(place)[-1] == ("supplied", Decimal(-12))
    assert one(place, "SELECT ml FROM dose") == 16
    assert one(place, "SELECT lot_id FROM dose") == rest
    assert [each["ml"] for each in handed.answer["doses"][0]["lots"]] == ["4.000", "12.000"]
    assert wrong(place) == []


def test_one_lot_that_holds_the_dose_has_no_parts(place: Clinic) -> None:
    place.give(place.client())
    assert parts(place) == []


def test_a_bottle_holds_one_lot(place: Clinic, rest: UUID) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=3)
    place.give(client, take_home_days=place.ahead(1))
    assert one(place, "SELECT count(*) FROM bottle WHERE lot_id = :lot", lot=place.lot_id) == 1
    assert balance(place, rest) == 0
    assert wrong(place) == []


@pytest.mark.parametrize("mixes", [False, True])
def test_strengths_are_mixed_only_where_the_site_says_so(place: Clinic, mixes: bool) -> None:
    """4 mL of 10 mg/mL and 12 mL of 5 mg/mL hold 100 mg together, and neither holds 80."""
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE lot SET balance = 12"))
        session.execute(text("UPDATE register_line SET ml = 12, balance = 12, lot_balance = 12"))
        session.execute(text("UPDATE register_book SET balance = 12"))
    strong = received(place, "A-STRONG", "4", mg_ml="10", days=10)
    sets(place, mix_strengths=mixes)
    client = place.client(mg="80")
    if not mixes:
        with pytest.raises(Refused) as refused:
            place.give(client)
        assert refused.value.first.code == "no-stock"
        return
    place.give(client)
    assert parts(place) == [(40, 4), (40, 8)]
    assert balance(place, strong) == 0
    assert wrong(place) == []


def test_a_spilled_dose_credits_each_lot_and_writes_off_from_each(place: Clinic, rest: UUID) -> None:
    client = place.client(mg="80")
    place.give(client)
    spilled(place, client)
    assert [kind for kind, _ in lines(place, rest)] == ["received", "supplied", "corrected", "lost"]
    assert [ml for _, ml in lines(place)][-3:] == [-12, 12, -12]
    assert (balance(place, rest), balance(place)) == (0, 4988)
    place.give(client)
    assert wrong(place) == []


def test_a_dose_that_was_swallowed_in_part_is_charged_in_the_order_of_its_lots(place: Clinic, rest: UUID) -> None:
    client = place.client(mg="80")
    place.give(client)
    partly(place, client, "30")
    live = "SELECT string_agg(p.mg::text, ' ' ORDER BY p.mg) FROM dose_part p JOIN dose d ON d.id = p.dose_id {}"
    assert one(place, live.format("WHERE d.voided_at IS NULL")) == "10.00 20.00"
    assert [kind for kind, _ in lines(place, rest)] == ["received", "supplied", "corrected", "supplied"]
    assert lines(place)[-2:] == [("supplied", Decimal(-2)), ("lost", Decimal(-10))]
    assert (balance(place, rest), balance(place)) == (0, 4988)
    assert wrong(place) == []


@pytest.mark.parametrize(("mg", "left"), [("100", 4984), ("60", 4992), ("15", 5000)])
def test_another_amount_than_ordered_is_charged_to_the_lots_that_gave_it(
    place: Clinic, rest: UUID, mg: str, left: int
) -> None:
    client = place.client(mg="80")
    place.give(client)
    gave(place, client, mg)
    assert balance(place) == left
    assert balance(place, rest) == (1 if mg == "15" else 0)
    assert wrong(place) == []


def test_more_than_ordered_that_was_only_poured_is_charged_too(place: Clinic, rest: UUID) -> None:
    gave(place, place.client(mg="80"), "100")
    assert (balance(place, rest), balance(place)) == (0, 4984)
    assert wrong(place) == []


def test_a_voided_supply_credits_each_lot_with_what_it_gave(place: Clinic, rest: UUID) -> None:
    handed = place.give(place.client(mg="80"))
    place.database.write(
        lambda session: void_supply(
            session,
            actor=place.pharmacist,
            supply_id=handed.supply_id,
            reason="the wrong client was open",
            second_id=None,
            pin="",
            key=key(),
            today=place.today,
            at=place.now,
        )
    )
    assert (balance(place, rest), balance(place)) == (4, 5000)
    assert wrong(place) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE dose_part SET ml = ml + 1",
        "DELETE FROM dose_part",
        "INSERT INTO dose_part SELECT d.id, d.lot_id, d.mg, d.ml FROM dose d WHERE mg = 40",
        "INSERT INTO dose_part SELECT d.id, lot.id, d.mg / 2, d.ml / 2 FROM dose d, lot WHERE mg = 40 AND lot.id <> "
        "d.lot_id",
    ],
    ids=range(4),
)
def test_postgresql_refuses_parts_that_do_not_add_up(place: Clinic, rest: UUID, sql: str) -> None:
    place.give(place.client(mg="80"))
    place.give(place.client(mg="40"))
    with pytest.raises(IntegrityError), place.database.writing() as session:
        session.execute(text(sql))


def test_the_page_says_what_to_pour_and_a_dose_of_other_lots_is_not_recorded(
    database: Database, now: datetime, tmp_path: Path
) -> None:
    here = desks(database, now, tmp_path)
    received(here.place, "A-REST", "4", days=10)
    client, other = here.place.client(mg="80"), here.place.client(mg="80")
    counter = here.seat(Role.PHARMACIST)
    opened = counter.get(f"/counter/clients/{client}")
    assert "4 mL from lot A-REST, then 12 mL from lot LOT-HRP" in " ".join(text_of(opened).split())
    form = dict(re.findall(r'<input type="hidden" name="(shown_\w+|observed)" value="([^"]*)"', opened.text))

    here.place.give(ClientId(other))

    answer = counter.post(
        f"/counter/clients/{client}/supply",
        {**form, "key": str(uuid4()), "identified_by": "photo", "well": "yes"},
    )
    assert "other-lots" in answer.text
    assert one(here.place, "SELECT count(*) FROM supply") == 1


LOTS = st.lists(
    st.builds(
        LotOnHand,
        lot_id=st.builds(uuid4),
        book_id=st.builds(uuid4),
        batch=st.sampled_from("ABCD"),
        strength=st.sampled_from([strength("5"), strength("10"), strength("3.333")]),
        expires_on=st.dates(date(2026, 11, 1), date(2027, 1, 1)),
        balance=st.decimals(0, 30, places=3).map(lambda ml: millilitres(ml, zero=True)),
        bottled=st.just(millilitres("0", zero=True)),
    ),
    max_size=5,
)


@given(lots=LOTS, mg=st.decimals("0.01", 200, places=2), mixes=st.booleans())
def test_whatever_is_poured_adds_up_and_no_lot_gives_more_than_it_has(
    lots: list[LotOnHand], mg: Decimal, mixes: bool
) -> None:
    day = date(2026, 11, 24)
    shares = choose_shares(lots, mg=milligrams(mg), day=day, mixes=lambda: mixes)
    usable = {lot.lot_id: lot for lot in lots if lot.expires_on >= day}
    if isinstance(shares, Refusal):
        assert not any(lot.free * lot.strength >= mg for lot in usable.values())
        return
    assert sum(share.mg for share in shares) == mg
    assert all(0 < share.ml <= usable[share.lot_id].free for share in shares)
    assert mixes or len({usable[share.lot_id].strength for share in shares}) == 1
    expiries = [usable[share.lot_id].expires_on for share in shares]
    assert expiries == sorted(expiries)
