"""A ruled table over as many pages as it needs: headings again on each, amounts lined up at their decimal points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from dispensary.supplies.printing.sheet import Sheet, Side, leading
from dispensary.words import _

_PAD = 1.0
_SIZE = 8.5
_DECIMALS = "000"
"""Room for what stands behind the point: mL are kept to a thousandth."""
_FOOT = 10.0
"""Of the page (mm), where it is said which lines stand on it."""
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
        self._on_page: list[int] = []
        """The numbers of the lines that stand on this page."""
        self._after_point = sheet.wide("." + _DECIMALS, _SIZE)
        self._titles = [sheet.lines(c.title, c.room, size=7.5, bold=True) for c in columns]
        if sheet.y + 3 * leading(_SIZE) + 6 * _PAD > bottom:
            sheet.page()
        self._head()

    def _head(self) -> None:
        sheet, top = self._sheet, self._sheet.y
        height = max(map(len, self._titles)) * leading(7.5) + 2 * _PAD
        sheet.box(self._x, top, self._width, height, filled=True, grey=225)
        left = self._x
        for column, lines in zip(self._columns, self._titles, strict=True):
            side: Side = "right" if column.amounts else "left"
            for n, line in enumerate(lines):
                y = top + _PAD + n * leading(7.5)
                sheet.text(left + _PAD, y, line, size=7.5, bold=True, side=side, width=column.room)
            left += column.width
        sheet.y = top + height

    def ends(self) -> None:
        """The table is finished: the foot of its last page says which lines stand on it, where lines have numbers."""
        if self._on_page:
            lines = _("Lines %(first)s to %(last)s", first=self._on_page[0], last=self._on_page[-1])
            self._sheet.text(self._x, self._sheet.height - _FOOT, lines, size=8, side="middle", width=self._width)
        self._on_page = []

    def _next_page(self) -> None:
        self.ends()
        self._sheet.page()
        self._head()

    def note(self, text: str) -> None:
        """A note across the whole table, below the row that it is about."""
        sheet = self._sheet
        for line in sheet.lines(text, self._width - 6 * _PAD, size=_SIZE):
            if sheet.y + leading(_SIZE) + 2 * _PAD > self._bottom:
                self._next_page()
            sheet.text(self._x + 5 * _PAD, sheet.y + _PAD, line, size=_SIZE, width=self._width - 6 * _PAD)
            sheet.y += leading(_SIZE)
        sheet.y += 2 * _PAD
        sheet.rule(self._x, sheet.y, self._width, grey=170)

    def row(self, *cells: Cell, bold: bool = False, struck: bool = False, number: int | None = None) -> None:
        """One row, a cell for each column. `struck` rules it through without hiding it; `number` is its line's."""
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
                self._next_page()
                fits = int((self._bottom - sheet.y - 2 * _PAD) / leading(_SIZE))
            part = min(fits, tallest - drawn)
            if number is not None:
                self._on_page.append(number)
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
