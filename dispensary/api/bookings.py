"""Slots, bookings and arrivals: a client's time at the site, as the front desk sees it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

import scheduling.queries
from dispensary.phone import front_desk
from dispensary.refusals import BadInput, Refusal
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker, requires_greeter
from scheduling.models import Booking, Visit

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its zone: the start of a slot."""


class SlotAnswer(msgspec.Struct):
    """A slot of the day. `free` is never below 0, also when the hours were cut after people had booked.

    `free` places are open to all; `held` ones are free too, and held for some.
    """

    starts_at: datetime
    ends_at: datetime
    capacity: int
    booked: int
    free: int
    held: int


class BookingAnswer(msgspec.Struct):
    """A client's place in a slot; `state` is booked, dropped, moved, arrived or missed."""

    id: UUID
    client_id: UUID
    starts_at: datetime
    day: date
    state: str
    channel: str


class BookingRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The slot that a client wants. Asked again for a slot that they have, the answer is the same."""

    client_id: UUID
    starts_at: Moment


class MoveRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The slot that a booking moves to."""

    starts_at: Moment


class ArrivalRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Who has come."""

    client_id: UUID


class ArrivalAnswer(msgspec.Struct):
    """The number that is called at the counter, and the booking that they came for, if any."""

    id: UUID
    client_id: UUID
    ticket: int
    arrived_at: datetime
    booking_id: UUID | None


def as_answer(booking: Booking) -> BookingAnswer:
    """A booking as the API answers it."""
    return BookingAnswer(
        booking.id, booking.holder_id, booking.starts_at, booking.day, booking.state.value, booking.channel
    )


def _arrival(visit: Visit) -> ArrivalAnswer:
    return ArrivalAnswer(visit.id, visit.holder_id, visit.ticket, visit.arrived_at, visit.booking_id)


@get("/slots", sync_to_thread=True, operation_id="listSlots", tags=["bookings"], guards=[requires_booker])
def list_slots(day: FromQuery[date], database: TheDatabase, site: TheSite) -> list[SlotAnswer]:
    """The slots of a day, earliest first; none on a day of rest or a closure."""
    with database.reading() as session, front_desk.where_it_opens():
        return [SlotAnswer(**vars(slot)) for slot in scheduling.queries.slots_on(session, site.id, day)]


@get("/bookings", sync_to_thread=True, operation_id="listBookings", tags=["bookings"], guards=[requires_booker])
def list_bookings(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    day: FromQuery[date | None] = None,
    client_id: FromQuery[UUID | None] = None,
) -> list[BookingAnswer]:
    """The bookings of a day that were neither dropped nor moved; or those of a client that are still to come."""
    if (day is None) == (client_id is None):
        raise BadInput(Refusal("day-or-client", "Ask for a day or for a client.", "Send one of the two."))
    with database.reading() as session:
        if day is not None:
            found = scheduling.queries.bookings_on(session, site.id, day)
        else:
            assert client_id is not None
            theirs = scheduling.queries.bookings_of(session, client_id, clock())
            found = [booking for booking in theirs if booking.place_id == site.id]
        return [as_answer(booking) for booking in found]


@post("/bookings", sync_to_thread=True, operation_id="book", tags=["bookings"], guards=[requires_booker])
def book(
    data: JSONBody[BookingRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> BookingAnswer:
    """Books a slot. 409 when it is full or cannot be booked, with the nearest free starts as evidence."""
    at = clock()
    return database.write(
        lambda session: as_answer(
            front_desk.book_for(
                session, actor=actor, site=site, client_id=ClientId(data.client_id), starts_at=data.starts_at, at=at
            )
        )
    )


@post(
    "/bookings/{booking_id:uuid}/move",
    sync_to_thread=True,
    operation_id="moveBooking",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def move(
    booking_id: FromPath[UUID],
    data: JSONBody[MoveRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> BookingAnswer:
    """Exchanges a booking for one in another slot, wholly or not at all: the answer is the new one."""
    at = clock()
    return database.write(
        lambda session: as_answer(
            front_desk.move_for(session, actor=actor, site=site, booking_id=booking_id, starts_at=data.starts_at, at=at)
        )
    )


@post(
    "/bookings/{booking_id:uuid}/drop",
    sync_to_thread=True,
    operation_id="dropBooking",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def drop(
    booking_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> BookingAnswer:
    """Gives a booking and its place up."""
    at = clock()
    return database.write(
        lambda session: as_answer(front_desk.drop_for(session, actor=actor, site=site, booking_id=booking_id, at=at))
    )


@post("/arrivals", sync_to_thread=True, operation_id="checkIn", tags=["bookings"], guards=[requires_greeter])
def check_in(
    data: JSONBody[ArrivalRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> ArrivalAnswer:
    """Somebody has come, booked or not: their ticket, the same one until they have been served."""
    at = clock()
    return database.write(
        lambda session: _arrival(
            front_desk.greet(session, actor=actor, site=site, client_id=ClientId(data.client_id), at=at)
        )
    )


HANDLERS: list[ControllerRouterHandler] = [list_slots, list_bookings, book, move, drop, check_in]
