"""The queue and its calls. What a lost answer would do twice has a key: sent again under it, it is the first answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.waiting
from dispensary.database import Database, WriteSession
from dispensary.phone import front_desk, queueing
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker, requires_dispenser, requires_greeter
from scheduling.models import Visit
from scheduling.queue_rules import MOST_WINDOWS

Window = Annotated[int, msgspec.Meta(ge=1, le=MOST_WINDOWS)]


class CallRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """To which window, and the key of this call: a new one for each that is meant."""

    window: Window
    key: UUID


class KeyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The key of this act: a new one for each that is meant."""

    key: UUID


class WindowRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """At which window."""

    window: Window


class VisitAnswer(msgspec.Struct):
    """Somebody who has come. Who waits has no window; who was set aside is asked for by a person first."""

    id: UUID
    client_id: UUID
    ticket: int
    window: int | None
    waits: bool
    calls: int
    skips: int
    arrived_at: datetime
    called_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    aside_at: datetime | None


class CalledAnswer(msgspec.Struct):
    """Who was called; nothing when nobody waits."""

    visit: VisitAnswer | None


def _visit(visit: Visit) -> VisitAnswer:
    return VisitAnswer(
        visit.id,
        visit.holder_id,
        visit.ticket,
        visit.at_window,
        scheduling.waiting.waits(visit),
        visit.calls,
        visit.skips,
        visit.arrived_at,
        visit.last_called_at,
        visit.started_at,
        visit.ended_at,
        visit.aside_at,
    )


def _does(database: Database, act: Callable[[WriteSession], Visit]) -> VisitAnswer:
    return database.write(lambda session: _visit(act(session)))


@get("/queue", sync_to_thread=True, operation_id="listQueue", tags=["queue"], guards=[requires_booker])
def listed(database: TheDatabase, site: TheSite, clock: TheClock) -> list[VisitAnswer]:
    """Who is here: those at a window, those who wait in the order of their calls, and those who were set aside."""
    now = clock()
    with database.reading() as session, front_desk.where_it_opens():
        day = scheduling.queries.day_at(session, site.id, now)
        return [_visit(visit) for visit in scheduling.waiting.queue(session, site.id, day, now)]


@post(
    "/queue/next",
    sync_to_thread=True,
    operation_id="callNext",
    tags=["queue"],
    guards=[requires_dispenser],
    status_code=200,
)
def call_next(data: JSONBody[CallRequest], database: TheDatabase, actor: TheActor, clock: TheClock) -> CalledAnswer:
    """Calls whoever is next to a window. The same key again calls nobody else."""
    now = clock()

    def act(session: WriteSession) -> CalledAnswer:
        visit = queueing.call_next(session, actor=actor, window=data.window, key=data.key, at=now)
        return CalledAnswer(None if visit is None else _visit(visit))

    return database.write(act)


@post(
    "/queue/{visit_id:uuid}/again",
    sync_to_thread=True,
    operation_id="callAgain",
    tags=["queue"],
    guards=[requires_dispenser],
    status_code=200,
)
def again(
    visit_id: FromPath[UUID],
    data: JSONBody[CallRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> VisitAnswer:
    """Calls somebody once more, or out of turn; counted once for each key."""
    now = clock()
    return _does(
        database,
        lambda session: queueing.call_again(
            session, actor=actor, visit_id=visit_id, window=data.window, key=data.key, at=now
        ),
    )


@post(
    "/queue/{visit_id:uuid}/not-there",
    sync_to_thread=True,
    operation_id="notThere",
    tags=["queue"],
    guards=[requires_dispenser],
    status_code=200,
)
def not_there(
    visit_id: FromPath[UUID],
    data: JSONBody[KeyRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> VisitAnswer:
    """Called, and not there: others are called first for a while; counted once for each key."""
    now = clock()
    return _does(
        database,
        lambda session: queueing.not_there(session, actor=actor, visit_id=visit_id, key=data.key, at=now),
    )


@post(
    "/queue/{visit_id:uuid}/serve",
    sync_to_thread=True,
    operation_id="serveVisit",
    tags=["queue"],
    guards=[requires_dispenser],
    status_code=200,
)
def serve(
    visit_id: FromPath[UUID],
    data: JSONBody[WindowRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> VisitAnswer:
    """They are at this window, and their turn has begun; the first such moment stays. A supply ends it."""
    now = clock()
    return _does(
        database,
        lambda session: queueing.serve(session, actor=actor, visit_id=visit_id, window=data.window, at=now),
    )


@post(
    "/queue/{visit_id:uuid}/back",
    sync_to_thread=True,
    operation_id="backInQueue",
    tags=["queue"],
    guards=[requires_greeter],
    status_code=200,
)
def back(visit_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> VisitAnswer:
    """Asked, and there: they wait again in their old turn."""
    now = clock()
    return _does(database, lambda session: queueing.back_in_queue(session, actor=actor, visit_id=visit_id, at=now))


@post(
    "/queue/{visit_id:uuid}/left",
    sync_to_thread=True,
    operation_id="hasLeft",
    tags=["queue"],
    guards=[requires_greeter],
    status_code=200,
)
def left(visit_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> VisitAnswer:
    """They left without being served; nothing follows from it."""
    now = clock()
    return _does(database, lambda session: queueing.has_left(session, actor=actor, visit_id=visit_id, at=now))


HANDLERS: list[ControllerRouterHandler] = [listed, call_next, again, not_there, serve, back, left]
