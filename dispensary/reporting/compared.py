"""Sites compared by a share of people: the funnel of a measure, in words, as a figure and as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dispensary.evaluation.answering import ALL, Answer
from dispensary.evaluation.measure import Figure, Indicator, Measure
from dispensary.evaluation.tables import Column, Columns, figure, whole
from dispensary.reporting import funnel
from dispensary.reporting.drawing import Drawing
from dispensary.reporting.funnel import FEWEST, TAILS, Placed
from dispensary.reporting.told import of_when, percent, why_hidden
from dispensary.words import _, ngettext

_PLACES = Decimal("0.00000001")

LIMITS: Columns = {
    "site": Column("code; the sites stand by the number of their people, and in no order of merit"),
    "counted": whole("people of whom it is so"),
    "people": whole("people of whom it could be so"),
    "share": figure("counted over people"),
    "lower_95": figure("exact binomial limit for so many people, were the share that of all: 2.5 in 100 lie below it"),
    "upper_95": figure("2.5 in 100 lie above it"),
    "lower_99_8": figure("1 in 1,000 lies below it"),
    "upper_99_8": figure("1 in 1,000 lies above it"),
}


@dataclass(frozen=True)
class Compared:
    """The sites whose figure is shown, and the share of all sites together, hidden ones too."""

    found: Answer
    indicator: Indicator
    overall: Decimal | None
    sites: tuple[Placed, ...]
    hidden: int
    """Sites that are too small to be shown, or would give back one that is."""

    @property
    def says_something(self) -> bool:
        return self.overall is not None and 0 < self.overall < 1 and len(self.sites) >= FEWEST

    @property
    def by_chance(self) -> Decimal:
        """How many sites lie outside the 95 % limits on average when nothing but chance tells them apart."""
        return Decimal(len(self.sites)) * 5 / 100


def comparable(measure: Measure) -> list[Indicator]:
    """The figures by which sites can be compared: shares of people, each of whom counts once.

    Days, visits and months of one person are not independent of each other: binomial limits would be too narrow.
    """
    shares = [each for each in measure.indicators if each.figure is Figure.SHARE and each.people]
    return shares if "site" in measure.strata else []


def compared(found: Answer, indicator: Indicator) -> Compared:
    """The comparison out of an answer that is split by site alone."""
    rows = [row for row in found.rows if row.indicator == indicator.key]
    overall = next((row.value for row in rows if row.strata == (ALL,)), None)
    sites = [row for row in rows if row.strata != (ALL,)]
    shown = [
        funnel.Site(row.strata[0], int(row.numerator), int(row.denominator))
        for row in sites
        if row.shown and row.numerator is not None and row.denominator
    ]
    placed = funnel.placed(shown, float(overall)) if overall is not None else []
    return Compared(found, indicator, overall, tuple(placed), sum(not row.shown for row in sites))


def drawn(of: Compared) -> Drawing:
    """The funnel. Call it only for a comparison that says something."""
    assert of.overall is not None
    asked = of.found.asked
    foot = [
        _("Lines: 95 % and 99.8 % exact binomial limits round the share of all. A filled point lies outside."),
        of_when(
            f"{asked.measure.key}/{of.indicator.key}, {asked.measure.version}", asked.places, asked.period, asked.as_of
        ),
    ]
    if of.hidden:
        foot.append(why_hidden(asked.least))
    return funnel.funnel(
        _("%(figure)s, by site", figure=_(of.indicator.says)),
        of.sites,
        float(of.overall),
        says="; ".join(f"{each.site.code}: {position(each)}" for each in of.sites) + ".",
        words={
            "people": _("people"),
            "overall": _("all: %(share)s", share=percent(of.overall)),
            "95": "95 %",
            "99.8": "99.8 %",
        },
        foot=foot,
    )


def position(each: Placed) -> str:
    """Where a site lies, in words."""
    if not each.outside:
        return _("within the limits")
    name = each.outside
    return _("above the %(name)s %% limit", name=name) if each.above else _("below the %(name)s %% limit", name=name)


def meaning(of: Compared) -> list[str]:
    """What a point outside means, and what it does not."""
    sites = len(of.sites)
    return [
        _(
            "If all sites had the same share and differed by chance alone, 95 of 100 would lie within the dashed lines"
            " and 998 of 1,000 within the dotted ones. The fewer people a site has, the further chance alone takes it."
        ),
        ngettext(
            "Of %(num)s site about %(expected)s lies outside the dashed lines by chance alone.",
            "Of %(num)s sites about %(expected)s lie outside the dashed lines by chance alone.",
            sites,
        )
        % {"num": sites, "expected": f"{of.by_chance:.1f}"},
        _(
            "A point outside asks a question: are its records whole, whom does it serve, what does it do in another"
            " way? It is no mark for the site. A point inside is no proof that all is well: among few people much"
            " stays unseen."
        ),
        _(
            "The limits know nothing but chance. Age, distance, who is referred where, and how long a site is open"
            " are not taken out; where sites differ much in those, more points lie outside than these lines say."
        ),
        _("The sites stand in the order of their size. There is no ranking: who is first is mostly who is small."),
    ]


def limit_rows(of: Compared) -> Iterator[tuple[object, ...]]:
    """The rows under LIMITS."""
    for each in of.sites:
        site, edges = each.site, [edge for name in TAILS for edge in each.limits[name]]
        share = (Decimal(site.counted) / site.people).quantize(_PLACES)
        yield site.code, site.counted, site.people, share, *(Decimal(edge).quantize(_PLACES) for edge in edges)
