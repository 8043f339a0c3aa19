"""Comparing sites without ranking them: how far a site's share may lie from that of all by chance alone. Pure.

Limits are those of the binomial distribution itself (Spiegelhalter 2005, Statistics in Medicine 24:1185, appendix):
the quantile among so many people, moved by the part of a person that makes the tail exactly as likely as was asked. The
upper limit is the lower one of those of whom it is not so, so that neither side is crossed more often than is said.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dispensary.reporting.charts import WIDTH, apart, below, heading
from dispensary.reporting.drawing import Drawing, Form, Mark, Shape, Stroke, Tone, Words, wide

TAILS = {"95": 0.025, "99.8": 0.001}
"""Chance of lying below the lower limit, and above the upper one."""
FEWEST = 3
"""Sites below which a comparison says nothing."""


def limits(people: int, share: float, tail: float) -> tuple[float, float]:
    """Within which a site of so many people lies when everybody's share is this, but for this chance on each side."""
    return _lower(people, share, tail), 1 - _lower(people, 1 - share, tail)


def _lower(people: int, share: float, chance: float) -> float:
    """Between two numbers of people it is interpolated, so that the limit has exactly that chance; within 0 and 1."""
    if share <= 0 or share >= 1:
        return share
    cumulative = _cumulative(people, share)
    r = bisect_right(cumulative, chance)  # the first number whose tail exceeds the chance
    r = min(r, people)
    before = cumulative[r - 1] if r else 0.0
    part = (cumulative[r] - chance) / (cumulative[r] - before)
    return min(1.0, max(0.0, (r - part) / people))


def _cumulative(people: int, share: float) -> list[float]:
    """Chances of at most 0, 1, ... people, from the logarithm of each, so that no small one is lost."""
    log_factorial = math.lgamma
    total, so_far = log_factorial(people + 1), []
    summed = 0.0
    for r in range(people + 1):
        log = total - log_factorial(r + 1) - log_factorial(people - r + 1)
        summed += math.exp(log + r * math.log(share) + (people - r) * math.log1p(-share))
        so_far.append(summed)
    return so_far


@dataclass(frozen=True)
class Site:
    """A site whose figure is shown."""

    code: str
    counted: int
    people: int

    @property
    def share(self) -> float:
        return self.counted / self.people


@dataclass(frozen=True)
class Placed:
    """A site with the limits for so many people as it has, and where it lies."""

    site: Site
    limits: dict[str, tuple[float, float]]

    @property
    def outside(self) -> str:
        """The widest limits that it lies outside of, such as `99.8`; nothing where it lies within all."""
        found = [name for name, (low, high) in self.limits.items() if not low <= self.site.share <= high]
        return found[-1] if found else ""

    @property
    def above(self) -> bool:
        """Which side of the limits it lies outside of."""
        return self.site.share > self.limits["95"][1]


def placed(sites: Sequence[Site], overall: float) -> list[Placed]:
    """Each site with its limits, by the number of its people and never by its share."""
    return [
        Placed(
            site,
            {name: limits(site.people, overall, tail) for name, tail in TAILS.items()},
        )
        for site in sorted(sites, key=lambda site: (site.people, site.code))
    ]


_LEFT, _RIGHT, _HIGH = 56.0, 104.0, 340.0
_CURVE_POINTS = 48


def funnel(
    title: str, found: Sequence[Placed], overall: float, *, says: str, words: Mapping[str, str], foot: Sequence[str]
) -> Drawing:
    """Sites as points over their number of people, with the share of all and the limits round it.

    `words` has what stands at the axis and at the lines: `people`, `overall`, `95`, `99.8`.
    """
    shapes: list[Shape] = []
    top = heading(shapes, title, 12) + 20
    most = max(each.site.people for each in found)
    numbers = _numbers(max(1, min(each.site.people for each in found) // 2), round(most * 1.05) + 1)
    edges = {name: [(n, *limits(n, overall, tail)) for n in numbers] for name, tail in TAILS.items()}
    shares = [each.site.share for each in found] + [edge for at in edges["95"] for edge in at[1:]]
    low, high = math.floor(min(shares) * 10) / 10, math.ceil(max(shares) * 10) / 10
    high = high if high > low else low + 0.1
    right = WIDTH - _RIGHT

    def x(people: float) -> float:
        return _LEFT + people / numbers[-1] * (right - _LEFT)

    def down(share: float) -> float:
        return top + (high - min(high, max(low, share))) / (high - low) * _HIGH

    step = 0.1 if high - low > 0.25 else 0.05
    for n in range(round((high - low) / step) + 1):
        share = low + n * step
        shapes.append(Stroke(((_LEFT, down(share)), (right, down(share))), 1, Tone.LINE))
        shapes.append(Words((_LEFT - 6, down(share) + 5), f"{share * 100:.0f} %", 14, "end", tone=Tone.SOFT))
    for people in _round_numbers(numbers[-1]):
        shapes.append(Words((x(people), top + _HIGH + 20), f"{people:,}", 14, "middle", tone=Tone.SOFT))
    shapes.append(Words((right, top + _HIGH + 38), words["people"], 13, "end", tone=Tone.SOFT))
    shapes.append(Stroke(((_LEFT, down(overall)), (right, down(overall))), 1.5, Tone.INK))
    named = [((right, down(overall)), words["overall"])]
    for name, dash in (("95", (7.0, 4.0)), ("99.8", (2.0, 3.0))):
        for edge in (1, 2):
            points = [(x(at[0]), down(at[edge])) for at in edges[name] if low <= at[edge] <= high]
            if len(points) > 1:
                shapes.append(Stroke(points, 1.5, Tone.SOFT, dash))
                named.append((points[-1], words[name]))
    shapes += [Words((across + 6, at + 5), text, 13) for (across, at), text in apart(named)]
    for each in found:
        at = (x(each.site.people), down(each.site.share))
        shapes.append(Mark(at, Form.DIAMOND if each.outside else Form.CIRCLE, filled=bool(each.outside)))
    taken: list[tuple[float, float, float]] = []
    for each in sorted(found, key=lambda each: (not each.outside, each.site.people)):
        across, at_y = x(each.site.people) + 9, down(each.site.share) + 5
        length = wide(each.site.code, 13)
        if each.outside or not any(abs(at_y - t) < 14 and across < e and s < across + length for s, t, e in taken):
            taken.append((across, at_y, across + length))
            shapes.append(Words((across, at_y), each.site.code, 13, bold=bool(each.outside)))
    y = below(shapes, foot, top + _HIGH + 42)
    return Drawing(WIDTH, y + 12, title, says, tuple(shapes))


def _numbers(first: int, last: int) -> list[int]:
    """Numbers of people at which the limits are drawn: close together where they bend."""
    ratio = (last / first) ** (1 / _CURVE_POINTS)
    return sorted({round(first * ratio**n) for n in range(_CURVE_POINTS)} | {last})


def _round_numbers(last: int) -> list[int]:
    rough = last / 5
    scale = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(scale * each for each in (1, 2, 5, 10) if scale * each >= rough)
    return list(range(0, last + 1, int(step)))
