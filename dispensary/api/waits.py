"""The waiting list: who waits for a place on a full day, and the place that is kept for the first in line."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.bookings import BookingAnswer, Moment, as_answer
from dispensary.phone import front_desk, offers
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from scheduling.waiting_models import Wait


class WaitRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A full day on which a client wants a place, or one full slot of it. Asked again, they keep their turn."""

    client_id: UUID
    day: date
    starts_at: Moment | None = None


class WaitAnswer(msgspec.Struct):
    """A wish for a place; `state` is waiting, met, withdrawn or over."""

    id: UUID
    client_id: UUID
    day: date
    starts_at: datetime | None
    asked_at: datetime
    state: str


class OfferAnswer(msgspec.Struct):
    """A place that is kept until `expires_at`."""

    id: UUID
    starts_at: datetime
    expires_at: datetime


class InLineAnswer(msgspec.Struct):
    """Somebody in line for a day, 1 being the first to ask, and what is kept for them now."""

    wait: WaitAnswer
    position: int
    offer: OfferAnswer | None


def _wait(wait: Wait) -> WaitAnswer:
    return WaitAnswer(wait.id, wait.holder_id, wait.day, wait.starts_at, wait.asked_at, wait.state)


@get("/waits", sync_to_thread=True, operation_id="listWaits", tags=["bookings"], guards=[requires_booker])
def listed(database: TheDatabase, site: TheSite, clock: TheClock) -> list[InLineAnswer]:
    """Who waits for a place at the site, by day and in the order of asking."""
    with database.reading() as session, front_desk.where_it_opens():
        return [
            InLineAnswer(
                _wait(each.wait),
                each.position,
                OfferAnswer(each.offer.id, each.offer.starts_at, each.offer.expires_at) if each.offer else None,
            )
            for each in offers.line(session, site=site, at=clock())
        ]


@post("/waits", sync_to_thread=True, operation_id="waitForPlace", tags=["bookings"], guards=[requires_booker])
def ask(
    data: JSONBody[WaitRequest], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> WaitAnswer:
    """Puts a client in line. 409 when there is a free place, which is booked and not waited for."""
    at = clock()
    return database.write(
        lambda session: _wait(
            offers.ask_for(
                session,
                actor=actor,
                site=site,
                client_id=ClientId(data.client_id),
                day=data.day,
                starts_at=data.starts_at,
                at=at,
            )
        )
    )


@post(
    "/waits/{wait_id:uuid}/leave",
    sync_to_thread=True,
    operation_id="leaveLine",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def leave(
    wait_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> WaitAnswer:
    """Takes a wish out of the line; a place that was kept for it goes to the next."""
    at = clock()
    return database.write(
        lambda session: _wait(offers.leave_line(session, actor=actor, site=site, wait_id=wait_id, at=at))
    )


@post(
    "/offers/{offer_id:uuid}/take",
    sync_to_thread=True,
    operation_id="takeOffer",
    tags=["bookings"],
    guards=[requires_booker],
    status_code=200,
)
def take(
    offer_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> BookingAnswer:
    """Takes the place that is kept, as the client said. Asked again, the same booking; 409 when it is kept no more."""
    at = clock()
    return database.write(
        lambda session: as_answer(offers.take_for(session, actor=actor, site=site, offer_id=offer_id, at=at))
    )


HANDLERS: list[ControllerRouterHandler] = [listed, ask, leave, take]
