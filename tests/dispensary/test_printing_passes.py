"""The pass on paper and on a phone: it is read, also when it is blurred or blotted, and it tells nobody anything."""

from __future__ import annotations

import re
from datetime import date
from io import BytesIO
from uuid import UUID
from xml.etree import ElementTree

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from dispensary.supplies.passes import code_of, spoken, token_of
from dispensary.supplies.printing.passcard import CardPaper, pass_card, qr_png, qr_svg
from dispensary.supplies.printing.qr import QUIET_ZONE, modules
from tests.builders import known_vault
from tests.paper import PAINTERS, Painter, codes_in, pages_of, painted_squares, words_of

DAY = date(2026, 11, 25)
BASE32 = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=1, max_size=60)


KEYS = known_vault()
"""Always the same, so that a damaged card is damaged in the same way whenever the test runs."""


@pytest.fixture(params=[1, 2, 3])
def the_pass(request: pytest.FixtureRequest) -> tuple[str, str]:
    return token_of(KEYS, UUID(int=request.param)), code_of(KEYS, UUID(int=request.param))


def picture(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png)).convert("L")


@given(BASE32)
@settings(max_examples=50, deadline=None)
def test_whatever_a_token_is_the_picture_of_it_reads_the_same(token: str) -> None:
    assert codes_in(picture(qr_png(token, scale=4))) == [token]


def test_a_token_is_packed_as_letters_and_digits_which_is_smaller_than_bytes(the_pass: tuple[str, str]) -> None:
    version_3 = 29  # modules a side; 42 bytes at level Q would need version 4
    assert len(modules(the_pass[0])) == version_3 + 2 * QUIET_ZONE
    assert len(modules(the_pass[0].lower())) > version_3 + 2 * QUIET_ZONE


def test_a_picture_is_black_and_white_and_as_large_as_asked(the_pass: tuple[str, str]) -> None:
    drawn = Image.open(BytesIO(qr_png(the_pass[0], scale=7)))
    assert drawn.mode == "1"
    assert drawn.size == (37 * 7, 37 * 7)
    assert all(drawn.getpixel((x, y)) for x in range(37 * 7) for y in (0, 27, 37 * 7 - 1))  # the quiet zone


def test_the_svg_holds_the_code_and_nothing_that_a_strict_csp_blocks(the_pass: tuple[str, str]) -> None:
    svg = qr_svg(the_pass[0])
    root = ElementTree.fromstring(svg)
    names = {element.tag.split("}")[1] for element in root.iter()}
    attributes = {name for element in root.iter() for name in element.attrib}
    assert names == {"svg", "path"}
    assert attributes == {"viewBox", "role", "aria-label", "shape-rendering", "fill", "d"}
    assert codes_in(drawn_svg(root)) == [the_pass[0]]


def drawn_svg(root: ElementTree.Element) -> Image.Image:
    """The picture that the paths of the SVG draw, five pixels a module."""
    side = int(root.attrib["viewBox"].split()[2])
    drawn = Image.new("L", (side * 5, side * 5), 128)
    pen = ImageDraw.Draw(drawn)
    white, black = list(root)
    assert white.attrib == {"fill": "#fff", "d": f"M0 0h{side}v{side}H0z"}
    pen.rectangle((0, 0, side * 5, side * 5), fill=255)
    moves = re.findall(r"M(\d+) (\d+)h(\d+)v1h-\3z", black.attrib["d"])
    assert "".join(f"M{x} {y}h{n}v1h-{n}z" for x, y, n in moves) == black.attrib["d"]
    for x, y, n in ((int(a), int(b), int(c)) for a, b, c in moves):
        pen.rectangle((x * 5, y * 5, (x + n) * 5 - 1, y * 5 + 4), fill=0)
    return drawn


@pytest.mark.parametrize("painter", PAINTERS)
@pytest.mark.parametrize("paper", list(CardPaper))
def test_the_code_is_read_from_the_card(the_pass: tuple[str, str], paper: CardPaper, painter: Painter) -> None:
    (page,) = painter(pass_card(*the_pass, day=DAY, paper=paper))
    assert codes_in(page) == [the_pass[0]]


@pytest.mark.parametrize("painter", PAINTERS)
def test_a_blurred_card_is_read(the_pass: tuple[str, str], painter: Painter) -> None:
    (page,) = painter(pass_card(*the_pass, day=DAY, paper=CardPaper.CARD))
    assert codes_in(page.filter(ImageFilter.GaussianBlur(2.5))) == [the_pass[0]]


@pytest.mark.parametrize("painter", PAINTERS)
@pytest.mark.parametrize("place", [(0.5, 0.5), (0.4, 0.7), (0.62, 0.4)])
def test_a_blotted_card_is_read(the_pass: tuple[str, str], painter: Painter, place: tuple[float, float]) -> None:
    """Ink or coffee as wide as a fifth of the code, away from the corner marks by which it is found."""
    (page,) = painter(pass_card(*the_pass, day=DAY, paper=CardPaper.CARD))
    where = zxingcpp.read_barcodes(page, formats=zxingcpp.BarcodeFormat.QRCodeModel2)[0].position
    side = where.top_right.x - where.top_left.x
    x, y, radius = where.top_left.x + side * place[0], where.top_left.y + side * place[1], side * 0.1
    ImageDraw.Draw(page).ellipse((x - radius, y - radius, x + radius, y + radius), fill=40)
    assert codes_in(page) == [the_pass[0]]


def test_the_card_says_the_day_and_the_code_and_nothing_else(the_pass: tuple[str, str]) -> None:
    said = words_of(pass_card(*the_pass, day=DAY, place="Window 2"))
    assert said == (
        "Wednesday 25 November 2026 Window 2 Show this, or say "
        f"{spoken(the_pass[1])} Works once, on this day. Keep it flat and dry."
    )


@pytest.mark.parametrize("place", ["Harapan methadone clinic", "Hospital Umum", "平安诊所", "Klinik Harapan"])
def test_a_place_that_names_the_kind_of_clinic_is_left_off(the_pass: tuple[str, str], place: str) -> None:
    card = pass_card(*the_pass, day=DAY, place=place)
    assert card == pass_card(*the_pass, day=DAY)
    assert place not in words_of(card)


def test_a_card_printed_again_is_the_same_to_the_byte(the_pass: tuple[str, str]) -> None:
    assert pass_card(*the_pass, day=DAY) == pass_card(*the_pass, day=DAY)
    assert pass_card(*the_pass, day=DAY) != pass_card(*the_pass, day=date(2026, 11, 26))


def test_the_card_of_a_card_printer_is_as_large_as_a_bank_card(the_pass: tuple[str, str]) -> None:
    (page,) = pages_of(pass_card(*the_pass, day=DAY, paper=CardPaper.CARD))
    inch = 25.4
    assert float(page.mediabox.width) * inch / 72 == pytest.approx(85.6, abs=0.1)
    assert float(page.mediabox.height) * inch / 72 == pytest.approx(53.98, abs=0.1)


def test_the_squares_that_tests_read_are_the_ones_on_the_page() -> None:
    """The reader of these tests finds no code where none was drawn."""
    card = pass_card("THABC234", "12345670", day=DAY, paper=CardPaper.CARD)
    (page,) = painted_squares(card)
    half = page.crop((0, 0, page.width // 4, page.height))
    assert codes_in(half) == []
