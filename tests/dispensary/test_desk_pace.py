"""From the scan to the recorded dose: what the server takes for finding, showing and handing over, together."""

from __future__ import annotations

import re
import statistics
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text

from dispensary.database import Database
from dispensary.staff.rules import Role
from dispensary.supplies.pickups import prepare_pickup
from dispensary.units import ClientId
from tests.dispensary.desk_place import Desks, desks
from tests.dispensary.visiting import Visitor

MOST_MS = 100
BUSY = 3
"""A machine that runs other things meanwhile may be so many times slower."""
TIMES = 20


def doses(here: Desks) -> int:
    with here.database.reading() as session:
        return int(session.execute(text("SELECT count(*) FROM dose")).scalar_one())


def number_of(here: Desks, client: ClientId) -> str:
    with here.database.reading() as session:
        return str(session.execute(text("SELECT number FROM client WHERE id = :c"), {"c": client}).scalar_one())


def given(counter: Visitor, number: str) -> float:
    """Milliseconds from the number that is scanned to the dose that is recorded, all three answers together."""
    began = time.perf_counter()
    at = counter.post("/counter/find", {"sought": number}).headers["location"]
    page = counter.get(at)
    shown = dict(re.findall(r'name="(shown_\w+)" value="([^"]*)"', page.text))
    form = {"observed": "yes", "identified_by": "second_identifier", "well": "yes", "key": str(uuid4()), **shown}
    done = counter.post(f"{at}/supply", form)
    assert done.headers.get("location", "").startswith("/counter?done="), done.text
    return (time.perf_counter() - began) * 1000


def test_a_usual_dose_is_recorded_within_a_tenth_of_a_second(database: Database, now: datetime, tmp_path: Path) -> None:
    here = desks(database, now, tmp_path)
    numbers = [number_of(here, here.place.client()) for _ in range(TIMES + 2)]
    counter = here.seat(Role.PHARMACIST)
    for number in numbers[:2]:  # what is loaded once
        given(counter, number)

    took = statistics.median(given(counter, number) for number in numbers[2:])

    assert doses(here) == TIMES + 2
    assert took < MOST_MS * BUSY, f"{took:.0f} ms; {MOST_MS} ms is the goal on a machine of its own"


MOST_STATEMENTS = 20
"""Of the page after a scan, for a client with bottles that are packed, from the sign-in to the entry in the trail."""


def test_the_page_after_a_scan_asks_the_database_few_questions(
    database: Database, now: datetime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = desks(database, now, tmp_path)
    client = here.place.client()
    here.place.decide(client, per_supply=6)
    here.place.give(client)
    here.days_pass(1)
    with database.writing() as session:
        prepare_pickup(
            session,
            actor=here.place.pharmacist,
            client_id=client,
            collect_on=here.place.today,
            take_home_days=here.place.ahead(1, 2),
            valid=(here.place.now - timedelta(hours=1), here.place.now + timedelta(hours=12)),
            today=here.place.today,
            at=here.place.now,
        )
    counter = here.seat(Role.PHARMACIST)
    counter.get("/counter")  # what the night left undone is looked up every few seconds, whichever page is asked for
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def told(cursor: psycopg.Cursor[Any], query: Any, *given: Any, **options: Any) -> psycopg.Cursor[Any]:
        asked.append(" ".join(str(query).split())[:120])
        return execute(cursor, query, *given, **options)

    monkeypatch.setattr(psycopg.Cursor, "execute", told)
    answer = counter.get(f"/counter/clients/{client}")

    assert 'name="pickup_id"' in answer.text
    assert any("audit_entry" in each for each in asked), "what goes past SQLAlchemy is counted too"
    assert len(asked) <= MOST_STATEMENTS, "\n".join(asked)
