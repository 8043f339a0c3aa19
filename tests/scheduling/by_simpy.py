"""The queue once more, by simpy: slow, plain, and written apart from the simulator that it is to judge."""

from __future__ import annotations

from math import inf

import simpy

from scheduling.simulation import Arrivals


def first_come_first_served(come: Arrivals, windows: int, opens: float = 0.0) -> list[float]:
    """Everybody is a process that asks for a window; until opening, each window is taken by its own shutter."""
    begins = min([opens, *come.at])
    env = simpy.Environment(initial_time=begins)
    counter = simpy.Resource(env, capacity=windows)
    starts = [0.0] * len(come.at)

    def shutter():
        with counter.request() as window:
            yield window
            yield env.timeout(opens - begins)

    def person(number):
        yield env.timeout(come.at[number] - begins)
        with counter.request() as window:
            yield window
            starts[number] = env.now
            yield env.timeout(come.service[number])

    for _ in range(windows):
        env.process(shutter())
    for number in range(len(come.at)):
        env.process(person(number))
    env.run()
    return starts


def booked_first(come: Arrivals, windows: int, opens: float = 0.0) -> list[float]:
    """Every window is a process that looks through all who wait, by the same rule, whenever it is free."""
    begins = min([opens, *come.at])
    env = simpy.Environment(initial_time=begins)
    starts = [0.0] * len(come.at)
    here: list[int] = []
    bells = []

    def rank(number):
        turn, sooner = come.turn[number], come.sooner[number] if come.sooner else 0.0
        return (0, turn, number) if turn <= env.now else (1, come.at[number] - sooner, number)

    def person(number):
        yield env.timeout(come.at[number] - begins)
        here.append(number)
        if bells:
            bells.pop(0).succeed()

    def window():
        yield env.timeout(opens - begins)
        while True:
            while not here:
                bell = env.event()
                bells.append(bell)
                yield bell
            chosen = min(here, key=rank)
            here.remove(chosen)
            starts[chosen] = env.now
            yield env.timeout(come.service[chosen])

    for number in range(len(come.at)):
        env.process(person(number))
    for _ in range(windows):
        env.process(window())
    env.run()
    return starts


def by_simpy(come: Arrivals, windows: int, opens: float = 0.0) -> list[float]:
    """The start of each person's service, by the shorter of the two where nobody has a slot."""
    plain = all(turn == inf for turn in come.turn) and come.sooner is None
    return (first_come_first_served if plain else booked_first)(come, windows, opens)
