"""Days and moments as they stand on paper, in the language that is spoken: never ambiguous, never digits alone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_skeleton, format_time

from dispensary.words import _, language


def _locale() -> str:
    return "en_GB" if language() == "en" else language()  # day before month, as in every country that we serve


def long_day(day: date) -> str:
    """Tuesday 24 November 2026."""
    return format_date(day, "full", locale=_locale()).replace(", ", " ", 1)


def weekday(day: date) -> str:
    return format_date(day, "EEEE", locale=_locale())


def plain_day(day: date) -> str:
    """24 November 2026."""
    return format_date(day, "long", locale=_locale())


def short_day(day: date) -> str:
    """24 Nov 2026."""
    return _short_day(day, _locale())


@lru_cache(maxsize=2_000)
def _short_day(day: date, locale: str) -> str:
    """Said on each line of a register, and slow to say."""
    return format_date(day, "medium", locale=locale)


def short_local(at: datetime, zone: str) -> str:
    """The local day of a moment: 24 Nov 2026."""
    return short_day(at.astimezone(ZoneInfo(zone)).date())


def moment(at: datetime, zone: str) -> str:
    """The local day and time of a moment: 24 Nov 2026 07:05."""
    return f"{short_day(at.astimezone(ZoneInfo(zone)).date())} {clock(at, zone)}"


def clock(at: datetime, zone: str) -> str:
    """The local time of a moment: 07:05."""
    return format_time(at.astimezone(ZoneInfo(zone)), "HH:mm", locale=_locale())


def day_runs(days: Iterable[date]) -> str:
    """Days with those that follow each other taken together, without the year: 25 Nov to 1 Dec, 3 Dec."""
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return ", ".join(
        _without_year(first)
        if first == last
        else _("%(first)s to %(last)s", first=_without_year(first), last=_without_year(last))
        for first, last in runs
    )


def _without_year(day: date) -> str:
    return format_skeleton("MMMd", day, locale=_locale())
