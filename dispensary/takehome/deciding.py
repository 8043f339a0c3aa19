"""Use cases of take-home decisions: granted, granted once, renewed, suspended, restored.

At most one decision holds on a day. Whatever takes the place of another ends it or sets it aside; nothing is rewritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client, the_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome import rules
from dispensary.takehome.models import Assessment, Decision
from dispensary.takehome.queries import last_assessment, policy_of
from dispensary.takehome.service import the_assessment
from dispensary.takehome.terms import (
    LONGEST_REASON,
    Asked,
    DecisionKind,
    Naloxone,
    Occasion,
    Terms,
    faults_of,
    pattern,
)
from dispensary.units import AccountId, ClientId, SiteId


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
    decided_by = _person(actor)
    assessment = the_assessment(session, assessment_id)
    client_id = ClientId(assessment.client_id)
    the_client(session, client_id, actor.site_id)  # one decision on a client at a time
    today = place(session, actor.site_id).dose_day(at)
    _refuse_outdated(session, assessment, today)
    _refuse_bad_days(session, assessment, today, days_from)
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
    return _in_place(
        session,
        actor,
        _decision(asked, assessment, decided_by, at),
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
        weekdays=_weekdays(grant),
        reason=grant.reason,
        review_on=days.review_on,
        naloxone=naloxone,
        at=at,
    )


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
    decided_by = _person(actor)
    the_client(session, client_id, actor.site_id)
    today = place(session, actor.site_id).dose_day(at)
    _refuse_bad_change(today, from_day, reason, review_on)
    running = _standing(session, client_id, from_day)
    suspended = next((one for one in running if one.kind in (DecisionKind.GRANT, DecisionKind.BY_LAW)), None)
    suspended = suspended or next((one for one in running if one.kind == DecisionKind.ONE_OFF), None)
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
    return _in_place(
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
    decided_by = _person(actor)
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
    _refuse_outdated(session, assessment, today)
    _refuse_bad_days(session, assessment, today, from_day)
    grant = session.get_one(Decision, suspension.continues_id)
    begins, ends = suspension.days.lower, suspension.days.upper
    assert begins is not None, "a decision has a first day"
    asked = Asked(
        kind=DecisionKind.ONE_OFF if grant.kind == DecisionKind.ONE_OFF else DecisionKind.GRANT,
        terms=Terms(grant.per_supply, grant.per_week, grant.consecutive, _weekdays(grant)),
        begins=max(from_day, begins),
        until=ends,
        today=today,
        reason=reason.strip(),
        occasion=Occasion(grant.occasion) if grant.occasion else None,
        review_on=review_on,
        asked_before=True,
    )
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    faults = _faults_of_limits(allowance, asked)
    if faults:
        raise BadInput(*faults)
    restored = _decision(asked, assessment, decided_by, at)
    restored.continues_id = grant.id
    return _in_place(session, actor, restored, act="restored take-home", at=at)


def _decision(asked: Asked, assessment: Assessment, decided_by: AccountId, at: datetime) -> Decision:
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
        kind=asked.kind.value,
        occasion=asked.occasion.value if asked.occasion else None,
        review_on=asked.review_on,
        agreement_signed_on=asked.agreement_signed_on,
        naloxone=asked.naloxone.value if asked.naloxone else None,
        differs=rules.differs(allowance, per_supply=terms.per_supply, per_week=terms.a_week),
        reason=asked.reason,
        decided_by=decided_by,
        decided_at=at,
    )


def _weekdays(decision: Decision) -> frozenset[int] | None:
    return frozenset(decision.weekdays) if decision.weekdays else None


def _person(actor: Actor) -> AccountId:
    if actor.account_id is None:
        raise NotAllowed(Refusal("nobody-decides", "A named person decides on take-home, never the program."))
    return actor.account_id


def _naloxone_offered(session: ReadSession, episode_id: UUID) -> bool:
    answered = select(Decision.id).where(Decision.episode_id == episode_id, Decision.naloxone.is_not(None)).limit(1)
    return session.scalar(answered) is not None


def _refuse_outdated(session: ReadSession, assessment: Assessment, today: date) -> None:
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


def _refuse_bad_days(session: ReadSession, assessment: Assessment, today: date, begins: date) -> None:
    if begins < max(today, assessment.on_day):
        raise BadInput(_past_day("days_from"))
    if the_episode(session, ClientId(assessment.client_id), begins).id != assessment.episode_id:
        raise Refused(
            Refusal("other-episode", "The assessment belongs to an earlier stay in treatment.", "Assess again.")
        )


def _refuse_bad_change(today: date, from_day: date, reason: str, review_on: date | None) -> None:
    faults = []
    if from_day < today:
        faults.append(_past_day("from_day"))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        faults.append(
            Refusal("reason-missing", "Take-home is suspended and restored for a reason.", "Say why.", field="reason")
        )
    if review_on is not None and review_on <= today:
        faults.append(Refusal("review-passed", "A review lies ahead.", "Choose a later day.", field="review_on"))
    if faults:
        raise BadInput(*faults)


def _past_day(field: str) -> Refusal:
    return Refusal(
        "day-passed", "A decision begins today or later, and not before its assessment.", "Correct it.", field=field
    )


def _refuse_faults(asked: Asked, assessment: Assessment) -> None:
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    faults = (*faults_of(asked), *_faults_of_limits(allowance, asked))
    if faults:
        raise BadInput(*faults)


def _faults_of_limits(allowance: rules.Allowance, asked: Asked) -> tuple[Refusal, ...]:
    return rules.may_decide(
        allowance, per_supply=asked.terms.per_supply, per_week=asked.terms.a_week, reason=asked.reason
    )


def _standing(session: ReadSession, client_id: ClientId, from_day: date) -> Sequence[Decision]:
    """The decisions that hold on the day or later, by their first day."""
    return session.scalars(
        select(Decision)
        .where(Decision.client_id == client_id, Decision.voided_at.is_(None))
        .where(Decision.days.overlaps(Range(from_day, None, bounds="[)")))
        .order_by(Decision.days)
    ).all()


def _in_place(
    session: WriteSession, actor: Actor, decision: Decision, *, act: str, at: datetime, goes_on: bool = False
) -> Decision:
    """Puts a decision in the place of what would hold on its days; with `goes_on`, that goes on afterwards."""
    superseded, continued = give_way(session, decision, at=at, goes_on=goes_on)
    session.add(decision)
    session.add_all(continued)
    session.flush()
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
