"""What the office reads of public holidays: those of the coming year at the site, and whether it opens on them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff.models import AuditEntry
from dispensary.staff.queries import Place
from scheduling.holidays import NoCalendar, PublicHoliday, Subdivision, public_holidays, subdivision_of, subdivisions
from scheduling.rules import Shut

CLOSED_HOLIDAYS = "closed public holidays"
"""The act under which the audit trail keeps which part of the country the holidays were taken from."""
COMING = timedelta(days=365)
"""How far ahead holidays are listed."""


@dataclass(frozen=True)
class HolidayRow:
    """A public holiday and what the site does on it: a closure shuts it, it is a day of rest, or the site is open."""

    day: date
    name: str
    closed_by: Shut | None
    rest: bool
    own: bool
    """Whether it was closed as this holiday, so that to open it again opens nothing else."""


@dataclass(frozen=True)
class Calendar:
    """The public holidays of the site's country, or of one part of it; no rows when `known` is false."""

    known: bool
    part: str
    parts: Sequence[Subdivision]
    rows: Sequence[HolidayRow]

    @property
    def own_closures(self) -> frozenset[object]:
        """The closures that stand in `rows` already, and need no line elsewhere."""
        return frozenset(row.closed_by.id for row in self.rows if row.own and row.closed_by)


def remembered_part(session: ReadSession, site: Place) -> str:
    """The part of the country that holidays were last closed for at this site; empty for the whole of it."""
    chosen = select(AuditEntry.details).where(
        AuditEntry.subject_id == site.id, AuditEntry.site_id == site.id, AuditEntry.act == CLOSED_HOLIDAYS
    )
    details = session.scalar(chosen.order_by(AuditEntry.seq.desc()).limit(1))
    return str(json.loads(details).get("part", "")) if details else ""


def coming_holidays(site: Place, part: str, today: date) -> list[PublicHoliday]:
    """The public holidays of a year from today on, in the site's language. Raises BadInput (`no-subdivision`)."""
    try:
        return public_holidays(site.region, part, first=today, last=today + COMING, language=site.language)
    except NoCalendar as reason:
        raise BadInput(Refusal(reason.code, reason.sentence, "Choose a part from the list.", field="part")) from None


def calendar(site: Place, part: str, today: date, closures: Sequence[Shut], closed: Collection[date]) -> Calendar:
    """The coming holidays against the site's closures and closed days. An unknown part is the whole country."""
    try:
        parts = subdivisions(site.region)
    except NoCalendar:
        return Calendar(False, "", (), ())
    if part:
        try:
            part = subdivision_of(site.region, part).code
        except NoCalendar:
            part = ""
    rows = [_row(holiday, closures, closed) for holiday in coming_holidays(site, part, today)]
    return Calendar(True, part, parts, rows)


def _row(holiday: PublicHoliday, closures: Sequence[Shut], closed: Collection[date]) -> HolidayRow:
    over = [shut for shut in closures if shut.first_day <= holiday.day <= shut.last_day]
    own = [shut for shut in over if shut.first_day == shut.last_day and shut.reason == holiday.name]
    shut = next(iter(own or over), None)
    rest = shut is None and holiday.day in closed
    return HolidayRow(holiday.day, holiday.name, shut, rest, bool(own))
