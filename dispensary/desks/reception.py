"""Reception: who is expected and who is here, booking a time for somebody, and what the phone line left to do.

What is shown here is names, numbers and times. Doses, orders and results are not read at all, so that no page of this
desk can show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
import scheduling.waitlist
from dispensary.clients import queries as clients
from dispensary.clients.queries import Face
from dispensary.database import Database, ReadSession
from dispensary.desks.queueing import sooner_for
from dispensary.phone import front_desk
from dispensary.phone.tasks import Task, settle, tasks
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.supplies import passes
from dispensary.supplies.verifying import record_refused_pass, verify_pass
from dispensary.units import ClientId
from dispensary.web.forms import Form, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from dispensary.web.templating import page
from notifications.places import waiting_for_money
from scheduling.models import Booking, BookingState, Visit
from scheduling.queries import SlotView

TASKS_ON_THE_FIRST_PAGE = 3


@dataclass(frozen=True)
class Expected:
    """Somebody who has a booking today."""

    face: Face
    booking: Booking
    late: bool
    """Their slot is over, and they have not come."""


@dataclass(frozen=True)
class SlotRow:
    """A slot of today and who is booked in it."""

    slot: SlotView
    people: Sequence[Expected]
    over: bool


@dataclass(frozen=True)
class Waiting:
    """Somebody who has come and has not been served."""

    visit: Visit
    face: Face
    minutes: int
    booked_at: datetime | None
    called: bool
    """They are at the counter, or on their way to it."""


@get("/reception", sync_to_thread=True, guards=[requires_booker])
def reception(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[UUID | None] = None
) -> Template:
    """The first screen: find somebody, today's slots, who waits and for how long, what is to be done."""
    now = clock()
    with database.reading() as session:
        return page("reception/reception.html", **_first_page(session, actor, site, now, done=done))


@front_desk.where_it_opens()
def _first_page(
    session: ReadSession, actor: Actor, site: Place, now: datetime, *, done: UUID | None = None
) -> dict[str, Any]:
    today = scheduling.queries.day_at(session, site.id, now)
    visits = scheduling.waiting.queue(session, site.id, today, now)
    bookings = scheduling.queries.bookings_on(session, site.id, today)
    to_do = tasks(session, site_id=site.id, at=now)
    arrived = session.get(Visit, done) if done else None
    arrived = arrived if arrived is not None and arrived.place_id == site.id else None
    people: list[Visit | Booking] = [*visits, *bookings, *([arrived] if arrived else [])]
    holders = {ClientId(each.holder_id) for each in people} | {task.client_id for task in to_do}
    faces = clients.faces_on_papers(session, holders)
    booked_at = {booking.id: booking.starts_at for booking in bookings}
    rows = _slot_rows(scheduling.queries.slots_on(session, site.id, today), bookings, faces, now)
    return {
        "now": now,
        "today": today,
        "rows": [row for row in rows if not row.over],
        "earlier": [row for row in rows if row.over and row.people],
        "late": [who for row in rows for who in row.people if who.late],
        "counts": Counter(booking.state for booking in bookings),
        "waiting": [_waiting(visit, faces, booked_at, now) for visit in visits],
        "minutes": scheduling.waiting.minutes_now(session, site.id, now),
        "aside": [visit.ticket for visit in visits if visit.aside_at is not None],
        "sooner": sooner_for(actor, scheduling.waiting.queue_rules(session, site.id)),
        "greets": actor.may(Act.CHECK_IN),
        "waits": scheduling.waiting.waits_on(session, site.id, today),
        "tasks": [(task, faces[task.client_id]) for task in to_do[:TASKS_ON_THE_FIRST_PAGE]],
        "tasks_in_all": len(to_do),
        "waiting_list": len(scheduling.waitlist.line(session, site.id, today)),
        "arrived": (arrived, faces[ClientId(arrived.holder_id)]) if arrived else None,
        "closure": scheduling.queries.closure_on(session, site.id, today),
        "texts_wait": waiting_for_money(session, place_id=site.id),
        "found": None,
    }


