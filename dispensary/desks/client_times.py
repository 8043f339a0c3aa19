"""Reception at one client: here or not, what is booked and when they can come; booked, moved, given up for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from babel import Locale
from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
import scheduling.waitlist
from dispensary.care.instrument_setting import askable
from dispensary.clients import queries as clients
from dispensary.clients.groups import groups_of
from dispensary.clients.models import Client
from dispensary.clients.wishes import said_of, wishes_of
from dispensary.database import Database, ReadSession
from dispensary.desks.weekly import ahead_of
from dispensary.phone import front_desk
from dispensary.phone.pins import has_pin
from dispensary.phone.tasks import tasks
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.forms import Form, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker, requires_greeter
from dispensary.web.templating import page
from dispensary.words import day_in_words, language
from notifications.queries import contact_details, language_written
from scheduling.queries import SlotView

DAYS_AHEAD = 7
"""So many days that have a free time can be chosen with one click; the others by their date."""
_FREE_LOOKED_AT = 400


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
    said: FromQuery[str] = "",
) -> Template:
    """One client's time: here or not, what is booked, what is free. The look is written down."""
    now = clock()
    with database.writing() as session:
        shown = _client_page(session, actor, site, ClientId(client_id), now, day=_day(day), move=move)
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="reception")
    return page("reception/client.html", done=done, said=said, **shown)


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
    groups = groups_of(session, client_id, site_id=site.id, today=today)
    free = _free_by_day(session, site, now, groups)
    chosen = day or (moving.day if moving and moving.day in free else next(iter(free), today))
    theirs = [task for task in tasks(session, site_id=site.id, at=now) if task.client_id == client_id]
    face = clients.face_of(session, row)
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return {
        "face": face,
        "askable": askable(session, actor=actor, role=Role.RECEPTION, today=site.dose_day(now)),
        "contact": contact,
        "has_pin": has_pin(session, client_id),
        "language_name": Locale.parse(contact.language).get_display_name(language()) if contact else "",
        "wishes": wishes_of(session, client_id),
        "wishes_said": said_of(session, client_id),
        "written_in": _written_in(session, client_id, contact.language) if contact else "",
        "visit": scheduling.queries.open_visit(session, site.id, client_id, today),
        "bookings": bookings,
        "shut": {each.id for each in bookings if not scheduling.queries.is_open(session, site.id, each.day)},
        "moving": moving,
        "days": [(each, _short(each), len(starts)) for each, starts in list(free.items())[:DAYS_AHEAD]],
        "chosen": chosen,
        "free": free.get(chosen) or _free_on(session, site, chosen, now, groups),
        "open_then": scheduling.queries.is_open(session, site.id, chosen),
        "tasks": [(task, face) for task in theirs],
        **ahead_of(session, actor, site, client_id, chosen, now),
        "greets": actor.may(Act.CHECK_IN),
        "now": now,
        "today": today,
    }


def _written_in(session: ReadSession, client_id: ClientId, asked: str) -> str:
    """The language that this client is written to in, where it is another than the one that they read; else nothing."""
    written = language_written(session, recipient_id=client_id, language=asked)
    return Locale.parse(written).get_display_name(language()) or written if written != asked else ""


def _short(day: date) -> str:
    """A day of the coming weeks, which needs no year: Tue 24 Nov."""
    return day_in_words(day, "MMMEd")


def _free_by_day(
    session: ReadSession, site: Place, now: datetime, groups: Collection[str]
) -> dict[date, list[SlotView]]:
    zone = ZoneInfo(site.zone)
    found: dict[date, list[SlotView]] = {}
    for slot in scheduling.queries.next_free(session, site.id, now, _FREE_LOOKED_AT, groups):
        found.setdefault(slot.starts_at.astimezone(zone).date(), []).append(slot)
    if sum(map(len, found.values())) == _FREE_LOOKED_AT:
        found.popitem()  # the last day was cut short
    return found


def _free_on(session: ReadSession, site: Place, day: date, now: datetime, groups: Collection[str]) -> list[SlotView]:
    slots = scheduling.queries.slots_on(session, site.id, day, groups)
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
    now, move, give = clock(), _move(data), one(data, "give") == "yes"
    try:
        starts_at = _moment(one(data, "starts_at"))
        if move is None:
            database.write(
                lambda session: front_desk.book_for(
                    session,
                    actor=actor,
                    site=site,
                    client_id=ClientId(client_id),
                    starts_at=starts_at,
                    at=now,
                    give=give,
                )
            )
        else:
            database.write(
                lambda session: front_desk.move_for(
                    session, actor=actor, site=site, booking_id=move, starts_at=starts_at, at=now, give=give
                )
            )
    except NotThere:
        raise
    except Refused as refused:
        day = _day(one(data, "day"))
        return client_page_again(
            database, actor, site, ClientId(client_id), now, refused=refused, typed=data, day=day, move=move
        )
    return Redirect(f"/reception/clients/{client_id}?done={'booked' if move is None else 'moved'}", status_code=303)


def client_page_again(
    database: Database,
    actor: Actor,
    site: Place,
    client_id: ClientId,
    now: datetime,
    *,
    refused: Refused,
    typed: Mapping[str, Any],
    day: date | None = None,
    move: UUID | None = None,
) -> Template:
    """The page of a client with what was refused and everything that was typed."""
    with database.reading() as session:
        shown = _client_page(session, actor, site, client_id, now, day=day, move=move)
    return page("reception/client.html", refused=refused, typed=typed, done="", said="", **shown)


def _move(data: Mapping[str, Any]) -> UUID | None:
    """The booking that is to be moved; nothing when a new one is made. Raises NotThere for an identifier of none."""
    move = named(data, "move")
    if move is None and one(data, "move"):
        raise NotThere(Refusal("no-booking", "There is no such booking here."))
    return move


def _moment(text: str) -> datetime:
    try:
        moment: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadInput(Refusal("no-time", "No time was chosen.", "Choose one of the free times.", field="starts_at"))
    return moment


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


HANDLERS: list[ControllerRouterHandler] = [client, arrive, book, drop]
