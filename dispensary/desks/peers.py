"""A peer worker's desk: their own clients, when each comes next, what is to be done, and a contact to note."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
from dispensary.care.instrument_setting import askable
from dispensary.care.reaching import note_own_contact
from dispensary.clients.contact_rules import CameOf, How
from dispensary.clients.contacts import LONGEST_NOTE
from dispensary.clients.own import (
    finish_own_task,
    own_client,
    own_clients,
    own_contacts,
    own_goals,
)
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_peer_worker
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from scheduling.models import Booking, BookingState


@get("/peers", sync_to_thread=True, guards=[requires_peer_worker])
def clients(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """Everybody whom this person has been given, whoever needs something soonest first."""
    now = clock()
    with database.reading() as session:
        mine = own_clients(session, actor=actor)
        visits = {one.client_id: _next_visit(session, site, one.client_id, now) for one in mine}
    return page("peers/clients.html", clients=mine, visits=visits, today=site.dose_day(now))


@get("/peers/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_peer_worker])
def client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """One of them. The look is written down."""
    now = clock()
    with database.writing() as session:
        shown = _shown(session, actor, site, ClientId(client_id), now)
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="peer worker")
    return page("peers/client.html", done=done, **shown)


def _shown(session: ReadSession, actor: Actor, site: Place, client_id: ClientId, now: datetime) -> dict[str, Any]:
    return {
        "who": own_client(session, actor=actor, client_id=client_id),
        "askable": askable(session, actor=actor, role=Role.PEER_WORKER, today=site.dose_day(now)),
        "goals": own_goals(session, actor=actor, client_id=client_id),
        "contacts": own_contacts(session, actor=actor, client_id=client_id),
        "visit": _next_visit(session, site, client_id, now),
        "today": site.dose_day(now),
        "longest": LONGEST_NOTE,
    }


def _next_visit(session: ReadSession, site: Place, client_id: ClientId, now: datetime) -> Booking | None:
    ahead = scheduling.queries.bookings_of(session, client_id, now)
    booked = [one for one in ahead if one.place_id == site.id and one.state is BookingState.BOOKED]
    return min(booked, key=lambda one: one.starts_at, default=None)


def again(
    database: Database, actor: Actor, site: Place, client_id: UUID, now: datetime, why: Refused, data: Mapping[str, Any]
) -> Template:
    """The client's page once more, with what was refused and what was typed."""
    with database.reading() as session:
        shown = _shown(session, actor, site, ClientId(client_id), now)
    return page("peers/client.html", done="", refused=why, typed=data, **shown)


@post("/peers/clients/{client_id:uuid}/contacts", sync_to_thread=True, guards=[requires_peer_worker])
def contact(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Notes that they spoke with each other, or that nobody was reached; who needs help is told to the nurses."""
    now = clock()
    called = one(data, "came_of") == CameOf.NEEDS_HELP

    def act(session: WriteSession) -> None:
        own_client(session, actor=actor, client_id=ClientId(client_id))
        with Typed(data) as typed:
            how = typed.choice_or_none("how", How) or How.TALK
            reached = typed.yes_no("reached")
            came_of = typed.choice_or_none("came_of", CameOf)
            words = typed.text("words", most=LONGEST_NOTE, required=False)
            if reached is None:
                typed.fault("reached", "no-choice", "Nothing was chosen here.", "Choose one.")
        note_own_contact(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            reached=bool(reached),
            words=words,
            key=key_of(data),
            at=now,
            how=how,
            came_of=came_of,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/peers/clients/{client_id}?done={'help' if called else 'noted'}",
        else_again=lambda why: again(database, actor, site, client_id, now, why, data),
    )


@post("/peers/clients/{client_id:uuid}/tasks/{task_id:uuid}/done", sync_to_thread=True, guards=[requires_peer_worker])
def task_done(
    client_id: FromPath[UUID],
    task_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says how something was done, so that nobody does it again."""
    now = clock()

    def act(session: WriteSession) -> None:
        own_client(session, actor=actor, client_id=ClientId(client_id))
        with Typed(data) as typed:
            outcome = typed.text("outcome", most=LONGEST_NOTE)
        finish_own_task(session, actor=actor, client_id=ClientId(client_id), task_id=task_id, outcome=outcome, at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/peers/clients/{client_id}?done=task",
        else_again=lambda why: again(database, actor, site, client_id, now, why, {**data, "task": str(task_id)}),
    )


HANDLERS: list[ControllerRouterHandler] = [clients, client, contact, task_done]
