"""Orders and holds: what a prescriber writes, and withholds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.prescribing.judging import About
from dispensary.prescribing.models import DoseOrder, Hold
from dispensary.prescribing.rules import PlaceOf
from dispensary.prescribing.steps import Tolerance
from dispensary.staff.rules import Act
from dispensary.units import ClientId, plain
from dispensary.web import caring_acts, dosing_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_prescriber
from dispensary.web.typed import Typed

Amount = Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Answer = Annotated[str, msgspec.Meta(max_length=500)]
"""To a question that an earlier request was refused with."""


class OrderRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A day's dose in mg as decimal text, whole or in up to four portions that add up to it.

    `places` says of each portion where it is taken; without them the take-home decision does. `until_day` is the first
    day on which the order does not count any more; without it it stands until it is changed. `second_look` says why a
    step beyond the site's guard is right, `outside` why it is right to leave the site's guideline, `bottles` what
    becomes of bottles at home with the earlier dose. `tolerance` and `at_risk` count for a first dose.
    """

    mg: Amount
    from_day: date
    reason: Reason
    portions: Annotated[list[Amount], msgspec.Meta(max_length=4)] = []
    places: Annotated[list[PlaceOf], msgspec.Meta(max_length=4)] = []
    until_day: date | None = None
    second_look: Answer = ""
    outside: Answer = ""
    bottles: dosing_acts.Bottles = dosing_acts.Bottles.UNSAID
    tolerance: Tolerance = Tolerance.UNCERTAIN
    at_risk: bool = False


class OrderAnswer(msgspec.Struct):
    """The order as it was written."""

    id: UUID
    mg: str
    portions: list[str]
    places: list[str]
    from_day: date
    until_day: date | None
    reason: str
    ordered_at: datetime


class StopRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is ordered from a day on: a gap that somebody chose."""

    from_day: date
    reason: Reason
    bottles: dosing_acts.Bottles = dosing_acts.Bottles.UNSAID


class HoldRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Doses are withheld from a day on; `until_day` is the first day on which they are given again."""

    from_day: date
    reason: Reason
    until_day: date | None = None


class ReleaseRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Why a hold ends."""

    reason: Reason


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
    """Orders a dose. 422 with `second-look`, `outside-guideline` or `bottles-at-home` asks a question: answer it there.

    The order before gives way without a gap. The same request again gets the order that the first one made.
    """
    now = clock()
    with Typed({"mg": data.mg, "portions": "+".join(data.portions)}) as typed:
        mg, parts = typed.milligrams("mg"), typed.portions("portions")
        typed.near("from_day", data.from_day)
        typed.near("until_day", data.until_day)
    wanted = dosing_acts.Wanted(
        mg=mg,
        parts=parts,
        from_day=data.from_day,
        until_day=data.until_day,
        reason=data.reason,
        second_look=data.second_look,
        places=[place.value for place in data.places],
        outside=data.outside,
        about=About(data.tolerance, data.at_risk),
        bottles=data.bottles,
    )
    written: DoseOrder = database.write(
        lambda session: dosing_acts.order(
            session, actor=actor, client_id=ClientId(client_id), wanted=wanted, today=site.dose_day(now), at=now
        )
    )
    return told(written)


def told(order: DoseOrder) -> OrderAnswer:
    """An order as the API tells it."""
    assert order.days.lower is not None, "an order has a first day"
    return OrderAnswer(
        id=order.id,
        mg=plain(order.mg),
        portions=[plain(part) for part in order.portions],
        places=list(order.places or ()),
        from_day=order.days.lower,
        until_day=order.days.upper,
        reason=order.reason,
        ordered_at=order.ordered_at,
    )


@post(
    "/clients/{client_id:uuid}/orders/{order_id:uuid}/stop",
    sync_to_thread=True,
    operation_id="stopOrder",
    tags=["orders"],
    status_code=204,
    guards=[requires_prescriber],
)
def stop(
    client_id: FromPath[UUID],
    order_id: FromPath[UUID],
    data: JSONBody[StopRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> None:
    """Stops an order from a day on, and with it what is ordered after it. The same request again changes nothing.

    A day for which a dose was given is not taken back. 404 when the order does not count on that day.
    """
    now = clock()
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
    database.write(
        lambda session: caring_acts.stop(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            order_id=order_id,
            from_day=data.from_day,
            reason=data.reason,
            bottles=data.bottles,
            today=site.dose_day(now),
            at=now,
        )
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
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
        typed.near("until_day", data.until_day)
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


HANDLERS: list[ControllerRouterHandler] = [order, stop, hold, release]
