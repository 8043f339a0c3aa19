"""Nothing is poured or bottled from a lot that has expired: PostgreSQL refuses it, and what went past it is named."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from dispensary.database import Database, broken_constraint
from dispensary.refusals import Refused
from tests.builders import Clinic, clinic
from tests.dispensary.safe_place import counted, received, wrong
from tests.dispensary.test_outage_entry import enter, paper
from tests.dispensary.test_pickups import prepared
from tests.dispensary.unusual_place import gave

COPY = "INSERT INTO {table} SELECT (jsonb_populate_record(old, jsonb_build_object({changed}))).* FROM {table} old"


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


@pytest.fixture
def old(place: Clinic) -> UUID:
    """A lot that expires tomorrow, and before the other one."""
    return received(place, "A-OLD", "400", days=1)


def does(place: Clinic, sql: str, **values: object) -> None:
    with place.database.writing() as session:
        session.execute(text(sql), values)


def refused(place: Clinic, sql: str, **values: object) -> str:
    with pytest.raises(IntegrityError) as error:
        does(place, sql, **values)
    return broken_constraint(error.value)


def expires(place: Clinic, lot: UUID, days: int) -> None:
    """As a repair by hand would: what the lot says is never changed otherwise."""
    with place.database.writing() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE lot SET expires_on = :day WHERE id = :lot"),
            {"lot": lot, "day": place.today + timedelta(days=days)},
        )


def test_today_is_poured_from_the_lot_that_expires_tomorrow_and_the_bottles_after_it_from_the_next(
    place: Clinic, old: UUID
) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=3)
    place.give(client, take_home_days=place.ahead(1, 2, 3))
    with place.database.reading() as session:
        rows = session.execute(text("SELECT dose_day, lot_id = :old FROM dose ORDER BY 1"), {"old": old}).all()
    assert [from_old for _, from_old in rows] == [True, True, False, False]
    assert wrong(place) == []


@pytest.mark.parametrize("ahead", [1, 2])
def test_postgresql_refuses_a_dose_of_a_day_on_which_the_lot_has_expired(place: Clinic, old: UUID, ahead: int) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=3)
    place.give(client, take_home_days=place.ahead(3))
    changed = f"'id', gen_random_uuid(), 'dose_day', old.dose_day + {ahead}, 'kind', 'take_home'"
    copy = COPY.format(table="dose", changed=changed) + " WHERE old.kind = 'observed'"
    if ahead == 1:
        does(place, copy)
    else:
        assert refused(place, copy) == "lot_in_date"


def test_postgresql_refuses_a_share_of_a_lot_that_has_expired(place: Clinic, old: UUID) -> None:
    place.give(place.client(mg="80"))
    expires(place, place.lot_id, -1)
    share = "INSERT INTO dose_part SELECT id, :lot, mg / 2, ml / 2 FROM dose"
    assert refused(place, share, lot=place.lot_id) == "lot_in_date"


def test_postgresql_refuses_a_bottle_for_a_day_after_the_lot_has_expired(place: Clinic, old: UUID) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=3)
    prepared(place, client, 1)
    later = COPY.format(
        table="bottle",
        changed="'id', gen_random_uuid(), 'serial', '4711', 'dose_day', old.dose_day + 1",
    )
    assert refused(place, later) == "lot_in_date"


def test_a_safe_of_expired_lots_gives_nothing(place: Clinic) -> None:
    expires(place, place.lot_id, -1)
    with pytest.raises(Refused) as why:
        place.give(place.client())
    assert why.value.first.code == "no-stock"


def test_what_was_given_in_error_or_on_paper_is_a_fact_and_is_written_down(place: Clinic, old: UUID) -> None:
    counted(place, "0", reason="poured away, two saw it")
    first, second = place.client(mg="80"), place.client(mg="80")
    place.give(first)
    gave(place, first, "100")
    enter(place, paper(place, second))
    assert wrong(place) == []


@pytest.mark.parametrize(
    ("bottled", "named"),
    [
        (False, r"was poured from lot A-OLD, which expired on 2026-11-23"),
        (True, r"stands prepared for 2026-11-25 from lot A-OLD, which expires on 2026-11-23"),
    ],
    ids=["a dose", "a bottle"],
)
def test_verify_names_what_came_from_an_expired_lot(place: Clinic, old: UUID, bottled: bool, named: str) -> None:
    client = place.client(mg="80")
    place.decide(client, per_supply=3)
    if bottled:
        prepared(place, client, 1)
    else:
        place.give(client)
    assert wrong(place) == []
    expires(place, old, -1)
    (found,) = wrong(place)
    assert named in found
