"""Laying figures out: bars with their numbers, and curves of retention with the table of who is at risk. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from dispensary.reporting.drawing import (
    DASHES,
    XY,
    Area,
    Drawing,
    Form,
    Mark,
    Shape,
    Stroke,
    Tone,
    Words,
    box,
    hatched,
    short,
    wide,
    wrapped,
)

WIDTH = 720.0
_MARGIN = 12.0
_SMALL = 14.0
_BAR = 18.0


@dataclass(frozen=True)
class Bar:
    """A figure with its name; nothing for its length where it is not shown, or where there is none."""

    label: str
    told: str
    length: Decimal | None
    hidden: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars on one scale."""

    title: str
    bars: Sequence[Bar]
    most: Decimal | None = None
    """What the whole width stands for; the longest bar where nothing is said."""


def bars(title: str, panels: Sequence[Panel], *, says: str, foot: Sequence[str] = ()) -> Drawing:
    """Bars below each other, each with its name and its number; a figure that is not shown is a hatched box."""
    shapes: list[Shape] = []
    y = heading(shapes, title, _MARGIN)
    for panel in panels:
        y = _panel(shapes, panel, y + 10)
    y = below(shapes, foot, y)
    return Drawing(WIDTH, y + _MARGIN, title, says, tuple(shapes))


def heading(shapes: list[Shape], title: str, y: float) -> float:
    """The title of a figure. Returns where it ends."""
    for line in wrapped(title, 18, WIDTH - 2 * _MARGIN):
        y += 20
        shapes.append(Words((_MARGIN, y), line, 18, bold=True))
    return y + 6


def below(shapes: list[Shape], foot: Sequence[str], y: float) -> float:
    """What stands below a figure, in small letters. Returns where it ends."""
    y += 8
    for each in foot:
        for line in wrapped(each, 13, WIDTH - 2 * _MARGIN):
            y += 17
            shapes.append(Words((_MARGIN, y), line, 13, tone=Tone.SOFT))
    return y


def _panel(shapes: list[Shape], panel: Panel, y: float) -> float:
    if panel.title:
        for line in wrapped(panel.title, 15, WIDTH - 2 * _MARGIN):
            y += 18
            shapes.append(Words((_MARGIN, y), line, 15, bold=True))
        y += 10
    beside = max((wide(bar.label, _SMALL) for bar in panel.bars), default=0) <= 190
    told = max((wide(bar.told, _SMALL) for bar in panel.bars), default=0)
    left = _MARGIN + (200 if beside else 0)
    room = max(120.0, WIDTH - left - told - 2 * _MARGIN)
    most = panel.most or max((bar.length or Decimal(0) for bar in panel.bars), default=Decimal(0)) or Decimal(1)
    for bar in panel.bars:
        top = y
        if beside:
            shapes.append(Words((left - 8, y + _BAR - 4), short(bar.label, _SMALL, 185), _SMALL, "end"))
        else:
            for line in wrapped(bar.label, _SMALL, WIDTH - 2 * _MARGIN):
                y += 17
                shapes.append(Words((left, y), line, _SMALL))
            y += 5
        length = float((bar.length or Decimal(0)) / most) * room
        top = top if beside else y
        if bar.hidden:
            shapes += hatched(left, y, 60, _BAR)
            length = 60
        elif bar.length:
            shapes.append(Area(box(left, y, max(1.0, length), _BAR), Tone.MAIN))
        shapes.append(Words((left + length + 7, y + _BAR - 4), bar.told, _SMALL))
        shapes.append(Stroke(((left, top - 3), (left, y + _BAR + 3)), 1, Tone.SOFT))
        y += _BAR + (6 if beside else 8)
    return y


@dataclass(frozen=True)
class Step:
    """A point of an estimate: the share from these months on, with its limits where they can be stated."""

    months: Decimal
    share: Decimal
    lower: Decimal | None
    upper: Decimal | None


@dataclass(frozen=True)
class Line:
    """The curve of a group, and how many were observed until each mark."""

    label: str
    steps: Sequence[Step]
    until: Decimal
    """Months up to which it is drawn."""
    at_risk: Mapping[int, int | None]
    """At each mark; nothing where the number is not shown."""

    def share_at(self, months: int) -> Decimal:
        """The share after so many months."""
        return next((step.share for step in reversed(self.steps) if step.months <= months), Decimal(1))


_TOP, _HIGH = 14.0, 300.0
MOST_BANDS = 3
"""Bands that can still be told apart where they lie over each other."""


