"""Take-home: what the policy says of a client, and what the doctor decides on it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.staff.rules import Act
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.service import assess_client
from dispensary.units import ClientId
from dispensary.web import consultation
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires


class AssessmentRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What a practitioner answered, by the name of the criterion; those left out stay open."""

    judged: Annotated[dict[str, bool], msgspec.Meta(max_length=50)] = {}


class AssessmentAnswer(msgspec.Struct):
    """What the policy says of the client today: level, allowance, every criterion with its evidence."""

    id: UUID
    on: date
    level: str
    result: dict[str, Any]


class DecisionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the doctor allows, in dose days. `days_until` is the first day on which it does not count any more.

    Without `per_week` there is no weekly limit. What differs from the assessment needs a reason.
    """

    assessment_id: UUID
    days_from: date
    per_supply: Annotated[int, msgspec.Meta(ge=0, le=MOST_PER_SUPPLY)]
    per_week: Annotated[int, msgspec.Meta(ge=0, le=MOST_PER_WEEK)] | None = None
    days_until: date | None = None
    reason: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class DecisionAnswer(msgspec.Struct):
    """The decision as it is in force."""

    id: UUID
    assessment_id: UUID
    days_from: date
    days_until: date | None
    per_supply: int
    per_week: int | None
    differs: bool
    reason: str
    decided_at: datetime


@post(
    "/clients/{client_id:uuid}/assessments",
    sync_to_thread=True,
    operation_id="assessTakeHome",
    tags=["take-home"],
    guards=[requires(Act.ENROL)],
)
def assess(
    client_id: FromPath[UUID],
    data: JSONBody[AssessmentRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> AssessmentAnswer:
    """Assesses by the policy that the site follows today, and keeps what it was judged by. It decides nothing."""
    now = clock()
    kept: Assessment = database.write(
        lambda session: assess_client(
            session, actor=actor, client_id=ClientId(client_id), on=site.dose_day(now), at=now, judged=data.judged
        )
    )
    return AssessmentAnswer(kept.id, kept.on_day, kept.level, kept.result)


@post(
    "/clients/{client_id:uuid}/decisions",
    sync_to_thread=True,
    operation_id="decideTakeHome",
    tags=["take-home"],
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def decide(
    client_id: FromPath[UUID],
    data: JSONBody[DecisionRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> DecisionAnswer:
    """Decides on the newest assessment. The decision before ends where this one begins; the counter obeys at once."""
    now = clock()
    allowed = consultation.Allowed(
        assessment_id=data.assessment_id,
        days_from=data.days_from,
        until=data.days_until,
        per_supply=data.per_supply,
        per_week=data.per_week,
        reason=data.reason,
    )
    made: Decision = database.write(
        lambda session: consultation.decide_take_home(
            session, actor=actor, client_id=ClientId(client_id), allowed=allowed, at=now
        )
    )
    return DecisionAnswer(
        id=made.id,
        assessment_id=made.assessment_id,
        days_from=data.days_from,
        days_until=made.days.upper,
        per_supply=made.per_supply,
        per_week=made.per_week,
        differs=made.differs,
        reason=made.reason,
        decided_at=made.decided_at,
    )


HANDLERS: list[ControllerRouterHandler] = [assess, decide]
