"""What is not as usual at the counter: written down once for a key, answered by a prescriber, given again, closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.supplies import DoseGiven
from dispensary.clients.queries import face_at
from dispensary.database import Database, WriteSession
from dispensary.supplies import exceptions
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.models import DoseException
from dispensary.supplies.unusual import Unusual, unusual_of
from dispensary.supplies.writing import Handed
from dispensary.units import AccountId, ClientId, DoseDay, plain
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_dispenser
from dispensary.web.typed import Typed
from dispensary.web.unusual_acts import Next, as_read, what_comes_next

Key = Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
Words = Annotated[str, msgspec.Meta(max_length=500)]
Known = Annotated[str, msgspec.Meta(max_length=20)]


class VomitedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Today's dose was vomited, so many minutes after it was swallowed; `witnessed` by staff."""

    key: Key
    dose_id: UUID
    minutes: Annotated[int, msgspec.Meta(ge=0, le=24 * 60)]
    witnessed: bool
    pregnant: bool = False
    withdrawal: bool = False


class WithheldRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The client does not seem safe to dose now."""

    key: Key
    observation: Words


class RefusedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The client does not want today's dose."""

    key: Key
    reason: Words


class LateRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The client came late, after an absence or after the hours."""

    key: Key
    note: Words


class AnswerRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A prescriber was called about an exception. `beyond`: they allow more than the guideline's figure, knowing it."""

    prescriber_id: UUID
    said: Words
    mg: Amount | None = None
    beyond: bool = False


class ClosingRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How an exception ended."""

    outcome: Words


class ExtraGiven(msgspec.Struct):
    """What was given beside the day's dose: `replacement`, `top_up`, or `in_error`. Amounts are decimal text."""

    kind: str
    mg: str
    ml: str


class SupplyBeside(msgspec.Struct):
    """The supply that was written with an exception."""

    supply: UUID
    at: datetime
    doses: list[DoseGiven]
    extra: list[ExtraGiven] = []
    repeated: bool = False


class ExceptionAnswer(msgspec.Struct, kw_only=True):
    """An exception as it stands, what the guideline said word for word, and what comes `next`."""

    id: UUID
    client_id: UUID
    kind: ExceptionKind
    day: date
    details: dict[str, Any]
    ruling: dict[str, Any] | None
    prescriber_id: UUID | None
    said: str
    allowed_mg: str | None
    observe_until: datetime | None
    blocks: bool
    recorded_by: UUID
    recorded_at: datetime
    closed_by: UUID | None
    closed_at: datetime | None
    outcome: str
    next: list[Next]
    supply: SupplyBeside | None = None


def answer_of(one: Unusual, today: DoseDay, handed: Handed | None = None) -> ExceptionAnswer:
    """The exception as it stands, with the supply that was written with it."""
    row = one.row
    return ExceptionAnswer(
        id=row.id,
        client_id=row.client_id,
        kind=ExceptionKind(row.kind),
        day=row.dose_day,
        details=row.details,
        ruling=row.ruling,
        prescriber_id=row.prescriber_id,
        said=row.said,
        allowed_mg=plain(row.allowed_mg) if row.allowed_mg is not None else None,
        observe_until=row.observe_until,
        blocks=row.blocks,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
        closed_by=row.closed_by,
        closed_at=row.closed_at,
        outcome=row.outcome,
        next=list(what_comes_next(one, today)),
        supply=_beside(handed) if handed else None,
    )


def _beside(handed: Handed) -> SupplyBeside:
    beside = msgspec.convert(handed.answer, SupplyBeside, strict=False)
    beside.repeated = handed.repeated
    return beside


def told(database: Database, today: DoseDay, act: Callable[[WriteSession], DoseException]) -> ExceptionAnswer:
    """Does the act, and answers with the exception as it stands afterwards."""
    return database.write(lambda session: answer_of(as_read(session, about=act(session)), today))


@get(
    "/clients/{client_id:uuid}/exceptions",
    sync_to_thread=True,
    operation_id="listExceptions",
    tags=["exceptions"],
    guards=[requires_client_reader],
)
def read(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> list[ExceptionAnswer]:
    """What was not as usual today, and what is still open of earlier days. The look is written down."""
    now = clock()
    today = site.dose_day(now)
    with database.writing() as session:
        face_at(session, site_id=actor.site_id, client_id=ClientId(client_id))
        found = unusual_of(session, client_id=ClientId(client_id), today=today)
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="exceptions")
        return [answer_of(one, today) for one in found]


@post(
    "/clients/{client_id:uuid}/exceptions/vomited",
    sync_to_thread=True,
    operation_id="noteVomited",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def vomited(
    client_id: FromPath[UUID],
    data: JSONBody[VomitedRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Writes down that today's dose was vomited, and answers what the guideline says. Nothing is given by it."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: exceptions.vomited(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            dose_id=data.dose_id,
            minutes=Decimal(data.minutes),
            witnessed=data.witnessed,
            pregnant=data.pregnant,
            withdrawal=data.withdrawal,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/withheld",
    sync_to_thread=True,
    operation_id="noteWithheld",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def withheld(
    client_id: FromPath[UUID],
    data: JSONBody[WithheldRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Withholds today's dose for now and tells the prescriber. Nothing is blocked: the client is seen again today."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: exceptions.withhold(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            observation=data.observation,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/refused",
    sync_to_thread=True,
    operation_id="noteRefused",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def refused(
    client_id: FromPath[UUID],
    data: JSONBody[RefusedRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Writes down that the client does not want today's dose. The day stays open."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: exceptions.dose_refused(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            reason=data.reason,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/clients/{client_id:uuid}/exceptions/late",
    sync_to_thread=True,
    operation_id="noteLate",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def late(
    client_id: FromPath[UUID],
    data: JSONBody[LateRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Writes down that the client came late. What may be given is what the missed days say."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: exceptions.late(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            note=data.note,
            key=data.key,
            today=today,
            at=at,
        ),
    )


@post(
    "/exceptions/{exception_id:uuid}/call",
    sync_to_thread=True,
    operation_id="answerException",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def called(
    exception_id: FromPath[UUID],
    data: JSONBody[AnswerRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Writes down once which prescriber was called and what they allowed. `above-guideline` asks for `beyond`."""
    at = clock()
    today = site.dose_day(at)
    with Typed({"mg": data.mg or ""}) as typed:
        mg = typed.milligrams("mg") if data.mg is not None else None
    return told(
        database,
        today,
        lambda session: exceptions.answer(
            session,
            actor=actor,
            exception_id=exception_id,
            prescriber_id=AccountId(data.prescriber_id),
            said=data.said,
            allowed_mg=mg,
            beyond=data.beyond,
            at=at,
        ),
    )


@post(
    "/exceptions/{exception_id:uuid}/close",
    sync_to_thread=True,
    operation_id="closeException",
    tags=["exceptions"],
    guards=[requires_client_reader],
)
def close(
    exception_id: FromPath[UUID],
    data: JSONBody[ClosingRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> ExceptionAnswer:
    """Says how it ended. What blocks the next dose is closed by a prescriber alone."""
    at = clock()
    today = site.dose_day(at)
    return told(
        database,
        today,
        lambda session: exceptions.close(session, actor=actor, exception_id=exception_id, outcome=data.outcome, at=at),
    )


HANDLERS: list[ControllerRouterHandler] = [read, vomited, withheld, refused, late, called, close]
