"""Refills of a client's medicines, doses swallowed under observation, and the days to look at what a medicine does."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.results import Reason
from dispensary.api.treatments import (
    LookAnswer,
    RefillAnswer,
    TreatmentAnswer,
    does,
    look_told,
    refill_told,
    treatment_told,
)
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.health_acts import When


class RefillRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Medicine for so many days was handed over; `observed`: one dose was swallowed under observation."""

    key: UUID
    on: date
    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    observed: bool = False


class ObservedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether doses of the treatment are swallowed at the counter, before somebody's eyes."""

    observed: bool


class VoidRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Why a refill is taken back."""

    reason: Reason


class LookedRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was seen on a day to look."""

    found: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


@post(
    "/clients/{client_id:uuid}/medicines/{medicine_id:uuid}/refills",
    sync_to_thread=True,
    operation_id="refillMedicine",
    tags=["health"],
    guards=[requires_health_watcher],
)
def refill(
    client_id: FromPath[UUID],
    medicine_id: FromPath[UUID],
    data: JSONBody[RefillRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> RefillAnswer:
    """Writes down a refill or an observed dose; the same `key` is the same one."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.refill(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            medication_id=medicine_id,
            on=data.on,
            days=data.days,
            observed=data.observed,
            key=data.key,
            when=When(site.dose_day(now), now),
        ),
        refill_told,
        on=data.on,
    )


@post(
    "/clients/{client_id:uuid}/treatments/{treatment_id:uuid}/observed",
    sync_to_thread=True,
    operation_id="observeTreatment",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def observe(
    client_id: FromPath[UUID],
    treatment_id: FromPath[UUID],
    data: JSONBody[ObservedRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> TreatmentAnswer:
    """Says whether doses are swallowed at the counter. Only of such a treatment a dose can be written down as that."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.set_observed(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            treatment_id=treatment_id,
            observed=data.observed,
            when=When(site.dose_day(now), now),
        ),
        treatment_told,
    )


@post(
    "/clients/{client_id:uuid}/refills/{refill_id:uuid}/void",
    sync_to_thread=True,
    operation_id="voidRefill",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def void_refill(
    client_id: FromPath[UUID],
    refill_id: FromPath[UUID],
    data: JSONBody[VoidRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> RefillAnswer:
    """Takes back a refill that was written down by mistake; it stays on record."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.void_refill(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            refill_id=refill_id,
            reason=data.reason,
            when=When(site.dose_day(now), now),
        ),
        refill_told,
    )


@post(
    "/clients/{client_id:uuid}/looks/{look_id:uuid}/done",
    sync_to_thread=True,
    operation_id="haveLooked",
    tags=["health"],
    status_code=200,
    guards=[requires_health_watcher],
)
def looked(
    client_id: FromPath[UUID],
    look_id: FromPath[UUID],
    data: JSONBody[LookedRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> LookAnswer:
    """Says what was seen on a day to look. Done already, it stays as it was."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.have_looked(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            look_id=look_id,
            found=data.found,
            when=When(site.dose_day(now), now),
        ),
        look_told,
    )


HANDLERS: list[ControllerRouterHandler] = [refill, observe, void_refill, looked]
