"""Bottles at home: what the client has, what comes back, and what is called back and counted."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.prescribing.rules import MOST_PORTIONS
from dispensary.staff.rules import Act
from dispensary.supplies.models import Recall
from dispensary.supplies.recalls import call_back, count, expected_by_portion, open_recall
from dispensary.supplies.returns import OutThere, TakenBack, bottles_out
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.units import ClientId, DoseDay, plain
from dispensary.web import bottle_acts
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader, requires_dispenser

Words = Annotated[str, msgspec.Meta(max_length=500)]


class BottleOut(msgspec.Struct):
    """A bottle that the client was given and has not brought back; mg is decimal text."""

    id: UUID
    serial: str
    day: date
    portion: int
    of: int
    mg: str


class RecallAnswer(msgspec.Struct):
    """Bottles that were called back: `open`, `passed`, `failed` or `cancelled`."""

    id: UUID
    client_id: UUID
    cause: str
    from_day: date
    called_on: date
    bring_by: date
    state: str
    expected_full: int | None
    counted_full: int | None
    note: str
    closed_at: datetime | None


class ExpectedFull(msgspec.Struct):
    """How many bottles must be full, once so many portions of today have been taken."""

    portions_taken: int
    full: int


class BottlesAnswer(msgspec.Struct):
    """The bottles of the last four weeks and later, how many must be full now, and the recall that is open.

    While a recall is open, the numbers are of the bottles that it asks for.
    """

    bottles: list[BottleOut]
    expected_full: int
    """While nothing of today's bottles was taken."""
    expected_full_after: list[ExpectedFull]
    """For each of today's bottles that is counted: how many must be full, once it has been taken."""
    recall: RecallAnswer | None


class BottleBack(msgspec.Struct, forbid_unknown_fields=True):
    """A bottle that came back: empty, or full."""

    id: UUID
    full: bool


class ReturnRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Bottles that came back, all of them or none. Full ones need a reason."""

    bottles: Annotated[list[BottleBack], msgspec.Meta(max_length=100)]
    reason: Words = ""


class ReturnAnswer(msgspec.Struct):
    """How many came back, and the days that are without a dose now."""

    empty: int
    full: int
    uncovered: list[date]


class RecallRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Bottles for a day and later ones are called back, to be brought by a day."""

    cause: Literal["dose_changed", "restart", "stopped", "check"]
    from_day: date
    bring_by: date


class CountRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """How many full bottles were counted of those that were called back.

    `portions_taken` is the last portion of today that was taken: 0 when none was, 1 when a whole dose was. A count
    that is not right needs a note of what the client says.
    """

    counted_full: Annotated[int, msgspec.Meta(ge=0, le=200)]
    portions_taken: Annotated[int, msgspec.Meta(ge=0, le=MOST_PORTIONS)]
    note: Words = ""


class CallOffRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why nothing is counted."""

    note: Words


def _recall(recall: Recall) -> RecallAnswer:
    return RecallAnswer(
        id=recall.id,
        client_id=recall.client_id,
        cause=recall.cause,
        from_day=recall.from_day,
        called_on=recall.called_on,
        bring_by=recall.bring_by,
        state=recall.state,
        expected_full=recall.expected_full,
        counted_full=recall.counted_full,
        note=recall.note,
        closed_at=recall.closed_at,
    )


def _out(bottle: OutThere) -> BottleOut:
    return BottleOut(bottle.bottle_id, bottle.serial, bottle.day, bottle.portion, bottle.portions, plain(bottle.mg))


@get(
    "/clients/{client_id:uuid}/bottles",
    sync_to_thread=True,
    operation_id="listBottles",
    tags=["bottles"],
    guards=[requires_client_reader],
)
def bottles(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> BottlesAnswer:
    """The bottles that have not come back, and how many must be full. The look is written down."""
    now = clock()
    today, whose = site.dose_day(now), ClientId(client_id)
    with database.writing() as session:
        face_at(session, site_id=actor.site_id, client_id=whose)
        out = bottles_out(session, client_id=whose, first=DoseDay(today - timedelta(days=LONGEST_SUPPLY)))
        recall = open_recall(session, client_id=whose)
        expected, *after = (
            ExpectedFull(taken, full)
            for taken, full in expected_by_portion(session, client_id=whose, today=today, recall=recall).items()
        )
        looked_at(session, actor=actor, client_id=whose, at=now, page="bottles")
        return BottlesAnswer(
            [_out(bottle) for bottle in out], expected.full, after, _recall(recall) if recall else None
        )


@post(
    "/clients/{client_id:uuid}/returns",
    sync_to_thread=True,
    operation_id="takeBack",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def take_back(
    client_id: FromPath[UUID],
    data: JSONBody[ReturnRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ReturnAnswer:
    """Takes bottles back. A full one covers its day no more. The same bottles sent again get the first answer."""
    at = clock()
    back: TakenBack = database.write(
        lambda session: bottle_acts.take_back_once(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            bottles=[(bottle.id, bottle.full) for bottle in data.bottles],
            reason=data.reason,
            today=site.dose_day(at),
            at=at,
        )
    )
    return ReturnAnswer(back.empty, back.full, list(back.uncovered))


@post(
    "/clients/{client_id:uuid}/recalls",
    sync_to_thread=True,
    operation_id="callBack",
    tags=["bottles"],
    guards=[requires(Act.ENROL)],
)
def recall(
    client_id: FromPath[UUID],
    data: JSONBody[RecallRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> RecallAnswer:
    """Calls bottles back to be counted. While a recall is open, another call gets the open one."""
    at = clock()
    return database.write(
        lambda session: _recall(
            call_back(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                cause=data.cause,
                from_day=data.from_day,
                bring_by=data.bring_by,
                at=at,
            )
        )
    )


@post(
    "/recalls/{recall_id:uuid}/count",
    sync_to_thread=True,
    operation_id="countBottles",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def count_bottles(
    recall_id: FromPath[UUID],
    data: JSONBody[CountRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> RecallAnswer:
    """Counts what was called back against what there must be. Take back afterwards what stays: it counts no more."""
    at = clock()
    return database.write(
        lambda session: _recall(
            count(
                session,
                actor=actor,
                recall_id=recall_id,
                counted_full=data.counted_full,
                portions_taken=data.portions_taken,
                note=data.note,
                today=site.dose_day(at),
                at=at,
            )
        )
    )


@post(
    "/recalls/{recall_id:uuid}/call-off",
    sync_to_thread=True,
    operation_id="callOff",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def end_recall(
    recall_id: FromPath[UUID],
    data: JSONBody[CallOffRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> RecallAnswer:
    """Ends a recall without a count, for a reason."""
    at = clock()

    return database.write(
        lambda session: _recall(
            bottle_acts.end_recall(session, actor=actor, recall_id=recall_id, note=data.note, at=at)
        )
    )


HANDLERS: list[ControllerRouterHandler] = [bottles, take_back, recall, count_bottles, end_recall]
