"""The office's page of when the site is open: the hours of the week from a day on, closures and public holidays."""

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
from dispensary.clients.groups import NEW, PREGNANT, SHIFT
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks import oversight
from dispensary.desks.holidays import CLOSED_HOLIDAYS, COMING, calendar, coming_holidays, remembered_part
from dispensary.phone.closures import tell_closure, tell_reopening
from dispensary.phone.moved import WHILE_WAITED_FOR, settle_open
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from scheduling.rules import MOST_PEOPLE, BadHours, Hours, NotFound, Timetable
from scheduling.shares import WALK_IN, Held, held_of

HELD_FOR = (WALK_IN, NEW, PREGNANT, SHIFT)
"""For whom places of a slot may be held."""
ROWS = 6
"""Stretches of time that a week's form has room for at least; each may be on any of the seven days."""
_MOST_ROWS = 100
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
    held: Held = ()

    def holds(self, word: str) -> int:
        """How many places of a slot are held under this word."""
        return dict(self.held).get(word, 0)


@get("/office/hours", sync_to_thread=True, guards=[requires_administrator])
def hours(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
    part: FromQuery[str | None] = None,
    first: FromQuery[date | None] = None,
    last: FromQuery[date | None] = None,
) -> Template:
    """The week as it is now, closures and holidays to come, and bookings that no hours fit any more.

    `first` and `last` are the days that were just opened again; the page says what became of their bookings.
    """
    today = site.dose_day(clock())
    opened = (first, last) if done == "opened" and first and last and first <= last <= first + AHEAD else None
    try:
        if part:
            coming_holidays(site, part, today)
    except BadInput as refused:
        return hours_page(database, site, today, refused=refused, part="")
    return hours_page(database, site, today, done=done, part=part, opened=opened)


def hours_page(
    database: Database,
    site: Place,
    today: date,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    part: str | None = None,
    opened: tuple[date, date] | None = None,
) -> Template:
    with database.reading() as session:
        after = None
        try:
            known = scheduling.queries.timetable(session, site.id, today, today + AHEAD)
            closed = scheduling.queries.closed_days(session, site.id, today, today + COMING)
            homeless = oversight.bookings_outside_hours(session, site_id=site.id, today=today)
            after = _after(session, site, *opened) if opened else None
        except NotFound:
            known, closed, homeless = None, [], []
        chosen = remembered_part(session, site) if part is None else part
    rows = _week(known, today) if known else []
    public = calendar(site, chosen, today, known.closures if known else (), closed)
    return page(
        "office/hours.html",
        refused=refused,
        typed=typed,
        today=today,
        rows=rows + [None] * max(0, ROWS - len(rows)),
        coming=sorted({each.from_day for each in known.openings if each.from_day > today}) if known else [],
        closures=[shut for shut in known.closures if shut.id not in public.own_closures] if known else [],
        public=public,
        holidays_ticked=several(typed, "holiday") if typed else [],
        after=after,
        homeless=homeless,
        # Another form of the page was refused: the week is shown as it is, not as if nobody had ticked a day.
        ticked={n: several(typed, f"days_{n}") for n in range(_rows_in(typed))} if typed and "opens_0" in typed else {},
        done=done,
    )


@dataclass(frozen=True)
class After:
    """Days that were opened again, and what is to be known of them."""

    first: date
    last: date
    standing: int
    given_up: int
    still_shut: list[date]


def _after(session: ReadSession, site: Place, first: date, last: date) -> After:
    return After(
        first,
        last,
        len(scheduling.queries.standing_between(session, site.id, first, last)),
        len({each.holder_id for each in scheduling.queries.given_up_between(session, site.id, first, last)}),
        scheduling.queries.closed_days(session, site.id, first, last),
    )


def _week(known: Timetable, today: date) -> list[Row | None]:
    """The hours in force, equal stretches of several days in one row."""
    days: dict[tuple[time, time, int, int, int, Held], set[int]] = defaultdict(set)
    for each in known.openings:
        if each.from_day <= today and (each.until_day is None or each.until_day > today):
            of = each.hours
            days[of.opens, of.closes, of.slot_minutes, of.capacity, of.windows, of.held].add(of.weekday)
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
            week = [stretch for n in range(_rows_in(data)) for stretch in _stretches(typed, data, n)]
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
        return hours_page(database, site, today, refused=refused, typed=data)
    return Redirect("/office/hours?done=hours", status_code=303)


def _rows_in(data: Mapping[str, Any]) -> int:
    """How many rows a form has: a week that needs more than usual is shown with all of them."""
    return sum(f"opens_{n}" in data for n in range(_MOST_ROWS))


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
    held = held_of({word: typed.whole_or_none(f"{word}_{n}", 0, MOST_PEOPLE) or 0 for word in HELD_FOR})
    if one(data, f"break_from_{n}") or one(data, f"break_to_{n}"):
        begins, ends = typed.time(f"break_from_{n}"), typed.time(f"break_to_{n}")
        stretches = [(opens, begins), (ends, closes)]
        if not opens < begins < ends < closes:
            typed.fault(f"break_from_{n}", "bad-break", "A break lies within its hours.", "Correct the break.")
    else:
        stretches = [(opens, closes)]
    return [Hours(day, begins, ends, minutes, people, windows, held) for day in ticked for begins, ends in stretches]


def _place(session: WriteSession, site: Place) -> None:
    """A site that nobody could book at yet becomes a place of the timetable."""
    try:
        scheduling.queries.place_of(session, site.id)
    except NotFound:
        scheduling.service.add_place(session, place_id=site.id, zone=site.zone)


