"""Lays a Kaplan-Meier curve out for a page: where its steps and its band run, in a picture of fixed size. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispensary.evaluation.rules import AtMark, Curve, Scale

WIDTH, HEIGHT = 720, 300
LEFT, TOP, RIGHT, BOTTOM = 46, 12, 12, 30


@dataclass(frozen=True)
class Drawing:
    """Paths in the coordinates of an SVG of WIDTH by HEIGHT."""

    line: str
    band: str
    months: tuple[tuple[int, float], ...]
    """Marks on the time axis: months and x."""
    shares: tuple[tuple[int, float], ...]
    """Marks on the share axis: per cent and y."""
    width: int = WIDTH
    height: int = HEIGHT


def drawn(curve: Curve, scale: Scale, marks: Sequence[AtMark]) -> Drawing:
    """The curve from the start of a stay to the last mark at which anybody is at risk."""
    longest = max([mark.months for mark in marks if mark.at_risk] or [1]) or 1

    def x(months: Decimal | int) -> float:
        return round(LEFT + float(months) / longest * (WIDTH - LEFT - RIGHT), 1)

    def y(share: Decimal | int) -> float:
        return round(TOP + (1 - float(share)) * (HEIGHT - TOP - BOTTOM), 1)

    line, upper, lower = [f"M{x(0)} {y(1)}"], [(x(0), y(1))], [(x(0), y(1))]
    for point in curve.points:
        months = scale.months(point.time)
        if months > longest:
            break
        line.append(f"H{x(months)}V{y(point.survival)}")
        for edge, limit in ((upper, point.upper), (lower, point.lower)):
            edge.append((x(months), edge[-1][1]))
            edge.append((x(months), y(limit if limit is not None else point.survival)))
    line.append(f"H{x(longest)}")
    upper.append((x(longest), upper[-1][1]))
    lower.append((x(longest), lower[-1][1]))
    outline = "L".join(f"{across} {down}" for across, down in [*upper, *reversed(lower)])
    return Drawing(
        line="".join(line),
        band=f"M{outline}Z",
        months=tuple((mark.months, x(mark.months)) for mark in marks if mark.months <= longest),
        shares=tuple((share, y(Decimal(share) / 100)) for share in (0, 25, 50, 75, 100)),
    )
