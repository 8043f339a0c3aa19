"""Orders: amounts and portions, the jump guard, and a chain that never overlaps and has no gap that nobody chose."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dispensary.database import Database, broken_constraint
from dispensary.prescribing.rules import Jump, JumpGuard, jump, jump_refusal, parse_portions, portions_of
from dispensary.prescribing.service import order_dose, stop_order
from dispensary.refusals import Refusal, Refused
from dispensary.units import BadAmount, ClientId, milligrams
from tests.builders import Clinic, clinic

GUARD = JumpGuard(30, Decimal(20))
AMOUNTS = st.decimals("0.01", "1000", places=2).map(milligrams)


@pytest.mark.parametrize(
    ("last", "dose", "found"),
    [
        (None, "250", Jump.USUAL),  # a first dose is judged by induction limits, not by a jump
        ("80", "80", Jump.USUAL),
        ("80", "100", Jump.USUAL),  # 20 mg is the lesser of 24 and 20
        ("80", "101", Jump.SECOND_LOOK),
        ("80", "60", Jump.USUAL),
        ("80", "59", Jump.SECOND_LOOK),
        ("20", "26", Jump.USUAL),  # 30 % of 20 is the lesser
        ("20", "27", Jump.SECOND_LOOK),
        ("11", "110", Jump.TEN_FOLD),  # heard or read ten-fold
        ("11", "109", Jump.SECOND_LOOK),
        ("5", "62.5", Jump.TEN_FOLD),
    ],
)
def test_the_jump_guard_compares_with_the_last_dose(last: str | None, dose: str, found: Jump) -> None:
    assert jump(Decimal(last) if last else None, Decimal(dose), GUARD) is found


@given(AMOUNTS, AMOUNTS, st.text(min_size=1).filter(str.strip))
def test_a_reason_opens_a_jump_and_never_a_ten_fold(last: Decimal, dose: Decimal, why: str) -> None:
    refusal = jump_refusal(last, dose, GUARD, why)
    assert (refusal is not None) == (dose >= 10 * last)


@given(AMOUNTS, st.lists(AMOUNTS, max_size=6))
def test_portions_add_up_exactly_or_are_refused(mg: Decimal, parts: list[Decimal]) -> None:
    chosen = portions_of(mg, parts)
    fits = not parts or (len(parts) <= 4 and sum(parts) == mg)
    assert isinstance(chosen, Refusal) != fits
    if not isinstance(chosen, Refusal):
        assert sum(chosen) == mg


def test_portions_are_written_as_people_write_them() -> None:
    assert parse_portions(" 60 + 40 ") == [Decimal("60.00"), Decimal("40.00")]
    assert parse_portions("") == []
    for wrong in ("60+", "60+x", "60+NaN", "60+-1", "1e500"):
        with pytest.raises(BadAmount):
            parse_portions(wrong)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def order(place: Clinic, client: ClientId, mg: str, from_day: date, until: date | None = None, **how: object) -> None:
    asked = {"second_look": "checked", "bottles_seen": True, **how}
    with place.database.writing() as session:
        order_dose(
            session,
            actor=place.doctor,
            client_id=client,
            mg=milligrams(mg),
            from_day=from_day,
            until_day=until,
            reason="test",
            today=place.today,
            at=place.now,
            **asked,  # type: ignore[arg-type]
        )


def stop(place: Clinic, client: ClientId, from_day: date) -> None:
    with place.database.writing() as session:
        stop_order(
            session,
            actor=place.doctor,
            client_id=client,
            from_day=from_day,
            reason="test",
            today=place.today,
            at=place.now,
        )


def chain(place: Clinic, client: ClientId) -> list[tuple[date, date | None, str | None]]:
    with place.database.reading() as session:
        rows = session.execute(
            text("""SELECT lower(days) AS begins, upper(days) AS ends, end_reason FROM dose_order
                    WHERE client_id = :client AND voided_at IS NULL ORDER BY lower(days)"""),
            {"client": client},
        )
        return [(row.begins, row.ends, row.end_reason) for row in rows]


def test_a_new_order_takes_over_without_a_gap_and_sets_later_ones_aside(place: Clinic) -> None:
    client = place.client(mg="80")
    later, sooner = place.ahead(10, 3)
    order(place, client, "90", later)
    order(place, client, "85", sooner)
    assert chain(place, client) == [(place.today, sooner, "superseded"), (sooner, None, None)]


def test_stopping_an_order_on_its_first_day_leaves_the_earlier_one_stopped(place: Clinic) -> None:
    client = place.client(mg="80")
    (tomorrow,) = place.ahead(1)
    order(place, client, "90", tomorrow)
    stop(place, client, tomorrow)
    assert chain(place, client) == [(place.today, tomorrow, "stopped")]


def test_what_the_doctor_must_see_first(place: Clinic) -> None:
    client = place.client(mg="80", began=place.today - timedelta(days=10))
    (tomorrow, later) = place.ahead(1, 2)

    def refused(**how: object) -> set[str]:
        with pytest.raises(Refused) as refusal:
            order(place, client, "85", **{"from_day": tomorrow, **how})  # type: ignore[arg-type]
        return {each.code for each in refusal.value.refusals}

    assert refused(covered_days={tomorrow}) == {"day-covered"}
    assert refused(covered_days={later}, bottles_seen=False) == {"bottles-at-home"}
    assert refused(from_day=place.today - timedelta(days=1)) == {"begins-earlier"}
    assert refused(until=tomorrow) == {"ends-before"}
    with pytest.raises(Refused) as refusal:
        order(place, client, "120", tomorrow, second_look="")
    assert refusal.value.first.code == "second-look"


def test_postgresql_refuses_an_overlap_and_a_gap(place: Clinic) -> None:
    client = place.client(mg="80")
    copy = """INSERT INTO dose_order
            (id, episode_id, client_id, site_id, days, mg, portions, reason, ordered_at, origin)
        SELECT gen_random_uuid(), episode_id, client_id, site_id, {days}, mg, portions, reason, ordered_at, origin
        FROM dose_order WHERE client_id = :client LIMIT 1"""
    cut = """UPDATE dose_order SET days = daterange(lower(days), lower(days) + 5), end_reason = 'superseded',
        ended_at = now() WHERE client_id = :client"""
    with pytest.raises(DBAPIError) as overlap, place.database.engine.begin() as connection:
        connection.execute(text(copy.format(days="daterange(lower(days) + 3, NULL)")), {"client": client})
    assert broken_constraint(overlap.value) == "dose_order_no_overlap"
    connection = place.database.engine.connect()
    connection.execute(text(cut), {"client": client})
    connection.execute(text(copy.format(days="daterange(lower(days) + 7, NULL)")), {"client": client})
    with pytest.raises(DBAPIError) as gap:
        connection.commit()
    connection.close()
    assert broken_constraint(gap.value) == "dose_order_gap"


STEPS = st.lists(
    st.tuples(st.sampled_from(["order", "order until", "stop"]), st.integers(0, 12), st.integers(1, 6)), max_size=8
)


@pytest.fixture
def shared(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_whatever_is_ordered_and_stopped_the_chain_has_no_overlap_and_no_gap_unchosen(
    shared: Clinic, steps: list[tuple[str, int, int]]
) -> None:
    client = shared.client(mg="80")
    for what, ahead, lasting in steps:
        (day,) = shared.ahead(ahead)
        try:
            if what == "stop":
                stop(shared, client, day)
            else:
                order(shared, client, "85", day, day + timedelta(days=lasting) if what == "order until" else None)
        except Refused:
            continue
    links = chain(shared, client)
    for (_, ends, why), (begins, _, _) in pairwise(links):
        assert ends is not None
        assert ends <= begins
        assert ends == begins or why in {"stopped", "as_written"}
