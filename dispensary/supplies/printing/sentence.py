"""The sentence for whoever asks about a person, large enough to be held up: in every language that it has here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from babel import Locale

from dispensary.clients.demand_rules import Sentence
from dispensary.supplies.printing.fonts import readable
from dispensary.supplies.printing.sheet import A4, Sheet, leading, printed

_EDGE = 20.0
_WIDTH = A4[0] - 2 * _EDGE
_TEXT, _NAME = 17.0, 10.0


def sentence_pdf(sentences: Sequence[Sentence], *, printed_at: datetime, language: str) -> bytes:
    """One below the other, each under its language's own name. One that this machine has no letters for is left out.

    Nothing on it says where it hangs.
    """

    def draw(sheet: Sheet) -> None:
        sheet.page()
        sheet.y = _EDGE
        for each in sentences:
            if not readable(sheet.show(each.words)):
                continue
            lines = sheet.lines(each.words, _WIDTH, size=_TEXT, bold=True)
            if sheet.y + leading(_NAME) + len(lines) * (leading(_TEXT) + 1) > A4[1] - _EDGE:
                sheet.page()
                sheet.y = _EDGE
            sheet.text(_EDGE, sheet.y, _called(each.language), size=_NAME, width=_WIDTH)
            sheet.y += leading(_NAME) + 1
            for line in lines:
                sheet.text(_EDGE, sheet.y, line, size=_TEXT, bold=True)
                sheet.y += leading(_TEXT) + 1
            sheet.y += 9

    return printed(draw, A4, made_at=printed_at, title="", language=language)


def _called(language: str) -> str:
    return Locale.parse(language).get_display_name(language) or language
