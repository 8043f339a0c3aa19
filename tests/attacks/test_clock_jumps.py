"""The clock of the server jumps, a day on and an hour back: nobody is dosed twice, and no sign-in lives longer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.rules import dose_day
from tests.builders import Clinic, clinic
from tests.dispensary.desk_place import Desks, desks


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def _moves(here: Desks, **units: float) -> None:
    here.clock.goes_on(**units)


def test_a_sign_in_ends_with_a_jump_on_and_is_not_made_longer_by_one_back(here: Desks) -> None:
    visitor = here.doctor
    visitor.comes_back = False
    _moves(here, hours=-1)
    assert visitor.get("/consulting").status_code == 200, "an hour back shuts nobody out"
    _moves(here, hours=1)
    assert visitor.get("/consulting").status_code == 200
    _moves(here, days=1)
    assert visitor.get("/consulting").headers["location"].startswith("/signin")
    _moves(here, days=-1)
    answer = visitor.get("/consulting")
    assert answer.status_code in (200, 303), "its end was never earlier than its twelve hours"


def test_a_dose_day_is_covered_once_whatever_the_clock_says(
    database: Database, now: datetime, record_property: Callable[[str, object], None]
) -> None:
    place: Clinic = clinic(database, now)
    clients = [place.client(mg="80", began=place.today - timedelta(days=3)) for _ in range(5)]
    tries = 0
    for hours in (0, 1, -1, 24, -24, 0, -1, 1):
        place.now = now + timedelta(hours=hours)
        place.today = dose_day("Asia/Kuala_Lumpur", time(0), place.now)
        for number, client in enumerate(clients):
            tries += 1
            try:
                place.give(client, key=f"{number} at {place.today} {tries}")
            except Refused:
                continue
    with database.reading() as session:
        doubled = session.execute(
            text("SELECT client_id, dose_day, portion, count(*) FROM dose GROUP BY 1, 2, 3 HAVING count(*) > 1")
        ).all()
        given = session.scalar(text("SELECT count(*) FROM dose"))
        assert doubled == []
        assert list(audit.broken_links(session, site_id=place.site_id)) == []
    record_property("tries", tries)
    record_property("figure", f"{given} doses of {tries} asked for, none twice, chain whole")
