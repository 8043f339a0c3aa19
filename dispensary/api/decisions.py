"""Take-home: what a client told, what the policy says of them, and what the doctor decides on it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from dispensary.clients.circumstances import FARTHEST_KM, Circumstances, note_circumstances
from dispensary.clients.queries import face_at
from dispensary.staff.rules import Act
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.queries import decisions_of
from dispensary.takehome.service import assess_client
from dispensary.takehome.terms import DecisionKind, Naloxone, Occasion
from dispensary.units import ClientId
from dispensary.web import consultation, take_home_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader
from dispensary.web.typed import Typed

Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]
Reason = Annotated[str, msgspec.Meta(max_length=2000)]


class CircumstancesRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What the client told; null where nobody has asked. It takes the place of what was written down before."""

    lockbox: bool | None = None
    housing_stable: bool | None = None
    employed: bool | None = None
    health_stable: bool | None = None
    children_at_home: bool | None = None
    guardian: bool | None = None
    distance_km: Annotated[int, msgspec.Meta(ge=0, le=FARTHEST_KM)] | None = None


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

    Without `per_week` there is no weekly limit, without `weekdays` (Monday is 0) any day may be carried. With an
    `occasion` it is granted once, and what it interrupts goes on afterwards. What differs from the assessment needs a
    reason; naloxone is offered at each start and renewal.
    """

    assessment_id: UUID
    days_from: date
    per_supply: Annotated[int, msgspec.Meta(ge=0, le=MOST_PER_SUPPLY)]
    per_week: Annotated[int, msgspec.Meta(ge=0, le=MOST_PER_WEEK)] | None = None
    consecutive: Annotated[int, msgspec.Meta(ge=0, le=MOST_PER_SUPPLY)] | None = None
    weekdays: Annotated[list[Weekday], msgspec.Meta(min_length=1, max_length=7)] | None = None
    days_until: date | None = None
    reason: Reason = ""
    occasion: Occasion | None = None
    review_on: date | None = None
    agreement_signed_on: date | None = None
    naloxone: Naloxone | None = None


class RenewalRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What was granted goes on as before."""

    naloxone: Naloxone


class SuspensionRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing is carried home from a day on, until somebody restores it; it is reviewed on a day."""

    from_day: date
    reason: Reason
    review_on: date


class RestorationRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What was suspended goes on from a day."""

    from_day: date
    reason: Reason
    review_on: date | None = None


class DecisionAnswer(msgspec.Struct):
    """A decision. One that is in force has no `voided_at`; `decided_by` is null where a limit of the law cut it."""

    id: UUID
    assessment_id: UUID
    kind: DecisionKind
    days_from: date
    days_until: date | None
    per_supply: int
    per_week: int | None
    consecutive: int | None
    weekdays: list[int] | None
    occasion: Occasion | None
    review_on: date | None
    agreement_signed_on: date | None
    naloxone: Naloxone | None
    continues: UUID | None
    differs: bool
    reason: str
    decided_by: UUID | None
    decided_at: datetime
    voided_at: datetime | None


class ReplayAnswer(msgspec.Struct):
    """Whether the kept inputs of an assessment, judged again by the kept policy, give the kept answer."""

    id: UUID
    on: date
    same: bool
    inputs_sha256: str


def _answer(made: Decision) -> DecisionAnswer:
    assert made.days.lower is not None, "a decision has a first day"
    return DecisionAnswer(
        id=made.id,
        assessment_id=made.assessment_id,
        kind=DecisionKind(made.kind),
        days_from=made.days.lower,
        days_until=made.days.upper,
        per_supply=made.per_supply,
        per_week=made.per_week,
        consecutive=made.consecutive,
        weekdays=made.weekdays,
        occasion=Occasion(made.occasion) if made.occasion else None,
        review_on=made.review_on,
        agreement_signed_on=made.agreement_signed_on,
        naloxone=Naloxone(made.naloxone) if made.naloxone else None,
        continues=made.continues_id,
        differs=made.differs,
        reason=made.reason,
        decided_by=made.decided_by,
        decided_at=made.decided_at,
        voided_at=made.voided_at,
    )


