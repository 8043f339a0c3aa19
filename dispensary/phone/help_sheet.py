"""What the help on paper says at a site: its number, its opening hours, and examples that fall within them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta

from babel.dates import get_day_names

import scheduling.queries
from dispensary.database import ReadSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.phone_line import phone_line
from dispensary.staff.queries import Place
from dispensary.staff.text_languages import Spoken, text_languages
from dispensary.supplies.printing.help_sheet import HelpSheet
from notifications.discretion import reveals
from notifications.help_sheet import CLOSED, examples, say
from scheduling.rules import Hours, NotFound

FRIDAY = 4
_USUAL = time(7, 30)
"""What an example says where no opening hours are set."""


def languages_of_help(session: ReadSession, *, site: Place) -> list[Spoken]:
    """The languages in which this site gives help: those in which it writes texts."""
    return [spoken for spoken in text_languages(session, site_id=site.id) if spoken.on]


def help_sheet(session: ReadSession, *, site: Place, language: str, today: date, bottles: bool = False) -> HelpSheet:
    """The page in this language. Raises NotThere for a language that the site does not write.

    A name of the site that gives the treatment away is left out, unless the page tells of bottles anyway.
    """
    if language not in (spoken.tag for spoken in languages_of_help(session, site=site)):
        raise NotThere(
            Refusal(
                "no-language",
                "This site does not write in that language.",
                "Choose another one. An administrator accepts drafts in the office.",
                field="language",
            )
        )
    week = _week(session, site, today)
    weekday, at = _example(week)
    return HelpSheet(
        language=language,
        number=phone_line(session, site_id=site.id, region=site.region),
        place=site.name if bottles or not reveals(site.name) else "",
        examples=examples(language, weekday=weekday, at=at),
        hours=_told(week, language),
        bottles=bottles,
        day=today,
    )


def _week(session: ReadSession, site: Place, today: date) -> list[Sequence[Hours]]:
    """The stretches of each weekday, Monday first, as they are in force; a closure of this week is no rule."""
    try:
        known = scheduling.queries.timetable(session, site.id, today, today + timedelta(days=6))
    except NotFound:
        return [()] * 7
    open_days = replace(known, closures=())
    ahead = sorted((today + timedelta(days=n) for n in range(7)), key=date.weekday)
    return [open_days.hours_on(day) for day in ahead]


def _example(week: Sequence[Sequence[Hours]]) -> tuple[int, time]:
    """A weekday and a time that can be booked: half an hour after opening, on Friday where it is open."""
    weekday = next((n for n in (FRIDAY, *range(7)) if week[n]), None)
    if weekday is None:
        return FRIDAY, _USUAL
    hours = week[weekday][0]
    at = (datetime.combine(date.min, hours.opens) + timedelta(minutes=30)).time()
    return weekday, at if hours.opens < at < hours.closes else hours.opens


def _told(week: Sequence[Sequence[Hours]], language: str) -> list[tuple[str, str]]:
    """Days that follow each other with the same hours on one line. Nothing where no hours are set."""
    if not any(week):
        return []
    names = get_day_names("wide" if language in ("th", "lo", "km", "my", "vi") else "abbreviated", locale=language)
    runs: list[tuple[int, int, str]] = []
    for number, stretches in enumerate(week):
        times = ", ".join(f"{each.opens:%H:%M}–{each.closes:%H:%M}" for each in stretches) or say(CLOSED, language)
        if runs and runs[-1][2] == times:
            runs[-1] = (runs[-1][0], number, times)
        else:
            runs.append((number, number, times))
    return [(names[a] if a == b else f"{names[a]} – {names[b]}", times) for a, b, times in runs]
