"""Where the words of a label stand: the clinic and the day from the top down, whose it is and the rest from below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispensary.supplies.paper import LabelSize
from dispensary.supplies.printing.fonts import readable
from dispensary.supplies.printing.label_text import LabelText, Said
from dispensary.supplies.printing.sheet import A4, Sheet, leading


@dataclass(frozen=True)
class Stock:
    """Labels as makers sell them, in mm: their size, how many stand on an A4 sheet, and where."""

    width: float
    height: float
    roll_height: float
    across: int
    down: int
    left: float
    pitch: float
    qr: float
    """With its quiet zone: modules of more than half a millimetre, which a camera reads from a curved bottle."""
    large: float
    """The size of the day, in points."""

    @property
    def on_a_sheet(self) -> int:
        return self.across * self.down

    def corner(self, place: int) -> tuple[float, float]:
        """Where the label at a place of the sheet begins."""
        top = (A4[1] - self.down * self.height) / 2
        return self.left + place % self.across * self.pitch, top + place // self.across * self.height


STOCKS = {
    LabelSize.SMALL: Stock(70, 50.8, 50, 3, 5, 0, 70, 16.5, 11.5),
    LabelSize.LARGE: Stock(99.1, 67.7, 67.7, 2, 4, 4.65, 101.6, 21, 13),
}
"""A4 with 3 by 5 labels of 70 x 50.8 mm, or 2 by 4 of 99.1 x 67.7 mm, printed at 100 %; a roll of the same."""
_EDGE = 3.5
"""What is left free at each side (mm): printers and the punching of labels are out by as much as 2 mm."""
_ABOVE = 2.3
_LEAST = 0.6
"""Small print becomes so much smaller at most: a label must come out, whatever a site puts on it."""


def draw_label(sheet: Sheet, text: LabelText, stock: Stock, left: float, top: float, height: float) -> None:
    """One label. The small print is as large as there is room for it, and never runs into the code."""
    x, width = left + _EDGE, stock.width - 2 * _EDGE
    name = sheet.show(text.clinic)
    clinic = name if readable(name) else text.code
    y = _heading(sheet, x, top + _ABOVE, clinic, width, large=8, small=6.5, bold=True)
    if text.where:
        y = _heading(sheet, x, y, text.where, width, large=6, small=5)
    sheet.rule(x, y + 0.3, width)
    end_of_days = _when(sheet, text, stock, x, y + 0.5, width)
    end_of_code = y + 0.5 + stock.qr + leading(5.5) - 1
    bottom = top + height - _ABOVE
    beside_code = width - stock.qr - 3
    size, lines = _fitted(sheet, text.small, width, bottom - end_of_code - leading(9))
    y = bottom - sum(leading(each.size * size) for each in lines)
    for each in lines:
        sheet.text(x, bottom - _below(lines, each, size), each.text, size=each.size * size, bold=each.bold, width=width)
    y -= leading(9)
    sheet.text(x, y, text.amount, size=9, bold=True, side="right", width=width)
    sheet.text(x, y + 0.35, text.product, size=8, width=width - sheet.wide(text.amount, 9, bold=True) - 2)
    y = max(end_of_days, y - leading(9))
    sheet.text(x, y, text.whose, size=9, bold=True, width=beside_code)


def _below(lines: Sequence[Said], line: Said, size: float) -> float:
    """How far above the lower edge a line of small print begins."""
    place = next(n for n, each in enumerate(lines) if each is line)
    return sum(leading(each.size * size) for each in lines[place:])


def _fitted(sheet: Sheet, small: Sequence[Said], width: float, room: float) -> tuple[float, list[Said]]:
    """The small print broken into lines, and how much smaller it is set so that it fits."""
    size = 1.0
    while True:
        lines = [
            Said(part, each.size, each.bold)
            for each in small
            for part in sheet.lines(each.text, width, size=each.size * size, bold=each.bold)
        ]
        if size <= _LEAST or sum(leading(each.size * size) for each in lines) <= room:
            return size, lines
        size -= 0.04


def _heading(
    sheet: Sheet, x: float, y: float, text: str, width: float, *, large: float, small: float, bold: bool = False
) -> float:
    """One line as large as it fits, or two small ones."""
    one = len(sheet.lines(text, width, size=small, bold=bold)) == 1
    size, most = (large, 1) if one else (small, 2)
    return sheet.block(x, y, text, width, size=size, least=small if one else small - 1, most_lines=most, bold=bold)


def _when(sheet: Sheet, text: LabelText, stock: Stock, x: float, y: float, width: float) -> float:
    """The day, large, with the code beside it; the portion framed, every other one dark. Returns where it ends."""
    sheet.qr(x + width - stock.qr, y - 0.4, stock.qr, text.qr)
    sheet.text(x + width - stock.qr - 2, y + stock.qr - 1, text.serial, size=5.5, side="middle", width=stock.qr + 4)
    width -= stock.qr + 1
    sheet.text(x, y, text.take_on, size=7, width=width / 2)
    sheet.text(x + width / 2, y, text.number_of, size=7, bold=True, side="right", width=width / 2)
    y += leading(7)
    for line in text.days:
        sheet.text(x, y, line, size=stock.large, bold=True, width=width)
        y += leading(stock.large)
    if text.portion:
        field = min(sheet.wide(text.portion, 8, bold=True) + 3, width)
        sheet.box(x, y, field, leading(8) + 0.3, filled=text.dark)
        sheet.text(x + 1.5, y + 0.2, text.portion, size=8, bold=True, white=text.dark, width=field - 3)
        y += leading(8) + 0.3
    return y
