"""The pens that put a drawing down: as SVG, as PNG, and on a sheet of paper. The same drawing gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from dispensary.reporting.drawing import (
    COLOURS,
    XY,
    Area,
    Drawing,
    Form,
    Mark,
    Shape,
    Stroke,
    Tone,
    Words,
    dashed,
    polygon,
)
from dispensary.supplies.printing.fonts import HELVETICA, letters_for

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

    from dispensary.supplies.printing.sheet import Sheet

_FINE = 4
"""Dots of the PNG to a length of one while it is drawn; half as many are kept, so that edges are smooth."""
_KEPT = 2
_EMBOLDENED = 0.02
"""How thick a bold letter is drawn over, as a part of its size, where the typeface has no bold."""


def as_svg(drawing: Drawing, *, name: str = "figure") -> str:
    """SVG with a title and a text for screen readers. The classes let a page choose its own colours.

    `name` tells the ids of several drawings on a page apart.
    """
    shapes = "".join(map(_svg, drawing.shapes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 {_n(drawing.width)} {_n(drawing.height)}"'
        f' role="img" aria-labelledby="{name}-title" aria-describedby="{name}-says" font-family="sans-serif">'
        f'<title id="{name}-title">{escape(drawing.title)}</title><desc id="{name}-says">{escape(drawing.says)}</desc>'
        f'<rect class="fill-paper" width="100%" height="100%" fill="{COLOURS[Tone.PAPER]}"/>{shapes}</svg>'
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _path(points: Sequence[XY], *, closed: bool = False) -> str:
    """The path, in which a step across or down says only where it ends."""
    written = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x, y), (to_x, to_y) in pairwise(points):
        if _n(y) == _n(to_y):
            written.append(f"H{_n(to_x)}")
        elif _n(x) == _n(to_x):
            written.append(f"V{_n(to_y)}")
        else:
            written.append(f"L{_n(to_x)} {_n(to_y)}")
    return "".join(written) + ("Z" if closed else "")


def _svg(shape: Shape) -> str:
    match shape:
        case Stroke():
            dash = f' stroke-dasharray="{" ".join(map(_n, shape.dash))}"' if shape.dash else ""
            look = f'class="stroke-{shape.tone}" fill="none" stroke="{COLOURS[shape.tone]}"'
            return f'<path {look} d="{_path(shape.points)}" stroke-width="{_n(shape.width)}"{dash}/>'
        case Area():
            strength = f' fill-opacity="{shape.strength:.2f}"' if shape.strength < 1 else ""
            path = _path(shape.points, closed=True)
            return f'<path class="fill-{shape.tone}" d="{path}" fill="{COLOURS[shape.tone]}"{strength}/>'
        case Mark():
            inside = Tone.MAIN if shape.filled else Tone.PAPER
            look = (
                f'class="fill-{inside} stroke-main" fill="{COLOURS[inside]}" stroke="{COLOURS[Tone.MAIN]}"'
                ' stroke-width="1.5"'
            )
            if shape.form is Form.CIRCLE:
                return f'<circle cx="{_n(shape.at[0])}" cy="{_n(shape.at[1])}" r="{_n(shape.size)}" {look}/>'
            return f'<path d="{_path(polygon(shape), closed=True)}" {look}/>'
    side = f' text-anchor="{shape.side}"' if shape.side != "start" else ""
    bold = ' font-weight="600"' if shape.bold else ""
    return (
        f'<text class="fill-{shape.tone}" x="{_n(shape.at[0])}" y="{_n(shape.at[1])}" font-size="{_n(shape.size)}"'
        f' fill="{COLOURS[shape.tone]}"{side}{bold}>{escape(shape.text)}</text>'
    )


def as_png(drawing: Drawing) -> bytes:
    """PNG of twice as many dots a side as the drawing is long, drawn with the letters that the machine has."""
    from PIL import Image, ImageDraw  # a tenth of a second, and needed only when somebody takes a picture

    image = Image.new("RGB", (round(drawing.width * _FINE), round(drawing.height * _FINE)), COLOURS[Tone.PAPER])
    letters = _Letters("".join(shape.text for shape in drawing.shapes if isinstance(shape, Words)))
    for shape in drawing.shapes:
        if isinstance(shape, Area) and shape.strength < 1:
            veil = Image.new("L", image.size, 0)
            ImageDraw.Draw(veil).polygon(_finer(shape.points), fill=round(255 * shape.strength))
            image.paste(Image.new("RGB", image.size, COLOURS[shape.tone]), mask=veil)
        else:
            _dots(ImageDraw.Draw(image), shape, letters)
    size = (round(drawing.width * _KEPT), round(drawing.height * _KEPT))
    out = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(out, "PNG", optimize=True, dpi=(144, 144))
    return out.getvalue()


def _finer(points: Sequence[XY]) -> list[XY]:
    return [(x * _FINE, y * _FINE) for x, y in points]


class _Letters:
    """The typefaces that have these signs: Pillow's own where they are enough, else those of the machine."""

    def __init__(self, signs: str) -> None:
        found = letters_for(set(signs)) if HELVETICA.lacking(signs) else HELVETICA
        self.show, self._families = found.show, found.families

    def font(self, text: str, size: float) -> FreeTypeFont:
        from PIL import ImageFont

        for family in self._families:
            if all(ord(sign) in family.has or sign.isspace() for sign in text):
                return ImageFont.truetype(str(family.regular.path), size, index=family.regular.number)
        return ImageFont.load_default(size)  # type: ignore[return-value]


