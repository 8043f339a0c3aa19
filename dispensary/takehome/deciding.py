"""A doctor decides on take-home: granted, granted once, renewed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome import rules
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import last_assessment
from dispensary.takehome.service import the_assessment
from dispensary.takehome.standing import (
    decision_on_terms,
    faults_of_limits,
    person,
    put_in_place,
    refuse_bad_days,
    refuse_outdated,
    weekdays_of,
)
from dispensary.takehome.terms import Asked, DecisionKind, Naloxone, Occasion, Terms, faults_of, pattern
from dispensary.units import ClientId


def decide(
    session: WriteSession,
    *,
    actor: Actor,
    assessment_id: UUID,
    days_from: date,
    days_until: date | None,
    per_supply: int,
    per_week: int | None,
    reason: str,
    at: datetime,
    consecutive: int | None = None,
    weekdays: frozenset[int] | None = None,
    occasion: Occasion | None = None,
    review_on: date | None = None,
    agreement_signed_on: date | None = None,
    naloxone: Naloxone | None = None,
) -> Decision:
    """A doctor decides on the client's last assessment: from a day on, to the day before `days_until` or openly.

    An earlier decision ends where this one begins, or is set aside when it would have begun on that day or later. With
    an `occasion` it is granted once, and what it interrupts goes on when it is over. What differs from the assessment
    needs a reason, and more than a limit of the law is refused. Raises NotThere, Refused or BadInput.
    """
    decided_by = person(actor)
    assessment = the_assessment(session, assessment_id)
    client_id = ClientId(assessment.client_id)
    the_client(session, client_id, actor.site_id)  # one decision on a client at a time
    today = place(session, actor.site_id).dose_day(at)
    refuse_outdated(session, assessment, today)
    refuse_bad_days(session, assessment, today, days_from)
    asked = Asked(
        kind=DecisionKind.ONE_OFF if occasion else DecisionKind.GRANT,
        terms=Terms(per_supply, per_week, consecutive, pattern(weekdays)),
        begins=days_from,
        until=days_until,
        today=today,
        reason=reason.strip(),
        occasion=occasion,
        review_on=review_on,
        agreement_signed_on=agreement_signed_on,
        naloxone=naloxone,
        asked_before=_naloxone_offered(session, assessment.episode_id),
    )
    _refuse_faults(asked, assessment)
    return put_in_place(
        session,
        actor,
        decision_on_terms(asked, assessment, decided_by, at),
        act="granted take-home once" if occasion else "decided take-home",
        goes_on=occasion is not None,
        at=at,
    )


def renewable(session: ReadSession, client_id: ClientId) -> Decision | None:
    """The grant that can go on as before: the newest assessment says what the one said on which it was decided.

    Nothing where the newest decision is suspended, was cut by the law or was decided on that very assessment, and where
    the policy has no answer of its own.
    """
    newest = last_assessment(session, client_id)
    if newest is None:
        return None
    grant = session.scalar(
        select(Decision)
        .where(Decision.episode_id == newest.episode_id, Decision.voided_at.is_(None))
        .order_by(Decision.days.desc())
        .limit(1)
    )
    if grant is None or grant.kind != DecisionKind.GRANT or grant.assessment_id == newest.id or not grant.per_supply:
        return None
    before = session.get_one(Assessment, grant.assessment_id)
    said = newest.result["allowance"]
    same = said["per_supply"] is not None and said == before.result["allowance"]
    return grant if same else None


@dataclass(frozen=True)
class Renewal:
    """The days of a renewal: as long as the grant before, reviewed after as many days as before."""

    begins: date
    until: date | None
    review_on: date | None

    @property
    def last_day(self) -> date | None:
        return self.until - timedelta(days=1) if self.until else None


def renewal_of(session: ReadSession, grant: Decision, today: date) -> Renewal:
    """When a grant that goes on as before begins, ends and is reviewed; an open one begins anew today."""
    root, end = grant, grant.days.upper
    while root.continues_id is not None:  # what was interrupted is as long as it was from its first day on
        root = session.get_one(Decision, root.continues_id)
    first = root.days.lower
    assert first is not None, "a decision has a first day"
    begins = max(today, end) if end else max(today, first)
    length = end - first if end else None
    interval = grant.review_on - first if grant.review_on else None
    return Renewal(
        begins=begins,
        until=begins + length if length else None,
        review_on=begins + interval if interval and begins + interval > today else None,
    )


def renew(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    naloxone: Naloxone | None,
    at: datetime,
) -> Decision:
    """What was granted goes on as before, decided on the newest assessment, which still says the same.

    The pattern, the limits and the reason are those of the grant; a grant with a last day gets as many days again.
    Raises Refused when the assessment says something else, or BadInput without an answer about naloxone.
    """
    the_client(session, client_id, actor.site_id)
    grant = renewable(session, client_id)
    newest = last_assessment(session, client_id)
    if grant is None or newest is None:
        raise Refused(
            Refusal(
                "not-as-before",
                "There is no grant that the newest assessment still says the same of.",
                "Assess the client again, or decide anew.",
            )
        )
    days = renewal_of(session, grant, place(session, actor.site_id).dose_day(at))
    return decide(
        session,
        actor=actor,
        assessment_id=newest.id,
        days_from=days.begins,
        days_until=days.until,
        per_supply=grant.per_supply,
        per_week=grant.per_week,
        consecutive=grant.consecutive,
        weekdays=weekdays_of(grant),
        reason=grant.reason,
        review_on=days.review_on,
        naloxone=naloxone,
        at=at,
    )


def _naloxone_offered(session: ReadSession, episode_id: UUID) -> bool:
    answered = select(Decision.id).where(Decision.episode_id == episode_id, Decision.naloxone.is_not(None)).limit(1)
    return session.scalar(answered) is not None


def _refuse_faults(asked: Asked, assessment: Assessment) -> None:
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    faults = (*faults_of(asked), *faults_of_limits(allowance, asked))
    if faults:
        raise BadInput(*faults)
