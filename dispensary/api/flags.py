"""Stop flags: what stops a dose or a bottle of a client, what is to be said first, and who clears it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.database import WriteSession
from dispensary.staff.rules import Role
from dispensary.supplies.flags import LONGEST_SENTENCE, Flag, clear_flag, flags_of, set_flag
from dispensary.supplies.flags_rules import FlagKind
from dispensary.units import AccountId, ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader
from dispensary.web.typed import Typed


class FlagRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A flag to set. Its owner is an account or a role; without either, whoever sets it."""

    kind: FlagKind
    sentence: Annotated[str, msgspec.Meta(max_length=LONGEST_SENTENCE)]
    from_day: date | None = None
    """Today when nothing is said."""
    last_day: date | None = None
    """Until it is cleared when nothing is said."""
    owner_id: UUID | None = None
    owner_role: Role | None = None


class ClearRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a flag is cleared."""

    reason: Annotated[str, msgspec.Meta(max_length=500)]


class FlagAnswered(msgspec.Struct):
    """A live flag. `said_at` when a message was said at the counter."""

    id: UUID
    kind: FlagKind
    sentence: str
    from_day: date
    last_day: date | None
    owner_id: UUID | None
    owner_role: str | None
    set_by: UUID
    set_at: datetime
    said_at: datetime | None


@get(
    "/clients/{client_id:uuid}/flags",
    sync_to_thread=True,
    operation_id="listFlags",
    tags=["flags"],
    guards=[requires_client_reader],
)
def listed(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> list[FlagAnswered]:
    """The live flags of a client, what stops first. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> list[FlagAnswered]:
        face_at(session, site_id=site.id, client_id=ClientId(client_id))
        found = [_as_answer(flag) for flag in flags_of(session, client_id=ClientId(client_id))]
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="flags")
        return found

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/flags",
    sync_to_thread=True,
    operation_id="setFlag",
    tags=["flags"],
    guards=[requires_client_reader],
)
def put(
    client_id: FromPath[UUID],
    data: JSONBody[FlagRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> FlagAnswered:
    """Sets a flag. A prescriber alone stops a dose. The same request again finds it set."""
    at = clock()
    today = site.dose_day(at)
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
        typed.near("last_day", data.last_day)

    def act(session: WriteSession) -> FlagAnswered:
        flag = set_flag(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            kind=data.kind,
            sentence=data.sentence,
            from_day=data.from_day or today,
            last_day=data.last_day,
            owner_id=AccountId(data.owner_id) if data.owner_id else None,
            owner_role=data.owner_role,
            today=today,
            at=at,
        )
        found = flags_of(session, client_id=ClientId(client_id))
        return next(_as_answer(each) for each in found if each.row.id == flag.id)

    return database.write(act)


@post(
    "/clients/{client_id:uuid}/flags/{flag_id:uuid}/clear",
    sync_to_thread=True,
    operation_id="clearFlag",
    tags=["flags"],
    status_code=204,
    guards=[requires_client_reader],
)
def clear(
    client_id: FromPath[UUID],
    flag_id: FromPath[UUID],
    data: JSONBody[ClearRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> None:
    """Clears a flag for a reason. 403 for whoever does not own it."""
    at = clock()
    database.write(
        lambda session: clear_flag(
            session, actor=actor, client_id=ClientId(client_id), flag_id=flag_id, reason=data.reason, at=at
        )
    )


def _as_answer(flag: Flag) -> FlagAnswered:
    row = flag.row
    return FlagAnswered(
        id=row.id,
        kind=FlagKind(row.kind),
        sentence=row.sentence,
        from_day=row.days.lower or row.set_at.date(),
        last_day=flag.last_day,
        owner_id=row.owner_id,
        owner_role=row.owner_role,
        set_by=row.set_by,
        set_at=row.set_at,
        said_at=flag.answer.answered_at if flag.answer and flag.answer.said else None,
    )


HANDLERS: list[ControllerRouterHandler] = [listed, put, clear]