@post("/office/closures", sync_to_thread=True, guards=[requires_administrator])
def close(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Shuts the site for some days. All who are booked on them are moved and told, or asked to choose another time.

    Each is moved in a unit of their own; what is left after some seconds, or by a crash, the clockwork does. Sent
    again, it finds all done.
    """
    now, moves = clock(), one(data, "move") == "yes"
    today = site.dose_day(now)

    def act(session: WriteSession) -> None:
        first_day, last_day, reason = days_to_close(data, today)
        _place(session, site)
        if _closed_already(session, site, first_day, last_day, reason):
            return
        try:
            bookings = scheduling.service.close(
                session, place_id=site.id, first_day=first_day, last_day=last_day, reason=reason
            )
        except BadHours as reason_:
            raise BadInput(Refusal(reason_.code, reason_.sentence, "Correct the days.", field="last_day")) from None
        days = {"first_day": first_day, "last_day": last_day}
        told = tell_closure(session, site=site, bookings=bookings, **days, at=now, moves=moves)
        details: dict[str, object] = {"first": first_day, "last": last_day, "texted": len(told.texted)}
        if moves:
            details["to_move"] = len(bookings)
        audit.record(
            session, actor=actor, act="closed site", subject="site", subject_id=site.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return hours_page(database, site, today, refused=refused, typed=data)
    if moves:
        settle_open(database, site=site, actor=actor, at=now, patience=WHILE_WAITED_FOR)
    return Redirect(f"/office/hours?done={'moved' if moves else 'closure'}", status_code=303)


def days_to_close(data: Mapping[str, Any], today: date) -> tuple[date, date, str]:
    """The first day, the last, and the reason, as they were typed. Raises BadInput with every fault."""
    with Typed(data) as typed:
        first_day, last_day = typed.day("first_day"), typed.day("last_day")
        reason = typed.text("closure_reason", most=200)
        if first_day < today:
            typed.fault("first_day", "begins-earlier", "A closure begins today or later.", "Correct the day.")
    return first_day, last_day, reason


def _closed_already(session: ReadSession, site: Place, first_day: date, last_day: date, reason: str) -> bool:
    """Whether a form that is sent again finds its closure made."""
    known = scheduling.queries.timetable(session, site.id, first_day, max(first_day, last_day))
    return any((c.first_day, c.last_day, c.reason) == (first_day, last_day, reason) for c in known.closures)


@post("/office/holidays", sync_to_thread=True, guards=[requires_administrator])
def close_holidays(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Shuts the site on each public holiday that is ticked, under its name, as any closure."""
    now, moves = clock(), one(data, "move") == "yes"
    today = site.dose_day(now)
    part = one(data, "part")

    def act(session: WriteSession) -> None:
        wanted = _ticked_holidays(data, site, part, today)
        _place(session, site)
        shut, texted = [], 0
        for day, name in wanted.items():
            if scheduling.queries.closure_on(session, site.id, day):
                continue
            bookings = scheduling.service.close(session, place_id=site.id, first_day=day, last_day=day, reason=name)
            told = tell_closure(session, site=site, bookings=bookings, first_day=day, last_day=day, at=now, moves=moves)
            shut.append(day)
            texted += len(told.texted)
        if shut:
            details = {"region": site.region, "part": part, "days": shut, "texted": texted}
            audit.record(
                session, actor=actor, act=CLOSED_HOLIDAYS, subject="site", subject_id=site.id, at=now, details=details
            )

    try:
        database.write(act)
    except Refused as refused:
        return hours_page(database, site, today, refused=refused, typed=data, part=part)
    if moves:
        settle_open(database, site=site, actor=actor, at=now, patience=WHILE_WAITED_FOR)
    return Redirect("/office/hours?done=holidays", status_code=303)


def _ticked_holidays(data: Mapping[str, Any], site: Place, part: str, today: date) -> dict[date, str]:
    """The ticked days and what each is called, earliest first. A day that is no holiday there is refused."""
    names = {holiday.day.isoformat(): holiday for holiday in coming_holidays(site, part, today)}
    ticked = sorted(set(several(data, "holiday")))
    if not ticked:
        raise BadInput(Refusal("no-days", "No holiday is ticked.", "Tick the days to close.", field="holiday"))
    for day in ticked:
        if day not in names:
            raise BadInput(
                Refusal(
                    "no-holiday",
                    f"“{day[:20]}” is no public holiday of the next {COMING.days} days here.",
                    "Open the page again, or enter it as a closure.",
                    field="holiday",
                )
            )
    return {names[day].day: names[day].name for day in ticked}


@post("/office/closures/reopen", sync_to_thread=True, guards=[requires_administrator])
def reopen(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Opens a closure's days again from today on. Texts that still wait are withdrawn, and who heard is told."""
    now = clock()
    today = site.dose_day(now)

    def act(session: WriteSession) -> tuple[date, date] | None:
        with Typed(data) as typed:
            closure_id = typed.id("closure")
        try:
            opened = scheduling.service.reopen(session, place_id=site.id, closure_id=closure_id, today=today)
        except NotFound:
            return None  # pressed twice, or by two people: its days are open
        except BadHours as reason:
            raise Refused(Refusal(reason.code, reason.sentence, "Nothing to do.")) from None
        told = tell_reopening(session, site=site, closure_id=closure_id, reopened=opened, at=now)
        details = {
            "first": opened.first_day,
            "last": opened.last_day,
            "texted": len(told.texted),
            "to_tell": len(told.by_other_means),
        }
        audit.record(
            session, actor=actor, act="opened site again", subject="site", subject_id=site.id, at=now, details=details
        )
        return opened.first_day, opened.last_day

    try:
        days = database.write(act)
    except Refused as refused:
        return hours_page(database, site, today, refused=refused)
    onward = f"?done=opened&first={days[0]}&last={days[1]}" if days else "?done=open"
    return Redirect(f"/office/hours{onward}", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [hours, set_hours, close, close_holidays, reopen]
