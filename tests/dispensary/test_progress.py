"""A progress report states attendance alone, and by the client's own consent alone; a referrer is told nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dispensary.clients.rules import EntryRoute
from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.attendance import attendance_of
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.test_consents import taken
from tests.paper import words_of


@pytest.fixture
def here(database: Database, now: datetime, tmp_path: Path) -> Desks:
    return desks(database, now, tmp_path)


def test_a_nurse_reports_days_and_counts_and_nothing_else(here: Desks) -> None:
    client = here.place.client()
    for _ in range(3):
        here.place.give(client)
        here.days_pass(1)
    at = f"/consulting/clients/{client}/disclosing/progress"
    nurse = here.seat(Role.NURSE)
    days = {"first": (here.today - timedelta(days=7)).isoformat(), "last": here.today.isoformat()}
    assert "waits for their consent" in nurse.get(at).text
    refused = nurse.post(f"{at}.pdf", days)
    assert (refused.status_code, "no-consent-to-report" in refused.text) == (409, True)
    consent = taken(here.place, client)
    paper = nurse.post(f"{at}.pdf", {**days, "on": str(consent.id)})
    said = words_of(paper.content)
    assert "came on 3 days" in said
    assert "24 Nov 2026, 25 Nov 2026, 26 Nov 2026" in said
    for never in ("mg", "methadone", "Methadone", "Result", "counter"):
        assert never not in said
    assert "disclosed" in here.acts_about(client)
    assert here.seat(Role.PHARMACIST).get(at).status_code == 403
    with here.database.reading() as session:
        found = attendance_of(session, client_id=client, first=here.today, last=here.today)
    assert (found.agreed, found.came) == ((), ())


def test_whoever_referred_somebody_is_told_nothing(here: Desks) -> None:
    client = here.enrolled("H7001", route=EntryRoute.POLICE)
    with here.database.reading() as session:
        left = "SELECT (SELECT count(*) FROM release), (SELECT count(*) FROM message), (SELECT count(*) FROM task)"
        assert tuple(session.execute(text(left)).one()) == (0, 0, 0)
    assert here.acts_about(client) == ["enrolled"]
