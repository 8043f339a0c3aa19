"""The last places of a slot: 64 ask for them at the same moment, over the API, and as many get one as there are."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text

import scheduling.queries
import scheduling.service
from benchmarks.clinics import open_clinic, signs_in
from benchmarks.figures import Figure, of_rounds, say
from benchmarks.ground import Ground, takehome
from benchmarks.load import put_on
from scheduling.rules import Hours

NAME = "booking"
AT_ONCE = 64
CAPACITY = 5
ROUNDS = 10


def run(ground: Ground) -> list[Figure]:
    """One slot a round, on a day of its own: a client has one booking a day."""
    say(f"booking: {AT_ONCE} at once, {ROUNDS} times")
    ground.copy("booking")
    with ground.database("booking") as database:
        place = open_clinic(database, clients=AT_ONCE, days=1)
        with database.writing() as session:
            week = [Hours(weekday, time(7), time(12), 15, CAPACITY, 2) for weekday in range(7)]
            scheduling.service.set_hours(session, place_id=place.site_id, hours=week, from_day=place.today)
            zone = ZoneInfo(scheduling.queries.place_of(session, place.site_id).zone)
        slowest, wrong = [], []
        with takehome(ground, "booking") as server:
            browser = signs_in(server.port)
            for number in range(1, ROUNDS + 1):
                starts = datetime.combine(place.today + timedelta(days=number), time(9), tzinfo=zone)
                wanted = [{"client_id": str(client), "starts_at": starts.isoformat()} for client in place.clients]
                requests = [browser.request("POST", "/api/bookings", body) for body in wanted]
                told = put_on(server.port, requests, at_once=AT_ONCE, refusal=409)
                slowest.append(max(told.ms))
                wrong.append(float(abs(told.statuses.get("201", 0) - CAPACITY)))
        with database.reading() as session:
            wrong.append(float(len(scheduling.queries.discrepancies(session))))
            wrong.append(abs(session.execute(text("SELECT count(*) FROM booking")).scalar_one() - ROUNDS * CAPACITY))
    return [
        Figure(NAME, f"bookings too many or too few, {AT_ONCE} at once on {CAPACITY} places", sum(wrong), "", 0),
        of_rounds(NAME, "slowest answer of a round, which no wait for a lock outlasts", slowest, "ms", 1000),
    ]
