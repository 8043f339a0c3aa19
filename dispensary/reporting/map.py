"""A map of sites by their coordinates alone: no tiles, no borders, nothing asked of anybody. Pure.

The projection is equirectangular with the middle latitude's scale: true enough to tell neighbours in a country, and the
same to the byte for the same sites. What a site's form says stands in the key and in the table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians

from dispensary.evaluation.rollup_rules import SiteFigures, Voice
from dispensary.reporting.drawing import Drawing, Form, Mark, Shape, Stroke, Tone, Words, box
from dispensary.words import _, ngettext

WIDTH, MOST_HEIGHT, MARGIN = 640.0, 640.0, 34.0
_KEY = 108.0
_FEWEST_DEGREES = 0.2
"""What is drawn is this wide at least, so that one site, or two in a street, lie somewhere."""
FORMS = {
    Voice.REPORTS: (Form.CIRCLE, True),
    Voice.LATE: (Form.TRIANGLE, True),
    Voice.OFF_LINE: (Form.SQUARE, False),
    Voice.APART: (Form.DIAMOND, True),
    Voice.NEW: (Form.CIRCLE, False),
}


def said_of(voice: Voice) -> str:
    """What is heard of a site, in words."""
    return {
        Voice.REPORTS: _("reports"),
        Voice.LATE: _("day not closed"),
        Voice.OFF_LINE: _("off-line"),
        Voice.APART: _("runs apart, and is not heard"),
        Voice.NEW: _("no day closed yet"),
    }[voice]


def drawn(sites: Sequence[SiteFigures], *, title: str) -> Drawing | None:
    """The map; nothing where no site has coordinates. Sites that are not heard are drawn last, on top."""
    placed = [site for site in sites if site.lat is not None and site.lon is not None]
    if not placed:
        return None
    lats, lons = [float(site.lat or 0) for site in placed], [float(site.lon or 0) for site in placed]
    middle = (min(lats) + max(lats)) / 2
    shrunk = max(cos(radians(middle)), 0.01)
    wide = max((max(lons) - min(lons)) * shrunk, _FEWEST_DEGREES)
    high = max(max(lats) - min(lats), _FEWEST_DEGREES)
    scale = min((WIDTH - 2 * MARGIN) / wide, (MOST_HEIGHT - 2 * MARGIN) / high)
    height = high * scale + 2 * MARGIN
    centre = (min(lons) + max(lons)) / 2
    shapes: list[Shape] = [Stroke((*box(1, 1, WIDTH - 2, height - 2), (1, 1)), 1, Tone.LINE)]
    order = [Voice.NEW, Voice.REPORTS, Voice.LATE, Voice.APART, Voice.OFF_LINE]
    size = 7.0 if len(placed) <= 200 else 4.0
    for site in sorted(placed, key=lambda each: (order.index(each.voice), each.code)):
        x = WIDTH / 2 + (float(site.lon or 0) - centre) * shrunk * scale
        y = height / 2 - (float(site.lat or 0) - middle) * scale
        form, filled = FORMS[site.voice]
        shapes.append(Mark((x, y), form, filled, size if site.voice in (Voice.REPORTS, Voice.NEW) else size + 2))
        if len(placed) <= 30:
            leftward = x > WIDTH * 0.7
            beside = x - size - 6 if leftward else x + size + 6
            shapes.append(Words((beside, y + 6), site.code, 17, "end" if leftward else "start", tone=Tone.SOFT))
    shapes += _key(height)
    lacking = len(sites) - len(placed)
    counted = [(voice, sum(site.voice is voice for site in placed)) for voice in Voice]
    says = "; ".join(f"{said_of(voice)}: {number}" for voice, number in counted if number)
    if lacking:
        lack = ngettext("%(num)s site has no coordinates.", "%(num)s sites have no coordinates.", lacking)
        says += ". " + lack % {"num": lacking}
    return Drawing(WIDTH, height + _KEY, title, says, tuple(shapes))


def _key(height: float) -> list[Shape]:
    """Three rows under the map, in letters that are read on a telephone too."""
    shapes: list[Shape] = []
    for n, voice in enumerate(Voice):
        x, y = MARGIN / 2 + n % 2 * WIDTH / 2, height + 22 + n // 2 * 32
        form, filled = FORMS[voice]
        shapes += [Mark((x + 8, y), form, filled, 7), Words((x + 26, y + 7), said_of(voice), 20)]
    return shapes
