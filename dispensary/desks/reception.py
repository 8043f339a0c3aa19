"""Reception: who is expected and who is here, booking a time for somebody, and what the phone line left to do.

What is shown here is names, numbers and times. Doses, orders and results are not read at all, so that no page of this
desk can show them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
from dispensary.clients import queries as clients
from dispensary.clients.models import Client
from dispensary.clients.queries import Face
from dispensary.database import Database, ReadSession
from dispensary.phone import front_desk
from dispensary.phone.tasks import Task, settle, tasks
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor, may
from dispensary.supplies import passes
from dispensary.supplies.verifying import record_refused_pass, verify_pass
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker, requires_greeter
from dispensary.web.templating import page
from dispensary.words import language
from notifications.places import waiting_for_money
from notifications.queries import contact_details, language_written
from scheduling.models import Booking, BookingState, Visit
from scheduling.queries import SlotView

TASKS_ON_THE_FIRST_PAGE = 3
DAYS_AHEAD = 7
"""So many days that have a free time can be chosen with one click; the others by their date."""
_FREE_LOOKED_AT = 400


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
    faces = clients.faces(session, holders)
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
        "groups": scheduling.waiting.queue_rules(session, site.id).groups,
        "greets": may(actor.roles, Act.CHECK_IN),
        "waits": scheduling.waiting.waits_on(session, site.id, today),
        "tasks": [(task, faces[task.client_id]) for task in to_do[:TASKS_ON_THE_FIRST_PAGE]],
        "tasks_in_all": len(to_do),
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
    if is_pass and may(actor.roles, Act.CHECK_IN):
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
        with database.reading() as session:
            return page("reception/reception.html", refused=refused, **_first_page(session, actor, site, now))
    return Redirect(f"/reception?done={visit.id}", status_code=303)


@get("/reception/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_booker])
def client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    day: FromQuery[str] = "",
    move: FromQuery[UUID | None] = None,
    done: FromQuery[str] = "",
) -> Template:
    """One client's time: here or not, what is booked, what is free. The look is written down."""
    now = clock()
    with database.writing() as session:
        shown = _client_page(session, actor, site, ClientId(client_id), now, day=_day(day), move=move)
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="reception")
    return page("reception/client.html", done=done, **shown)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(Refusal("not-a-day", "This is not a day.", "Write it like 2026-11-24.", field="day")) from None


@front_desk.where_it_opens()
def _client_page(
    session: ReadSession,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    now: datetime,
    *,
    day: date | None = None,
    move: UUID | None = None,
) -> dict[str, Any]:
    row = session.get(Client, client_id)
    if row is None or row.site_id != site.id:
        raise NotThere(Refusal("no-client", "There is no such client at this site.", "Look for the client again."))
    today = scheduling.queries.day_at(session, site.id, now)
    bookings = [
        booking
        for booking in scheduling.queries.bookings_of(session, client_id, now - timedelta(hours=12))
        if booking.place_id == site.id and booking.day >= today
    ]
    moving = next((booking for booking in bookings if booking.id == move), None)
    free = _free_by_day(session, site, now)
    chosen = day or (moving.day if moving and moving.day in free else next(iter(free), today))
    theirs = [task for task in tasks(session, site_id=site.id, at=now) if task.client_id == client_id]
    face = clients.face_of(session, row)
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return {
        "face": face,
        "contact": contact,
        "language_name": Locale.parse(contact.language).get_display_name(language()) if contact else "",
        "written_in": _written_in(session, client_id, contact.language) if contact else "",
        "visit": scheduling.queries.open_visit(session, site.id, client_id, today),
        "bookings": bookings,
        "shut": {each.id for each in bookings if not scheduling.queries.is_open(session, site.id, each.day)},
        "moving": moving,
        "days": [(each, _short(each), len(starts)) for each, starts in list(free.items())[:DAYS_AHEAD]],
        "chosen": chosen,
        "free": free.get(chosen) or _free_on(session, site, chosen, now),
        "open_then": scheduling.queries.is_open(session, site.id, chosen),
        "tasks": [(task, face) for task in theirs],
        "greets": may(actor.roles, Act.CHECK_IN),
        "now": now,
        "today": today,
    }


