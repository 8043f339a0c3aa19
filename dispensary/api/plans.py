"""Plans of doses: a series of dated orders that a prescriber signs as one."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.api.orders import Amount, Answer, OrderAnswer, Reason, StopRequest, told
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.judging import About
from dispensary.prescribing.models import DosePlan
from dispensary.prescribing.planning import reaching
from dispensary.prescribing.plans import MOST_STEPS, Draft, PlanKind, Step
from dispensary.prescribing.queries import plans_of
from dispensary.prescribing.rules import PlaceOf
from dispensary.prescribing.steps import Tolerance
from dispensary.units import ClientId
from dispensary.web import planning_acts
from dispensary.web.consultation import looked_at
from dispensary.web.dosing_acts import Bottles
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_prescriber
from dispensary.web.typed import Typed

Level = Annotated[int, msgspec.Meta(ge=1, le=9999)]


class StepRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A day's dose in mg from a day on, until the next step's first day.

    `why` says why it is right where it jumps, or leaves the guideline that the site follows.
    """

    from_day: date
    mg: Amount
    portions: Annotated[list[Amount], msgspec.Meta(max_length=4)] = []
    places: Annotated[list[PlaceOf], msgspec.Meta(max_length=4)] = []
    why: Answer = ""


class PlanRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The steps in the order of their days. `until_day` is the first day on which the last one does not count any more.

    `outside` says why it is right that the plan as a whole runs longer than the guideline has it, `bottles` what
    becomes of bottles at home with the earlier dose. Levels are in ng/mL and count where a dose is divided.
    """

    kind: PlanKind
    steps: Annotated[list[StepRequest], msgspec.Meta(min_length=1, max_length=MOST_STEPS)]
    reason: Reason
    until_day: date | None = None
    outside: Answer = ""
    bottles: Bottles = Bottles.UNSAID
    tolerance: Tolerance = Tolerance.UNCERTAIN
    at_risk: bool = False
    pregnant: bool = False
    trough_ng_ml: Level | None = None
    peak_ng_ml: Level | None = None


class StopPlanRequest(StopRequest, forbid_unknown_fields=True, kw_only=True):
    """From a day on the dose stays what it is on the day before; `until_day` where the guideline wants an end."""

    until_day: date | None = None
    outside: Answer = ""


class PlanAnswer(msgspec.Struct):
    """A plan as it was signed, what the guideline said of each step, and the orders of it that still count."""

    id: UUID
    kind: str
    guideline: str | None
    guideline_version: str | None
    reason: str
    signed_at: datetime
    steps: list[dict[str, Any]]
    orders: list[OrderAnswer]


@post(
    "/clients/{client_id:uuid}/plans",
    sync_to_thread=True,
    operation_id="signPlan",
    tags=["orders"],
    guards=[requires_prescriber],
)
def sign(
    client_id: FromPath[UUID],
    data: JSONBody[PlanRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> PlanAnswer:
    """Signs a plan: an order for each step, all of them or none. 422 names each question by its step: `why_0`, `mg_2`.

    The order before gives way without a gap. The same request again gets the plan that the first one signed.
    """
    now = clock()
    draft = _draft(data)

    def act(session: WriteSession) -> PlanAnswer:
        plan = planning_acts.sign(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            draft=draft,
            reason=data.reason,
            bottles=data.bottles,
            today=site.dose_day(now),
            at=now,
        )
        return _told(session, plan)

    return database.write(act)


@get(
    "/clients/{client_id:uuid}/plans",
    sync_to_thread=True,
    operation_id="listPlans",
    tags=["orders"],
    guards=[requires_client_reader],
)
def plans(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> list[PlanAnswer]:
    """The plans that were signed for a client, the newest first. The look is written down."""
    now = clock()

    def act(session: WriteSession) -> list[PlanAnswer]:
        face_at(session, site_id=actor.site_id, client_id=ClientId(client_id))
        found = [_told(session, plan) for plan in plans_of(session, client_id=ClientId(client_id))]
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="plans")
        return found

    return database.write(act)


@post(
    "/clients/{client_id:uuid}/plans/{plan_id:uuid}/stop",
    sync_to_thread=True,
    operation_id="stopPlan",
    tags=["orders"],
    guards=[requires_prescriber],
)
def stop(
    client_id: FromPath[UUID],
    plan_id: FromPath[UUID],
    data: JSONBody[StopPlanRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> OrderAnswer:
    """Ends a plan: from the day on the dose stays what it is on the day before. The answer is the order for it."""
    now = clock()
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
        typed.near("until_day", data.until_day)
    ending = planning_acts.Ending(data.from_day, data.until_day, data.reason, data.reason, data.outside)
    order = database.write(
        lambda session: planning_acts.stop(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            plan_id=plan_id,
            ending=ending,
            bottles=data.bottles,
            today=site.dose_day(now),
            at=now,
        )
    )
    return told(order)


def _draft(data: PlanRequest) -> Draft:
    written = {}
    for number, step in enumerate(data.steps):
        written[f"mg_{number}"] = step.mg
        written[f"portions_{number}"] = "+".join(step.portions)
    with Typed(written) as typed:
        typed.near("until_day", data.until_day)
        for number, step in enumerate(data.steps):
            typed.near(f"day_{number}", step.from_day)
        steps = tuple(
            Step(
                step.from_day,
                typed.milligrams(f"mg_{number}"),
                tuple(typed.portions(f"portions_{number}")),
                tuple(place.value for place in step.places),
                step.why,
            )
            for number, step in enumerate(data.steps)
        )
    return Draft(
        kind=data.kind,
        steps=steps,
        until_day=data.until_day,
        outside=data.outside,
        about=About(data.tolerance, data.at_risk, data.pregnant),
        trough_ng_ml=Decimal(data.trough_ng_ml) if data.trough_ng_ml else None,
        peak_ng_ml=Decimal(data.peak_ng_ml) if data.peak_ng_ml else None,
    )


def _told(session: ReadSession, plan: DosePlan) -> PlanAnswer:
    return PlanAnswer(
        id=plan.id,
        kind=plan.kind,
        guideline=plan.guideline,
        guideline_version=plan.guideline_version,
        reason=plan.reason,
        signed_at=plan.signed_at,
        steps=plan.steps,
        orders=[told(order) for order in reaching(session, plan_id=plan.id, day=date.min)],
    )


HANDLERS: list[ControllerRouterHandler] = [sign, plans, stop]
