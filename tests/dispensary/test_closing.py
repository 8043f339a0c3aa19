"""The close of a dose day: frozen once, counted exactly, nothing dosed afterwards."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.prescribing.service import hold_doses, order_dose
from dispensary.refusals import Refused
from dispensary.staff.rules import the_program
from dispensary.supplies.closing import Counted, close_day, to_count
from dispensary.supplies.models import DayClose
from dispensary.units import milligrams, millilitres
from tests.builders import Clinic, clinic
from tests.dispensary.test_pickups import prepared


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def close(place: Clinic, counts: dict[UUID, Counted] | None = None, *, counted: bool = True) -> DayClose:
    """Closes today as the pharmacist does, counting exactly what the register expects unless told otherwise."""
    with place.database.writing() as session:
        if counted and counts is None:
            counts = {
                row.lot.id: Counted(row.expected_bulk)
                for row in to_count(session, site_id=place.site_id, day=place.today)
            }
        return close_day(
            session,
            actor=place.pharmacist if counted else the_program(place.site_id),
            day=place.today,
            today=place.today,
            counts=counts if counted else None,
            at=place.now,
        )


def outcomes(place: Clinic) -> list[tuple[str, Decimal]]:
    with place.database.reading() as session:
        order = "outcome, portion, ordered_mg"
        rows = session.execute(text(f"SELECT outcome, ordered_mg FROM day_outcome ORDER BY {order}"))
        return [(row.outcome, row.ordered_mg) for row in rows]


def test_each_ordered_portion_gets_its_outcome(place: Clinic) -> None:
    dosed, carried, missed, held = (place.client(mg=mg) for mg in ("80", "60", "50", "40"))
    place.decide(carried, per_supply=2)
    place.give(dosed)
    place.give(carried, take_home_days=place.ahead(1))
    with place.database.writing() as session:
        hold_doses(
            session,
            actor=place.doctor,
            client_id=held,
            from_day=place.today,
            until_day=None,
            reason="liver result",
            at=place.now,
        )
    closed = close(place)
    assert (closed.observed, closed.taken_home, closed.missed, closed.held) == (2, 0, 1, 1)
    assert outcomes(place) == [
        ("held", Decimal("40.00")),
        ("missed", Decimal("50.00")),
        ("observed", Decimal("60.00")),
        ("observed", Decimal("80.00")),
    ]
    assert missed
    place.move_on()
    assert close(place).taken_home == 1, "the bottle covers its day, whenever it was collected"


def test_a_split_day_freezes_each_portion(place: Clinic) -> None:
    client = place.client(mg="100", parts=("60", "40"))
    place.give(client)
    assert close(place).missed == 1
    assert outcomes(place) == [("missed", Decimal("40.00")), ("observed", Decimal("60.00"))]


def test_a_missed_day_stays_as_it_was_when_the_order_changes_later(place: Clinic) -> None:
    client = place.client(mg="80")
    close(place)
    place.move_on()
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams("90"),
            from_day=place.today,
            reason="withdrawal",
            today=place.today,
            at=place.now,
        )
    assert outcomes(place) == [("missed", Decimal("80.00"))]
    with pytest.raises(Exception, match="only ever added to"), place.database.writing() as session:
        session.execute(text("UPDATE day_outcome SET outcome = 'observed'"))


def test_a_closed_day_takes_no_dose_and_is_closed_once(place: Clinic) -> None:
    client = place.client()
    close(place)
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert "day-closed" in {refusal.code for refusal in refused.value.refusals}
    with pytest.raises(Refused) as refused:
        close(place)
    assert refused.value.first.code == "closed-already"


def test_closing_while_32_counters_dose_freezes_what_was_dosed(place: Clinic) -> None:
    clients = [place.client(mg="40") for _ in range(32)]

    def act(number: int) -> str:
        if number == 16:
            close(place, counted=False)
            return "closed"
        try:
            place.give(clients[number])
        except Refused as refused:
            return refused.first.code
        return "dosed"

    with ThreadPoolExecutor(32) as pool:
        results = list(pool.map(act, range(32)))
    with place.database.reading() as session:
        frozen = session.execute(text("SELECT count(*) FROM day_outcome WHERE outcome = 'observed'")).scalar_one()
        doses = session.execute(text("SELECT count(*) FROM dose")).scalar_one()
    assert frozen == doses == results.count("dosed")
    assert set(results) <= {"closed", "dosed", "day-closed"}


def test_bottles_that_nobody_collected_go_back_into_stock_with_a_note(place: Clinic) -> None:
    client = place.client(mg="50")
    place.decide(client, per_supply=3)
    prepared(place, client, 1, 2)
    later = place.client(mg="50")
    place.decide(later, per_supply=3)
    prepared(place, later, 2, 3, collect=1)  # for tomorrow: stays in the safe, in its bottles
    with place.database.reading() as session:
        expected = to_count(session, site_id=place.site_id, day=place.today)[0]
    assert (expected.expected_bulk, expected.bottled) == (Decimal(4980), Decimal(20))
    closed = close(place)
    assert closed.unclaimed == 2
    with place.database.reading() as session:
        assert session.execute(text("SELECT balance, bottled FROM lot")).one() == (Decimal(5000), Decimal(20))
        notes = session.execute(text("SELECT reason FROM register_line WHERE kind = 'note'")).scalars().all()
    assert len(notes) == 2
    assert all("not collected" in note for note in notes)


def test_a_difference_needs_a_reason_and_then_stands_in_the_register(place: Clinic) -> None:
    place.give(place.client(mg="50"))
    short = {place.lot_id: Counted(millilitres("4985"))}
    with pytest.raises(Refused) as refused:
        close(place, short)
    assert refused.value.first.code == "count-differs"
    assert outcomes(place) == [], "nothing is closed when the count is refused"
    close(place, {place.lot_id: Counted(millilitres("4985"), "spilled 5 mL, seen by LW")})
    with place.database.reading() as session:
        line = session.execute(text("SELECT ml, balance, reason FROM register_line WHERE kind = 'counted'")).one()
        count = session.execute(text("SELECT expected, measured, difference FROM stock_count")).one()
    assert line == (Decimal(-5), Decimal(4985), "spilled 5 mL, seen by LW")
    assert count == (Decimal(4990), Decimal(4985), Decimal(-5))


def test_every_lot_is_counted(place: Clinic) -> None:
    with pytest.raises(Refused) as refused:
        close(place, {})
    assert refused.value.first.code == "not-counted"


def test_days_that_were_left_open_are_closed_with_the_next(place: Clinic) -> None:
    place.client()
    close(place)
    place.move_on(4)
    close(place)
    with place.database.reading() as session:
        days = session.execute(text("SELECT dose_day, counted FROM day_close ORDER BY dose_day")).all()
        missed = session.execute(text("SELECT count(*) FROM day_outcome WHERE outcome = 'missed'")).scalar_one()
    assert [day.dose_day for day in days] == [place.today - timedelta(days=n) for n in (4, 3, 2, 1, 0)]
    assert [day.counted for day in days] == [True, False, False, False, True]
    assert missed == 5
