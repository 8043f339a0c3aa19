"""How a decision comes to stand: by whom, on which assessment, in whose place, and what carries on after it.

At most one decision holds on a day. Whatever takes the place of another ends it or sets it aside; nothing is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Task
from dispensary.clients.service import the_episode
from dispensary.clients.tasks import finish_task, open_task
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.takehome import permitted, rules
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import last_assessment, policy_of
from dispensary.takehome.terms import Asked, DecisionKind
from dispensary.units import AccountId, ClientId, SiteId

_REVIEW = "Take-home is to be reviewed."
_REVIEW_SUSPENSION = "Take-home is suspended: look at it again."


def decision_on_terms(asked: Asked, assessment: Assessment, decided_by: AccountId, at: datetime) -> Decision:
    """The row of what was asked, on an assessment; not yet in its place."""
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    terms = asked.terms
    return Decision(
        site_id=assessment.site_id,
        client_id=assessment.client_id,
        episode_id=assessment.episode_id,
        assessment_id=assessment.id,
        days=Range(asked.begins, asked.until, bounds="[)"),
        per_supply=terms.per_supply,
        per_week=terms.per_week,
        consecutive=terms.consecutive,
        weekdays=sorted(terms.weekdays) if terms.weekdays else None,
        closed_days_apart=allowance.closed_days_apart,
        closed_days_in_a_row=allowance.closed_days_in_a_row,
        kind=asked.kind.value,
        occasion=asked.occasion.value if asked.occasion else None,
        review_on=asked.review_on,
        agreement_signed_on=asked.agreement_signed_on,
        naloxone=asked.naloxone.value if asked.naloxone else None,
        differs=permitted.differs(
            allowance, per_supply=terms.per_supply, per_week=terms.a_week, consecutive=terms.consecutive
        ),
        reason=asked.reason,
        decided_by=decided_by,
        decided_at=at,
    )


def weekdays_of(decision: Decision) -> frozenset[int] | None:
    """The weekly pattern of a decision; nothing means any day."""
    return frozenset(decision.weekdays) if decision.weekdays else None


def person(actor: Actor) -> AccountId:
    """Who decides. Raises NotAllowed for the program."""
    if actor.account_id is None:
        raise NotAllowed(Refusal("nobody-decides", "A named person decides on take-home, never the program."))
    return actor.account_id


def refuse_outdated(session: ReadSession, assessment: Assessment, today: date) -> None:
    """Raises Refused unless it is the client's newest assessment, by the policy that the site follows today."""
    newest = last_assessment(session, ClientId(assessment.client_id))
    if newest is not None and newest.id != assessment.id:
        raise Refused(
            Refusal(
                "assessment-replaced",
                "The client has been assessed again since.",
                "Decide on the newest assessment.",
                {"newest": newest.id},
            )
        )
    followed = policy_of(session, SiteId(assessment.site_id), today)
    if followed is None or followed.id != assessment.policy_version_id:
        raise Refused(
            Refusal("policy-changed", "The site follows another policy now.", "Assess the client again, then decide.")
        )


def refuse_bad_days(session: ReadSession, assessment: Assessment, today: date, begins: date) -> None:
    """Raises BadInput for a day that has passed, and Refused where the client is in another stay by then."""
    if begins < max(today, assessment.on_day):
        raise BadInput(past_day("days_from"))
    if the_episode(session, ClientId(assessment.client_id), begins).id != assessment.episode_id:
        raise Refused(
            Refusal("other-episode", "The assessment belongs to an earlier stay in treatment.", "Assess again.")
        )


def past_day(field: str) -> Refusal:
    """The refusal of a decision that would have begun in the past."""
    return Refusal(
        "day-passed", "A decision begins today or later, and not before its assessment.", "Correct it.", field=field
    )


def faults_of_limits(allowance: rules.Allowance, asked: Asked) -> tuple[Refusal, ...]:
    """Why the policy does not let a doctor decide so, the weekly pattern counted."""
    terms = asked.terms
    return permitted.may_decide(
        allowance,
        per_supply=terms.per_supply,
        per_week=terms.a_week,
        consecutive=terms.consecutive,
        reason=asked.reason,
    )


