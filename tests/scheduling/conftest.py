"""A place in Kuala Lumpur that opens from seven to ten, Monday to Saturday, in quarters of an hour for two people."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta
from threading import Barrier
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from dispensary.database import Database
from scheduling import service
from scheduling.rules import Hours, NotBooked

TODAY = date(2026, 11, 24)
At = Callable[..., datetime]


def week(capacity: int = 2, *, opens: time = time(7), closes: time = time(10), slot_minutes: int = 15) -> list[Hours]:
    return [Hours(weekday, opens, closes, slot_minutes, capacity, windows=2) for weekday in range(6)]


@pytest.fixture
def place_id(database: Database) -> UUID:
    place_id = uuid4()
    with database.writing() as session:
        service.add_place(session, place_id=place_id, zone="Asia/Kuala_Lumpur")
        service.set_hours(session, place_id=place_id, hours=week(), from_day=date(2026, 1, 1))
    return place_id


@pytest.fixture
def at() -> At:
    """A moment on the clock of Kuala Lumpur, today or some days later."""

    def moment(hour: int, minute: int = 0, *, days: int = 0) -> datetime:
        return datetime.combine(TODAY + timedelta(days=days), time(hour, minute), ZoneInfo("Asia/Kuala_Lumpur"))

    return moment


@pytest.fixture
def crowd(database_url, vault):
    """A database that lets 64 people in at the same moment."""
    database = Database(database_url, vault, pool_size=64)
    yield database
    database.close()


@pytest.fixture
def at_once():
    """Runs a piece of work for each item, all of them begun at the same moment, and returns what became of each."""

    def run(work, items):
        items = list(items)
        gate = Barrier(len(items))

        def one(item):
            gate.wait()
            try:
                return work(item)
            except NotBooked as refused:
                return refused

        with ThreadPoolExecutor(len(items)) as threads:
            return list(threads.map(one, items))

    return run
