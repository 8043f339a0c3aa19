"""A bottle that is lost, broken or spilled on the way to a home: written off at once, told, and replaced by nobody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, broken_constraint
from dispensary.refusals import Refused
from dispensary.staff.rules import Actor, Role
from dispensary.stock.queries import lots
from dispensary.supplies.bottle_states import record_of
from dispensary.supplies.carried_losses import lost_on_the_way
from dispensary.supplies.losses import Decision, Lost, decide_loss, reports_of
from dispensary.supplies.models import Bottle
from dispensary.units import Millilitres
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_carrying import Round, around
from tests.dispensary.test_pickups import prepared
from tests.dispensary.visiting import text_of

__all__ = ["around"]


def bottles(around: Round) -> list[UUID]:
    with around.place.database.reading() as session:
        return list(session.scalars(select(Bottle.id).order_by(Bottle.dose_day)))


def loses(around: Round, *which: int, by: Actor | None = None, at_counter: bool = False, **other: object) -> str:
    found = bottles(around)
    asked = {"what": Lost.DAMAGED, "told": "fell on the stairs", "key": f"loss-on-the-way-{which}", **other}
    try:
        around.place.database.write(
            lambda session: lost_on_the_way(
                session,
                actor=by or around.nurse,
                carrying_id=around.carrying_id,
                bottle_ids=[found[n] for n in which],
                police_number="",
                may_for_others=at_counter,
                today=around.place.today,
                at=around.place.now,
                **asked,
            )
        )
    except Refused as refused:
        return refused.first.code
    return "written down"


class TestOnTheWay:
    def test_it_is_a_line_of_the_register_and_told_and_the_other_is_handed_over(self, around: Round) -> None:
        around.goes()
        assert loses(around, 0) == "written down"
        assert around.states() == ["lost", "out"]
        with around.place.database.reading() as session:
            (lot,) = lots(session, site_id=around.place.site_id)
            assert (lot.balance, lot.bottled) == (Millilitres(4988), 12)
        assert "damaged on the way with NU: fell on the stairs" in str(
            around.one("SELECT reason FROM register_line WHERE kind = 'lost'")
        )
        assert around.one("SELECT severity FROM alert") == "urgent"
        assert around.one("SELECT count(*) FROM dose") == 0, "its day is without a dose"
        assert around.nothing_is_broken()
        assert around.delivers() == "delivered"
        assert around.states() == ["lost", "handed_over"]
        assert around.one("SELECT count(*) FROM dose") == 1
        assert around.one("SELECT count(*) FROM bottle") == 2, "nothing was packed in its place"
        assert around.closes() == "closed"
        assert around.nothing_is_broken()

    def test_the_bottle_s_record_says_with_whom_it_was(self, around: Round) -> None:
        around.goes()
        loses(around, 0)
        with around.place.database.reading() as session:
            record = record_of(session, bottle_id=bottles(around)[0])
        assert [moved.event.state for moved in record] == ["prepared", "out", "lost"]
        assert record[-1].event.note == "damaged on the way with NU: fell on the stairs"
        assert record[-1].by == "NU"

    def test_the_rest_is_counted_in_by_somebody_else(self, around: Round) -> None:
        around.goes()
        loses(around, 1)
        assert around.brings_back(2) == "carrier-count"
        assert around.brings_back(1) == "back"
        assert around.states() == ["prepared", "lost"]
        assert around.nothing_is_broken()

    def test_where_none_is_left_somebody_else_counts_none_in(self, around: Round) -> None:
        around.goes()
        loses(around, 0, 1)
        assert around.delivers() != "delivered"
        assert around.closes() == "still-out"
        assert around.brings_back(0, by=around.nurse) == "carrier-counts-in"
        assert around.brings_back(0) == "back"
        assert around.one("SELECT state FROM pickup") == "cancelled"
        assert around.one("SELECT count(*) FROM pickup_pass WHERE ended_at IS NULL") == 0
        assert around.closes() == "closed"
        assert around.nothing_is_broken()

    def test_nobody_else_writes_it_but_the_counter(self, around: Round) -> None:
        around.goes()
        assert loses(around, 0, by=around.place.doctor) == "not-carried"
        assert loses(around, 0, by=around.place.pharmacist, at_counter=True) == "written down"

    @pytest.mark.parametrize(
        ("other", "code"),
        [({"told": " "}, "told"), ({"key": "short"}, "key")],
        ids=["untold", "no key"],
    )
    def test_it_is_told_how(self, around: Round, other: dict[str, object], code: str) -> None:
        around.goes()
        assert loses(around, 0, **other) == code
        assert around.states() == ["out", "out"]

    def test_only_what_is_out(self, around: Round) -> None:
        around.counts_out()
        assert loses(around, 0) == "not-carried"
        around.takes()
        assert loses(around, 0) == "written down"
        assert loses(around, 0, key="another-key") == "no-bottle"
        assert loses(around, key="no bottle at all") == "bottles"

    def test_pressed_many_times_it_is_written_off_once(self, around: Round) -> None:
        around.goes()
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: loses(around, 0), range(8))) == {"written down"}
        assert around.one("SELECT count(*) FROM register_line WHERE kind = 'lost'") == 1
        assert around.brings_back(1) == "back"
        assert loses(around, 0) == "written down", "the first answer again, also later"

    def test_the_prescriber_decides_and_the_day_is_open_all_the_while(self, around: Round) -> None:
        around.goes()
        loses(around, 0)
        with around.place.database.reading() as session:
            (reported,) = reports_of(session, client_id=around.client)
        assert reported.on_the_way
        assert reported.is_open
        around.place.database.write(
            lambda session: decide_loss(
                session,
                actor=around.place.doctor,
                report_id=reported.report.id,
                decision=Decision.STAYS,
                said="come by tomorrow",
                today=around.place.today,
                at=around.place.now,
            )
        )
        assert around.delivers() == "delivered"
        around.place.move_on()
        assert around.place.give(around.client), "the day of the bottle that broke"
        assert around.nothing_is_broken()


def test_postgresql_takes_no_report_of_what_never_left(around: Round) -> None:
    around.goes()
    loses(around, 0)
    assert around.brings_back(1) == "back"
    on_the_shelf = text(
        "INSERT INTO bottle_event (bottle_id, seq, state, at, account_id, note)"
        " SELECT id, 0, 'lost', now(), packed_by, 'broke on the shelf' FROM bottle WHERE state = 'prepared'"
    )
    reported = text(
        "INSERT INTO reported_bottle (bottle_id, report_id) SELECT b.id, r.id FROM bottle b, bottle_report r"
        " WHERE b.id NOT IN (SELECT bottle_id FROM reported_bottle)"
    )
    with around.place.database.writing() as session:
        session.execute(on_the_shelf)
        with pytest.raises(IntegrityError) as broken:
            session.execute(reported)
        session.rollback()
    assert broken_constraint(broken.value) == "reported_bottle_is_lost"


@pytest.fixture
def house(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_on_the_carrier_s_phone_and_on_the_pages_that_both_sides_read(house: Desks) -> None:
    place = house.place
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    pickup = prepared(place, client, 1, 2)
    nurse, counter = house.seat(Role.NURSE), house.seat(Role.PHARMACIST)
    with house.database.reading() as session:
        carrier = session.execute(text("SELECT id FROM account WHERE username = 'nurse'")).scalar_one()
        first, second = session.scalars(select(Bottle.id).order_by(Bottle.dose_day))
    at_counter = f"/counter/pickups/{pickup.pickup_id}"
    assert counter.post(f"{at_counter}/carry", {"carrier_id": str(carrier), "bottles": "2"}).status_code == 303
    with house.database.reading() as session:
        carrying = session.execute(text("SELECT id FROM carrying")).scalar_one()
    home = f"/carrying/{carrying}"
    assert "lost, broken or spilled" not in nurse.get(home).text, "before they are taken"
    nurse.post(f"{home}/take", {"bottles": "2"})
    assert "A bottle was lost, broken or spilled on the way" in text_of(nurse.get(home))

    key = {"key": "0192f000-0000-7000-8000-0000000000a1"}
    refused = nurse.post(f"{home}/lost", {**key, "bottle": str(first), "what": "damaged", "told": ""})
    assert "What happened is missing" in text_of(refused)
    told = {**key, "bottle": str(first), "what": "damaged", "told": "the bag fell"}
    assert nurse.post(f"{home}/lost", told).headers["location"] == home
    assert "gone" in text_of(nurse.get(home))
    assert "1 sealed bottle" in text_of(nurse.get(home))

    last = {"key": "0192f000-0000-7000-8000-0000000000a2", "bottle": str(second), "what": "lost", "told": "cannot find"}
    kept = counter.post(f"{at_counter}/carried/{carrying}/lost", {**last, "told": ""})
    assert f'value="{second}" checked' in kept.text, "what was ticked is kept"
    report = counter.post(f"{at_counter}/carried/{carrying}/lost", last).headers["location"]
    read = text_of(counter.get(report))
    assert "never reached the client" in read
    assert "It waits for the prescriber" in read
    decided = {"decision": "given_again", "said": "pack them again"}
    assert house.doctor.post(f"{report}/decide", decided).status_code == 303
    assert "Bottles may be packed again for their days" in text_of(counter.get(report))
    assert "Nothing is left to hand over" in text_of(nurse.get(home))
    back = {"bottles": "0", "reason": "both are gone"}
    assert counter.post(f"{at_counter}/carried/{carrying}/back", back).headers["location"].endswith("done=back")
    assert house.acts_about(client).count("reported bottles") == 2
