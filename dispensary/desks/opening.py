"""The office's page of when the site is open: the hours of the week from a day on, and closures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.service
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks import oversight
from dispensary.phone.closures import tell_closure
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from scheduling.rules import MOST_PEOPLE, BadHours, Hours, NotFound, Timetable

ROWS = 6
"""Stretches of time that a week's form has room for; each may be on any of the seven days."""
AHEAD = timedelta(days=400)


@dataclass(frozen=True)
class Row:
    """A stretch of time with the weekdays that it is on; 0 is Monday."""

    days: frozenset[int]
    opens: time
    closes: time
    minutes: int
    people: int
    windows: int


@get("/office/hours", sync_to_thread=True, guards=[requires_administrator])
def hours(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """The week as it is now, closures to come, and bookings that no hours fit any more."""
    return _hours_page(database, site, site.dose_day(clock()), done=done)


def _hours_page(
    database: Database,
    site: Place,
    today: date,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        try:
            known = scheduling.queries.timetable(session, site.id, today, today + AHEAD)
            homeless = oversight.bookings_outside_hours(session, site_id=site.id, today=today)
        except NotFound:
            known, homeless = None, []
    rows = _week(known, today) if known else []
    return page(
        "office/hours.html",
        refused=refused,
        typed=typed,
        today=today,
        rows=rows + [None] * max(0, ROWS - len(rows)),
        coming=sorted({each.from_day for each in known.openings if each.from_day > today}) if known else [],
        closures=known.closures if known else (),
        homeless=homeless,
        ticked={n: several(typed, f"days_{n}") for n in range(ROWS)} if typed else {},
        done=done,
    )


def _week(known: Timetable, today: date) -> list[Row | None]:
    """The hours in force, equal stretches of several days in one row."""
    days: dict[tuple[time, time, int, int, int], set[int]] = defaultdict(set)
    for each in known.openings:
        if each.from_day <= today and (each.until_day is None or each.until_day > today):
            of = each.hours
            days[of.opens, of.closes, of.slot_minutes, of.capacity, of.windows].add(of.weekday)
    return [Row(frozenset(on), *stretch) for stretch, on in sorted(days.items())]


@post("/office/hours", sync_to_thread=True, guards=[requires_administrator])
def set_hours(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Gives the site this week from a day on; the days before keep their hours, and so does what was booked."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            from_day = typed.day("from_day")
            if from_day < today:
                typed.fault("from_day", "begins-earlier", "New hours begin today or later.", "Correct the day.")
            week = [stretch for n in range(ROWS) for stretch in _stretches(typed, data, n)]
        _place(session, site)
        try:
            scheduling.service.set_hours(session, place_id=site.id, hours=week, from_day=from_day)
        except BadHours as reason:
            raise BadInput(Refusal(reason.code, reason.sentence, "Correct the week.")) from None
        details = {"from": from_day, "stretches": len(week)}
        audit.record(session, actor=actor, act="set hours", subject="site", subject_id=site.id, at=now, details=details)

    try:
        database.write(act)
    except Refused as refused:
        return _hours_page(database, site, today, refused=refused, typed=data)
    return Redirect("/office/hours?done=hours", status_code=303)


def _stretches(typed: Typed, data: Mapping[str, Any], n: int) -> list[Hours]:
    """The hours of one row, one for each ticked day; a row in which nothing is ticked is empty."""
    ticked = sorted({int(day) for day in several(data, f"days_{n}") if day in set("0123456")})
    if not ticked:
        if one(data, f"opens_{n}"):
            typed.fault(
                f"opens_{n}", "no-days", "No day is ticked for these hours.", "Tick the days, or empty the row."
            )
        return []
    opens, closes = typed.time(f"opens_{n}"), typed.time(f"closes_{n}")
    minutes = typed.whole(f"minutes_{n}", 1, 1440)
    people, windows = typed.whole(f"people_{n}", 1, MOST_PEOPLE), typed.whole(f"windows_{n}", 1, MOST_PEOPLE)
    return [Hours(day, opens, closes, minutes, people, windows) for day in ticked]


def _place(session: WriteSession, site: Place) -> None:
    """A site that nobody could book at yet becomes a place of the timetable."""
    try:
        scheduling.queries.place_of(session, site.id)
    except NotFound:
        scheduling.service.add_place(session, place_id=site.id, zone=site.zone)


@post("/office/closures", sync_to_thread=True, guards=[requires_administrator])
def close(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Shuts the site for some days and texts all who are booked on them. Bookings are shown until they are moved."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            first_day, last_day = typed.day("first_day"), typed.day("last_day")
            reason = typed.text("closure_reason", most=200)
            if first_day < today:
                typed.fault("first_day", "begins-earlier", "A closure begins today or later.", "Correct the day.")
        _place(session, site)
        if _closed_already(session, site, first_day, last_day, reason):
            return
        try:
            bookings = scheduling.service.close(
                session, place_id=site.id, first_day=first_day, last_day=last_day, reason=reason
            )
        except BadHours as reason_:
            raise BadInput(Refusal(reason_.code, reason_.sentence, "Correct the days.", field="last_day")) from None
        told = tell_closure(session, site=site, bookings=bookings, first_day=first_day, last_day=last_day, at=now)
        details = {"first": first_day, "last": last_day, "texted": len(told.texted)}
        audit.record(
            session, actor=actor, act="closed site", subject="site", subject_id=site.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return _hours_page(database, site, today, refused=refused, typed=data)
    return Redirect("/office/hours?done=closure", status_code=303)


def _closed_already(session: ReadSession, site: Place, first_day: date, last_day: date, reason: str) -> bool:
    """Whether a form that is sent again finds its closure made."""
    known = scheduling.queries.timetable(session, site.id, first_day, max(first_day, last_day))
    return any((c.first_day, c.last_day, c.reason) == (first_day, last_day, reason) for c in known.closures)


HANDLERS: list[ControllerRouterHandler] = [hours, set_hours, close]
