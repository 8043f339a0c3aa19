"""The pass on paper: a card that a client carries, which tells nobody who reads it what it is for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from enum import StrEnum

from dispensary.supplies.passes import spoken
from dispensary.supplies.printing.qr import qr_png, qr_svg
from dispensary.supplies.printing.sheet import A4, A6, Sheet, Size, leading, printed
from dispensary.supplies.printing.wording import plain_day, weekday
from dispensary.words import _
from notifications.discretion import reveals

__all__ = ["CardPaper", "pass_card", "qr_png", "qr_svg"]

CARD: Size = (85.6, 53.98)
"""A bank card (ISO/IEC 7810, ID-1): it goes where cards go, and draws no eye there."""
_EDGE = 4.0


class CardPaper(StrEnum):
    """What the card is printed on: a page to cut it from, or a card printer."""

    A4 = "a4"
    A6 = "a6"
    CARD = "card"


_SIZES = {CardPaper.A4: A4, CardPaper.A6: A6, CardPaper.CARD: CARD}


def pass_card(
    token: str,
    code: str,
    *,
    day: date,
    place: str = "",
    paper: CardPaper = CardPaper.A6,
    language: str = "en",
) -> bytes:
    """The PDF of a card with the pass as QR, its code to read aloud, and the day on which it opens.

    Nothing on it says whose it is or what is collected. `place` says where to go; one that names a kind of clinic or of
    medicine is left off, since cards are lost and pockets are searched. The same pass gives the same bytes.
    """
    where = "" if reveals(place) else place.strip()

    def draw(sheet: Sheet) -> None:
        sheet.page()
        left = 0.0 if paper is CardPaper.CARD else (sheet.width - CARD[0]) / 2
        top = 0.0 if paper is CardPaper.CARD else 15.0
        if paper is not CardPaper.CARD:
            sheet.cut_here(left, top, *CARD)
        _draw(sheet, token, code, day, where, left, top)

    return printed(draw, _SIZES[paper], made_at=datetime.combine(day, time(), UTC), title="Pass", language=language)


def _draw(sheet: Sheet, token: str, code: str, day: date, place: str, left: float, top: float) -> None:
    side = CARD[1] - 2 * _EDGE
    sheet.qr(left + _EDGE - 2, top + _EDGE, side, token)
    x = left + side + _EDGE
    width = CARD[0] - side - 2 * _EDGE
    y = top + _EDGE + 2.5
    sheet.text(x, y, weekday(day), size=11, bold=True, width=width)
    y += leading(11)
    sheet.text(x, y, plain_day(day), size=10, bold=True, width=width)
    y += leading(10)
    if place:
        sheet.block(x, y + 0.5, place, width, size=8, least=6, most_lines=2)
    y = top + CARD[1] / 2 - 3
    sheet.text(x, y, _("Show this, or say"), size=7, width=width)
    sheet.text(x, y + leading(7), spoken(code), size=18, bold=True, width=width)
    y += leading(7) + leading(18) + 2
    for line in (_("Works once, on this day."), _("Keep it flat and dry.")):
        sheet.text(x, y, line, size=7, width=width)
        y += leading(7)
