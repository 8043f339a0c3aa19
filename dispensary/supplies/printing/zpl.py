"""ZPL II, which label printers speak: the same drawing as on paper, in dots, with text that can command nothing.

A printer's own fonts have Latin letters alone. What is written in another script is sent as a picture of it, in letters
of this machine; where the machine has none either, a readable sign stands in its place, as on every paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from dispensary.supplies.printing.fonts import HELVETICA, LATIN_1, Family, Letters, letters_for
from dispensary.supplies.printing.qr import QUIET_ZONE, modules
from dispensary.supplies.printing.sheet import Sheet, Size
from dispensary.words import spoken

_INCH = 25.4
_POINT = _INCH / 72
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;/()+=-")
"""What is sent as it is; every other byte is sent as its number, so that no text is a command."""


def field_data(text: str) -> str:
    """A text as the data of a field after ^FH: UTF-8, with every byte that could mean something written _XX."""
    return "".join(chr(byte) if byte in _PLAIN else f"_{byte:02X}" for byte in text.encode())


class ZplSheet(Sheet):
    """Draws what a Sheet draws, as commands of a label printer with so many dots an inch. A page is a label."""

    def __init__(self, size: Size, *, dots: int, letters: Letters, made_at: datetime, language: str) -> None:
        super().__init__(size, letters=letters, made_at=made_at, title="Labels", language=language)
        self._dots = dots
        self._families = letters.families
        self._commands: list[str] = []
        self._white = False

    def _at(self, millimetres: float) -> int:
        return max(0, round(millimetres / _INCH * self._dots))

    def page(self) -> None:
        """Begins a label."""
        super().page()
        if self._commands:
            self._commands.append("^XZ")
        self._commands += ["^XA", "^CI28", f"^PW{self._at(self.width)}", f"^LL{self._at(self.height)}", "^LH0,0"]

    def finished(self) -> bytes:
        """What is sent to the printer."""
        return ("\n".join([*self._commands, "^XZ"]) + "\n").encode("ascii")

    def text(self, x: float, y: float, text: str, *, white: bool = False, **how: Any) -> None:
        self._white = white
        super().text(x, y, text, white=white, **how)
        self._white = False

    def _put(self, x: float, y: float, shown: str, size: float, bold: bool) -> None:
        place = f"^FO{self._at(x)},{self._at(y + 0.1 * size * _POINT)}"
        reverse = "^FR" if self._white else ""
        if all(ord(sign) in LATIN_1 for sign in shown):
            high = max(10, self._at(size * _POINT))
            self._commands.append(f"{place}^A0N,{high},{high}{reverse}^FH^FD{field_data(shown)}^FS")
        else:
            self._commands.append(f"{place}{reverse}{_picture(shown, self._families, size, bold, self._dots)}^FS")

    def rule(self, x: float, y: float, width: float, *, thick: float = 0.2, grey: int = 0) -> None:
        dots = max(1, self._at(thick))
        self._commands.append(f"^FO{self._at(x)},{self._at(y)}^GB{self._at(width)},{dots},{dots}^FS")

    def box(self, x: float, y: float, width: float, height: float, *, filled: bool = False, grey: int = 0) -> None:
        thick = self._at(height) if filled else 2
        self._commands.append(f"^FO{self._at(x)},{self._at(y)}^GB{self._at(width)},{self._at(height)},{thick}^FS")

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """The printer draws the code itself, without the quiet zone: whole dots a module, level Q as everywhere."""
        across = len(modules(text))
        step = max(2, self._at(side) // across)
        left = self._at(x) + (self._at(side) - across * step) // 2 + QUIET_ZONE * step
        top = self._at(y) + (self._at(side) - across * step) // 2 + QUIET_ZONE * step
        self._commands.append(f"^FO{left},{top}^BQN,2,{min(step, 10)}^FH^FDQA,{field_data(text)}^FS")


def _picture(shown: str, families: Sequence[Family], size: float, bold: bool, dots: int) -> str:
    """A line of text as ^GFA: one bit a dot, each part of it in the first family that has its signs."""
    from PIL import Image, ImageDraw, ImageFont, features  # slow to import, and needed for few labels

    engine = ImageFont.Layout.RAQM if features.check("raqm") else ImageFont.Layout.BASIC
    pixels = max(10, round(size * _POINT / _INCH * dots))
    runs = []
    for family, signs in groupby(shown, lambda sign: _family_of(sign, families)):
        file = family.bold if bold else family.regular
        font = ImageFont.truetype(file.path, pixels, index=file.number, layout_engine=engine)
        part = "".join(signs)
        runs.append((font, part, round(font.getlength(part))))
    canvas = Image.new("1", (max(1, sum(length for *_, length in runs)), round(pixels * 1.35)), 0)
    pen, left = ImageDraw.Draw(canvas), 0
    for font, part, length in runs:
        pen.text((left, round(pixels * 1.05)), part, fill=1, font=font, anchor="ls")
        left += length
    row = (canvas.width + 7) // 8
    data = canvas.tobytes()
    return f"^GFA,{len(data)},{len(data)},{row},{data.hex().upper()}"


def _family_of(sign: str, families: Sequence[Family]) -> Family:
    return next((family for family in families if ord(sign) in family.has), families[0])


def zpl(
    draw: Callable[[Sheet], None],
    size: Size,
    *,
    dots: int,
    made_at: datetime,
    language: str,
    folders: Sequence[Path] | None = None,
) -> bytes:
    """What a label printer is sent for what `draw` draws; the same bytes for the same drawing and fonts.

    It is drawn once to see which signs there are, and again when the printer lacks some, with letters of this machine.
    """
    with spoken(language):
        first = ZplSheet(size, dots=dots, letters=HELVETICA, made_at=made_at, language=language)
        draw(first)
        letters = letters_for(first.met, language=language, folders=folders)
        if not letters.families:
            return first.finished()
        again = ZplSheet(size, dots=dots, letters=letters, made_at=made_at, language=language)
        draw(again)
        return again.finished()
