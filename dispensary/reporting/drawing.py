"""A drawing as shapes in its own coordinates, which each pen puts down in its way: SVG, PNG, or paper. Pure.

What tells two things apart is never colour alone: lines have dashes, points have forms, and each has its name by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

XY = tuple[float, float]


class Tone(StrEnum):
    """How strongly something is drawn. Each is another grey where there is no colour."""

    INK = "ink"
    SOFT = "soft"
    LINE = "line"
    MAIN = "main"
    PAPER = "paper"


COLOURS = {
    Tone.INK: "#1d2522",
    Tone.SOFT: "#55605b",
    Tone.LINE: "#c4c8c1",
    Tone.MAIN: "#17594a",
    Tone.PAPER: "#ffffff",
}
"""Of a drawing by itself; the pages' own style sheet has another set for the dark."""

SOLID: Sequence[float] = ()
DASHES: Sequence[Sequence[float]] = (SOLID, (8, 4), (2, 4), (12, 4, 2, 4), (5, 3), (1, 3))
"""What tells the first six lines apart; the form of their marks tells those that follow."""


@dataclass(frozen=True)
class Stroke:
    """A line through these points."""

    points: Sequence[XY]
    width: float = 1.0
    tone: Tone = Tone.INK
    dash: Sequence[float] = SOLID


@dataclass(frozen=True)
class Area:
    """What these points go round, filled; with less than full `strength` one sees what is beneath."""

    points: Sequence[XY]
    tone: Tone = Tone.MAIN
    strength: float = 1.0


class Form(StrEnum):
    """Of a point."""

    CIRCLE = "circle"
    SQUARE = "square"
    DIAMOND = "diamond"
    TRIANGLE = "triangle"


@dataclass(frozen=True)
class Mark:
    """A point that stands for something; it is empty where it is not `filled`."""

    at: XY
    form: Form = Form.CIRCLE
    filled: bool = True
    size: float = 5.0


@dataclass(frozen=True)
class Words:
    """One line of text whose base line begins, has its middle, or ends at a point."""

    at: XY
    text: str
    size: float = 15.0
    side: str = "start"
    """`start`, `middle` or `end`, as SVG has it."""
    bold: bool = False
    tone: Tone = Tone.INK


Shape = Stroke | Area | Mark | Words


@dataclass(frozen=True)
class Drawing:
    """Shapes on paper of this size, from the one beneath to the one on top."""

    width: float
    height: float
    title: str
    """What it shows, in one line."""
    says: str
    """The same in words for somebody who cannot see it; the table behind it has the figures."""
    shapes: tuple[Shape, ...]


def box(x: float, y: float, width: float, height: float) -> tuple[XY, ...]:
    """The corners of a box."""
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def hatched(x: float, y: float, width: float, height: float, *, step: float = 6) -> list[Shape]:
    """An empty box with lines across it, for what is there and not shown."""
    shapes: list[Shape] = [Area(box(x, y, width, height), Tone.PAPER)]
    start = step
    while start < width + height:
        ends = (x + min(start, width), y + max(0, start - width)), (x + max(0, start - height), y + min(start, height))
        shapes.append(Stroke(ends, 1, Tone.SOFT))
        start += step
    corners = box(x, y, width, height)
    return [*shapes, Stroke((*corners, corners[0]), 1, Tone.SOFT)]


def polygon(mark: Mark) -> tuple[XY, ...]:
    """The corners of a mark that is no circle."""
    (x, y), r = mark.at, mark.size
    if mark.form is Form.SQUARE:
        return box(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r)
    if mark.form is Form.DIAMOND:
        return (x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)
    return (x, y - 1.2 * r), (x + 1.2 * r, y + 0.9 * r), (x - 1.2 * r, y + 0.9 * r)


def dashed(points: Sequence[XY], dash: Sequence[float]) -> list[list[XY]]:
    """The pieces of a line that are drawn, for a pen that knows no dashes."""
    if not dash:
        return [list(points)]
    pattern = [*dash, *dash] if len(dash) % 2 else list(dash)
    pieces: list[list[XY]] = [[points[0]]]
    at, left, drawn = 0, pattern[0], True
    for (x, y), (to_x, to_y) in pairwise(points):
        length = ((to_x - x) ** 2 + (to_y - y) ** 2) ** 0.5
        gone = 0.0
        while length - gone > left:
            gone += left
            here = (x + (to_x - x) * gone / length, y + (to_y - y) * gone / length)
            if drawn:
                pieces[-1].append(here)
            else:
                pieces.append([here])
            at, drawn = (at + 1) % len(pattern), not drawn
            left = pattern[at]
        left -= length - gone
        if drawn:
            pieces[-1].append((to_x, to_y))
    return [piece for piece in pieces if len(piece) > 1]


def wide(text: str, size: float) -> float:
    """About how wide a text will be: signs of Chinese are as wide as they are high, others half."""
    return sum(size if ord(sign) > 0x2E7F else 0.55 * size for sign in text)


def wrapped(text: str, size: float, width: float) -> list[str]:
    """The text in lines of about this width, broken between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and wide(longer, size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def short(text: str, size: float, width: float) -> str:
    """The text, with three dots in place of what has no room."""
    if wide(text, size) <= width:
        return text
    while text and wide(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"