@put(
    "/clients/{client_id:uuid}/circumstances",
    sync_to_thread=True,
    operation_id="noteCircumstances",
    tags=["take-home"],
    guards=[requires(Act.ENROL)],
)
def circumstances(
    client_id: FromPath[UUID],
    data: JSONBody[CircumstancesRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> CircumstancesRequest:
    """Writes the circumstances down as they were told. Assessments that were made before keep what they knew."""
    now = clock()
    told = Circumstances(**msgspec.structs.asdict(data))
    database.write(
        lambda session: note_circumstances(session, actor=actor, client_id=ClientId(client_id), told=told, at=now)
    )
    return data


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
    with Typed({}) as typed:
        for field in ("days_from", "days_until", "review_on", "agreement_signed_on"):
            typed.near(field, getattr(data, field))
    allowed = take_home_acts.Allowed(
        assessment_id=data.assessment_id,
        days_from=data.days_from,
        until=data.days_until,
        per_supply=data.per_supply,
        per_week=data.per_week,
        reason=data.reason,
        consecutive=data.consecutive,
        weekdays=frozenset(data.weekdays) if data.weekdays else None,
        occasion=data.occasion,
        review_on=data.review_on,
        agreement_signed_on=data.agreement_signed_on,
        naloxone=data.naloxone,
    )
    made: Decision = database.write(
        lambda session: take_home_acts.decide_take_home(
            session, actor=actor, client_id=ClientId(client_id), allowed=allowed, at=now
        )
    )
    return _answer(made)


@get(
    "/clients/{client_id:uuid}/decisions",
    sync_to_thread=True,
    operation_id="takeHomeDecisions",
    tags=["take-home"],
    guards=[requires_client_reader],
)
def decisions(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock
) -> list[DecisionAnswer]:
    """Every decision on the client, the newest first, those that were set aside too. The look is written down."""
    now = clock()
    with database.writing() as session:
        face_at(session, site_id=actor.site_id, client_id=ClientId(client_id))
        found = [_answer(one) for one in decisions_of(session, ClientId(client_id))]
        consultation.looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="take-home decisions")
    return found


@post(
    "/clients/{client_id:uuid}/decisions/renew",
    sync_to_thread=True,
    operation_id="renewTakeHome",
    tags=["take-home"],
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def renew(
    client_id: FromPath[UUID],
    data: JSONBody[RenewalRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> DecisionAnswer:
    """What was granted goes on as before, where the newest assessment says what the one before said."""
    now = clock()
    made: Decision = database.write(
        lambda session: take_home_acts.renew_take_home(
            session, actor=actor, client_id=ClientId(client_id), naloxone=data.naloxone, at=now
        )
    )
    return _answer(made)


@post(
    "/clients/{client_id:uuid}/decisions/suspend",
    sync_to_thread=True,
    operation_id="suspendTakeHome",
    tags=["take-home"],
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def suspend(
    client_id: FromPath[UUID],
    data: JSONBody[SuspensionRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> DecisionAnswer:
    """Suspends take-home from a day on. Doses at the counter are untouched."""
    now = clock()
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
        typed.near("review_on", data.review_on)
    made: Decision = database.write(
        lambda session: take_home_acts.suspend_take_home(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            from_day=data.from_day,
            reason=data.reason,
            review_on=data.review_on,
            at=now,
        )
    )
    return _answer(made)


@post(
    "/clients/{client_id:uuid}/decisions/restore",
    sync_to_thread=True,
    operation_id="restoreTakeHome",
    tags=["take-home"],
    guards=[requires(Act.DECIDE_TAKE_HOME)],
)
def restore(
    client_id: FromPath[UUID],
    data: JSONBody[RestorationRequest],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> DecisionAnswer:
    """What was suspended goes on from a day, as far as the policy that is followed now lets it."""
    now = clock()
    with Typed({}) as typed:
        typed.near("from_day", data.from_day)
        typed.near("review_on", data.review_on)
    made: Decision = database.write(
        lambda session: take_home_acts.restore_take_home(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            from_day=data.from_day,
            reason=data.reason,
            review_on=data.review_on,
            at=now,
        )
    )
    return _answer(made)


@get(
    "/clients/{client_id:uuid}/assessments/{assessment_id:uuid}/replay",
    sync_to_thread=True,
    operation_id="replayAssessment",
    tags=["take-home"],
    guards=[requires_client_reader],
)
def replay(
    client_id: FromPath[UUID], assessment_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock
) -> ReplayAnswer:
    """Judges the kept inputs of an assessment again by the kept policy, for an auditor. The look is written down."""
    now = clock()
    with database.writing() as session:
        face_at(session, site_id=actor.site_id, client_id=ClientId(client_id))
        again = take_home_acts.replayed(session, client_id=ClientId(client_id), assessment_id=assessment_id)
        consultation.looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="replayed assessment")
    kept = again.assessment
    return ReplayAnswer(kept.id, kept.on_day, again.same, kept.inputs_sha256.hex())


HANDLERS: list[ControllerRouterHandler] = [
    circumstances,
    assess,
    decide,
    decisions,
    renew,
    suspend,
    restore,
    replay,
]
