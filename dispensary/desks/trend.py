"""The line of a test's values over time, as points of a small drawing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

WIDTH, HEIGHT, MARGIN = 120, 32, 4
"""The drawing's own units; the page stretches it."""


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@dataclass(frozen=True)
class Trend:
    """Points from left to right by their days; the limit's height where one is known and lies within the drawing."""

    points: Sequence[Point]
    limit: int | None

    @property
    def line(self) -> str:
        """As an SVG polyline has it."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


def trend(
    values: Sequence[tuple[date, Decimal]], *, upper: Decimal | None = None, by_log: bool = False
) -> Trend | None:
    """The line of two values or more, the oldest first; nothing for fewer. `by_log` draws each tenfold alike."""
    if len(values) < 2:
        return None

    def height_of(value: Decimal) -> Decimal:
        return max(value, Decimal(1)).log10() if by_log else value

    heights = [height_of(value) for _, value in values]
    limit = height_of(upper) if upper is not None else None
    low = min([*heights, *([limit] if limit is not None else [])])
    high = max([*heights, *([limit] if limit is not None else [])])
    first, last = values[0][0], values[-1][0]
    span, reach = (last - first).days, high - low

    def x(number: int, day: date) -> int:
        share = Decimal((day - first).days) / span if span else Decimal(number) / (len(values) - 1)
        return MARGIN + round(share * (WIDTH - 2 * MARGIN))

    def y(height: Decimal) -> int:
        share = (height - low) / reach if reach else Decimal("0.5")
        return HEIGHT - MARGIN - round(share * (HEIGHT - 2 * MARGIN))

    points = [
        Point(x(number, day), y(height)) for number, ((day, _), height) in enumerate(zip(values, heights, strict=True))
    ]
    return Trend(points, y(limit) if limit is not None else None)
