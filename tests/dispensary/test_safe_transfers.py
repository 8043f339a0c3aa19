"""Stock between two sites: in nobody's balance on its way, received once by another person, or taken back."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere, Refused
from dispensary.stock.transfers import transfers
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import (
    arrived,
    balance,
    counted,
    destroyed,
    key,
    lines,
    one,
    received,
    sent,
    taken_back,
    with_pin,
    wrong,
)

_codes = itertools.count(1)


@pytest.fixture
def here(database: Database, now: datetime) -> Clinic:
    return with_pin(clinic(database, now))


@pytest.fixture
def there(database: Database, now: datetime) -> Clinic:
    return with_pin(clinic(database, now, code="SAT", ml="100"))


def lot_there(there: Clinic, batch: str = "LOT-HRP") -> UUID:
    found: UUID = one(there, "SELECT id FROM lot WHERE site_id = :site AND batch = :b", site=there.site_id, b=batch)
    return found


def test_what_is_sent_is_in_nobodys_balance_until_it_is_received(here: Clinic, there: Clinic) -> None:
    transfer = sent(here, there, "1000")
    assert balance(here) == 4000
    assert one(here, "SELECT count(*) FROM lot WHERE site_id = :site", site=there.site_id) == 1
    assert wrong(here) == []

    arrived(there, transfer, "1000")

    lot = lot_there(there)
    assert lines(there, lot) == [("received", Decimal(1000))]
    same = "SELECT count(DISTINCT (batch, strength, expires_on)) FROM lot WHERE batch = 'LOT-HRP'"
    assert one(here, same) == 1
    assert wrong(here) == []


def test_less_on_arrival_is_named_and_both_sites_read_it(here: Clinic, there: Clinic) -> None:
    transfer = sent(here, there, "1000")
    with pytest.raises(BadInput) as refused:
        arrived(there, transfer, "995")
    assert refused.value.first.code == "transfer-differs"

    arrived(there, transfer, "995", "a cap was loose")

    assert lines(there, lot_there(there)) == [("received", Decimal(1000)), ("counted", Decimal(-5))]
    with here.database.reading() as session:
        for site in (here.site_id, there.site_id):
            (each,) = transfers(session, site_id=site)
            assert (each.row.ml, each.row.measured_ml, each.row.reason) == (1000, 995, "a cap was loose")
    assert one(here, "SELECT site_id FROM investigation") == there.site_id
    assert wrong(here) == []


def test_what_never_left_is_taken_back_by_a_counter_entry(here: Clinic, there: Clinic) -> None:
    transfer = sent(here, there, "1000")
    with pytest.raises(BadInput):
        taken_back(here, transfer, " ")
    taken_back(here, transfer)
    taken_back(here, transfer)
    assert lines(here)[-2:] == [("sent", Decimal(-1000)), ("corrected", Decimal(1000))]
    assert balance(here) == 5000
    with pytest.raises(Refused) as refused:
        arrived(there, transfer, "1000")
    assert refused.value.first.code == "transfer-settled"
    assert wrong(here) == []


def test_only_the_other_site_receives_and_only_the_sender_takes_back(here: Clinic, there: Clinic) -> None:
    transfer = sent(here, there, "1000")
    with pytest.raises(NotThere):
        arrived(here, transfer, "1000")
    with pytest.raises(NotThere):
        taken_back(there, transfer)
    there.pharmacist = here.pharmacist.__class__(
        here.pharmacist.account_id, there.site_id, here.pharmacist.roles, here.pharmacist.name
    )
    with pytest.raises(BadInput) as refused:
        arrived(there, transfer, "1000")
    assert refused.value.first.code == "sent-yourself"


def test_more_than_is_free_a_wrong_site_or_an_expired_lot_are_not_sent(here: Clinic, there: Clinic) -> None:
    with pytest.raises(BadInput) as refused:
        sent(here, here, "9000")
    assert [each.code for each in refused.value.refusals] == ["not-so-much", "no-site"]
    old = received(here, "OLD", "100", days=0)
    here.move_on()
    with pytest.raises(BadInput) as refused:
        sent(here, there, "10", lot_id=old)
    assert [each.code for each in refused.value.refusals] == ["expired"]


def test_a_batch_that_is_another_thing_at_the_other_site_is_not_mixed_up(here: Clinic, there: Clinic) -> None:
    received(there, "LOT-HRP", "50", mg_ml="10")
    transfer = sent(here, there, "1000")
    with pytest.raises(Refused) as refused:
        arrived(there, transfer, "1000")
    assert refused.value.first.code == "batch-known"


def test_sent_received_and_taken_back_at_once_happens_once(here: Clinic, there: Clinic) -> None:
    same = key()
    with ThreadPoolExecutor(3) as pool:
        sent_ids = set(pool.map(lambda _: sent(here, there, "1000", key=same), range(3)))
    assert len(sent_ids) == 1
    (transfer,) = sent_ids

    def act(n: int) -> str:
        try:
            return (arrived(there, transfer, "1000") if n % 2 else taken_back(here, transfer)).state
        except Refused as refused:
            return refused.first.code

    with ThreadPoolExecutor(6) as pool:
        became = set(pool.map(act, range(6)))
    assert len(became & {"received", "taken_back"}) == 1
    assert became <= {"received", "taken_back", "transfer-settled"}
    in_all = "SELECT sum(balance) FROM lot"
    assert one(here, in_all) == 5100
    assert wrong(here) == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE stock_transfer SET ml = 1",
        "UPDATE stock_transfer SET state = 'received', settled_at = now(), settled_by = sent_by, to_lot_id = "
        "from_lot_id, measured_ml = ml",
        "UPDATE stock_transfer SET state = 'taken_back', settled_at = now(), settled_by = sent_by, reason = 'x'",
        "DELETE FROM stock_transfer",
        "INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), "
        "'kind', 'received', 'ml', 1000))).* FROM register_line l WHERE kind = 'sent'",
        "INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid()))).* "
        "FROM register_line l WHERE kind = 'sent'",
        "INSERT INTO register_line SELECT (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), "
        "'transfer_id', NULL))).* FROM register_line l WHERE kind = 'sent'",
    ],
    ids=range(7),
)
def test_postgresql_refuses_what_reaches_past_the_program(here: Clinic, there: Clinic, sql: str) -> None:
    sent(here, there, "1000")
    with pytest.raises(IntegrityError), here.database.writing() as session:
        session.execute(text(sql))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["receive", "send", "arrive", "back", "destroy", "count", "dose"]),
        st.booleans(),
        st.decimals(min_value=Decimal("0.001"), max_value=60, places=3),
    ),
    min_size=4,
    max_size=14,
)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
def test_whatever_two_sites_do_the_sums_agree(
    here: Clinic, there: Clinic, steps: list[tuple[str, bool, Decimal]]
) -> None:
    """Lots and what is in transit are together what came in, less what left and what was found missing.

    The two sites go on from one example to the next, as sites do.
    """
    n, moving = next(_codes), list[UUID]()
    expected = held_and_moving(here)
    for what, first, ml in steps:
        mine, other = (here, there) if first else (there, here)
        try:
            if what == "receive":
                received(mine, f"R{n}", str(ml))
                expected += ml
            elif what == "send":
                moving.append(sent(mine, other, str(ml)))
            elif what == "arrive" and moving:
                arrived(mine, moving[-1], str(ml), "as measured")
                expected += ml - one(mine, "SELECT ml FROM stock_transfer WHERE id = :id", id=moving.pop())
            elif what == "back" and moving:
                taken_back(mine, moving[-1])
                moving.pop()
            elif what == "destroy":
                destroyed(mine, str(ml))
                expected -= ml
            elif what == "count":
                before = balance(mine)
                counted(mine, str(ml), reason="as measured")
                expected += ml - before
            elif what == "dose":
                mine.give(mine.client(mg="20"))
                expected -= 4
        except Refused:
            pass  # nothing of it was kept
    assert held_and_moving(here) == expected
    assert one(here, "SELECT count(*) FROM stock_discrepancy") == 0


def held_and_moving(place: Clinic) -> Decimal:
    away = "SELECT coalesce(sum(ml), 0) FROM stock_transfer WHERE state = 'in_transit'"
    found: Decimal = one(place, f"SELECT (SELECT sum(balance) FROM lot) + ({away})")
    return found
