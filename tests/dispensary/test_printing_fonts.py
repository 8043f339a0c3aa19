"""Letters: every paper comes out, in whatever script, whatever fonts the machine has."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import fpdf
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from hypothesis import given, settings
from hypothesis import strategies as st

from dispensary.supplies.printing.fonts import HELVETICA, LATIN_1, letters_for, readable
from dispensary.supplies.printing.sheet import A6, Sheet, printed
from tests.paper import pages_of, words_of

AT = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)
LATIN = "".join(map(chr, sorted(LATIN_1 - {0xAD})))


def font_file(folder: Path, name: str, characters: str) -> Path:
    """A font with a filled square for each of these characters."""
    pen = TTGlyphPen(None)
    pen.moveTo((50, 0))
    for corner in ((50, 700), (450, 700), (450, 0)):
        pen.lineTo(corner)
    pen.closePath()
    square = pen.glyph()
    names = [".notdef", *(f"u{ord(c):04X}" for c in characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):04X}" for c in characters})
    builder.setupGlyf(dict.fromkeys(names, square))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (500, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular", "fullName": name, "psName": name})
    builder.setupOS2(sTypoAscender=800, usWinAscent=800, usWinDescent=200, sCapHeight=700, sxHeight=500, version=4)
    builder.setupPost()
    path = folder / name
    builder.save(path)
    return path


def line(text: str, *, folders: list[Path], language: str = "en") -> bytes:
    """A page with one line."""

    def draw(sheet: Sheet) -> None:
        sheet.page()
        sheet.text(5, 5, text, size=10, width=95)

    return printed(draw, A6, made_at=AT, title="A line", language=language, folders=folders)


def embedded(pdf: bytes) -> int:
    """How many fonts the page brings with it."""
    fonts = pages_of(pdf)[0]["/Resources"]["/Font"].values()
    return sum("/DescendantFonts" in font.get_object() for font in fonts)


def test_latin_1_is_set_in_helvetica_and_brings_no_font(tmp_path: Path) -> None:
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN)
    page = line("Klinik Sentosa, 12 Rue du Général, ½ · £5", folders=[tmp_path])
    assert words_of(page) == "Klinik Sentosa, 12 Rue du Général, ½ · £5"
    assert embedded(page) == 0


def test_a_name_in_another_script_is_set_in_a_font_of_the_machine(tmp_path: Path) -> None:
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN)
    font_file(tmp_path, "NotoSansCJKsc-Regular.otf", "平安诊所")
    page = line("Ping An 平安诊所 12", folders=[tmp_path], language="zh_Hans")
    assert words_of(page).replace(" ", "") == "PingAn平安诊所12"
    assert embedded(page) == 2


def test_the_upright_font_that_has_most_of_the_signs_is_taken(tmp_path: Path) -> None:
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN)
    font_file(tmp_path, "DejaVuSans.ttf", LATIN + "ảồ")
    page = line("Hải Hồng", folders=[tmp_path], language="vi")
    assert words_of(page) == "Hải Hồng"
    assert embedded(page) == 1


def test_a_line_that_mixes_two_fonts_keeps_its_size_throughout(tmp_path: Path) -> None:
    """Each line begins in the size that it was asked for, also when the line before ended in another font."""
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN)
    font_file(tmp_path, "NotoSansCJKsc-Regular.otf", "星期六年月日")

    def draw(sheet: Sheet) -> None:
        sheet.page()
        sheet.text(5, 5, "small", size=6)
        for n, words in enumerate(("星期六", "2026年12月5日")):
            sheet.text(5, 10 + 10 * n, words, size=20)

    pdf = printed(draw, A6, made_at=AT, title="Lines", language="zh_Hans", folders=[tmp_path])
    sizes: dict[str, set[float]] = {}

    def met(text: str, _matrix: object, _place: object, _font: object, size: float) -> None:
        for sign in text.strip():
            sizes.setdefault(sign, set()).add(size)

    pages_of(pdf)[0].extract_text(visitor_text=met)
    assert sizes["s"] == {6}
    assert {size for sign, found in sizes.items() if sign not in "small" for size in found} == {20}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Hải Phòng, Đống Đa", "Hai Phòng, Dong Da"),
        ("St. Mary’s “new” clinic – 2…", 'St. Mary\'s "new" clinic - 2...'),
        ("Ping An 平安", "Ping An ??"),
        ("Łódź Šibenik", "?ódz Sibenik"),
        ("tab\tand\nline", "tab and line"),
        ("bell\x07, joiner\u200d, mark\u2066", "bell, joiner, mark"),
        ("½ № Ⅷ", "½ No VIII"),
    ],
)
def test_without_a_font_each_sign_is_replaced_by_one_that_can_be_read(written: str, shown: str) -> None:
    assert HELVETICA.show(written) == shown
    assert words_of(line(written, folders=[])) == shown


def test_what_is_mostly_question_marks_is_not_readable() -> None:
    assert readable("Ping An ??")
    assert not readable("????")
    assert not readable(HELVETICA.show("平安诊所"))
    assert not readable("")


def test_a_damaged_font_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "NotoSans-Regular.ttf").write_bytes(b"\0\1\0\0 not a font at all")
    font_file(tmp_path, "LiberationSans-Regular.ttf", LATIN + "ả")
    assert words_of(line("Hải", folders=[tmp_path])) == "Hải"


def test_a_font_that_cannot_be_embedded_still_leaves_a_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN + "ả")

    def broken(*_arguments: object, **_named: object) -> None:
        raise NotImplementedError("no table for this")

    monkeypatch.setattr(fpdf.FPDF, "add_font", broken)
    assert words_of(line("Hải", folders=[tmp_path])) == "Hai"


def test_a_font_of_one_script_alone_does_not_set_the_page(tmp_path: Path) -> None:
    font_file(tmp_path, "NotoSansCJKsc-Regular.otf", "平安")
    assert letters_for("Ping An 平安", folders=[tmp_path]) == HELVETICA


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_any_text_whatever_is_printed_without_a_font(text: str) -> None:
    shown = HELVETICA.show(text)
    assert {ord(c) for c in shown} <= LATIN_1
    assert line(text, folders=[]).startswith(b"%PDF-")


def test_a_document_is_the_same_to_the_byte_in_another_process(tmp_path: Path) -> None:
    font_file(tmp_path, "NotoSans-Regular.ttf", LATIN + "ảồờ")
    program = (
        "import sys; from pathlib import Path; from tests.dispensary.test_printing_fonts import line;"
        "sys.stdout.buffer.write(line('Hải, Hồ, đường', folders=[Path(sys.argv[1])]))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(tmp_path)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert runs == {line("Hải, Hồ, đường", folders=[tmp_path])}
