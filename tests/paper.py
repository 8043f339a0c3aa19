"""Reading printed documents back: their words with pypdf, their codes with zxing-cpp."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw
from pypdf import PageObject, PdfReader
from pypdf.generic import ContentStream

DPI = 200
Painter = Callable[[bytes], list[Image.Image]]


def pages_of(pdf: bytes) -> list[PageObject]:
    return list(PdfReader(BytesIO(pdf)).pages)


def words_of(pdf: bytes) -> str:
    """The document's text, every run of blanks and line ends as one blank."""
    return " ".join(" ".join(page.extract_text() for page in pages_of(pdf)).split())


def codes_in(picture: Image.Image) -> list[str]:
    """The text of every QR code in the picture, in the order of reading: by row, then by column."""
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCodeModel2)
    placed = sorted((code.position.top_left.y // 60, code.position.top_left.x, code.text) for code in found)
    return [text for _, _, text in placed]


def painted_squares(pdf: bytes) -> list[Image.Image]:
    """The pages with nothing but their filled rectangles, which is what the codes are made of; needs no program."""
    return [_squares(page) for page in pages_of(pdf)]


def _squares(page: PageObject) -> Image.Image:
    scale = DPI / 72
    high = float(page.mediabox.height)
    picture = Image.new("L", (round(float(page.mediabox.width) * scale), round(high * scale)), 255)
    pen = ImageDraw.Draw(picture)
    ink = 0
    for (x, y, width, height), grey in _rectangles(page):
        ink = round(grey * 255)
        corners = (x, high - y - height, x + width, high - y)
        left, top, right, bottom = (side * scale for side in corners)
        pen.rectangle((round(left), round(top), round(right) - 1, round(bottom) - 1), fill=ink)
    return picture


def _rectangles(page: PageObject) -> Iterator[tuple[tuple[float, float, float, float], float]]:
    contents = page.get_contents()
    assert isinstance(contents, ContentStream)
    grey, shape = 0.0, None
    for operands, operator in contents.operations:
        numbers: list[float] = [float(n) for n in operands if isinstance(n, (int, float))] if operands else []
        if operator in (b"g", b"rg"):
            grey = numbers[0]
        elif operator == b"re":
            x, y, width, height = numbers
            shape = (x, min(y, y + height), width, abs(height))
        elif operator == b"f" and shape:
            yield shape, grey


def painted_by_poppler(pdf: bytes) -> list[Image.Image]:
    """The pages as Poppler paints them. Fails, and does not pass over, where it is not installed."""
    program = shutil.which("pdftoppm")
    assert program, "pdftoppm is not installed (Debian: poppler-utils)"
    with TemporaryDirectory() as folder:
        path = Path(folder) / "page"
        subprocess.run([program, "-r", str(DPI), "-png", "-", str(path)], input=pdf, check=True)
        return [Image.open(file).convert("L").copy() for file in sorted(Path(folder).iterdir())]


PAINTERS: list[Any] = [pytest.param(painted_squares, id="squares")]
if shutil.which("pdftoppm"):  # a machine without it reads the codes from the squares alone
    PAINTERS.append(pytest.param(painted_by_poppler, id="poppler"))
