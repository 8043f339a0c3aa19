"""Past mornings with their stamps, written straight into the tables, since what is read is what is tested."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from dispensary.database import Database

_VISITS = """
INSERT INTO visit (id, place_id, holder_id, day, ticket, arrived_at, called_at, started_at, ended_at)
SELECT gen_random_uuid(), :place, gen_random_uuid(), :day, n, :opens,
    :opens + (n - 1) * :each, :opens + (n - 1) * :each, :opens + n * :each
FROM generate_series(1, :people) AS n
"""


def mornings(
    database: Database,
    place_id: UUID,
    days: list[date],
    *,
    people: int = 60,
    minutes: float = 1.5,
    opens: time = time(7),
    zone: str = "Asia/Kuala_Lumpur",
) -> None:
    """On each day so many people come at opening and are served one after another, all of them in the same time."""
    with database.writing() as session:
        for day in days:
            moment = datetime.combine(day, opens, ZoneInfo(zone))
            values = {"place": place_id, "day": day, "opens": moment, "each": timedelta(minutes=minutes)}
            session.execute(text(_VISITS), values | {"people": people})
