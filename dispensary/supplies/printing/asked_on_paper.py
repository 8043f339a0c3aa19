"""A site's own questions on a sheet of paper, with a box before each answer; it asks for no name and has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispensary.staff.models import Site
from dispensary.supplies.printing.report import MARGIN, WIDTH, Report, report
from dispensary.supplies.printing.sheet import leading
from dispensary.words import _, spoken

_BOX = 3.6
_STEP = 42.0


@dataclass(frozen=True)
class Sheet:
    """What stands on it, in one language."""

    language: str
    title: str
    asks: Sequence[tuple[str, Sequence[str]]]
    """Each question with its answers."""


def asked_pdf(sheet: Sheet, *, site: Site, printed_at: datetime) -> bytes:
    """The PDF. It lies open on a table: it says nothing of what the place is for."""

    def draw(on: Report) -> None:
        on.heading(sheet.title)
        with spoken(sheet.language):
            on.line(_("One box for each question. Leave out what you do not want to answer. Do not write your name."))
        for number, (says, answers) in enumerate(sheet.asks, start=1):
            on.room(4 * leading(9))
            on.line(f"{number}. {says}", bold=True)
            across = WIDTH / _STEP
            for place, words in enumerate(answers):
                column = place % int(across)
                if place and column == 0:
                    on.sheet.y += leading(9) + 1.5
                x = MARGIN + column * _STEP
                on.sheet.box(x, on.sheet.y, _BOX, _BOX)
                on.sheet.text(x + _BOX + 1.5, on.sheet.y, words, size=9, width=_STEP - _BOX - 3)
            on.sheet.y += leading(9) + 4

    return report(draw, lambda: "", site=site, printed_at=printed_at)
