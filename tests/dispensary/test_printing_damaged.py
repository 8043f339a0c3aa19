"""Every code that is printed is read at 200 dpi after it was blotted or blurred: 25 of each kind, none left out."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from io import BytesIO
from uuid import UUID

import pytest
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from dispensary.supplies.passes import code_of, token_of
from dispensary.supplies.printing.label_drawing import STOCKS
from dispensary.supplies.printing.passcard import CardPaper, pass_card, qr_png
from dispensary.supplies.printing.qr import modules
from dispensary.supplies.printing.sheet import Sheet, printed
from dispensary.supplies.serials import bottle_code
from tests.builders import known_vault
from tests.paper import DPI, codes_in, painted_squares

KEYS = known_vault()
"""Always the same, so that each code is damaged in the same way whenever the test runs."""
HOW_MANY = 25
DAY = date(2026, 11, 25)
AT = datetime(2026, 11, 24, tzinfo=UTC)

Picture = tuple[Image.Image, str]


@cache
def card(n: int) -> Picture:
    """A pass on a card, from its PDF."""
    token = token_of(KEYS, UUID(int=n))
    (page,) = painted_squares(pass_card(token, code_of(KEYS, UUID(int=n)), day=DAY, paper=CardPaper.CARD))
    return page, token


@cache
def bottle(n: int, *, size: str = "small") -> Picture:
    """The code of a label, as large as it is on one, from a PDF."""
    code = bottle_code(f"{random.Random(n).randrange(10**15):015d}")
    side = next(stock.qr for name, stock in STOCKS.items() if name == size)

    def draw(sheet: Sheet) -> None:
        sheet.page()
        sheet.qr(5, 5, side, code)

    (page,) = painted_squares(printed(draw, (70, 50), made_at=AT, title="Labels", language="en"))
    return page, code


def large_bottle(n: int) -> Picture:
    return bottle(n, size="large")


@cache
def zpl_bottle(n: int) -> Picture:
    """The code as a label printer of 203 dpi draws it: four dots a module."""
    code = bottle_code(f"{random.Random(n).randrange(10**15):015d}")
    rows, dots = modules(code), 4
    picture = Image.new("L", (len(rows) * dots + 40, len(rows) * dots + 40), 255)
    pen = ImageDraw.Draw(picture)
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            if dark:
                pen.rectangle((20 + x * dots, 20 + y * dots, 19 + (x + 1) * dots, 19 + (y + 1) * dots), fill=0)
    return picture, code


@cache
def phone(n: int) -> Picture:
    """A pass as the phone link shows it."""
    token = token_of(KEYS, UUID(int=n))
    return Image.open(BytesIO(qr_png(token, scale=6))).convert("L"), token


def blotted(page: Image.Image, n: int) -> Image.Image:
    """A drop of ink or coffee somewhere in the middle of the code, as wide as a fifth of it."""
    drawn = random.Random(1000 + n)
    where = zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCodeModel2)[0].position
    side = where.top_right.x - where.top_left.x
    x = where.top_left.x + side * drawn.uniform(0.45, 0.65)
    y = where.top_left.y + side * drawn.uniform(0.45, 0.65)
    radius = side * 0.09
    damaged = page.copy()
    ImageDraw.Draw(damaged).ellipse((x - radius, y - radius, x + radius, y + radius), fill=40)
    return damaged


def blurred(page: Image.Image, n: int) -> Image.Image:
    """Out of focus by up to 0.23 mm: nearly half a module of the smallest code, a label's from a 203 dpi printer."""
    return page.filter(ImageFilter.GaussianBlur(1 + 0.8 * n / HOW_MANY))


def tilted_and_grey(page: Image.Image, n: int) -> Image.Image:
    """Held askew before a camera in poor light."""
    turned = page.rotate(random.Random(2000 + n).uniform(-12, 12), fillcolor=255, expand=True, resample=Image.BICUBIC)
    return turned.point(lambda grey: 70 + grey * 0.45).filter(ImageFilter.GaussianBlur(0.8))


@pytest.mark.parametrize("made", [card, phone, bottle, large_bottle, zpl_bottle])
@pytest.mark.parametrize("damaged", [blotted, blurred, tilted_and_grey])
def test_every_damaged_code_is_read(
    made: Callable[[int], Picture], damaged: Callable[[Image.Image, int], Image.Image]
) -> None:
    read = 0
    for n in range(1, HOW_MANY + 1):
        page, content = made(n)
        read += codes_in(damaged(page, n)) == [content]
    assert f"{read} of {HOW_MANY}" == f"{HOW_MANY} of {HOW_MANY}"


def test_the_pictures_are_as_fine_as_a_scan_at_200_dots_an_inch() -> None:
    page, _ = bottle(1)
    assert DPI == 200
    assert page.width == round(70 / 25.4 * 200)
