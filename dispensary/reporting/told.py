"""The figures of an answer in words and as bars, as pages and papers say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dispensary import __version__
from dispensary.evaluation.answering import ALL, Answer, Row
from dispensary.evaluation.measure import Figure, Indicator, Measure
from dispensary.evaluation.queries import Period
from dispensary.evaluation.strata import STRATA
from dispensary.reporting.charts import Bar, Panel, bars
from dispensary.reporting.drawing import Drawing
from dispensary.staff.queries import Place
from dispensary.units import plain
from dispensary.words import _

MOST_BARS = 30
"""Bars that somebody still takes in; the table has the others."""
_MOST_READ = 12


def is_share(indicator: Indicator) -> bool:
    """Whether the value is a part of one, and read in per cent."""
    return indicator.figure is not Figure.COUNT and not indicator.unit


def number(value: Decimal | int) -> str:
    """A number as it is read: thousands apart, no zero trailing, two places at most."""
    exact = Decimal(value)
    whole, dot, rest = plain(round(exact, 2)).partition(".")
    return f"{int(whole):,}{dot}{rest}" if not whole.startswith("-0") else f"{whole}{dot}{rest}"


def percent(value: Decimal) -> str:
    """A part of one in per cent, to a tenth."""
    return f"{value * 100:.1f} %"


def value_of(indicator: Indicator, row: Row) -> str:
    """The value alone; that it is not shown, or that there is none, in words."""
    if row.value is None:
        return _("not shown") if not row.shown else _("none")
    if is_share(indicator):
        return percent(row.value)
    return f"{number(row.value)} {indicator.unit}".rstrip()


def told_of(indicator: Indicator, row: Row) -> str:
    """The value with the people or things that it is a share of, where they are whole numbers."""
    value = value_of(indicator, row)
    parts = (row.numerator, row.denominator)
    if row.value is None or indicator.figure is not Figure.SHARE or indicator.unit:
        return value
    if any(part is None or part != part.to_integral_value() for part in parts):
        return value
    return _("%(value)s (%(some)s of %(all)s)", value=value, some=number(parts[0] or 0), all=number(parts[1] or 0))


def drawn(found: Answer, draw: str = "") -> Drawing:
    """The answer as bars: every figure of everybody, or, where it is split, the one that was asked for by group."""
    measure = found.asked.measure
    foot = [of_when(f"{measure.key}, {measure.version}", found.asked.places, found.asked.period, found.asked.as_of)]
    if found.hidden:
        foot.append(why_hidden(found.asked.least))
    title = _(measure.title)
    if found.asked.by:
        indicator = next((each for each in measure.indicators if each.key == draw), first_drawn(measure))
        panels = [_groups(found, indicator)]
        rows = len([row for row in found.rows if row.indicator == indicator.key])
        if rows > MOST_BARS:
            foot.insert(0, _("The first %(some)s of %(all)s groups; the table has all.", some=MOST_BARS, all=rows))
        title = _("%(measure)s, by %(strata)s", measure=title, strata=", ".join(found.asked.by).replace("_", " "))
    else:
        panels = _everybody(found)
    return bars(title, panels, says=_read_out(panels), foot=foot)


def first_drawn(measure: Measure) -> Indicator:
    """What is drawn unless somebody asks for another: the first share of people, else the first figure."""
    shares = [each for each in measure.indicators if each.figure is Figure.SHARE and each.people]
    return (shares or list(measure.indicators))[0]


def why_hidden(least: int) -> str:
    """Why something is not shown."""
    return _(
        "Not shown: what would speak of fewer than %(least)s people, and so much more that no total gives it back.",
        least=least,
    )


def of_when(name: str, places: Sequence[Place], period: Period, as_of: datetime) -> str:
    """What a figure is of, in one line below it; the name has its version."""
    return _(
        "%(sites)s; %(first)s to %(last)s; as known on %(moment)s UTC; %(name)s; Takehome %(code)s",
        sites=codes(places),
        first=period.from_day,
        last=period.until_day - timedelta(days=1),
        moment=f"{as_of.astimezone(UTC):%Y-%m-%d %H:%M}",
        name=name,
        code=__version__,
    )


def codes(places: Sequence[Place], most: int = 8) -> str:
    """The codes of some sites, in words where they are many."""
    names = sorted(place.code for place in places)
    more = len(names) - most
    return ", ".join(names[:most]) + (_(" and %(num)s more sites", num=more) if more > 0 else "")


def group_of(by: Sequence[str], levels: Sequence[str]) -> str:
    """Whom a row is about. A level that says nothing by itself, such as “yes”, has its stratum before it."""
    if set(levels) <= {ALL}:
        return _("everybody")
    return " · ".join(level_of(key, level) for key, level in zip(by, levels, strict=True))


def level_of(key: str, level: str) -> str:
    """A level of a stratum, as one reads it by itself."""
    if level == ALL:
        return _("everybody")
    if level not in ("yes", "no", "unknown", "none"):
        return level
    title = _(STRATA[key].title) if key in STRATA else _(key.replace("_", " "))
    return f"{title}: {_(level)}"


def _groups(found: Answer, indicator: Indicator) -> Panel:
    rows = [row for row in found.rows if row.indicator == indicator.key][:MOST_BARS]
    made = [
        Bar(group_of(found.asked.by, row.strata), told_of(indicator, row), row.value, not row.shown) for row in rows
    ]
    return Panel(_(indicator.says), made, _most(made) if is_share(indicator) else None)


def _everybody(found: Answer) -> list[Panel]:
    indicators = {each.key: each for each in found.asked.measure.indicators}
    by_unit: dict[str, list[Bar]] = {}
    for row in found.rows:
        each = indicators[row.indicator]
        unit = _("shares") if is_share(each) else _(each.unit) if each.unit else _("clients")
        by_unit.setdefault(unit, []).append(Bar(_(each.says), told_of(each, row), row.value, not row.shown))
    shares = _("shares")
    return [
        Panel(unit[:1].upper() + unit[1:] if len(by_unit) > 1 else "", made, _most(made) if unit == shares else None)
        for unit, made in by_unit.items()
    ]


def _most(made: Sequence[Bar]) -> Decimal:
    return max([Decimal(1), *(bar.length for bar in made if bar.length is not None)])


def _read_out(panels: Sequence[Panel]) -> str:
    every = [f"{bar.label}: {bar.told}" for panel in panels for bar in panel.bars]
    more = len(every) - _MOST_READ
    rest = "; " + _("and %(num)s more, in the table", num=more) if more > 0 else ""
    return "; ".join(every[:_MOST_READ]) + rest + "."
