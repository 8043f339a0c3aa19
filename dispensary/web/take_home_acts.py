"""What is done about take-home, for pages and API alike: assess, decide, renew, suspend, restore.

Each function is one act within the caller's unit of work. A browser that got no answer sends its form again, and a
person presses twice: the same act by the same person is then found done, and is not done a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.takehome import deciding, suspending
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import last_assessment
from dispensary.takehome.service import replay
from dispensary.takehome.terms import DecisionKind, Naloxone, Occasion, pattern
from dispensary.units import ClientId


@dataclass(frozen=True)
class Allowed:
    """What a doctor decides of take-home. `until` is the first day on which it does not count any more.

    With an occasion it is granted once, and what it interrupts goes on afterwards.
    """

    assessment_id: UUID
    days_from: date
    until: date | None
    per_supply: int
    per_week: int | None
    reason: str = ""
    consecutive: int | None = None
    weekdays: frozenset[int] | None = None
    """Monday is 0; nothing means any day."""
    occasion: Occasion | None = None
    review_on: date | None = None
    agreement_signed_on: date | None = None
    naloxone: Naloxone | None = None


def decide_take_home(
    session: WriteSession, *, actor: Actor, client_id: ClientId, allowed: Allowed, at: datetime
) -> Decision:
    """Decides on this client's assessment. Raises NotThere, Refused or BadInput."""
    the_client(session, client_id, actor.site_id)
    assessed = the_assessment_of(session, client_id, allowed.assessment_id)
    weekdays = pattern(allowed.weekdays)
    backwards = allowed.until is not None and allowed.until <= allowed.days_from  # no range, and refused below
    same = (
        None
        if backwards
        else _done_before(
            session,
            actor,
            client_id,
            Decision.assessment_id == assessed.id,
            Decision.kind == (DecisionKind.ONE_OFF if allowed.occasion else DecisionKind.GRANT).value,
            Decision.continues_id.is_(None),
            Decision.reason == allowed.reason.strip(),
            Decision.days == Range(allowed.days_from, allowed.until, bounds="[)"),
            Decision.per_supply == allowed.per_supply,
            Decision.per_week.is_not_distinct_from(allowed.per_week),
            Decision.consecutive.is_not_distinct_from(allowed.consecutive),
            Decision.weekdays.is_not_distinct_from(sorted(weekdays) if weekdays else None),
            Decision.occasion.is_not_distinct_from(allowed.occasion.value if allowed.occasion else None),
            Decision.review_on.is_not_distinct_from(allowed.review_on),
            Decision.agreement_signed_on.is_not_distinct_from(allowed.agreement_signed_on),
            Decision.naloxone.is_not_distinct_from(allowed.naloxone.value if allowed.naloxone else None),
        )
    )
    return same or deciding.decide(
        session,
        actor=actor,
        assessment_id=assessed.id,
        days_from=allowed.days_from,
        days_until=allowed.until,
        per_supply=allowed.per_supply,
        per_week=allowed.per_week,
        reason=allowed.reason,
        consecutive=allowed.consecutive,
        weekdays=allowed.weekdays,
        occasion=allowed.occasion,
        review_on=allowed.review_on,
        agreement_signed_on=allowed.agreement_signed_on,
        naloxone=allowed.naloxone,
        at=at,
    )


def renew_take_home(
    session: WriteSession, *, actor: Actor, client_id: ClientId, naloxone: Naloxone | None, at: datetime
) -> Decision:
    """What was granted goes on as before. Raises NotThere, Refused or BadInput."""
    the_client(session, client_id, actor.site_id)
    newest = last_assessment(session, client_id)
    same = newest and _done_before(
        session,
        actor,
        client_id,
        Decision.assessment_id == newest.id,
        Decision.kind == DecisionKind.GRANT.value,
        Decision.naloxone.is_not_distinct_from(naloxone.value if naloxone else None),
    )
    return same or deciding.renew(session, actor=actor, client_id=client_id, naloxone=naloxone, at=at)


def suspend_take_home(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: str,
    review_on: date,
    at: datetime,
) -> Decision:
    """Suspends take-home from a day on, to be reviewed. Raises NotThere, Refused or BadInput."""
    the_client(session, client_id, actor.site_id)
    same = _done_before(
        session,
        actor,
        client_id,
        Decision.kind == DecisionKind.SUSPENSION.value,
        Decision.reason == reason.strip(),
        Decision.review_on == review_on,
        Decision.days.overlaps(Range(from_day, None, bounds="[)")),
    )
    return same or suspending.suspend(
        session, actor=actor, client_id=client_id, from_day=from_day, reason=reason, review_on=review_on, at=at
    )


def restore_take_home(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: str,
    review_on: date | None,
    at: datetime,
) -> Decision:
    """What was suspended goes on from a day. Raises NotThere, Refused or BadInput."""
    the_client(session, client_id, actor.site_id)
    same = _done_before(
        session,
        actor,
        client_id,
        Decision.kind.in_([DecisionKind.GRANT.value, DecisionKind.ONE_OFF.value]),
        Decision.continues_id.is_not(None),
        Decision.reason == reason.strip(),
        Decision.review_on.is_not_distinct_from(review_on),
        Decision.days.overlaps(Range(from_day, None, bounds="[)")),
    )
    return same or suspending.restore(
        session, actor=actor, client_id=client_id, from_day=from_day, reason=reason, review_on=review_on, at=at
    )


def _done_before(
    session: ReadSession, actor: Actor, client_id: ClientId, *alike: ColumnElement[bool]
) -> Decision | None:
    return session.scalar(
        select(Decision)
        .where(Decision.client_id == client_id, Decision.voided_at.is_(None))
        .where(Decision.decided_by == actor.account_id, *alike)
        .limit(1)
    )


def the_assessment_of(session: ReadSession, client_id: ClientId, assessment_id: UUID) -> Assessment:
    """An assessment of this client, and of nobody else. Raises NotThere."""
    assessed = session.get(Assessment, assessment_id)
    if assessed is None or assessed.client_id != client_id:
        raise NotThere(Refusal("no-assessment", "There is no such assessment.", "Look at the client's page again."))
    return assessed


@dataclass(frozen=True)
class Replayed:
    """A kept assessment, and whether its kept inputs still give the kept answer."""

    assessment: Assessment
    same: bool


def replayed(session: ReadSession, *, client_id: ClientId, assessment_id: UUID) -> Replayed:
    """Judges the kept inputs of an assessment again by the kept policy. Raises NotThere."""
    kept = the_assessment_of(session, client_id, assessment_id)
    return Replayed(kept, replay(session, kept.id))