def _dots(pen: ImageDraw, shape: Shape, letters: _Letters) -> None:
    match shape:
        case Stroke():
            for piece in dashed(shape.points, shape.dash):
                pen.line(_finer(piece), fill=COLOURS[shape.tone], width=round(shape.width * _FINE), joint="curve")
        case Area():
            pen.polygon(_finer(shape.points), fill=COLOURS[shape.tone])
        case Mark():
            inside, edge = COLOURS[Tone.MAIN if shape.filled else Tone.PAPER], COLOURS[Tone.MAIN]
            if shape.form is Form.CIRCLE:
                (x, y), r = shape.at, shape.size
                corners = _finer([(x - r, y - r), (x + r, y + r)])
                pen.ellipse(corners, fill=inside, outline=edge, width=round(1.5 * _FINE))
            else:
                pen.polygon(_finer(polygon(shape)), fill=inside, outline=edge, width=round(1.5 * _FINE))
        case Words():
            shown = letters.show(shape.text)
            font = letters.font(shown, shape.size * _FINE)
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.side]
            heavy = round(shape.size * _FINE * _EMBOLDENED) if shape.bold else 0
            x, y = _finer([shape.at])[0]
            pen.text(
                (x, y), shown, fill=COLOURS[shape.tone], font=font, anchor=anchor, stroke_width=heavy,
                stroke_fill=COLOURS[shape.tone],
            )  # fmt: skip


def on_sheet(sheet: Sheet, drawing: Drawing, x: float, y: float, width: float) -> float:
    """Draws on paper from (x, y), so many mm wide. Returns where it ends."""
    scale = width / drawing.width

    def placed(points: Sequence[XY]) -> list[XY]:
        return [(x + px * scale, y + py * scale) for px, py in points]

    for shape in drawing.shapes:
        match shape:
            case Stroke():
                dash = [part * scale for part in shape.dash]
                sheet.stroke(placed(shape.points), COLOURS[shape.tone], thick=shape.width * scale, dash=dash)
            case Area():
                sheet.area(placed(shape.points), COLOURS[shape.tone], strength=shape.strength)
            case Mark():
                corners = (
                    polygon(shape)
                    if shape.form is not Form.CIRCLE
                    else polygon(Mark(shape.at, Form.SQUARE, size=shape.size))
                )
                sheet.area(placed(corners), COLOURS[Tone.MAIN if shape.filled else Tone.PAPER], edge=COLOURS[Tone.MAIN])
            case Words():
                (px, py) = placed([shape.at])[0]
                sheet.words(px, py, shape.text, size=shape.size * scale, side=shape.side, bold=shape.bold)
    return y + drawing.height * scale
