"""Past mornings with their stamps, written straight into the table, since what is read is what is tested."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from dispensary.database import Database
from scheduling.models import Visit


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
    each, visits = timedelta(minutes=minutes), []
    for day in days:
        moment = datetime.combine(day, opens, ZoneInfo(zone))
        visits += [
            {
                "place_id": place_id,
                "holder_id": uuid4(),
                "day": day,
                "ticket": number + 1,
                "arrived_at": moment,
                "started_at": moment + number * each,
                "ended_at": moment + (number + 1) * each,
            }
            for number in range(people)
        ]
    with database.writing() as session:
        session.execute(insert(Visit), visits)
