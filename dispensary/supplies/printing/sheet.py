"""Paper: placing words, lines and codes on pages in millimetres, so that the same document is the same bytes."""

from __future__ import annotations

import logging
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from itertools import groupby
from pathlib import Path
from typing import Literal, cast

from dispensary.supplies.printing import qr
from dispensary.supplies.printing.fonts import HELVETICA, Letters, NoLetters, letters_for
from dispensary.units import plain
from dispensary.words import spoken

log = logging.getLogger(__name__)

Size = tuple[float, float]
"""Width and height in mm."""
A4: Size = (210, 297)
A4_WIDE: Size = (297, 210)
A6: Size = (105, 148)

Side = Literal["left", "right", "middle"]
Spot = tuple[float, float]
"""Across and down, in mm."""
_POINT = 25.4 / 72
_LEADING = 1.2
_BLEED = 0.02
"""How far (mm) each row of a QR code reaches into the next, so that no reader draws a white hair between them."""
_CORE = "helvetica"
PAGES = "{pages}"
"""Stands for the number of pages, which is known at the end."""


def leading(size: float) -> float:
    """The height in mm of a line of this size in points."""
    return size * _POINT * _LEADING


class Sheet:
    """A document while it is drawn. `on_page` is drawn on every page as it begins; `y` is where the next thing goes."""

    def __init__(
        self,
        size: Size,
        *,
        letters: Letters = HELVETICA,
        made_at: datetime,
        title: str,
        language: str = "en",
        on_page: Callable[[Sheet], None] | None = None,
        password: str = "",
    ) -> None:
        from fpdf import FPDF  # slow to import, and needed only when something is printed

        self.width, self.height = size
        self.y = 0.0
        self.met: set[str] = set()
        """Every sign that was to be shown."""
        self._letters = letters
        self._widths: dict[tuple[str, bool], float] = {}
        self._lengths: dict[tuple[str, bool], float] = {}
        self._broken: dict[tuple[str, float, float, bool], list[str]] = {}
        self.on_page = on_page
        self._pdf = FPDF(unit="mm", format=size)
        if password:
            self._lock(password)
        self._pdf.set_auto_page_break(False)
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.alias_nb_pages(PAGES)
        self._pdf.set_creation_date(made_at.astimezone(UTC))
        self._pdf.set_title(title)
        self._pdf.set_lang(language.replace("_", "-"))
        self._names = [f"letters{n}" for n, _ in enumerate(letters.families)]
        for name, family in zip(self._names, letters.families, strict=True):
            for style, file in (("", family.regular), ("B", family.bold)):
                self._pdf.add_font(name, style, file.path, collection_font_number=file.number)
        self._pdf.set_fallback_fonts(self._names[1:], exact_match=False)
        if letters.shaped:
            self._pdf.set_text_shaping(True)

    def _lock(self, password: str) -> None:
        from fpdf.enums import EncryptionMethod

        # The owner's password opens as well: nobody is told it.
        self._pdf.set_encryption(
            owner_password=secrets.token_urlsafe(32),
            user_password=password,
            encryption_method=EncryptionMethod.AES_256,
        )

    @property
    def number(self) -> int:
        """Of the page that is drawn, from 1."""
        return int(self._pdf.page_no())

    def page(self) -> None:
        """Begins a page."""
        self._pdf.add_page()
        self._pdf.set_line_width(0.2)
        if self.on_page:
            self.on_page(self)

    def finished(self) -> bytes:
        """The document. Nothing can be drawn afterwards."""
        return bytes(self._pdf.output())

    def show(self, text: str) -> str:
        """The text as these letters can show it."""
        self.met.update(unicodedata.normalize("NFC", text))
        return self._letters.show(text)

    def _set(self, size: float, bold: bool) -> None:
        self._pdf.set_font(self._names[0] if self._names else _CORE, "B" if bold else "", size)

    def wide(self, text: str, size: float, *, bold: bool = False) -> float:
        """How wide the text is, in mm."""
        return self._wide(self.show(text), size, bold)

    def _wide(self, shown: str, size: float, bold: bool) -> float:
        if self._letters.shaped:
            self._set(size, bold)
            return float(self._pdf.get_string_width(shown))
        if (shown, bold) not in self._lengths:  # a long register says the same names and dates on every page
            self._lengths[shown, bold] = sum(self._wide_sign(sign, bold) for sign in shown)
        return size * self._lengths[shown, bold]

    def _wide_sign(self, sign: str, bold: bool) -> float:
        """A sign's width at one point: it is asked of fpdf2 once, since asking takes longer than drawing."""
        if (sign, bold) not in self._widths:
            self._set(100, bold)
            self._widths[sign, bold] = float(self._pdf.get_string_width(sign)) / 100
        return self._widths[sign, bold]

    def _put(self, x: float, y: float, shown: str, size: float, bold: bool) -> None:
        if self._letters.shaped or PAGES in shown:
            self._put_shaped(x, y, shown, size, bold)
            return
        for family, run in groupby(shown, self._family_of):
            part = "".join(run)
            self._pdf.set_font(family, "B" if bold else "", size)
            self._pdf.text(x, y + leading(size) / 2 + 0.3 * size * _POINT, part)
            x += self._wide(part, size, bold)

    def _put_shaped(self, x: float, y: float, shown: str, size: float, bold: bool) -> None:
        self._set(size, bold)
        # A line in several fonts leaves fpdf2 believing that the page is still set in the one before it.
        self._pdf.current_font_is_set_on_page = False
        self._pdf.set_xy(x, y)
        self._pdf.cell(h=leading(size), text=shown)
        self._pdf.current_font_is_set_on_page = False

    def _family_of(self, sign: str) -> str:
        for name, family in zip(self._names, self._letters.families, strict=True):
            if ord(sign) in family.has:
                return name
        return self._names[0] if self._names else _CORE

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        bold: bool = False,
        side: Side = "left",
        width: float = 0,
        white: bool = False,
    ) -> None:
        """One line from (x, y), its top left; with `width`, at that side of it, in smaller letters when too long."""
        shown = self.show(text)
        if not shown:
            return
        length = self._wide(shown, size, bold)
        if width and length > width:
            size *= width / length
            length = width
        left = {"left": x, "right": x + width - length, "middle": x + (width - length) / 2}[side]
        if white:
            self._pdf.set_text_color(255)
        self._put(left, y, shown, size, bold)
        if white:
            self._pdf.set_text_color(0)

    def amount(
        self, point: float, y: float, amount: Decimal, *, size: float, bold: bool = False, sign: str = ""
    ) -> None:
        """An amount with its decimal point at `point`: digits stand under each other, and no zero trails it.

        A trailing zero has been read as ten times the dose; a column that needs none lines up at the point instead.
        """
        whole, dot, rest = plain(abs(amount)).partition(".")
        whole = sign + whole
        self.text(point - self.wide(whole, size, bold=bold), y, whole + dot + rest, size=size, bold=bold)

    def lines(self, text: str, width: float, *, size: float, bold: bool = False) -> list[str]:
        """The text broken into lines of this width."""
        shown = self.show(text)
        if self._wide(shown, size, bold) <= width:
            return [shown]
        if (key := (shown, width, size, bold)) not in self._broken:
            self._set(size, bold)
            lines = self._pdf.multi_cell(width, text=shown, align="L", dry_run=True, output="LINES")
            self._broken[key] = cast(list[str], lines)
        return list(self._broken[key])

    def block(
        self,
        x: float,
        y: float,
        text: str,
        width: float,
        *,
        size: float,
        least: float,
        most_lines: int,
        bold: bool = False,
        side: Side = "left",
    ) -> float:
        """A text in at most so many lines, its size from `size` down to `least` as it needs. Returns where it ends.

        What does not fit even then ends in three dots.
        """
        while len(lines := self.lines(text, width, size=size, bold=bold)) > most_lines and size > least:
            size = max(least, size - 0.25)
        if len(lines) > most_lines:
            last = lines[most_lines - 1]
            while last and self.wide(last + "...", size, bold=bold) > width:
                last = last[:-1]
            lines = [*lines[: most_lines - 1], last.rstrip() + "..."]
        for line in lines:
            self.text(x, y, line, size=size, bold=bold, side=side, width=width)
            y += leading(size)
        return y

    def rule(self, x: float, y: float, width: float, *, thick: float = 0.2, grey: int = 0) -> None:
        """A line across."""
        self._pdf.set_draw_color(grey)
        self._pdf.set_line_width(thick)
        self._pdf.line(x, y, x + width, y)
        self._pdf.set_draw_color(0)

    def box(self, x: float, y: float, width: float, height: float, *, filled: bool = False, grey: int = 0) -> None:
        """A frame, or a filled field."""
        self._pdf.set_draw_color(grey)
        self._pdf.set_fill_color(grey)
        self._pdf.set_line_width(0.2)
        self._pdf.rect(x, y, width, height, style="F" if filled else "D")
        self._pdf.set_draw_color(0)

    def cut_here(self, x: float, y: float, width: float, height: float) -> None:
        """A dashed frame along which to cut."""
        self._pdf.set_dash_pattern(dash=1.5, gap=1.5)
        self.box(x, y, width, height, grey=120)
        self._pdf.set_dash_pattern()

    def stroke(self, points: Sequence[Spot], colour: str, *, thick: float, dash: Sequence[float] = ()) -> None:
        """A line through these points, in mm like its dashes, in a colour such as #17594a."""
        self._pdf.set_draw_color(colour)
        self._pdf.set_line_width(thick)
        if dash:
            self._pdf.set_dash_pattern(dash=dash[0], gap=dash[1])
        self._pdf.polyline(list(points))
        self._pdf.set_dash_pattern()
        self._pdf.set_draw_color(0)

    def area(self, points: Sequence[Spot], colour: str, *, edge: str = "", strength: float = 1) -> None:
        """What these points go round, filled; with less than full `strength` one sees what is beneath."""
        self._pdf.set_fill_color(colour)
        self._pdf.set_draw_color(edge or 0)
        self._pdf.set_line_width(0.3)
        with self._pdf.local_context(fill_opacity=strength):
            self._pdf.polygon(list(points), style="DF" if edge else "F")
        self._pdf.set_draw_color(0)

    def words(self, x: float, y: float, text: str, *, size: float, side: str = "start", bold: bool = False) -> None:
        """One line of letters of `size` mm whose base line begins, has its middle or ends at (x, y)."""
        points = size / _POINT
        shown = self.show(text)
        length = self._wide(shown, points, bold)
        left = x - {"start": 0, "middle": length / 2, "end": length}[side]
        if shown:
            self._put(left, y - leading(points) / 2 - 0.3 * points * _POINT, shown, points, bold)

    def picture(self, x: float, y: float, width: float, height: float, content: bytes) -> None:
        """A photo (JPEG or PNG), as large as it can be within this frame without being stretched."""
        self._pdf.image(BytesIO(content), x=x, y=y, w=width, h=height, keep_aspect_ratio=True)

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """A QR code with its quiet zone in a square of this side."""
        rows = qr.modules(text)
        step = side / len(rows)
        self._pdf.set_fill_color(0)
        for column, row, length in qr.runs(rows):
            self._pdf.rect(x + column * step, y + row * step, length * step, step + _BLEED, style="F")


