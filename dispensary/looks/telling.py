"""What a client is told of looks, as a page of plain lines: on paper it names no clinic, no medicine and no client."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from dispensary.clients.disclosing import Ground, Released
from dispensary.looks.told import Day, Line, Told
from dispensary.staff.queries import Place
from dispensary.supplies.printing.explained import Explained, Part
from dispensary.supplies.printing.wording import plain_day
from dispensary.words import _, ngettext


def as_pages(told: Told, *, site: Place, today: date, language: str) -> Explained:
    """The list as it is printed, in the language of this moment."""
    parts = [
        Part(
            _("What left this place with your name"),
            tuple(_gone(each, site) for each in told.released) or (_("Nothing."),),
        ),
        *(_part(each, site) for each in told.days),
    ]
    if not told.days:
        parts.append(Part(_("Your record"), (_("Nobody opened it."),)))
    return Explained(
        title=_("Who looked at your record"),
        parts=tuple(parts),
        foot=_("From %(first)s to %(last)s.", first=plain_day(told.since), last=plain_day(told.until)),
        day=today,
        language=language,
    )


def _part(day: Day, site: Place) -> Part:
    return Part(plain_day(day.day), tuple(said(line, site) for line in day.lines))


def said(line: Line, site: Place) -> str:
    """One line: 07:05, a nurse: Opened your record (3 times)."""
    text = f"{line.first_at.astimezone(ZoneInfo(site.zone)):%H:%M}, {line.who}: {line.what}"
    if line.times == 1:
        return text
    times = ngettext("%(num)s time", "%(num)s times", line.times) % {"num": line.times}
    return f"{text} ({times})"


def _gone(each: Released, site: Place) -> str:
    grounds = {
        Ground.CONSENT.value: _("you agreed to it"),
        Ground.RESEARCH.value: _("for a study that was approved"),
        Ground.AUDIT.value: _("for an audit under an agreement"),
        Ground.EMERGENCY.value: _("in an emergency"),
    }
    why = grounds.get(each.ground, each.ground)
    day = plain_day(site.dose_day(each.at))
    return f"{day}, {each.recipient}: {each.what} ({why})"
