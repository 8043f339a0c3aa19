"""Assessing 1,000 clients with a year of history each against a policy: all records in one read, or one by one."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.clinics import thousand_in
from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from dispensary.takehome.policy import Policy, parse, shipped_policies
from dispensary.takehome.queries import history_of, history_of_all
from dispensary.takehome.rules import assess
from tests.builders import Clinic

NAME = "assessing"
ROUNDS = 5
POLICY = "DEMONSTRATION-CLINIC-ADHERENCE"

Answers = dict[object, str]


def run(ground: Ground) -> list[Figure]:
    """Both ways in turns, with the same answers."""
    [policy] = [one for one in map(parse, shipped_policies()) if one.policy == POLICY]
    times: dict[str, list[float]] = {"at once": [], "one by one": []}
    with thousand_in(ground, "assessing") as place:
        for number in range(ROUNDS):
            say(f"assessing: round {number + 1} of {ROUNDS}")
            ways: list[tuple[str, Callable[[Clinic, Policy], Answers]]]
            ways = [("at once", _at_once), ("one by one", _one_by_one)]
            answers = []
            for name, way in ways if number % 2 else reversed(ways):
                began = time.perf_counter()
                answers.append(way(place, policy))
                times[name].append(time.perf_counter() - began)
            if answers[0] != answers[1] or len(answers[0]) != 1000:
                raise RuntimeError("the two ways do not give the same answers")
    at_once = of_rounds(NAME, "1,000 clients at once", times["at once"], "s", 5)
    one_by_one = of_rounds(NAME, "1,000 clients one by one", times["one by one"], "s")
    return [at_once, one_by_one, ratio(NAME, "at once, as a part of one by one", at_once, one_by_one, 0.1)]


def _at_once(place: Clinic, policy: Policy) -> Answers:
    with place.database.reading() as session:
        histories = history_of_all(session, place.site_id, place.today)
        return {client: str(assess(policy, history, place.today)) for client, history in histories.items()}


def _one_by_one(place: Clinic, policy: Policy) -> Answers:
    answers: Answers = {}
    for client in place.clients:
        with place.database.reading() as session:
            history = history_of(session, client, place.today)
        assert history is not None
        answers[client] = str(assess(policy, history, place.today))
    return answers
