"""The help for the phone line on paper: one page in the client's language, which tells nobody what it is for.

It hangs on a fridge or lies in a bag. The open kind alone has two lines on bottles at home, and is chosen on purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed
from dispensary.supplies.printing.wording import plain_day
from notifications import help_sheet as words
from notifications.help_sheet import Example, say

_EDGE = 16.0
_WIDTH = A4[0] - 2 * _EDGE
_GAP = 6.0
_WRITE = 64.0
"""How wide the column of what to write is."""
_ROW = 7.0
_TEXT, _LEAST = 12.0, 9.0


@dataclass(frozen=True)
class HelpSheet:
    """What stands on the page."""

    language: str
    number: str
    """As it is dialled; empty leaves a line to write it on."""
    place: str
    """Left empty when it names a kind of place."""
    examples: Sequence[Example]
    hours: Sequence[tuple[str, str]]
    """Days, and the times of those days."""
    bottles: bool
    day: date

    def say(self, sentence: str) -> str:
        return say(sentence, self.language)


def help_pdf(told: HelpSheet, *, folders: Sequence[Path] | None = None) -> bytes:
    """The page as a PDF; the same bytes for the same page and fonts. Raises NoLetters, and never prints empty boxes."""
    return printed(
        lambda sheet: _draw(sheet, told),
        A4,
        made_at=datetime.combine(told.day, time(), UTC),
        title=told.say(words.TITLE),
        language=told.language,
        folders=folders,
        whole=True,
    )


def _draw(sheet: Sheet, told: HelpSheet) -> None:
    sheet.page()
    sheet.y = 14.0
    if told.place:
        sheet.text(_EDGE, sheet.y, told.place, size=11, width=_WIDTH)
        sheet.y += leading(11)
    sheet.text(_EDGE, sheet.y, told.say(words.TITLE), size=24, bold=True, width=_WIDTH)
    sheet.y += leading(24) + 3
    _number(sheet, told)
    sheet.text(_EDGE, sheet.y, told.say(words.ALWAYS), size=14, bold=True, width=_WIDTH)
    sheet.y += leading(14) + 4
    _table(sheet, told)
    sheet.y = _paragraph(sheet, told.say(words.ANY_WAY), _EDGE, sheet.y + 1.5, _WIDTH)
    sheet.y = _paragraph(sheet, words.languages(told.language), _EDGE, sheet.y, _WIDTH) + 3
    _two_columns(sheet, told)
    if told.bottles:
        _heading(sheet, told, words.BOTTLES_AT_HOME, _EDGE, sheet.y)
        sheet.y += leading(14) + 1.5
        for sentence in words.BOTTLES:
            sheet.y = _paragraph(sheet, told.say(sentence), _EDGE, sheet.y, _WIDTH)
    sheet.text(_EDGE, A4[1] - 10, plain_day(told.day), size=8, side="right", width=_WIDTH)


def _number(sheet: Sheet, told: HelpSheet) -> None:
    """The frame with the number, or with a line on which to write it."""
    high = 15.0
    sheet.box(_EDGE, sheet.y, _WIDTH, high)
    sheet.text(_EDGE + 4, sheet.y + (high - leading(14)) / 2, told.say(words.SEND_TO), size=14, width=_WRITE)
    x = _EDGE + _WRITE + _GAP
    if told.number:
        size = 26.0
        y = sheet.y + (high - leading(size)) / 2
        sheet.text(x, y, told.number, size=size, bold=True, width=_WIDTH - _WRITE - _GAP - 4)
    else:
        sheet.rule(x, sheet.y + high - 4, _WIDTH - _WRITE - _GAP - 4)
    sheet.y += high + 4


def _table(sheet: Sheet, told: HelpSheet) -> None:
    right = _EDGE + _WRITE + _GAP
    for x, heading in ((_EDGE, words.YOU_WRITE), (right, words.WHAT_HAPPENS)):
        sheet.text(x, sheet.y, told.say(heading), size=11, width=_WRITE)
    sheet.y += leading(11) + 1
    for example in told.examples:
        sheet.rule(_EDGE, sheet.y, _WIDTH, grey=170)
        y = sheet.y + (_ROW - leading(_TEXT)) / 2
        sheet.text(_EDGE, y, example.write, size=_TEXT, bold=True, width=_WRITE)
        sheet.text(right, y, example.does, size=_TEXT, width=_WIDTH - _WRITE - _GAP)
        sheet.y += _ROW
    sheet.rule(_EDGE, sheet.y, _WIDTH, grey=170)


def _two_columns(sheet: Sheet, told: HelpSheet) -> None:
    """What to do on arrival, and beside it the opening hours."""
    wide = (_WIDTH - _GAP) * 0.52
    left, right = sheet.y, sheet.y
    x = _EDGE + wide + _GAP
    narrow = _WIDTH - wide - _GAP
    _heading(sheet, told, words.WHEN_YOU_COME, _EDGE, left, wide)
    left += leading(14) + 1.5
    for sentence in (*words.ARRIVAL, words.NEW_NUMBER):
        left = _paragraph(sheet, told.say(sentence), _EDGE, left, wide)
    if told.hours:
        _heading(sheet, told, words.HOURS, x, right, narrow)
        right += leading(14) + 1.5
    for days, times in told.hours:
        sheet.text(x, right, days, size=_TEXT, width=narrow * 0.42)
        sheet.text(x + narrow * 0.44, right, times, size=_TEXT, bold=True, width=narrow * 0.56)
        right += leading(_TEXT) + 0.6
    if told.hours:
        right = _paragraph(sheet, told.say(words.CLOSURES), x, right + 0.6, narrow)
    sheet.y = max(left, right) + 2


def _heading(sheet: Sheet, told: HelpSheet, sentence: str, x: float, y: float, width: float = _WIDTH) -> None:
    sheet.text(x, y, told.say(sentence), size=14, bold=True, width=width)


def _paragraph(sheet: Sheet, text: str, x: float, y: float, width: float) -> float:
    return sheet.block(x, y, text, width, size=_TEXT - 0.5, least=_LEAST, most_lines=3) + 1
