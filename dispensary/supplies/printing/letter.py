"""A plain page for somebody outside, or for the client: a title, what it is about, parts, a notice, a foot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dispensary.supplies.printing.sheet import A4, PAGES, Sheet, leading, printed
from dispensary.supplies.told import Part
from dispensary.words import _

_EDGE = 20.0
_WIDTH = A4[0] - 2 * _EDGE
_BOTTOM = A4[1] - 24
_LABEL = 48.0
_TEXT, _HEADING = 10.5, 12.5


@dataclass(frozen=True)
class Letter:
    """What stands on the page."""

    title: str
    sender: tuple[str, ...]
    about: tuple[tuple[str, str], ...]
    """Pairs below the title: what it is called, and what it is."""
    parts: tuple[Part, ...]
    notice: str = ""
    """Stands in a frame, on the page where the parts end."""
    sign: tuple[str, ...] = ()
    """Lines to write on, each with what belongs there."""
    foot: str = ""
    """On each page."""


def letter_pdf(
    letter: Callable[[], Letter], *, made_at: datetime, language: str, folders: Sequence[Path] | None = None
) -> bytes:
    """The page on paper, A4, over as many sheets as it needs; `letter` is asked for in the language.

    The same letter of the same moment gives the same bytes.
    """
    return printed(
        lambda sheet: _draw(sheet, letter()), A4, made_at=made_at, title="", language=language, folders=folders
    )


def _draw(sheet: Sheet, letter: Letter) -> None:
    def frame(on: Sheet) -> None:
        on.text(_EDGE, A4[1] - 14, letter.foot, size=8.5, width=_WIDTH * 0.75)
        page = _("Page %(n)s of %(total)s", n=on.number, total=PAGES)
        on.text(_EDGE + _WIDTH - on.wide(page.replace(PAGES, "9"), 8.5), A4[1] - 14, page, size=8.5)
        on.y = _EDGE

    sheet.on_page = frame
    sheet.page()
    for line in letter.sender:
        sheet.text(_EDGE, sheet.y, line, size=9.5, width=_WIDTH)
        sheet.y += leading(9.5)
    sheet.y += 6
    sheet.y = sheet.block(_EDGE, sheet.y, letter.title, _WIDTH, size=18, least=13, most_lines=2, bold=True) + 3
    for label, words in letter.about:
        _pair(sheet, label, words)
    for part in letter.parts:
        _part(sheet, part)
    if letter.notice:
        _notice(sheet, letter.notice)
    for words in letter.sign:
        _room(sheet, 16)
        sheet.y += 11
        sheet.rule(_EDGE, sheet.y, _WIDTH * 0.6)
        sheet.text(_EDGE, sheet.y + 1, words, size=9, width=_WIDTH)
        sheet.y += 5


def _pair(sheet: Sheet, label: str, words: str) -> None:
    lines = sheet.lines(words, _WIDTH - _LABEL, size=_TEXT) if words else [""]
    labels = sheet.lines(label, _LABEL - 4, size=_TEXT, bold=True)
    rows = max(len(lines), len(labels))
    _room(sheet, rows * leading(_TEXT))
    for n in range(rows):
        if n < len(labels):
            sheet.text(_EDGE, sheet.y, labels[n], size=_TEXT, bold=True)
        if n < len(lines):
            sheet.text(_EDGE + _LABEL, sheet.y, lines[n], size=_TEXT)
        sheet.y += leading(_TEXT)
    sheet.y += 1.2


def _part(sheet: Sheet, part: Part) -> None:
    sheet.y += 4
    _room(sheet, leading(_HEADING) + 2 * leading(_TEXT))
    sheet.text(_EDGE, sheet.y, part.heading, size=_HEADING, bold=True, width=_WIDTH)
    sheet.y += leading(_HEADING) + 0.8
    for line in part.lines:
        for each in sheet.lines(line, _WIDTH, size=_TEXT):
            _room(sheet, leading(_TEXT))
            sheet.text(_EDGE, sheet.y, each, size=_TEXT)
            sheet.y += leading(_TEXT)
        sheet.y += 0.8


def _notice(sheet: Sheet, words: str) -> None:
    lines = sheet.lines(words, _WIDTH - 8, size=_TEXT, bold=True)
    height = len(lines) * leading(_TEXT) + 6
    sheet.y += 5
    if height < _BOTTOM - _EDGE:
        _room(sheet, height)
        sheet.box(_EDGE, sheet.y, _WIDTH, height)
    sheet.y += 3
    for each in lines:
        _room(sheet, leading(_TEXT))
        sheet.text(_EDGE + 4, sheet.y, each, size=_TEXT, bold=True)
        sheet.y += leading(_TEXT)
    sheet.y += 5


def _room(sheet: Sheet, height: float) -> None:
    if sheet.y + height > _BOTTOM:
        sheet.page()
