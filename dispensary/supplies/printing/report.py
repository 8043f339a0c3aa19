"""The frame of a printed record: whose it is, what it is, when it was printed, page n of N on every page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dispensary.staff.models import Site
from dispensary.supplies.printing.fonts import readable
from dispensary.supplies.printing.sheet import A4, PAGES, Sheet, Size, leading, printed
from dispensary.supplies.printing.table import Column, Table
from dispensary.supplies.printing.wording import moment
from dispensary.words import _

_WIDE: Size = (A4[1], A4[0])
MARGIN = 12.0
WIDTH = _WIDE[0] - 2 * MARGIN
"""What a table has, in mm."""
_BODY = 27.0
_BOTTOM = _WIDE[1] - 14


class Report:
    """Draws headings, tables and lines one below the other, a new page whenever one is full."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet

    def heading(self, text: str, *, size: float = 11) -> None:
        """A heading that stays with what follows it."""
        if self.sheet.y > _BODY:
            self.sheet.y += 5
        self.room(30)
        self.sheet.text(MARGIN, self.sheet.y, text, size=size, bold=True, width=WIDTH)
        self.sheet.y += leading(size) + 1

    def line(self, text: str, *, bold: bool = False, wide: float = WIDTH, size: float = 9) -> None:
        """A paragraph, so many mm wide."""
        for part in self.sheet.lines(text, wide, size=size, bold=bold):
            self.room(leading(size))
            self.sheet.text(MARGIN, self.sheet.y, part, size=size, bold=bold, width=wide)
            self.sheet.y += leading(size)
        self.sheet.y += 1

    def table(self, *columns: Column) -> Table:
        """A table, as wide as its columns are."""
        return Table(self.sheet, columns, x=MARGIN, bottom=_BOTTOM)

    def room(self, height: float) -> None:
        """A new page unless so many mm are left on this one."""
        if self.sheet.y + height > _BOTTOM:
            self.sheet.page()


def report(
    draw: Callable[[Report], None], title: Callable[[], str], *, site: Site, printed_at: datetime, password: str = ""
) -> bytes:
    """The PDF of a record of a site on A4 across, in the site's language. `title` is asked for in that language.

    With a password it opens by that alone.
    """

    def frame(sheet: Sheet) -> None:
        name = sheet.show(site.name)
        name = f"{name} ({site.code})" if readable(name) else site.code
        sheet.text(MARGIN, 9, name, size=12, bold=True, width=WIDTH * 0.5)
        sheet.text(MARGIN + WIDTH * 0.5, 9, title(), size=12, bold=True, side="right", width=WIDTH * 0.5)
        where = ", ".join(filter(None, (site.address, site.phone)))
        sheet.text(MARGIN, 14.5, where, size=8.5, width=WIDTH)
        sheet.rule(MARGIN, 20, WIDTH, thick=0.4)
        foot = _WIDE[1] - 10
        printed_on = _(
            "Printed %(moment)s, %(zone)s time", moment=moment(printed_at, site.zone), zone=site.zone.replace("_", " ")
        )
        sheet.text(MARGIN, foot, printed_on, size=8)
        page = _("Page %(n)s of %(total)s", n=sheet.number, total=PAGES)
        about = sheet.wide(page.replace(PAGES, "999"), 8)
        sheet.text(MARGIN + WIDTH - about, foot, page, size=8)
        sheet.y = _BODY - 3

    def drawn(sheet: Sheet) -> None:
        sheet.on_page = frame
        sheet.page()
        draw(Report(sheet))

    title_of_file = f"{site.code} {printed_at:%Y-%m-%d}"
    return printed(drawn, _WIDE, made_at=printed_at, title=title_of_file, language=site.language, password=password)
