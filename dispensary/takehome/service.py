"""Use cases of the take-home room: clients are assessed, doctors decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.service import the_client, the_episode
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome import rules
from dispensary.takehome.history import History, canonical, digest
from dispensary.takehome.models import Assessment, Decision, PolicyVersion
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.queries import history_of, last_assessment, policy_of
from dispensary.units import AccountId, ClientId, SiteId

LONGEST_REASON = 2_000


def assess_client(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    on: date,
    at: datetime,
    judged: Mapping[str, bool] | None = None,
) -> Assessment:
    """Assesses a client by the policy that the site follows on the day, and keeps inputs, their hash and the result.

    `judged` is what the practitioner answered, by the name of the criterion. Raises NotThere, Refused without an
    episode or a policy, and BadInput for an answer to a criterion that the policy does not have.
    """
    client = the_client(session, client_id, actor.site_id)
    if on > place(session, actor.site_id).dose_day(at):
        raise BadInput(Refusal("day-to-come", f"{on} has no record yet.", "Assess today or earlier.", field="on"))
    episode = the_episode(session, client.id, on)
    version = policy_of(session, episode.site_id, on)
    if version is None:
        raise Refused(
            Refusal(
                "no-policy-adopted",
                f"The site follows no take-home policy on {on}.",
                "An administrator adopts one.",
                field="on",
            )
        )
    policy = parse(version.document)
    _refuse_unknown_answers(policy, judged or {})
    history = history_of(session, client_id, on)
    assert history is not None, "there is an episode"
    history = replace(history, judged=dict(judged or {}))
    said = rules.assess(policy, history, on)
    inputs = _inputs(version, history, on)
    kept = Assessment(
        site_id=episode.site_id,
        client_id=client_id,
        episode_id=episode.id,
        policy_version_id=version.id,
        on_day=on,
        inputs=inputs,
        inputs_sha256=digest(inputs),
        result=said.as_json(),
        level=said.level,
        made_at=at,
        made_by=actor.account_id,
    )
    session.add(kept)
    session.flush()
    details = {"assessment": kept.id, "policy": said.policy, "level": said.level, "answer": said.allowance.answer}
    audit.record(
        session, actor=actor, act="assessed take-home", subject="client", subject_id=client_id, at=at, details=details
    )
    return kept


def _refuse_unknown_answers(policy: Policy, judged: Mapping[str, bool]) -> None:
    unknown = sorted(set(judged) - {criterion.name for criterion in policy.criteria})
    if unknown:
        raise BadInput(
            Refusal(
                "no-criterion", f"{policy.policy} has no criterion “{unknown[0]}”.", "Leave it out.", field="judged"
            )
        )


def _inputs(version: PolicyVersion, history: History, on: date) -> dict[str, object]:
    return {"policy_sha256": version.sha256.hex(), "on": on.isoformat(), "history": history.as_json()}


def replay(session: ReadSession, assessment_id: UUID) -> bool:
    """Whether the kept inputs, judged again by the kept policy, give the kept hash and result. Raises NotThere."""
    kept = _the_assessment(session, assessment_id)
    version = session.get_one(PolicyVersion, kept.policy_version_id)
    try:
        history = History.from_json(kept.inputs["history"])
        said = rules.assess(parse(version.document), history, kept.on_day)
    except (LookupError, TypeError, ValueError):  # inputs or a policy that nobody here wrote
        return False
    inputs = _inputs(version, history, kept.on_day)
    return (
        sha256(version.document.encode()).digest() == version.sha256
        and digest(inputs) == kept.inputs_sha256
        and canonical(inputs) == canonical(kept.inputs)
        and canonical(said.as_json()) == canonical(kept.result)
        and said.level == kept.level
    )


def _the_assessment(session: ReadSession, assessment_id: UUID) -> Assessment:
    kept = session.get(Assessment, assessment_id)
    if kept is None:
        raise NotThere(Refusal("no-assessment", "There is no such assessment.", "Look at the client's page again."))
    return kept


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
) -> Decision:
    """A doctor decides on the client's last assessment: from a day on, to the day before `days_until` or openly.

    An earlier decision ends where this one begins, or is set aside when it would have begun on that day or later.
    What differs from the assessment needs a reason, and more than a limit of the law is refused. Raises NotThere,
    Refused or BadInput.
    """
    decided_by = _person(actor)
    assessment = _the_assessment(session, assessment_id)
    the_client(session, ClientId(assessment.client_id), actor.site_id)  # one decision on a client at a time
    today = place(session, actor.site_id).dose_day(at)
    _refuse_outdated(session, assessment, today)
    _refuse_bad_days(session, assessment, today, days_from, days_until)
    allowance = rules.Allowance.from_json(assessment.result["allowance"])
    faults = rules.may_decide(allowance, per_supply=per_supply, per_week=per_week, reason=reason)
    if faults or len(reason) > LONGEST_REASON:
        raise BadInput(*(faults or (Refusal("reason-long", "The reason is too long.", "Shorten it.", field="reason"),)))
    return _put_in_force(
        session,
        actor,
        Decision(
            site_id=assessment.site_id,
            client_id=assessment.client_id,
            episode_id=assessment.episode_id,
            assessment_id=assessment.id,
            days=Range(days_from, days_until, bounds="[)"),
            per_supply=per_supply,
            per_week=per_week,
            closed_days_apart=allowance.closed_days_apart,
            differs=rules.differs(allowance, per_supply=per_supply, per_week=per_week),
            reason=reason.strip(),
            decided_by=decided_by,
            decided_at=at,
        ),
        act="decided take-home",
        at=at,
    )


def withdraw(
    session: WriteSession, *, actor: Actor, decision_id: UUID, from_day: date, reason: str, at: datetime
) -> Decision:
    """A doctor takes a decision back for the rest of its days: in its place stands one that allows nothing, and why.

    Bottles for days on which the site is closed stay possible where the policy keeps them apart, since nobody could
    give the dose on such a day. Raises NotThere, Refused or BadInput.
    """
    decided_by = _person(actor)
    decision = session.get(Decision, decision_id)
    if decision is None:
        raise NotThere(Refusal("no-decision", "There is no such decision.", "Look at the client's page again."))
    the_client(session, ClientId(decision.client_id), actor.site_id)
    session.refresh(decision)
    begins, ends = decision.days.lower, decision.days.upper
    if begins is None or decision.voided_at is not None or (ends is not None and ends <= from_day):
        raise Refused(
            Refusal("decision-over", "This decision is not in force on that day any more.", "Look at the newest one.")
        )
    if from_day < place(session, actor.site_id).dose_day(at):
        raise BadInput(_past_day("from_day"))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        raise BadInput(Refusal("reason-missing", "A decision is taken back for a reason.", "Say why.", field="reason"))
    return _put_in_force(
        session,
        actor,
        Decision(
            site_id=decision.site_id,
            client_id=decision.client_id,
            episode_id=decision.episode_id,
            assessment_id=decision.assessment_id,
            days=Range(max(begins, from_day), ends, bounds="[)"),
            per_supply=0,
            per_week=None,
            closed_days_apart=decision.closed_days_apart,
            differs=True,
            reason=reason.strip(),
            decided_by=decided_by,
            decided_at=at,
        ),
        act="withdrew take-home",
        at=at,
    )


def _person(actor: Actor) -> AccountId:
    if actor.account_id is None:
        raise NotAllowed(Refusal("nobody-decides", "A named person decides on take-home, never the program."))
    return actor.account_id


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


def _refuse_bad_days(
    session: ReadSession, assessment: Assessment, today: date, days_from: date, days_until: date | None
) -> None:
    if days_from < max(today, assessment.on_day):
        raise BadInput(_past_day("days_from"))
    if days_until is not None and days_until <= days_from:
        raise BadInput(
            Refusal("ends-before", "The decision ends before it begins.", "Correct the last day.", field="days_until")
        )
    if the_episode(session, ClientId(assessment.client_id), days_from).id != assessment.episode_id:
        raise Refused(
            Refusal("other-episode", "The assessment belongs to an earlier stay in treatment.", "Assess again.")
        )


def _past_day(field: str) -> Refusal:
    return Refusal(
        "day-passed", "A decision begins today or later, and not before its assessment.", "Correct it.", field=field
    )


def _put_in_force(session: WriteSession, actor: Actor, decision: Decision, *, act: str, at: datetime) -> Decision:
    superseded = _give_way(session, decision, at)
    session.add(decision)
    session.flush()
    details = {
        "decision": decision.id,
        "assessment": decision.assessment_id,
        "from": decision.days.lower,
        "until": decision.days.upper,
        "per_supply": decision.per_supply,
        "per_week": decision.per_week,
        "differs": decision.differs,
        "superseded": [earlier.id for earlier in superseded],
    }
    audit.record(session, actor=actor, act=act, subject="client", subject_id=decision.client_id, at=at, details=details)
    return decision


def _give_way(session: WriteSession, decision: Decision, at: datetime) -> Sequence[Decision]:
    earlier = session.scalars(
        select(Decision)
        .where(Decision.episode_id == decision.episode_id, Decision.voided_at.is_(None))
        .where(Decision.days.overlaps(decision.days))
        .with_for_update()
    ).all()
    begins = decision.days.lower
    for one in earlier:
        if one.days.lower is not None and begins is not None and one.days.lower < begins:
            one.days = Range(one.days.lower, begins, bounds="[)")
        else:
            one.voided_at = at
    session.flush()
    return earlier
