"""Laying out the course of a score over time: its points by their days, and the bands that they fall into. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from dispensary.reporting.drawing import Drawing, Mark, Shape, Stroke, Tone, Words, short, wide

WIDTH = 480.0
_LEFT, _RIGHT, _TOP, _HIGH = 34.0, 6.0, 14.0, 150.0
_SMALL = 14.0
_DAY = 92.0
"""How wide a day is that is written below."""


def course(
    title: str,
    scores: Sequence[tuple[date, int]],
    *,
    most: int,
    bands: Mapping[str, int],
    days: Sequence[str],
    says: str,
) -> Drawing:
    """The line through the scores, the oldest first, with a dashed line where each band begins and its name beside it.

    `days` has the day of each score as it is written below; days that would run into each other are left out, the first
    and the last never.
    """
    names = max((wide(name, _SMALL) for name in bands), default=0)
    left, right = _LEFT, WIDTH - _RIGHT - min(names + 24, 150)
    first, last = scores[0][0], scores[-1][0]
    span = max((last - first).days, 1)

    def x(day: date, number: int) -> float:
        share = (day - first).days / span if last > first else number / max(len(scores) - 1, 1)
        return left + 8 + share * (right - left - 16)

    def y(points: int) -> float:
        return _TOP + (1 - points / most) * _HIGH

    shapes: list[Shape] = []
    for points in (0, most):
        shapes.append(Stroke(((left, y(points)), (right, y(points))), 1, Tone.LINE))
        shapes.append(Words((left - 6, y(points) + 5), f"{points}", _SMALL, "end", tone=Tone.SOFT))
    for name, least in bands.items():
        if least > 0:
            shapes.append(Stroke(((left, y(least)), (right, y(least))), 1, Tone.LINE, (5, 4)))
        shapes.append(Words((right + 8, y(least) - 3), short(name, _SMALL, 140), _SMALL, tone=Tone.SOFT))
    spots = [(x(day, number), y(points)) for number, (day, points) in enumerate(scores)]
    shapes.append(Stroke(spots, 2.2, Tone.MAIN))
    across = [x for x, _y in spots]
    ends = {0, len(scores) - 1} if across[-1] - across[0] >= 2 * _DAY else {len(scores) - 1}
    free = across[-1] - _DAY  # the last day is written to the left of its point, the first to the right
    for number in reversed(range(len(scores))):
        spot, points = spots[number], scores[number][1]
        shapes.append(Mark(spot, size=4.5))
        above = spot[1] - 10 if spot[1] > _TOP + 14 else spot[1] + 20
        shapes.append(Words((spot[0], above), f"{points}", _SMALL, "middle", bold=True))
        between = spot[0] + _DAY / 2 <= free and spot[0] - _DAY / 2 >= across[0] + _DAY
        if number in ends or between:
            side = "end" if number == len(scores) - 1 else "start" if number == 0 else "middle"
            shapes.append(Words((spot[0], _TOP + _HIGH + 20), days[number], _SMALL, side, tone=Tone.SOFT))
            free = free if number in ends else spot[0] - _DAY / 2
    return Drawing(WIDTH, _TOP + _HIGH + 30, title, says, tuple(shapes))