def printed(
    draw: Callable[[Sheet], None],
    size: Size,
    *,
    made_at: datetime,
    title: str,
    language: str,
    folders: Sequence[Path] | None = None,
    password: str = "",
    whole: bool = False,
) -> bytes:
    """The PDF of what `draw` draws, its words in this language; the same bytes for the same drawing, moment and fonts.
    With a password it opens by that alone (AES-256), and no two are the same.

    It is drawn in Helvetica first. When a sign was met that Helvetica lacks, it is drawn again in letters of the
    machine's own (in `folders`, default the standard ones). Should those fail in any way, the first drawing counts.

    A paper that is worth nothing with signs missing is printed `whole`: then NoLetters is raised in place of that.
    """
    with spoken(language):
        first = Sheet(size, made_at=made_at, title=title, language=language, password=password)
        draw(first)
        letters = letters_for(first.met, language=language, folders=folders)
        if whole and letters.lacking(first.met):
            raise NoLetters(letters.lacking(first.met))
        if letters.families:
            try:
                again = Sheet(size, letters=letters, made_at=made_at, title=title, language=language, password=password)
                draw(again)
                return again.finished()
            except Exception as reason:  # a font can be broken in as many ways as there are bytes
                if whole and HELVETICA.lacking(first.met):
                    raise NoLetters(HELVETICA.lacking(first.met)) from reason
                log.warning("a font of this machine cannot be embedded, printing without it", exc_info=True)
        return first.finished()