def put_in_place(
    session: WriteSession, actor: Actor, decision: Decision, *, act: str, at: datetime, goes_on: bool = False
) -> Decision:
    """Puts a decision in the place of what would hold on its days; with `goes_on`, that goes on afterwards.

    A review that was due of what it replaces is done with it, and the next one becomes a task.
    """
    reviews = [] if goes_on else _reviews_due(session, decision)
    superseded, continued = give_way(session, decision, at=at, goes_on=goes_on)
    session.add(decision)
    session.add_all(continued)
    session.flush()
    for task_id in reviews:
        finish_task(session, actor=actor, task_id=task_id, outcome=f"{act.capitalize()}.", at=at)
    if decision.review_on is not None:
        open_task(
            session,
            site_id=SiteId(decision.site_id),
            client_id=ClientId(decision.client_id),
            role=Role.DOCTOR,
            kind="review",
            sentence=_REVIEW_SUSPENSION if decision.kind == DecisionKind.SUSPENSION else _REVIEW,
            due_on=decision.review_on,
            opened_by=actor.account_id,
            at=at,
        )
    details = {
        "decision": decision.id,
        "kind": decision.kind,
        "assessment": decision.assessment_id,
        "from": decision.days.lower,
        "until": decision.days.upper,
        "per_supply": decision.per_supply,
        "per_week": decision.per_week,
        "consecutive": decision.consecutive,
        "weekdays": decision.weekdays,
        "occasion": decision.occasion,
        "naloxone": decision.naloxone,
        "review_on": decision.review_on,
        "differs": decision.differs,
        "superseded": [earlier.id for earlier in superseded],
        "continued": [later.id for later in continued],
    }
    audit.record(session, actor=actor, act=act, subject="client", subject_id=decision.client_id, at=at, details=details)
    return decision


def _reviews_due(session: WriteSession, decision: Decision) -> Sequence[UUID]:
    """The open reviews of take-home decisions, locked before anything is written to the end of the audit trail."""
    return session.scalars(
        select(Task.id)
        .where(Task.client_id == decision.client_id, Task.kind == "review", Task.done_at.is_(None))
        .where(Task.sentence.in_([_REVIEW, _REVIEW_SUSPENSION]))
        .order_by(Task.id)
        .with_for_update()
    ).all()


def give_way(
    session: WriteSession, decision: Decision, *, at: datetime, goes_on: bool = False
) -> tuple[Sequence[Decision], list[Decision]]:
    """Ends or sets aside what would hold on the days of a decision; returns it, and what carries on after its last day.

    The rows that carry on are the caller's to add, since they begin where the decision ends.
    """
    earlier = session.scalars(
        select(Decision)
        .where(Decision.episode_id == decision.episode_id, Decision.voided_at.is_(None))
        .where(Decision.days.overlaps(decision.days))
        .order_by(Decision.days)
        .with_for_update()
    ).all()
    begins, ends = decision.days.lower, decision.days.upper
    continued = []
    for one in earlier:
        first, last = one.days.lower, one.days.upper
        if goes_on and ends is not None and (last is None or last > ends):
            continued.append(_carried_on(one, ends, decision.decided_by, at))
        if first is not None and begins is not None and first < begins:
            one.days = Range(first, begins, bounds="[)")
        else:
            one.voided_at = at
    session.flush()
    return earlier, continued


def _carried_on(one: Decision, begins: date, decided_by: UUID | None, at: datetime) -> Decision:
    """The rest of a decision that was interrupted: its terms, its reason, from a later day on."""
    by_law = one.kind == DecisionKind.BY_LAW
    return Decision(
        site_id=one.site_id,
        client_id=one.client_id,
        episode_id=one.episode_id,
        assessment_id=one.assessment_id,
        days=Range(begins, one.days.upper, bounds="[)"),
        per_supply=one.per_supply,
        per_week=one.per_week,
        closed_days_apart=one.closed_days_apart,
        closed_days_in_a_row=one.closed_days_in_a_row,
        consecutive=one.consecutive,
        weekdays=one.weekdays,
        kind=one.kind,
        occasion=one.occasion,
        review_on=one.review_on,
        continues_id=one.continues_id if one.kind == DecisionKind.SUSPENSION else one.id,
        differs=one.differs,
        reason=one.reason,
        decided_by=None if by_law else decided_by,
        decided_at=at,
    )
