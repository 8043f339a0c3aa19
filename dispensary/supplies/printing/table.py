"""A ruled table over as many pages as it needs: headings again on each, amounts lined up at their decimal points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispensary.supplies.printing.sheet import Sheet, Side, leading

_PAD = 1.0
_SIZE = 8.5
_DECIMALS = "000"
"""Room for what stands behind the point: mL are kept to a thousandth."""
_GAP = 2.0
"""Between an amount and the words that follow it in the next column."""


@dataclass(frozen=True)
class Column:
    """A column of a table, its width in mm. Amounts in it line up at the decimal point, words at the left."""

    title: str
    width: float
    amounts: bool = False
    signed: bool = False
    """Shows a plus before what is above zero."""

    @property
    def room(self) -> float:
        """What the column has for words or an amount, in mm."""
        return self.width - 2 * _PAD - (_GAP if self.amounts else 0)


Cell = str | Decimal | None


class Table:
    """Draws rows at `sheet.y`, beginning a new page whenever one is full (below `bottom`)."""

    def __init__(self, sheet: Sheet, columns: Sequence[Column], *, x: float, bottom: float) -> None:
        self._sheet = sheet
        self._columns = columns
        self._x = x
        self._bottom = bottom
        self._width = sum(column.width for column in columns)
        self._after_point = sheet.wide("." + _DECIMALS, _SIZE)
        if sheet.y + 3 * leading(_SIZE) + 6 * _PAD > bottom:
            sheet.page()
        self._head()

    def _head(self) -> None:
        sheet, top = self._sheet, self._sheet.y
        titles = [sheet.lines(c.title, c.room, size=7.5, bold=True) for c in self._columns]
        height = max(map(len, titles)) * leading(7.5) + 2 * _PAD
        sheet.box(self._x, top, self._width, height, filled=True, grey=225)
        left = self._x
        for column, lines in zip(self._columns, titles, strict=True):
            side: Side = "right" if column.amounts else "left"
            for n, line in enumerate(lines):
                y = top + _PAD + n * leading(7.5)
                sheet.text(left + _PAD, y, line, size=7.5, bold=True, side=side, width=column.room)
            left += column.width
        sheet.y = top + height

    def row(self, *cells: Cell, bold: bool = False, struck: bool = False) -> None:
        """One row, a cell for each column. `struck` rules it through without hiding it."""
        sheet = self._sheet
        texts = [
            sheet.lines(cell, column.room, size=_SIZE, bold=bold) if isinstance(cell, str) and cell else []
            for cell, column in zip(cells, self._columns, strict=True)
        ]
        tallest = max(1, *map(len, texts))
        drawn = 0
        while drawn < tallest:
            fits = int((self._bottom - sheet.y - 2 * _PAD) / leading(_SIZE))
            if fits < min(3, tallest - drawn):  # a row begins where at least three of its lines fit, or all
                sheet.page()
                self._head()
                fits = int((self._bottom - sheet.y - 2 * _PAD) / leading(_SIZE))
            part = min(fits, tallest - drawn)
            height = part * leading(_SIZE) + 2 * _PAD
            self._part(cells if drawn == 0 else (), [lines[drawn : drawn + part] for lines in texts], bold)
            if struck:
                sheet.rule(self._x, sheet.y + _PAD + leading(_SIZE) / 2, self._width, thick=0.15)
            sheet.y += height
            drawn += part
        sheet.rule(self._x, sheet.y, self._width, grey=170)

    def _part(self, cells: Sequence[Cell], texts: Sequence[Sequence[str]], bold: bool) -> None:
        sheet, left = self._sheet, self._x
        for n, column in enumerate(self._columns):
            for line, text in enumerate(texts[n]):
                y = sheet.y + _PAD + line * leading(_SIZE)
                side: Side = "right" if column.amounts else "left"
                sheet.text(left + _PAD, y, text, size=_SIZE, bold=bold, side=side, width=column.room)
            amount = cells[n] if cells else None
            if isinstance(amount, Decimal):
                point = left + _PAD + column.room - self._after_point
                sign = "-" if amount < 0 else "+" if column.signed and amount > 0 else ""
                sheet.amount(point, sheet.y + _PAD, amount, size=_SIZE, bold=bold, sign=sign)
            left += column.width