def _written_in(session: ReadSession, client_id: ClientId, asked: str) -> str:
    """The language that this client is written to in, where it is another than the one that they read; else nothing."""
    written = language_written(session, recipient_id=client_id, language=asked)
    return Locale.parse(written).get_display_name(language()) or written if written != asked else ""


def _short(day: date) -> str:
    """A day of the coming weeks, which needs no year: Tue 24 Nov."""
    return format_date(day, "EEE d MMM", locale=language())


def _free_by_day(session: ReadSession, site: Place, now: datetime) -> dict[date, list[SlotView]]:
    zone = ZoneInfo(site.zone)
    found: dict[date, list[SlotView]] = {}
    for slot in scheduling.queries.next_free(session, site.id, now, _FREE_LOOKED_AT):
        found.setdefault(slot.starts_at.astimezone(zone).date(), []).append(slot)
    if sum(map(len, found.values())) == _FREE_LOOKED_AT:
        found.popitem()  # the last day was cut short
    return found


def _free_on(session: ReadSession, site: Place, day: date, now: datetime) -> list[SlotView]:
    slots = scheduling.queries.slots_on(session, site.id, day)
    return [slot for slot in slots if slot.free and slot.starts_at >= now]


@post("/reception/clients/{client_id:uuid}/arrive", sync_to_thread=True, guards=[requires_greeter])
def arrive(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Redirect:
    """Checks the client in, booked or not, and shows the ticket to tell them."""
    now = clock()
    visit = database.write(
        lambda session: front_desk.greet(session, actor=actor, site=site, client_id=ClientId(client_id), at=now)
    )
    return Redirect(f"/reception?done={visit.id}", status_code=303)


@post("/reception/clients/{client_id:uuid}/book", sync_to_thread=True, guards=[requires_booker])
def book(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Books a slot, or moves the booking that was to be moved. Refused, the page comes again with what is free."""
    now, move = clock(), _id(one(data, "move"))
    try:
        starts_at = _moment(one(data, "starts_at"))
        if move is None:
            database.write(
                lambda session: front_desk.book_for(
                    session, actor=actor, site=site, client_id=ClientId(client_id), starts_at=starts_at, at=now
                )
            )
        else:
            database.write(
                lambda session: front_desk.move_for(
                    session, actor=actor, site=site, booking_id=move, starts_at=starts_at, at=now
                )
            )
    except NotThere:
        raise
    except Refused as refused:
        with database.reading() as session:
            shown = _client_page(session, actor, site, ClientId(client_id), now, day=_day(one(data, "day")), move=move)
        return page("reception/client.html", refused=refused, typed=data, done="", **shown)
    return Redirect(f"/reception/clients/{client_id}?done={'booked' if move is None else 'moved'}", status_code=303)


def _moment(text: str) -> datetime:
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(Refusal("no-time", "No time was chosen.", "Choose one of the free times.", field="starts_at"))
    return moment


def _id(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        raise NotThere(Refusal("no-booking", "There is no such booking here.")) from None


@post("/reception/bookings/{booking_id:uuid}/drop", sync_to_thread=True, guards=[requires_booker])
def drop(
    booking_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Redirect:
    """Gives a booking up."""
    now = clock()
    booking = database.write(
        lambda session: front_desk.drop_for(session, actor=actor, site=site, booking_id=booking_id, at=now)
    )
    return Redirect(f"/reception/clients/{booking.holder_id}?done=dropped", status_code=303)


@get("/reception/tasks", sync_to_thread=True, guards=[requires_booker])
def task_list(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Everything that the phone line left for a person to do."""
    with database.reading() as session:
        to_do: list[Task] = tasks(session, site_id=site.id, at=clock())
        faces = clients.faces(session, {task.client_id for task in to_do})
    return page("reception/tasks.html", tasks=[(task, faces[task.client_id]) for task in to_do])


@post("/reception/tasks/settle", sync_to_thread=True, guards=[requires_booker])
def settle_task(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Redirect:
    """Takes a task off the list, with what was done. One that a colleague has just settled is off it all the same."""
    client_id, now = _id(one(data, "client_id")), clock()
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
    client,
    arrive,
    book,
    drop,
    task_list,
    settle_task,
]
