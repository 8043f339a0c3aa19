"""The close of a dose day for 1,000 clients, counted, as the pharmacist does it in the evening."""

from __future__ import annotations

import time

from sqlalchemy import text

from benchmarks.clinics import thousand_in
from benchmarks.figures import Figure, of_rounds, say
from benchmarks.ground import Ground
from dispensary.supplies.closing import Counted, close_day, to_count
from tests.builders import Clinic

NAME = "closing"
ROUNDS = 5

# Nine in ten came today; what they took is written beside the triggers, for speed.
_TODAY = """
WITH came AS (
    SELECT gen_random_uuid() AS supply_id, c.id AS client_id, c.site_id, e.id AS episode_id, o.id AS order_id
    FROM client c JOIN episode e ON e.client_id = c.id JOIN dose_order o ON o.client_id = c.id
    ORDER BY c.id LIMIT (SELECT count(*) * 9 / 10 FROM client)
), handed AS (
    INSERT INTO supply (id, site_id, client_id, episode_id, dose_day, at, key, request_sha256, identified_by,
        observation, second_look, origin, answer)
    SELECT supply_id, site_id, client_id, episode_id, :today, :at, supply_id::text, '', 'import', '', '', 'import', '{}'
    FROM came
)
INSERT INTO dose (id, supply_id, site_id, client_id, order_id, dose_day, portion, portions, kind, mg, closed_day)
SELECT gen_random_uuid(), supply_id, site_id, client_id, order_id, :today, 1, 1, 'observed', 80, false FROM came
"""


def run(ground: Ground) -> list[Figure]:
    """Closes the same day in five copies of the clinic."""
    seconds = []
    for number in range(ROUNDS):
        with thousand_in(ground, f"closing_{number}") as place:
            say(f"closing: round {number + 1} of {ROUNDS}")
            with place.database.engine.begin() as connection:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                connection.execute(text(_TODAY), {"today": place.today, "at": place.now})
            seconds.append(_close(place))
    return [of_rounds(NAME, "close of a day for 1,000 clients", seconds, "s", 2)]


def _close(place: Clinic) -> float:
    with place.database.reading() as session:
        expected = to_count(session, site_id=place.site_id, day=place.today)
    began = time.perf_counter()
    with place.database.writing() as session:
        closed = close_day(
            session,
            actor=place.pharmacist,
            day=place.today,
            today=place.today,
            counts={row.lot.id: Counted(row.expected_bulk) for row in expected},
            at=place.now,
        )
    seconds = time.perf_counter() - began
    if (closed.observed, closed.missed) != (900, 100):
        raise RuntimeError(f"not the day that was expected: {closed.observed} observed, {closed.missed} missed")
    return seconds
