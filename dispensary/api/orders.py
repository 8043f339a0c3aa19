"""Orders and holds: what a prescriber writes, and withholds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.staff.rules import Act
from dispensary.units import ClientId, plain
from dispensary.web import dosing_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_prescriber
from dispensary.web.typed import Typed

Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A day's dose in mg as decimal text, whole or in up to four portions that add up to it.

    `until_day` is the first day on which it does not count any more; without it the order stands until it is changed.
    `second_look` says why a step beyond the site's guard is right, `bottles_seen` that bottles at home were considered.
    """

    mg: Amount
    from_day: date
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    portions: Annotated[list[Amount], msgspec.Meta(max_length=4)] = []
    until_day: date | None = None
    second_look: Annotated[str, msgspec.Meta(max_length=500)] = ""
    bottles_seen: bool = False


class OrderAnswer(msgspec.Struct):
    """The order as it was written."""

    id: UUID
    mg: str
    portions: list[str]
    from_day: date
    until_day: date | None
    reason: str
    ordered_at: datetime


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Doses are withheld from a day on; `until_day` is the first day on which they are given again."""

    from_day: date
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    until_day: date | None = None


class ReleaseRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why a hold ends."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class HoldAnswer(msgspec.Struct):
    """The hold as it was placed."""

    id: UUID
    from_day: date
    until_day: date | None
    reason: str


@post(
    "/clients/{client_id:uuid}/orders",
    sync_to_thread=True,
    operation_id="orderDose",
    tags=["orders"],
    guards=[requires_prescriber],
)
def order(
    client_id: FromPath[UUID],
    data: JSONBody[OrderRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> OrderAnswer:
    """Orders a dose. 422 with `second-look` or `bottles-at-home` asks a question; answer it and send again.

    The order before gives way without a gap. The same request again gets the order that the first one made.
    """
    now = clock()
    with Typed({"mg": data.mg, "portions": "+".join(data.portions)}) as typed:
        mg, parts = typed.milligrams("mg"), typed.portions("portions")
    wanted = dosing_acts.Wanted(
        mg=mg,
        parts=parts,
        from_day=data.from_day,
        until_day=data.until_day,
        reason=data.reason,
        second_look=data.second_look,
        bottles_seen=data.bottles_seen,
    )
    written: DoseOrder = database.write(
        lambda session: dosing_acts.order(
            session, actor=actor, client_id=ClientId(client_id), wanted=wanted, today=site.dose_day(now), at=now
        )
    )
    return OrderAnswer(
        id=written.id,
        mg=plain(written.mg),
        portions=[plain(part) for part in written.portions],
        from_day=data.from_day,
        until_day=written.days.upper,
        reason=written.reason,
        ordered_at=written.ordered_at,
    )


@post(
    "/clients/{client_id:uuid}/holds",
    sync_to_thread=True,
    operation_id="holdDoses",
    tags=["orders"],
    guards=[requires(Act.HOLD)],
)
def hold(
    client_id: FromPath[UUID],
    data: JSONBody[HoldRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> HoldAnswer:
    """Withholds doses; nothing leaves the counter while they are held. The same request again gets the same hold."""
    now = clock()
    placed: Hold = database.write(
        lambda session: dosing_acts.hold(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            from_day=data.from_day,
            until_day=data.until_day,
            reason=data.reason,
            today=site.dose_day(now),
            at=now,
        )
    )
    return HoldAnswer(placed.id, data.from_day, placed.days.upper, placed.reason)


@post(
    "/clients/{client_id:uuid}/holds/{hold_id:uuid}/release",
    sync_to_thread=True,
    operation_id="releaseHold",
    tags=["orders"],
    status_code=204,
    guards=[requires(Act.HOLD)],
)
def release(
    client_id: FromPath[UUID],
    hold_id: FromPath[UUID],
    data: JSONBody[ReleaseRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> None:
    """Ends a hold at once, with the reason why doses are given again."""
    now = clock()
    database.write(
        lambda session: dosing_acts.release(
            session, actor=actor, client_id=ClientId(client_id), hold_id=hold_id, reason=data.reason, at=now
        )
    )


HANDLERS: list[ControllerRouterHandler] = [order, hold, release]
