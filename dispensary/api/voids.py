"""Supplies that are voided, what became of a bottle, and full bottles that came back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.api.treatments import RefillAnswer, refill_told
from dispensary.database import WriteSession
from dispensary.monitoring.refills import came_with
from dispensary.refusals import NotThere, Refusal
from dispensary.supplies.bottle_states import record_of
from dispensary.supplies.full_bottles import awaiting, destroy_bottles, restock_bottles
from dispensary.supplies.models import Bottle
from dispensary.supplies.voiding import void_supply
from dispensary.units import AccountId, ClientId, plain
from dispensary.web.consultation import looked_at
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_dispenser

Note = Annotated[str, msgspec.Meta(max_length=500)]
Pin = Annotated[str, msgspec.Meta(max_length=128)]
Chosen = Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=200)]


class VoidRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A supply was entered in error. The second person types their own PIN; asked for with bottles or a closed day."""

    key: Annotated[str, msgspec.Meta(min_length=8, max_length=80)]
    reason: Note
    second_id: UUID | None = None
    second_pin: Pin = ""


class VoidAnswer(msgspec.Struct):
    """How it was voided; a repeated request gets the first answer."""

    supply: UUID
    at: datetime
    reason: str
    by: UUID
    second: UUID | None
    refills: list[RefillAnswer]
    """Other medicine that came with it and is taken back too."""


@post(
    "/supplies/{supply_id:uuid}/void",
    sync_to_thread=True,
    operation_id="voidSupply",
    tags=["supplies"],
    guards=[requires_dispenser],
)
def void(
    supply_id: FromPath[UUID],
    data: VoidRequest,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> VoidAnswer:
    """Voids a supply, whole and once: every lot is credited with what it gave. 409 when something rests on it."""
    at = clock()

    def act(session: WriteSession) -> VoidAnswer:
        voided = void_supply(
            session,
            actor=actor,
            supply_id=supply_id,
            reason=data.reason,
            second_id=AccountId(data.second_id) if data.second_id else None,
            pin=data.second_pin,
            key=data.key,
            today=site.dose_day(at),
            at=at,
        )
        return VoidAnswer(
            voided.supply_id,
            voided.at,
            voided.reason,
            voided.account_id,
            voided.second_id,
            [refill_told(refill) for refill, _ in came_with(session, supply_id=supply_id)],
        )

    return database.write(act)


class BottleLine(msgspec.Struct):
    """A line of a bottle's record. `by` and `second` are initials; empty when the program did it at night."""

    state: str
    at: datetime
    by: str
    second: str
    note: str


class BottleRecord(msgspec.Struct):
    """A bottle and what became of it. Amounts are decimal text."""

    bottle: UUID
    serial: str
    client: UUID
    dose_day: date
    portion: int
    mg: str
    ml: str
    state: str
    record: list[BottleLine]


@get(
    "/bottles/{serial:str}",
    sync_to_thread=True,
    operation_id="readBottle",
    tags=["bottles"],
    guards=[requires_client_reader],
)
def bottle(serial: FromPath[str], database: TheDatabase, actor: TheActor, clock: TheClock) -> BottleRecord:
    """A bottle of this site by its serial, with its record. The look is written down."""
    now = clock()
    with database.writing() as session:
        found = session.scalar(select(Bottle).where(Bottle.serial == serial, Bottle.site_id == actor.site_id))
        if found is None:
            raise NotThere(Refusal("no-bottle", "There is no such bottle at this site.", "Read the label again."))
        looked_at(session, actor=actor, client_id=ClientId(found.client_id), at=now, page="bottle")
        return BottleRecord(
            bottle=found.id,
            serial=found.serial,
            client=found.client_id,
            dose_day=found.dose_day,
            portion=found.portion,
            mg=plain(found.mg),
            ml=plain(found.ml),
            state=found.state,
            record=[
                BottleLine(line.event.state, line.event.at, line.by, line.second, line.event.note)
                for line in record_of(session, bottle_id=found.id)
            ],
        )


class WaitingBottle(msgspec.Struct):
    """A full bottle that came back and is still here."""

    bottle: UUID
    serial: str
    client: UUID
    ml: str
    lot: str
    returned_on: date
    reason: str


@get(
    "/returned-bottles",
    sync_to_thread=True,
    operation_id="listReturnedBottles",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def returned(database: TheDatabase, actor: TheActor) -> list[WaitingBottle]:
    """The full bottles that wait to be destroyed or put back, the longest here first."""
    with database.reading() as session:
        return [
            WaitingBottle(
                each.bottle.id,
                each.bottle.serial,
                each.bottle.client_id,
                plain(each.bottle.ml),
                each.batch,
                each.returned_on,
                each.reason,
            )
            for each in awaiting(session, site_id=actor.site_id)
        ]


class DestroyRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Full bottles are destroyed by two people; the second types their own PIN."""

    bottles: Chosen
    how: Note
    second_id: UUID | None = None
    second_pin: Pin = ""


class RestockRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Sealed full bottles go back into the safe, where the site's rule allows it."""

    bottles: Chosen
    reason: Note


class Settled(msgspec.Struct):
    """How many bottles were destroyed or put back."""

    bottles: int


@post(
    "/returned-bottles/destroy",
    sync_to_thread=True,
    operation_id="destroyReturnedBottles",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def destroy(data: DestroyRequest, database: TheDatabase, actor: TheActor, clock: TheClock) -> Settled:
    """Destroys full bottles that came back."""
    at = clock()
    return Settled(
        database.write(
            lambda session: destroy_bottles(
                session,
                actor=actor,
                bottle_ids=data.bottles,
                how=data.how,
                second_id=AccountId(data.second_id) if data.second_id else None,
                pin=data.second_pin,
                at=at,
            )
        )
    )


@post(
    "/returned-bottles/restock",
    sync_to_thread=True,
    operation_id="restockReturnedBottles",
    tags=["bottles"],
    guards=[requires_dispenser],
)
def restock(data: RestockRequest, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Settled:
    """Puts sealed full bottles back into the safe: a line of the register each."""
    at = clock()
    return Settled(
        database.write(
            lambda session: restock_bottles(
                session, actor=actor, bottle_ids=data.bottles, reason=data.reason, day=site.dose_day(at), at=at
            )
        )
    )


HANDLERS: list[ControllerRouterHandler] = [void, bottle, returned, destroy, restock]
"""Mounted at /api."""
