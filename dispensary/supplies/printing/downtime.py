"""The downtime pack on paper and as a page: both sealed by the words that the site's administrator has set."""

from __future__ import annotations

from base64 import b64encode
from html import escape

from dispensary.supplies.outage_pack import ClientInPack, Pack
from dispensary.supplies.outage_page import sealed_page
from dispensary.supplies.printing.downtime_words import (
    against,
    ahead,
    blanks,
    carried,
    drill,
    due,
    heading,
    known_by,
    lot_lines,
    volumes,
)
from dispensary.supplies.printing.report import MARGIN, WIDTH, Report, report
from dispensary.supplies.printing.sheet import Sheet, leading
from dispensary.supplies.printing.wording import long_day
from dispensary.words import _, spoken

_PHOTO = (16.0, 20.0)
_LEFT = MARGIN + 18
_WIDTHS = (52.0, 62.0, 50.0, 88.0)
"""Who; today and tomorrow; what is carried; what is filled in by hand. In mm, beside the photo."""
_GAP = 2.0
_LEAST = 22.0
_BLANK_ROWS = 3


def downtime_pdf(pack: Pack, *, password: str) -> bytes:
    """The pack as a PDF that opens with the password alone (AES-256), page n of N on each page."""

    def draw(on: Report) -> None:
        for line in drill(pack.site):
            on.line(line, bold=True)
        for line in lot_lines(pack):
            on.line(line)
        on.heading(_("Due on %(day)s and after", day=long_day(pack.today)))
        if not pack.clients:
            on.line(_("Nobody has an order on these days."))
        for client in pack.clients:
            _client(on, client, pack)
        on.heading(_("Anybody else: call the prescriber first"))
        for _n in range(4):
            on.room(16)
            on.sheet.text(MARGIN, on.sheet.y, _("Number and name"), size=7.5)
            _blank(on.sheet, on.sheet.y, 12)
            on.sheet.y += 16

    return report(draw, lambda: heading(pack), site=pack.site, printed_at=pack.made_at, password=password)


def _client(on: Report, client: ClientInPack, pack: Pack) -> None:
    sheet = on.sheet
    columns = [
        [
            (client.face.number, 11.0, True),
            (client.face.name, 9.0, True),
            *((each, 8.0, False) for each in known_by(client)),
        ],
        [
            (due(client), 11.0, True),
            *([(volumes(client), 8.0, False)] if client.ml else []),
            *((each, 8.0, True) for each in against(client)),
            *((each, 8.0, False) for each in ahead(client)),
        ],
        [(each, 8.0, False) for each in carried(client, pack)],
    ]
    broken = [
        [
            (part, size, bold)
            for text, size, bold in column
            for part in sheet.lines(text, width - _GAP, size=size, bold=bold)
        ]
        for column, width in zip(columns, _WIDTHS, strict=False)
    ]
    height = max(_LEAST, *(sum(leading(size) for _text, size, _bold in column) + 3 for column in broken))
    on.room(height)
    top = sheet.y
    sheet.rule(MARGIN, top, WIDTH, thick=0.3)
    if client.photo:
        sheet.picture(MARGIN, top + 1, *_PHOTO, client.photo)
    x = _LEFT
    for column, width in zip(broken, _WIDTHS, strict=False):
        y = top + 1
        for text, size, bold in column:
            sheet.text(x, y, text, size=size, bold=bold, width=width - _GAP)
            y += leading(size)
        x += width
    _blank(sheet, top + 1, min(height, 24) - 2)
    sheet.y = top + height


def _blank(sheet: Sheet, top: float, height: float) -> None:
    left, width = _LEFT + sum(_WIDTHS[:3]), _WIDTHS[3] / 3
    for n, word in enumerate(blanks()):
        x, y = left + (n % 3) * width, top + (n // 3) * height / _BLANK_ROWS
        sheet.box(x, y, width, height / _BLANK_ROWS, grey=120)
        sheet.text(x + 0.8, y + 0.3, word, size=6)


def downtime_page(pack: Pack, *, password: str) -> bytes:
    """The pack as one HTML file that the password opens in any browser, without a network."""
    with spoken(pack.site.language):
        title = heading(pack)
        parts = [f"<h1>{escape(title)}</h1>", *(f"<p><strong>{escape(line)}</strong></p>" for line in drill(pack.site))]
        parts += [f"<p>{escape(line)}</p>" for line in lot_lines(pack)]
        parts.append(f"<h2>{escape(_('Due on %(day)s and after', day=long_day(pack.today)))}</h2>")
        parts += [_article(client, pack) for client in pack.clients]
        return sealed_page("\n".join(parts), title=title, password=password)


def _article(client: ClientInPack, pack: Pack) -> str:
    photo = ""
    if client.photo:
        photo = f'<img alt="" src="data:image/jpeg;base64,{b64encode(client.photo).decode()}">'
    stops = "".join(f'<p class="no">{escape(line)}</p>' for line in against(client))
    later = "".join(f"<p>{escape(line)}</p>" for line in (*([volumes(client)] if client.ml else []), *ahead(client)))
    return (
        f"<article><div>{photo}</div>"
        f"<div><h3>{escape(client.face.number)}</h3><p><strong>{escape(client.face.name)}</strong></p>"
        + "".join(f"<p>{escape(line)}</p>" for line in known_by(client))
        + "".join(f"<p>{escape(line)}</p>" for line in carried(client, pack))
        + f'</div><div><p class="mg">{escape(due(client))}</p>{stops}{later}</div><div class="blank">'
        + "".join(f"<span>{escape(word)}</span>" for word in blanks())
        + "</div></article>"
    )
