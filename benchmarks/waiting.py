"""A thousand mornings of the model clinic, by the own simulator and by simpy on the same draws; what the plan saves."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from statistics import fmean

from benchmarks.figures import Figure, of_rounds, ratio, say
from benchmarks.ground import Ground
from scheduling.advice import percentile
from scheduling.plans import MODEL, advised, walk_in
from scheduling.simulation import Arrivals, arrivals, compare, draw, serve
from tests.scheduling.by_simpy import by_simpy, first_come_first_served

NAME = "waiting"
MORNINGS = 1000
ROUNDS = 3

Served = list[list[float]]


def run(ground: Ground) -> list[Figure]:
    """The queue alone is timed, in processor time: the draws are made once and given to both."""
    chance = Random(1)
    people = [draw(MODEL, chance) for _ in range(MORNINGS)]
    mornings = [arrivals(walk_in(MODEL), each) for each in people]
    booked = [arrivals(advised(MODEL), each) for each in people]
    ours, theirs = [], []
    for number in range(ROUNDS):
        say(f"waiting: round {number + 1} of {ROUNDS}")
        mine, seconds = _timed(_served, mornings)
        ours.append(seconds)
        other, seconds = _timed(lambda come: first_come_first_served(come, MODEL.windows), mornings)
        theirs.append(seconds)
        _same(mornings, mine, other)
    few = booked[:50]
    _same(few, [_served(come) for come in few], [by_simpy(come, MODEL.windows) for come in few])
    slow = of_rounds(NAME, "1,000 mornings of walk-in by simpy", theirs, "s of CPU")
    quick = of_rounds(NAME, "the same by the own simulator", ours, "s of CPU")
    (walk, plan) = compare(MODEL, [walk_in, advised], mornings=MORNINGS)
    return [
        slow,
        quick,
        ratio(NAME, "own simulator / simpy", quick, slow, goal=1 / 20),
        Figure(NAME, "mean wait, walk-in", walk.mean, "min"),
        Figure(NAME, "mean wait, advised plan", plan.mean, "min"),
        Figure(NAME, "advised plan / walk-in", plan.mean / walk.mean, "x", 0.1),
    ]


def _served(come: Arrivals) -> list[float]:
    return serve(come, MODEL.windows)


def _timed(serve_one: Callable[[Arrivals], list[float]], mornings: list[Arrivals]) -> tuple[Served, float]:
    began = time.process_time()
    served = [serve_one(come) for come in mornings]
    return served, time.process_time() - began


def _same(mornings: list[Arrivals], ours: Served, theirs: Served) -> None:
    """Raises RuntimeError unless everybody began at the same moment, to a millionth of a minute."""
    apart = max(abs(a - b) for mine, other in zip(ours, theirs, strict=True) for a, b in zip(mine, other, strict=True))
    waits = [
        [
            start - at
            for starts, come in zip(served, mornings, strict=True)
            for start, at in zip(starts, come.at, strict=True)
        ]
        for served in (ours, theirs)
    ]
    means, tails = [fmean(each) for each in waits], [percentile(each, 95) for each in waits]
    if apart > 1e-6 or abs(means[0] - means[1]) > 1e-6 or abs(tails[0] - tails[1]) > 1e-6:
        raise RuntimeError(f"not the mornings that simpy has: {means}, {tails}, {apart}")
