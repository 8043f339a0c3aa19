"""Calls to a prescriber after missed days: less than ordered, as the guideline provides, until they order again."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.exceptions import Amount, Words
from dispensary.supplies.calls import record_call
from dispensary.units import AccountId, ClientId, plain
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.typed import Typed


class CallRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A prescriber agreed by telephone to less after missed days, as the site's guideline provides."""

    prescriber_id: UUID
    said: Words
    mg: Amount


class CallAnswer(msgspec.Struct):
    """What was agreed; it holds until the prescriber orders again."""

    id: UUID
    mg: str
    from_day: date
    prescriber_id: UUID
    said: str


@post(
    "/clients/{client_id:uuid}/calls",
    sync_to_thread=True,
    operation_id="recordCall",
    tags=["exceptions"],
    guards=[requires_dispenser],
)
def call(
    client_id: FromPath[UUID],
    data: JSONBody[CallRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> CallAnswer:
    """Writes down that a prescriber agreed to less after missed days. From now on the counter gives at most so much."""
    at = clock()
    with Typed({"mg": data.mg}) as typed:
        mg = typed.milligrams("mg")
    agreed = database.write(
        lambda session: record_call(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            prescriber_id=AccountId(data.prescriber_id),
            said=data.said,
            mg=mg,
            today=site.dose_day(at),
            at=at,
        )
    )
    return CallAnswer(
        id=agreed.id,
        mg=plain(agreed.mg),
        from_day=agreed.from_day,
        prescriber_id=agreed.agreed_with,
        said=agreed.said,
    )


HANDLERS: list[ControllerRouterHandler] = [call]
