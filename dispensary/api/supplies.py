"""Supplies: what is handed over to a client, in one act, once for each idempotency key."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from dispensary.api.treatments import RefillAnswer, refill_told
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.refill_rules import WithIt
from dispensary.monitoring.refills import came_with
from dispensary.supplies import queries
from dispensary.supplies.handover import hand_over
from dispensary.supplies.rules import Wanted
from dispensary.supplies.safety_rules import Found
from dispensary.supplies.shown import Shown
from dispensary.units import ClientId, DoseDay
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_dispenser
from dispensary.web.typed import Typed


class WithRefill(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A medicine that leaves with the supply, for so many days; `observed`: one dose of it is swallowed here."""

    medicine_id: UUID
    days: Annotated[int, msgspec.Meta(ge=1, le=366)] = 1
    observed: bool = False


class SupplyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the counter hands over. `key` makes a repeated request safe: it gets the first answer."""

    key: Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
    observed: bool = True
    take_home_days: Annotated[list[date], msgspec.Meta(max_length=29)] = []
    identified_by: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """`photo`, `second_identifier`, or the birth date that the client said, as 1984-05-06."""
    well: bool = False
    found: Found | None = None
    """What is not right, where the dispenser lets the dose go on; `observation` says more. Needs `well` to be false."""
    observation: Annotated[str, msgspec.Meta(max_length=500)] = ""
    second_look: Annotated[str, msgspec.Meta(max_length=500)] = ""
    pickup_id: UUID | None = None
    dose_day: date | None = None
    """The day that the dose was poured for. Where it is another day by now, nothing leaves."""
    said: Annotated[list[UUID], msgspec.Meta(max_length=20)] = []
    """Flags whose message was said to the client."""
    poured_mg: Annotated[str, msgspec.Meta(max_length=20)] = ""
    """What was poured to be taken here. Where another amount is due by now, nothing leaves."""
    refills: Annotated[list[WithRefill], msgspec.Meta(max_length=24)] = []
    """Medicine of other treatments that leaves in the same act: all of it or nothing."""


class DoseGiven(msgspec.Struct):
    """One dose of a supply. Amounts are decimal text: mg, and mL from the lot's strength."""

    day: date
    portion: int
    of: int
    kind: str
    mg: str
    ml: str


class SupplyAnswer(msgspec.Struct):
    """The supply as it was recorded; `repeated` when the same key had been answered before."""

    supply: UUID
    at: datetime
    doses: list[DoseGiven]
    repeated: bool = False
    refills: list[RefillAnswer] = []
    """Other medicine that came with it. It is taken back when the supply is voided."""


@post(
    "/clients/{client_id:uuid}/supplies",
    sync_to_thread=True,
    operation_id="dispense",
    tags=["supplies"],
    guards=[requires_dispenser],
)
def dispense(
    client_id: FromPath[UUID],
    data: SupplyRequest,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> SupplyAnswer:
    """Hands over a dose and any bottles. 409 with every reason when it may not leave; nothing of it is kept then."""
    at = clock()
    wanted = Wanted(
        observed=data.observed,
        take_home_days=tuple(DoseDay(day) for day in data.take_home_days),
        identified_by=data.identified_by,
        well=data.well,
        found=data.found.value if data.found else "",
        observation=data.observation,
        second_look=data.second_look,
        pickup_id=data.pickup_id,
        refills=tuple(WithIt(each.medicine_id, each.days, each.observed) for each in data.refills),
    )
    with Typed({"poured_mg": data.poured_mg}) as typed:
        poured = typed.milligrams("poured_mg") if data.poured_mg else None
    shown = Shown(DoseDay(data.dose_day) if data.dose_day else None, poured)

    def act(session: WriteSession) -> SupplyAnswer:
        handed = hand_over(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            wanted=wanted,
            shown=shown,
            answers=dict.fromkeys(data.said, True),
            key=data.key,
            today=site.dose_day(at),
            zone=site.zone,
            at=at,
        )
        answer = _told(session, handed.supply_id, handed.answer)
        answer.repeated = handed.repeated
        return answer

    return database.write(act)


def _told(session: ReadSession, supply_id: UUID, answer: dict[str, Any]) -> SupplyAnswer:
    told = msgspec.convert(answer, SupplyAnswer, strict=False)
    told.refills = [refill_told(refill) for refill, _ in came_with(session, supply_id=supply_id)]
    return told


@get(
    "/supplies/{supply_id:uuid}",
    sync_to_thread=True,
    operation_id="readSupply",
    tags=["supplies"],
    guards=[requires_client_reader],
)
def read_supply(supply_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> SupplyAnswer:
    """A supply as it was answered. The look is written down."""
    now = clock()
    with database.writing() as session:
        supply = queries.supply_of(session, site_id=actor.site_id, supply_id=supply_id).supply
        looked_at(session, actor=actor, client_id=ClientId(supply.client_id), at=now, page="supply")
        return _told(session, supply_id, supply.answer)


HANDLERS: list[ControllerRouterHandler] = [dispense, read_supply]