def curves(
    title: str, lines: Sequence[Line], *, says: str, months: Sequence[int], foot: Sequence[str] = (), at_risk: str
) -> Drawing:
    """Curves with their bands, a name at the end of each, and below them how many were at risk.

    Lines are told apart by dashes; from four lines on the bands are left to the table.
    """
    shapes: list[Shape] = []
    y = heading(shapes, title, _MARGIN) + _TOP
    several = len(lines) > 1
    names = max((wide(line.label, _SMALL) for line in lines), default=0) if several else 0
    left = max(52.0, min(180.0, names + 64)) if several else 52.0
    right = WIDTH - _MARGIN - (min(170.0, names + 12) if several else 0)
    longest = max([float(line.until) for line in lines] or [1.0]) or 1.0
    shown = [month for month in months if month <= longest]

    def x(at: Decimal | float) -> float:
        return left + float(at) / longest * (right - left)

    def down(share: Decimal | float) -> float:
        return y + (1 - float(share)) * _HIGH

    for share in (0, 25, 50, 75, 100):
        at = down(share / 100)
        shapes.append(Stroke(((left, at), (right, at)), 1, Tone.LINE))
        shapes.append(Words((left - 6, at + 5), f"{share} %", _SMALL, "end", tone=Tone.SOFT))
    for month in shown:
        shapes.append(Stroke(((x(month), down(0)), (x(month), down(0) + 5)), 1, Tone.SOFT))
        shapes.append(Words((x(month), down(0) + 20), f"{month}", _SMALL, "middle", tone=Tone.SOFT))
    if len(lines) <= MOST_BANDS:
        shapes += [Area(_band(line, x, down), strength=0.16) for line in lines if line.steps]
    ends = []
    for n, line in enumerate(lines):
        points = [(x(at), down(share)) for at, share in _stairs(line)]
        shapes.append(Stroke(points, 2.2, Tone.MAIN, DASHES[n % len(DASHES)]))
        if n >= len(DASHES):
            form = list(Form)[n % len(Form)]
            shapes += [Mark((x(m), down(line.share_at(m))), form, size=4) for m in shown if m <= line.until]
        ends.append((points[-1], line.label))
    if several:
        for (across, at), label in apart(ends):
            shapes.append(Words((across + 6, at + 5), short(label, _SMALL, 165), _SMALL))
    y = down(0) + 44
    shapes.append(Words((_MARGIN, y), at_risk, 13, tone=Tone.SOFT))
    for n, line in enumerate(lines):
        y += 20
        if several:
            shapes.append(Stroke(((_MARGIN, y - 5), (_MARGIN + 22, y - 5)), 2.2, Tone.MAIN, DASHES[n % len(DASHES)]))
            shapes.append(Words((_MARGIN + 28, y), short(line.label, 13, left - _MARGIN - 48), 13))
        for month in shown:
            number = line.at_risk.get(month)
            shapes.append(Words((x(month), y), "·" if number is None else f"{number}", 13, "middle"))
    y = below(shapes, foot, y)
    return Drawing(WIDTH, y + _MARGIN, title, says, tuple(shapes))


def _stairs(line: Line) -> list[tuple[Decimal, Decimal]]:
    points = [(Decimal(0), Decimal(1))]
    for step in line.steps:
        if step.months > line.until:
            break
        if step.share != points[-1][1]:
            points += [(step.months, points[-1][1]), (step.months, step.share)]
    return [*points, (line.until, points[-1][1])]


def _band(line: Line, x: Callable[[Decimal | float], float], down: Callable[[Decimal | float], float]) -> list[XY]:
    upper, lower = [(x(0), down(1))], [(x(0), down(1))]
    for step in line.steps:
        if step.months > line.until:
            break
        for edge, limit in ((upper, step.upper), (lower, step.lower)):
            level = down(limit if limit is not None else step.share)
            if level != edge[-1][1]:
                edge += [(x(step.months), edge[-1][1]), (x(step.months), level)]
    for edge in (upper, lower):
        edge.append((x(line.until), edge[-1][1]))
    return [*upper, *reversed(lower)]


def apart(ends: Sequence[tuple[XY, str]]) -> list[tuple[XY, str]]:
    """Where the names at the ends of lines stand, none over another that ends nearby."""
    placed = sorted(ends, key=lambda end: (end[0][1], end[1]))
    heights = [at for (_, at), _ in placed]
    for _ in placed:
        for n, ((left, _), (right, _)) in enumerate(pairwise([end[0] for end in placed])):
            lacking = 17 - (heights[n + 1] - heights[n])
            if lacking > 0 and abs(left - right) < 120:
                heights[n], heights[n + 1] = heights[n] - lacking / 2, heights[n + 1] + lacking / 2
    return [((at[0], height), label) for (at, label), height in zip(placed, heights, strict=True)]
