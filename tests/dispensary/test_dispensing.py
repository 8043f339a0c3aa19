"""Handing over at the counter: what leaves, what is refused and why, and what the register says."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database, broken_constraint
from dispensary.prescribing.service import hold_doses, order_dose, release_hold
from dispensary.refusals import Refused
from dispensary.supplies.exceptions import withhold
from dispensary.units import milligrams
from tests.builders import Clinic, clinic


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def one(place: Clinic, sql: str, **values: object) -> object:
    with place.database.reading() as session:
        return session.execute(text(sql), values).scalar_one()


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def test_an_observed_dose_leaves_the_safe_and_covers_the_day(place: Clinic) -> None:
    client = place.client(mg="80")
    handed = place.give(client)
    assert handed.answer["doses"] == [
        {"day": str(place.today), "portion": 1, "of": 1, "kind": "observed", "mg": "80.00", "ml": "16.000"}
    ]
    assert one(place, "SELECT balance FROM lot") == Decimal("4984.000")
    line = "SELECT (ml, consumed_ml, taken_home_ml, balance)::text FROM register_line WHERE kind = 'supplied'"
    assert one(place, line) == "(-16.000,16.000,0.000,4984.000)"


def test_a_second_dose_on_the_same_day_is_refused_and_nothing_moves(place: Clinic) -> None:
    client = place.client()
    place.give(client)
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["already-covered"]
    assert one(place, "SELECT count(*) FROM dose") == 1
    assert one(place, "SELECT count(*) FROM register_line WHERE kind = 'supplied'") == 1


def test_the_same_key_gets_the_first_answer_and_another_content_is_refused(place: Clinic) -> None:
    client = place.client()
    first = place.give(client, key="morning-0001")
    again = place.give(client, key="morning-0001")
    assert (again.supply_id, again.answer, again.repeated) == (first.supply_id, first.answer, True)
    with pytest.raises(Refused) as refused:
        place.give(place.client(), key="morning-0001")
    assert codes(refused) == ["key-reused"]


def test_six_bottles_and_the_observed_dose_leave_in_one_act(place: Clinic) -> None:
    client = place.client(mg="60")
    place.decide(client, per_supply=6)
    handed = place.give(client, take_home_days=place.ahead(1, 2, 3, 4, 5, 6))
    assert [dose["kind"] for dose in handed.answer["doses"]] == ["observed"] + ["take_home"] * 6
    assert one(place, "SELECT count(*) FROM bottle WHERE state = 'handed_over'") == 6
    line = "SELECT (consumed_ml, taken_home_ml)::text FROM register_line WHERE kind = 'supplied'"
    assert one(place, line) == "(12.000,72.000)"


@pytest.mark.parametrize(
    ("per_supply", "per_week", "days", "code"),
    [
        (None, None, (1,), "no-decision"),
        (2, None, (1, 2, 3), "take-home-per-supply"),
        (6, 3, (1, 2, 3, 4), "take-home-per-week"),  # Tuesday: Wednesday to Saturday are one week
    ],
)
def test_the_counter_obeys_the_doctors_decision(
    place: Clinic, per_supply: int | None, per_week: int | None, days: tuple[int, ...], code: str
) -> None:
    client = place.client()
    if per_supply is not None:
        place.decide(client, per_supply=per_supply, per_week=per_week)
    with pytest.raises(Refused) as refused:
        place.give(client, take_home_days=place.ahead(*days))
    assert code in codes(refused)
    assert one(place, "SELECT count(*) FROM dose") == 0, (
        "nothing of a refused supply is kept, the observed dose neither"
    )


def test_no_dose_without_an_order_and_none_while_the_prescriber_holds_it(place: Clinic) -> None:
    client = place.client()
    with place.database.writing() as session:
        hold = hold_doses(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=place.today,
            until_day=None,
            reason="ECG first",
            at=place.now,
        )
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["held"]
    assert "ECG first" in refused.value.first.sentence
    with place.database.writing() as session:
        release_hold(session, actor=place.doctor, client_id=client, hold_id=hold.id, reason="ECG done", at=place.now)
    assert place.give(client).answer["doses"]
    place.decide(client, per_supply=28)


def test_a_client_who_is_not_identified_or_not_well_is_not_dosed(place: Clinic) -> None:
    client = place.client()
    with pytest.raises(Refused) as refused:
        place.give(client, identified_by="", well=False)
    assert codes(refused) == ["not-identified", "not-well"]
    with place.database.writing() as session:
        withhold(
            session, actor=place.pharmacist, client_id=client, observation="drowsy", today=place.today, at=place.now
        )
    assert one(place, "SELECT severity FROM alert") == "urgent"
    assert place.give(client).answer["doses"], "seen again later the same day, well: dosed"


def test_a_split_dose_is_observed_in_the_morning_and_carried_for_the_evening(place: Clinic) -> None:
    client = place.client(mg="100", parts=("60", "40"))
    place.decide(client, per_supply=1)
    handed = place.give(client, take_home_days=(place.today,))
    assert [(d["portion"], d["kind"], d["mg"]) for d in handed.answer["doses"]] == [
        (1, "observed", "60.00"),
        (2, "take_home", "40.00"),
    ]
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["already-covered"]


def test_after_three_days_without_a_dose_the_old_order_no_longer_counts(place: Clinic) -> None:
    client = place.client(mg="100")
    place.give(client)
    place.move_on(3)  # two days without: as ordered
    assert place.give(client).answer["doses"]
    place.move_on(4)
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["absent"]
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams("50"),
            from_day=place.today,
            reason="half after three missed days",
            second_look="restart at half",
            today=place.today,
            at=place.now,
        )
    with pytest.raises(Refused) as refused:
        place.give(client)
    assert codes(refused) == ["second-look"], "half the last dose jumps: somebody looks twice"
    assert place.give(client, second_look="restart, spoke to Dr. Lim").answer["doses"][0]["mg"] == "50.00"


def test_an_expired_or_empty_lot_gives_nothing(database: Database, now: datetime) -> None:
    place = clinic(database, now, ml="10")
    with pytest.raises(Refused) as refused:
        place.give(place.client(mg="80"))
    assert codes(refused) == ["no-stock"]
    assert place.give(place.client(mg="50")).answer["doses"][0]["ml"] == "10.000", "to the last drop, not below"


def test_64_counters_dose_one_client_once(place: Clinic) -> None:
    client = place.client()
    start = threading.Barrier(64)

    def try_to_dose(number: int) -> str:
        start.wait()
        try:
            place.give(client, key=f"counter-{number:04d}")
        except Refused as refused:
            return refused.first.code
        return "dosed"

    with ThreadPoolExecutor(64) as pool:
        results = list(pool.map(try_to_dose, range(64)))
    assert results.count("dosed") == 1
    assert set(results) == {"dosed", "already-covered"}
    assert one(place, "SELECT balance FROM lot") == Decimal("4984.000")
    assert one(place, "SELECT count(*) FROM audit_entry WHERE act = 'dispensed'") == 1


def test_64_clients_are_dosed_at_once_and_every_balance_is_exact(place: Clinic) -> None:
    clients = [place.client(mg="40") for _ in range(64)]
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(place.give, clients))
    assert one(place, "SELECT balance FROM register_book") == Decimal("4488.000")
    running = """SELECT bool_and(balance = total) FROM
        (SELECT balance, sum(ml) OVER (ORDER BY seq) AS total FROM register_line) AS lines"""
    assert one(place, running) is True


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE register_line SET ml = -1", "never_changed"),
        ("DELETE FROM register_line", "never_changed"),
        ("TRUNCATE register_line CASCADE", "never_changed"),
        ("UPDATE lot SET balance = 9999", "balance_by_register"),
        ("UPDATE register_book SET balance = 9999", "balance_by_register"),
        ("UPDATE audit_entry SET act = 'nothing'", "never_changed"),
        ("DELETE FROM audit_entry", "never_changed"),
        ("UPDATE dose SET mg = 10", "never_changed"),
        ("DELETE FROM dose", "never_changed"),
        ("UPDATE dose_order SET mg = 10, portions = '{10}'", "dose_order_rewritten"),
        ("UPDATE dose_order SET portions = '{10}'", "dose_order_portions_add_up"),
    ],
)
def test_postgresql_itself_refuses_to_rewrite_what_was_written(place: Clinic, statement: str, constraint: str) -> None:
    place.give(place.client())
    with pytest.raises(DBAPIError) as refused, place.database.engine.begin() as connection:
        connection.execute(text(statement))
    assert broken_constraint(refused.value) == constraint
