"""Damage to extra doses, reductions, reviews, returns, recalls and weekly patterns is found and named."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.prescribing.sections import Topic
from dispensary.supplies.recalls import call_back, count
from dispensary.supplies.returns import take_back
from tests.builders import Clinic, clinic
from tests.dispensary.damages import UNUSUAL_DAMAGES
from tests.dispensary.test_verification import damage, findings
from tests.dispensary.unusual_place import (
    allowed,
    called,
    follows,
    gave,
    orders,
    partly,
    replaced,
    spilled,
    topped_up,
    vomited,
)


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    """A clinic on a day when hardly anything was as usual."""
    place = clinic(database, now)
    follows(place, Topic.MISSED, "AU-NAT-2003")
    away, carrying = place.client(mg="100"), place.client(mg="60")
    place.give(away)
    place.move_on(20)
    orders(place, away, "100")
    place.give(away)
    place.move_on(4)
    called(place, away, "45")
    place.now += timedelta(minutes=5)
    place.give(away)
    place.decide(carrying, per_supply=4)
    place.give(carrying, take_home_days=place.ahead(1, 2, 3))
    sick, more, wrong, half, fell = (place.client(mg=mg) for mg in ("81", "82", "83", "84", "85"))
    for client in (sick, more, wrong, fell):
        place.give(client)
    about = vomited(place, sick, 5)
    allowed(place, about, "40")
    replaced(place, about)
    place.now += timedelta(minutes=5)
    orders(place, more, "90", ahead=1)
    topped_up(place, more, "8")
    gave(place, wrong, "100")
    partly(place, half, "50")
    spilled(place, fell)
    with database.writing() as session:
        recall = call_back(
            session,
            actor=place.doctor,
            client_id=carrying,
            cause="check",
            from_day=place.today,
            bring_by=place.ahead(2)[0],
            at=place.now,
        )
        count(
            session,
            actor=place.pharmacist,
            recall_id=recall.id,
            counted_full=3,
            portions_taken=1,
            today=place.today,
            at=place.now,
        )
        bottles = list(session.scalars(text("SELECT id FROM bottle ORDER BY dose_day LIMIT 2")))
        take_back(
            session,
            actor=place.pharmacist,
            client_id=carrying,
            bottles=[(bottles[0], True), (bottles[1], True)],
            reason="goes to hospital",
            today=place.today,
            at=place.now,
        )
    return place


def test_a_day_on_which_hardly_anything_was_as_usual_has_no_finding(place: Clinic) -> None:
    assert findings(place.database, place.now) == []
    with place.database.reading() as session:
        kinds = session.scalars(text("SELECT DISTINCT kind FROM extra_dose ORDER BY kind")).all()
    assert kinds == ["in_error", "replacement", "top_up"]


@pytest.mark.parametrize(("sql", "expected"), UNUSUAL_DAMAGES, ids=range(len(UNUSUAL_DAMAGES)))
def test_damage_is_found_and_named(place: Clinic, sql: str, expected: str) -> None:
    damage(place, sql)
    found = findings(place.database, place.now)
    assert any(re.search(expected, finding) for finding in found), found
