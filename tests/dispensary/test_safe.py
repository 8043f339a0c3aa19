"""The safe: what comes is what the paper says, what is missing is cleared up, two people destroy, nothing is silent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database
from dispensary.refusals import BadInput, Refused
from dispensary.stock.counting import close_investigation, handled_since, shortages
from dispensary.stock.receiving import Came, open_lot
from dispensary.units import milligrams, millilitres
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import (
    balance,
    counted,
    destroyed,
    key,
    lines,
    one,
    received,
    sets,
    with_pin,
    wrong,
)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return with_pin(clinic(database, now))


def open_shortages(place: Clinic) -> list[Decimal]:
    with place.database.reading() as session:
        return [each.row.ml for each in shortages(session, site_id=place.site_id)]


# Receiving


def test_a_delivery_says_from_whom_it_came_and_is_one_line(place: Clinic) -> None:
    lot = received(place, "b-2", "1000")

    assert lines(place, lot) == [("received", Decimal(1000))]
    assert one(place, "SELECT supplier_name || document_no FROM delivery") == "PharmaniagaDO-1"
    assert one(place, "SELECT paper_ml - measured_ml FROM delivery") == 0
    assert wrong(place) == []


def test_what_is_measured_less_is_a_line_of_its_own_and_is_cleared_up(place: Clinic) -> None:
    lot = received(place, "B-2", "1000", came=Came("Pharmaniaga", "", "DO-2", millilitres("990"), "a bottle leaked"))

    assert lines(place, lot) == [("received", Decimal(1000)), ("counted", Decimal(-10))]
    assert balance(place, lot) == 990
    assert open_shortages(place) == [10]
    assert wrong(place) == []


def test_a_difference_without_a_reason_and_a_paper_without_a_number_are_refused(place: Clinic) -> None:
    with pytest.raises(BadInput) as refused:
        received(place, "B-2", "1000", came=Came(" ", "", "", millilitres("990")))
    assert [(each.code, each.field) for each in refused.value.refusals] == [
        ("missing", "supplier_name"),
        ("missing", "document_no"),
        ("delivery-differs", "reason"),
    ]
    assert one(place, "SELECT count(*) FROM lot") == 1


def test_a_second_delivery_of_a_batch_is_another_line_of_the_same_lot(place: Clinic) -> None:
    first = received(place, "B-2", "1000")
    assert received(place, "b-2", "500", came=Came("Pharmaniaga", "", "DO-9")) == first
    assert lines(place, first) == [("received", Decimal(1000)), ("received", Decimal(500))]
    with pytest.raises(Refused) as refused:
        received(place, "B-2", "500", mg_ml="10")
    assert refused.value.first.code == "batch-known"


def test_a_delivery_that_is_sent_twice_comes_once_whoever_is_faster(place: Clinic) -> None:
    same = key()
    with ThreadPoolExecutor(4) as pool:
        lots = set(pool.map(lambda _: received(place, "B-2", "1000", key=same), range(4)))
    assert len(lots) == 1
    assert balance(place, lots.pop()) == 1000
    with pytest.raises(Refused) as refused:
        received(place, "B-2", "999", key=same)
    assert refused.value.first.code == "key-reused"


# Opening


def test_a_lot_is_opened_once_by_hand_or_by_pouring(place: Clinic) -> None:
    def opened(lot_id: object) -> tuple[object, object]:
        with place.database.reading() as session:
            row = session.execute(text("SELECT opened_at, opened_by FROM lot WHERE id = :id"), {"id": lot_id}).one()
            return (row.opened_at, row.opened_by)

    other = received(place, "B-2", "1000", days=10)
    with place.database.writing() as session:
        open_lot(session, actor=place.pharmacist, lot_id=other, day=place.today, at=place.now)
        open_lot(session, actor=place.doctor, lot_id=other, day=place.today, at=place.now + timedelta(hours=1))
    assert opened(other) == (place.now, place.pharmacist.account_id)
    assert opened(place.lot_id) == (None, None)
    destroyed(place, "1000", lot_id=other)
    place.give(place.client())
    assert opened(place.lot_id) == (place.now, place.pharmacist.account_id)
    with pytest.raises(IntegrityError), place.database.writing() as session:
        session.execute(text("UPDATE lot SET opened_at = opened_at + interval '1 day' WHERE opened_at IS NOT NULL"))


def test_one_lot_is_open_at_a_time_where_the_site_wants_it(place: Clinic) -> None:
    sets(place, one_open_lot=True)
    other = received(place, "B-2", "1000", days=500)
    place.give(place.client())  # opens the first lot
    with pytest.raises(Refused) as refused, place.database.writing() as session:
        open_lot(session, actor=place.pharmacist, lot_id=other, day=place.today, at=place.now)
    assert refused.value.first.code == "another-open"


def test_what_has_expired_is_neither_received_nor_opened_nor_poured(place: Clinic) -> None:
    old = received(place, "B-OLD", "1000", days=0)
    place.move_on()
    with pytest.raises(Refused) as refused, place.database.writing() as session:
        open_lot(session, actor=place.pharmacist, lot_id=old, day=place.today, at=place.now)
    assert refused.value.first.code == "expired"
    place.give(place.client())
    assert balance(place, old) == 1000
    with pytest.raises(BadInput):
        received(place, "B-3", "5", days=-1)


# Destroying


def test_two_people_destroy_and_the_register_says_why_how_and_by_which_form(place: Clinic) -> None:
    done = destroyed(place, "100")

    assert lines(place)[-1] == ("destroyed", Decimal(-100))
    assert one(place, "SELECT reason FROM register_line WHERE kind = 'destroyed'") == (
        "expired. poured onto charcoal. F-41/7"
    )
    assert one(place, "SELECT second_id FROM register_line WHERE kind = 'destroyed'") == place.doctor.account_id
    assert (done.method, done.reference) == ("poured onto charcoal", "F-41/7")
    assert wrong(place) == []


def test_nobody_destroys_alone_by_guessing_or_more_than_is_free(place: Clinic) -> None:
    with pytest.raises(BadInput) as refused:
        destroyed(place, "9000", pin="314195", reason=" ", method="")
    assert [each.code for each in refused.value.refusals] == ["not-so-much", "reason", "method", "wrong-pin"]
    assert balance(place) == 5000
    with pytest.raises(IntegrityError), place.database.writing() as session:
        session.execute(
            text("""INSERT INTO register_line (id, book_id, seq, lot_id, at, dose_day, kind, ml, consumed_ml,
                taken_home_ml, balance, lot_balance, reason, account_id)
                SELECT gen_random_uuid(), book_id, 0, id, now(), '2026-11-24', 'destroyed', -5, 0, 0, 0, 0, 'alone',
                CAST(:who AS uuid) FROM lot"""),
            {"who": place.pharmacist.account_id},
        )


def test_destroyed_by_many_at_once_never_more_than_there_is(place: Clinic) -> None:
    def act(_: int) -> str:
        try:
            destroyed(place, "2000")
        except Refused as refused:
            return refused.first.code
        return "done"

    with ThreadPoolExecutor(4) as pool:
        became = sorted(pool.map(act, range(4)))
    assert became == ["done", "done", "not-so-much", "not-so-much"]
    assert balance(place) == 1000
    assert wrong(place) == []


def test_a_destruction_that_is_sent_twice_is_one(place: Clinic) -> None:
    same = key()
    assert destroyed(place, "10", key=same).id == destroyed(place, "10", key=same).id
    assert balance(place) == 4990


# Counting


@pytest.mark.parametrize(
    ("figures", "measured", "judged", "investigated"),
    [
        ({}, "4984", "as_expected", False),
        ({}, "4983.9", "beyond", True),
        ({}, "4985", "beyond", False),
        ({"tolerance_ml": Decimal(5)}, "4980", "within", False),
        ({"tolerance_ml": Decimal(5)}, "4989", "within", False),
        ({"tolerance_ml": Decimal(5)}, "4978.9", "beyond", True),
        ({"tolerance_percent": Decimal(1)}, "4983.84", "within", False),  # 1 % of the 16 mL that were supplied
        ({"tolerance_percent": Decimal(1)}, "4983.83", "beyond", True),
        ({"tolerance_percent": Decimal(50), "tolerance_ml": Decimal(1)}, "4982", "beyond", True),
        ({"tolerance_ml": Decimal(100)}, "4967", "within", True),  # more than the usual 80 mg, which are 16 mL
    ],
)
def test_a_count_is_judged_by_the_sites_own_figures(
    place: Clinic, figures: dict[str, Decimal], measured: str, judged: str, investigated: bool
) -> None:
    place.give(place.client(mg="80"))
    if figures:
        sets(place, **figures)
    count = counted(place, measured, reason="measured twice", usual_mg=milligrams("80"))

    assert count.judged == judged
    assert count.throughput == 16
    assert bool(open_shortages(place)) == investigated
    assert balance(place) == Decimal(measured)
    assert wrong(place) == []


def test_a_shortage_stays_until_somebody_says_what_was_found(place: Clinic) -> None:
    place.give(place.client())
    counted(place, "4900", reason="measured twice")
    with place.database.reading() as session:
        (shortage,) = shortages(session, site_id=place.site_id)
        assert [(each.name, each.lines) for each in handled_since(session, shortage.row)] == [("Aishah binti Yusof", 2)]

    def closes(found: str) -> None:
        place.database.write(
            lambda session: close_investigation(
                session, actor=place.pharmacist, investigation_id=shortage.row.id, found=found, at=place.now
            )
        )

    with pytest.raises(BadInput):
        closes("  ")
    closes("a line of the paper register was not copied")
    closes("a line of the paper register was not copied")
    assert open_shortages(place) == []
    with pytest.raises(Refused) as refused:
        closes("something else")
    assert refused.value.first.code == "closed-before"
    with pytest.raises(IntegrityError), place.database.writing() as session:
        session.execute(text("UPDATE investigation SET found = 'nothing'"))


def test_postgresql_itself_keeps_no_shortage_beyond_the_tolerance_without_its_investigation(place: Clinic) -> None:
    with pytest.raises(IntegrityError, match="is investigated"), place.database.writing() as session:
        session.execute(
            text("""INSERT INTO stock_count (id, site_id, lot_id, dose_day, at, expected, measured, difference, reason,
                account_id, judged) SELECT gen_random_uuid(), site_id, id, '2026-11-24', now(), 5000, 4000, -1000, 'x',
                CAST(:who AS uuid), 'beyond' FROM lot"""),
            {"who": place.pharmacist.account_id},
        )


def test_a_lot_that_moved_since_the_page_was_opened_is_measured_again(place: Clinic) -> None:
    place.give(place.client())
    with pytest.raises(Refused) as refused:
        counted(place, "5000", seen_ml=millilitres("5000"))
    assert refused.value.first.code == "count-moved"
    assert counted(place, "4984", seen_ml=millilitres("4984")).judged == "as_expected"


def test_a_count_that_is_sent_twice_is_one(place: Clinic) -> None:
    same = key()
    counted(place, "4990", reason="spilled", key=same)
    counted(place, "4990", reason="spilled", key=same)
    assert lines(place) == [("received", Decimal(5000)), ("counted", Decimal(-10))]
