"""Assessing 1,000 clients with a year of history each by a policy, inputs kept: as the night does it, or one by one."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

from sqlalchemy import text

from benchmarks.clinics import thousand_in
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from dispensary.staff.rules import the_program
from dispensary.takehome.nightly import assess_everybody
from dispensary.takehome.service import assess_client
from tests.builders import Clinic

NAME = "assessing"
ROUNDS = 5

# What was kept, but for ids and moments, which differ by chance.
_KEPT = """
SELECT count(*), md5(string_agg((client_id, episode_id, policy_version_id, on_day, inputs, inputs_sha256, result,
    level)::text, '' ORDER BY client_id)) FROM assessment
"""


def run(ground: Ground) -> list[Figure]:
    """Both ways in turns, which must keep the same rows; then the night once more, to see how much memory it takes."""
    ways: dict[str, Callable[[Clinic], None]] = {"at once": _at_once, "one by one": _one_by_one}
    times: dict[str, list[float]] = {name: [] for name in ways}
    with thousand_in(ground, "assessing") as place:
        for number in range(ROUNDS):
            say(f"assessing: round {number + 1} of {ROUNDS}")
            left = set()
            for name in ways if number % 2 else reversed(ways):
                began = time.perf_counter()
                ways[name](place)
                times[name].append(time.perf_counter() - began)
                left.add(_taken_away(place))
            if len(left) != 1 or left.pop()[0] != 1000:
                raise RuntimeError("the two ways do not keep the same assessments")
        tracemalloc.start()
        _at_once(place)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    at_once = of_rounds(NAME, "1,000 clients at once", times["at once"], "s", 5)
    one_by_one = of_rounds(NAME, "1,000 clients one by one", times["one by one"], "s")
    return [
        at_once,
        one_by_one,
        ratio(NAME, "at once, as a part of one by one", at_once, one_by_one, 0.1),
        Figure(NAME, "memory of the program's own objects at once, most", peak / 1e6, "MB"),
    ]


def _at_once(place: Clinic) -> None:
    with place.database.writing() as session:
        assess_everybody(session, actor=the_program(place.site_id), site_id=place.site_id, on=place.today, at=place.now)


def _one_by_one(place: Clinic) -> None:
    for client in place.clients:
        with place.database.writing() as session:
            assess_client(session, actor=the_program(place.site_id), client_id=client, on=place.today, at=place.now)


def _taken_away(place: Clinic) -> tuple[int, str]:
    """What was kept, which is removed beside the triggers, so that each round finds everybody as they were."""
    with place.database.engine.begin() as connection:
        kept, digest = connection.execute(text(_KEPT)).one()
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("DELETE FROM assessment"))
    return kept, digest
