"""How much of a time somebody had their medicine: PDC with and without carry-forward, MPR, of one or all parts. Pure.

A fill covers as many days as it supplies. With carry-forward, what is left when the next fill comes is used first (this
is CMA7 of the published measures, from the first fill or the window's start); MPR to the window's end is CMA2. After a
switch each part is asked for on the days on which it was part of the regimen, and on no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from dispensary.monitoring.findings import Finding, Severity, found, referred
from dispensary.monitoring.sources import Figures, figures

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Fill:
    """A refill: the day it was handed over, and for how many days it lasts."""

    on: date
    days: int


@dataclass(frozen=True)
class Window:
    """From the first to the last day, both in it."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def covered_days(fills: Sequence[Fill], window: Window, *, carry: bool = True) -> set[date]:
    """The days of the window on which there was medicine. What was filled before the window counts as far as it lasts.

    Raises ValueError for a fill of no day or a window that ends before it begins.
    """
    if window.days < 1 or any(fill.days < 1 for fill in fills):
        raise ValueError("a fill lasts a day or more, and a window has one")
    covered: set[date] = set()
    free_from = date.min
    for fill in sorted(fills, key=lambda each: each.on):
        if fill.on > window.last:
            break
        first = max(fill.on, free_from) if carry else fill.on
        free_from = first + fill.days * _DAY
        day, end = max(first, window.first), min(free_from, window.last + _DAY)
        while day < end:
            covered.add(day)
            day += _DAY
    return covered


def pdc(fills: Sequence[Fill], window: Window, *, carry: bool = True) -> Fraction:
    """The share of the window's days that were covered: 0 to 1."""
    return Fraction(len(covered_days(fills, window, carry=carry)), window.days)


def within(window: Window, since: date, until: date | None) -> Window | None:
    """The days of a window from one day to the day before another; nothing where there is none."""
    last = window.last if until is None else min(window.last, until - _DAY)
    part = Window(max(window.first, since), last)
    return part if part.days > 0 else None


def pdc_of_all(
    parts: Mapping[str, Sequence[Fill]],
    window: Window,
    *,
    carry: bool = True,
    ran: Mapping[str, Window] | None = None,
) -> Fraction:
    """The share of days on which every part of a regimen was there. Raises ValueError without a part.

    A part that is named in `ran` was part of it on those days alone: of the others it is not asked. Days on which no
    part ran are not counted.
    """
    asked, covered = _days_of_all(parts, window, carry=carry, ran=ran or {})
    return Fraction(covered, asked) if asked else Fraction(1)


def _days_of_all(
    parts: Mapping[str, Sequence[Fill]], window: Window, *, carry: bool, ran: Mapping[str, Window]
) -> tuple[int, int]:
    """On how many days a part ran, and on how many of them each that ran was there."""
    if not parts:
        raise ValueError("a regimen has a part")
    asked: set[date] = set()
    missing: set[date] = set()
    for name, fills in parts.items():
        own = ran.get(name, window)
        days = {own.first + number * _DAY for number in range(own.days)}
        asked |= days
        missing |= days - covered_days(fills, own, carry=carry)
    return len(asked), len(asked - missing)


def mpr(fills: Sequence[Fill], window: Window) -> Fraction:
    """All days' supply of the window's fills, over its days; more than 1 when more was filled than could be taken."""
    supplied = sum(fill.days for fill in fills if window.first <= fill.on <= window.last)
    return Fraction(supplied, window.days)


def runs_out_on(fills: Sequence[Fill]) -> date | None:
    """The first day without medicine when each fill is used up before the next; nothing without a fill."""
    free_from: date | None = None
    for fill in sorted(fills, key=lambda each: each.on):
        first = fill.on if free_from is None else max(fill.on, free_from)
        free_from = first + fill.days * _DAY
    return free_from


def adherence(
    parts: Mapping[str, Sequence[Fill]],
    window: Window,
    *,
    good_from: Fraction | None = None,
    carry: bool = True,
    ran: Mapping[str, Window] | None = None,
    by: Figures | None = None,
) -> Finding:
    """How the covered days stand against the threshold. It leads to an offer of help, never to a sanction.

    `ran` says of a part that was switched on which days of the window it was part of the regimen.
    """
    rule = (by or figures()).adherence
    if not parts or not any(parts.values()):
        return referred("adherence", "No refill is on record for this time.", source=rule.source)
    good = good_from if good_from is not None else Fraction(rule.good_from)
    amber = min(Fraction(rule.amber_from), good)
    ran = ran or {}
    asked, covered = _days_of_all(parts, window, carry=carry, ran=ran)
    if not asked:
        return referred("adherence", "No medicine was part of the treatment in this time.", source=rule.source)
    share = Fraction(covered, asked)
    told: dict[str, object] = {
        "days": asked,
        "covered_days": covered,
        "pdc_percent": _percent(share),
        "threshold_percent": _percent(good),
        "carry_forward": carry,
        **{
            f"{name} pdc_percent": _percent(pdc(fills, ran.get(name, window), carry=carry))
            for name, fills in parts.items()
        },
        **{f"{name} mpr_percent": _percent(mpr(fills, ran.get(name, window))) for name, fills in parts.items()},
    }
    said = f"Covered on {covered} of {asked} days, {told['pdc_percent']} %."
    if share >= good:
        return found(rule, "adherence", Severity.NONE, "good", said, figures=told)
    advice = "Ask what makes it hard, and offer help: fewer pickups, both medicines on one day, reminders."
    if share >= amber:
        return found(rule, "adherence", Severity.INFO, "amber", said, advice=advice, figures=told)
    return found(rule, "adherence", Severity.WARNING, "low", said, advice=advice, figures=told)


def _percent(share: Fraction) -> str:
    """A share in percent to two places, half up."""
    hundredths = (share * 10_000 + Fraction(1, 2)).__floor__()
    return f"{hundredths // 100}.{hundredths % 100:02d}"