def _slot_rows(
    slots: Sequence[SlotView], bookings: Sequence[Booking], faces: Mapping[ClientId, Face], now: datetime
) -> list[SlotRow]:
    ends = {slot.starts_at: slot.ends_at for slot in slots}
    people: dict[datetime, list[Expected]] = {}
    for booking in bookings:
        late = booking.state is BookingState.BOOKED and ends[booking.starts_at] <= now
        people.setdefault(booking.starts_at, []).append(Expected(faces[ClientId(booking.holder_id)], booking, late))
    return [SlotRow(slot, people.get(slot.starts_at, []), slot.ends_at <= now) for slot in slots]


def _waiting(
    visit: Visit, faces: Mapping[ClientId, Face], booked_at: Mapping[UUID, datetime], now: datetime
) -> Waiting:
    minutes = max(0, (now - visit.arrived_at) // timedelta(minutes=1))
    start = booked_at.get(visit.booking_id) if visit.booking_id else None
    called = visit.at_window is not None or visit.started_at is not None
    return Waiting(visit, faces[ClientId(visit.holder_id)], minutes, start, called)


@post("/reception/find", sync_to_thread=True, guards=[requires_booker])
def find(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Opens the client whose number or name this is. A pass, scanned or typed, checks its client in at once."""
    now, sought = clock(), one(data, "sought")
    reading = passes.read(database.vault, sought)
    is_pass = reading not in (passes.Reading.NOT_A_PASS, passes.Reading.MISTYPED)
    if is_pass and actor.may(Act.CHECK_IN):
        return _by_pass(database, actor, site, sought, now)
    with database.reading() as session:
        found = clients.find(session, site_id=site.id, text=sought)
        if len(found) == 1:
            return Redirect(f"/reception/clients/{found[0].client_id}", status_code=303)
        shown = {**_first_page(session, actor, site, now), "found": found}
    return page("reception/reception.html", typed={"sought": sought}, **shown)


def _by_pass(database: Database, actor: Actor, site: Place, text: str, now: datetime) -> Response[Any]:
    try:
        with database.writing() as session:
            verified = verify_pass(session, site_id=site.id, text=text, at=now)
            visit = front_desk.greet(session, actor=actor, site=site, client_id=verified.client_id, at=now)
    except Refused as refused:
        with database.writing() as session:
            record_refused_pass(session, site_id=site.id, account_id=actor.account_id, refusal=refused.first, at=now)
        # What the counter would do about it speaks of doses and bottles: here it is enough who does not come in by it.
        said = Refused(
            *(replace(each, remedy="Find them by name or number.", evidence={}) for each in refused.refusals)
        )
        said.status = refused.status
        with database.reading() as session:
            return page("reception/reception.html", refused=said, **_first_page(session, actor, site, now))
    return Redirect(f"/reception?done={visit.id}", status_code=303)


@get("/reception/tasks", sync_to_thread=True, guards=[requires_booker])
def task_list(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Everything that the phone line left for a person to do."""
    with database.reading() as session:
        to_do: list[Task] = tasks(session, site_id=site.id, at=clock())
        faces = clients.faces(session, {task.client_id for task in to_do})
    return page(
        "reception/tasks.html", tasks=[(task, faces[task.client_id]) for task in to_do if task.client_id in faces]
    )


@post("/reception/tasks/settle", sync_to_thread=True, guards=[requires_booker])
def settle_task(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Redirect:
    """Takes a task off the list, with what was done. One that a colleague has just settled is off it all the same."""
    client_id, now = named(data, "client_id"), clock()
    if client_id is None:
        raise NotThere(Refusal("no-client", "There is no such client at this site."))
    try:
        with database.writing() as session:
            settle(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                cause=one(data, "cause"),
                resolution=one(data, "resolution")[:500] or "Done",
                at=now,
            )
    except NotThere:
        pass
    onward = one(data, "onward")
    return Redirect(onward if onward.startswith("/reception") else "/reception/tasks", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [
    reception,
    find,
    task_list,
    settle_task,
]
