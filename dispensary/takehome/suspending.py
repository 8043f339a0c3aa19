"""A doctor suspends take-home, and restores what was suspended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome import rules
from dispensary.takehome.models import Decision
from dispensary.takehome.policy import MOST_PER_SUPPLY, MOST_PER_WEEK
from dispensary.takehome.queries import last_assessment
from dispensary.takehome.standing import (
    decision_on_terms,
    faults_of_limits,
    past_day,
    person,
    put_in_place,
    refuse_bad_days,
    refuse_outdated,
    weekdays_of,
)
from dispensary.takehome.terms import LONGEST_REASON, Asked, DecisionKind, Occasion, Terms
from dispensary.units import ClientId


def suspend(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: str,
    review_on: date,
    at: datetime,
) -> Decision:
    """A doctor suspends take-home from a day on: what was decided is kept to be restored, and reviewed on a day.

    Bottles for days on which the site is closed stay possible where the policy keeps them apart, since nobody could
    give the dose on such a day. Doses at the counter are untouched. Raises NotThere, Refused or BadInput.
    """
    decided_by = person(actor)
    the_client(session, client_id, actor.site_id)
    today = place(session, actor.site_id).dose_day(at)
    _refuse_bad_change(today, from_day, reason, review_on)
    running = _standing(session, client_id, from_day)
    suspended = _to_restore(session, running)
    if suspended is None:
        raise Refused(
            Refusal(
                "nothing-to-suspend",
                f"No take-home is granted from {from_day} on.",
                "Look at the client's page: it may be suspended already.",
                field="from_day",
            )
        )
    first, ends = running[0].days.lower, running[-1].days.upper
    assert first is not None, "a decision has a first day"
    return put_in_place(
        session,
        actor,
        Decision(
            site_id=suspended.site_id,
            client_id=client_id,
            episode_id=suspended.episode_id,
            assessment_id=suspended.assessment_id,
            days=Range(max(first, from_day), ends, bounds="[)"),
            per_supply=0,
            per_week=None,
            closed_days_apart=suspended.closed_days_apart,
            closed_days_in_a_row=suspended.closed_days_in_a_row,
            kind=DecisionKind.SUSPENSION.value,
            continues_id=suspended.id,
            review_on=review_on,
            differs=True,
            reason=reason.strip(),
            decided_by=decided_by,
            decided_at=at,
        ),
        act="suspended take-home",
        at=at,
    )


def restore(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    from_day: date,
    reason: str,
    review_on: date | None,
    at: datetime,
) -> Decision:
    """What was suspended goes on from a day, as far as the policy that is followed now lets it.

    It is held against the newest assessment: a limit of the law that is lower by now refuses it, and the doctor decides
    anew. Raises NotThere, Refused or BadInput.
    """
    decided_by = person(actor)
    the_client(session, client_id, actor.site_id)
    today = place(session, actor.site_id).dose_day(at)
    _refuse_bad_change(today, from_day, reason, review_on)
    suspension = next((one for one in _standing(session, client_id, from_day)), None)
    if suspension is None or suspension.kind != DecisionKind.SUSPENSION or suspension.continues_id is None:
        raise Refused(
            Refusal(
                "nothing-suspended",
                f"No take-home is suspended on {from_day}.",
                "Look at the client's page: it may be restored already.",
                field="from_day",
            )
        )
    assessment = last_assessment(session, client_id)
    assert assessment is not None, "a suspension has an assessment"
    refuse_outdated(session, assessment, today)
    refuse_bad_days(session, assessment, today, from_day)
    grant = session.get_one(Decision, suspension.continues_id)
    begins, ends = suspension.days.lower, suspension.days.upper
    assert begins is not None, "a decision has a first day"
    asked = Asked(
        kind=DecisionKind.ONE_OFF if grant.occasion else DecisionKind.GRANT,
        terms=Terms(grant.per_supply, grant.per_week, grant.consecutive, weekdays_of(grant)),
        begins=max(from_day, begins),
        until=ends,
        today=today,
        reason=reason.strip(),
        occasion=Occasion(grant.occasion) if grant.occasion else None,
        review_on=review_on,
        asked_before=True,
    )
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    faults = faults_of_limits(allowance, asked)
    if faults:
        raise BadInput(*faults)
    restored = decision_on_terms(asked, assessment, decided_by, at)
    restored.continues_id = grant.id
    return put_in_place(session, actor, restored, act="restored take-home", at=at)


def _to_restore(session: ReadSession, running: Sequence[Decision]) -> Decision | None:
    """Which of the decisions that hold from a day on is what may go on in place of all of them: the one of the least.

    What was granted for an occasion goes on only where there is nothing else, also when the law has cut it since. Of
    an earlier suspension that would begin again it is what that has suspended.
    """
    given = [one for one in running if one.kind != DecisionKind.SUSPENSION]
    before = [session.get_one(Decision, one.continues_id) for one in running if one not in given and one.continues_id]
    lasting = [one for one in (*given, *before) if one.occasion is None] if given else []

    def how_much(one: Decision) -> tuple[int, int, int]:
        terms = Terms(one.per_supply, one.per_week, one.consecutive, weekdays_of(one))
        a_week = terms.a_week if terms.a_week is not None else MOST_PER_WEEK
        return one.per_supply, a_week, one.consecutive if one.consecutive is not None else MOST_PER_SUPPLY

    return min(lasting or given, key=how_much, default=None)


def _refuse_bad_change(today: date, from_day: date, reason: str, review_on: date | None) -> None:
    faults = []
    if from_day < today:
        faults.append(past_day("from_day"))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        faults.append(
            Refusal("reason-missing", "Take-home is suspended and restored for a reason.", "Say why.", field="reason")
        )
    if review_on is not None and review_on <= today:
        faults.append(Refusal("review-passed", "A review lies ahead.", "Choose a later day.", field="review_on"))
    if faults:
        raise BadInput(*faults)


def _standing(session: ReadSession, client_id: ClientId, from_day: date) -> Sequence[Decision]:
    """The decisions that hold on the day or later, by their first day."""
    return session.scalars(
        select(Decision)
        .where(Decision.client_id == client_id, Decision.voided_at.is_(None))
        .where(Decision.days.overlaps(Range(from_day, None, bounds="[)")))
        .order_by(Decision.days)
    ).all()
