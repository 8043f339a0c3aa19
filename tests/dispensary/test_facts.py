"""Figures of closed days: what they say once something is learned of them, and that summaries say what records say."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.evaluation.queries import Period
from dispensary.prescribing.service import hold_doses
from dispensary.supplies.closing import close_day
from dispensary.supplies.returns import take_back
from tests.builders import Clinic, clinic
from tests.dispensary.measured import asked, figures
from tests.dispensary.test_evaluation import ask, export_days, table
from tests.dispensary.test_verification import findings


@pytest.fixture
def place(database: Database, now: datetime) -> Clinic:
    return clinic(database, now)


def test_a_bottle_that_came_back_full_after_its_day_was_closed_uncovers_it_from_that_moment_on(
    place: Clinic, tmp_path: Path
) -> None:
    client, held = place.client(), place.client()
    for each in (client, held):
        place.decide(each, per_supply=3)
        place.give(each, take_home_days=place.ahead(1, 2, 3))
    with place.database.reading() as session:
        bottles = session.execute(text("SELECT client_id, id FROM bottle ORDER BY client_id, dose_day")).all()
    place.move_on(3)
    with place.database.writing() as session:
        close_day(session, actor=place.pharmacist, day=place.today, today=place.today, counts=None, at=place.now)
        hold_doses(
            session,
            actor=place.doctor,
            client_id=held,
            from_day=place.today - timedelta(days=1),
            until_day=None,
            reason="ECG first",
            at=place.now,
        )
    before, days = place.now, Period(place.today - timedelta(days=3), place.today + timedelta(days=1))
    said = export_days(place, tmp_path / "before", period=days)[1]
    place.move_on()
    for each in (client, held):
        with place.database.writing() as session:
            took = take_back(
                session,
                actor=place.pharmacist,
                client_id=each,
                bottles=[(bottle, True) for owner, bottle in bottles if owner == each][1:2],
                reason="was in hospital",
                today=place.today,
                at=place.now,
            )
        assert took.uncovered == (place.today - timedelta(days=2),)
    counted, files = export_days(place, tmp_path / "after", period=days)
    assert sorted((row["day"], row["outcome"], row["given_mg"]) for row in table(files["dose-days.csv"])) == [
        *(("0", "observed", "80.00"),) * 2,
        *(("1", "take_home", "80.00"),) * 2,
        ("2", "held", "0.00"),
        ("2", "missed", "0.00"),
        *(("3", "take_home", "80.00"),) * 2,
    ]
    assert (counted.days, counted.covered, counted.held) == (7, 6, 1), "a held day is nobody's missed day"
    assert export_days(place, tmp_path / "again", period=days, as_of=before)[1] == said, "nobody knew then"
    assert [row["covered"] for row in table(said["dose-days.csv"])] == ["1"] * 8
    last = {stay.last_day for stay, _ in ask(place, gap_days=1).all.observed}
    assert last == {days.until_day - timedelta(days=1)}
    pdc = {as_of: figures(asked(place, "adherence", period=days, as_of=as_of))["pdc"] for as_of in (before, place.now)}
    assert pdc == {before: ("8", "8"), place.now: ("6", "7")}
    assert findings(place.database, place.now) == []
