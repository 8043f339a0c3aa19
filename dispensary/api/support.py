"""Adherence support of a client: written down, taken back, read by those who treat."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.results import Reason
from dispensary.api.treatments import does
from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.monitoring.support import LONGEST_NOTE, support_of
from dispensary.monitoring.support_models import AdherenceSupport, SupportKind
from dispensary.units import ClientId
from dispensary.web import support_acts
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.health_acts import When


class SupportRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What helped on a day: `together` is medicines handed over with methadone. The same `key` is the same entry."""

    key: UUID
    on: date
    kind: SupportKind
    note: Annotated[str, msgspec.Meta(max_length=LONGEST_NOTE)] = ""


class SupportBackRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why it is taken back."""

    reason: Reason


class SupportAnswer(msgspec.Struct):
    """Support; `taken_back_at` and `reason` when it was written down by mistake."""

    id: UUID
    on: date
    kind: str
    note: str
    given_at: datetime
    taken_back_at: datetime | None
    reason: str


def _told(row: AdherenceSupport) -> SupportAnswer:
    return SupportAnswer(row.id, row.on_day, row.kind, row.note, row.given_at, row.voided_at, row.void_reason)


@get(
    "/clients/{client_id:uuid}/support",
    sync_to_thread=True,
    operation_id="listSupport",
    tags=["health"],
    guards=[requires_health_watcher],
)
def listed(client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> list[SupportAnswer]:
    """The adherence support of a client, the newest first, that too which was taken back. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> list[SupportAnswer]:
        lock_client(session, ClientId(client_id), actor.site_id)
        found = [_told(each) for each in support_of(session, client_id=ClientId(client_id))]
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="support")
        return found

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/support",
    sync_to_thread=True,
    operation_id="giveSupport",
    tags=["health"],
    guards=[requires_health_watcher],
)
def give(
    client_id: FromPath[UUID],
    data: JSONBody[SupportRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> SupportAnswer:
    """Writes down support, and judges the viral loads by it at once."""
    now = clock()
    return does(
        database,
        lambda session: support_acts.give_support(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            on=data.on,
            kind=data.kind.value,
            note=data.note,
            key=data.key,
            when=When(site.dose_day(now), now),
        ),
        _told,
        on=data.on,
    )


@post(
    "/clients/{client_id:uuid}/support/{support_id:uuid}/take-back",
    sync_to_thread=True,
    operation_id="takeSupportBack",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def take_back(
    client_id: FromPath[UUID],
    support_id: FromPath[UUID],
    data: JSONBody[SupportBackRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> SupportAnswer:
    """Takes support back that was written down by mistake; it stays on record. Taken back already, it stays so."""
    now = clock()
    return does(
        database,
        lambda session: support_acts.take_support_back(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            support_id=support_id,
            reason=data.reason,
            when=When(site.dose_day(now), now),
        ),
        _told,
    )


HANDLERS: list[ControllerRouterHandler] = [listed, give, take_back]
