"""Use cases of the take-home room: clients are assessed, assessments replayed, decisions end with a stay."""

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
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import place
from dispensary.staff.rules import Actor
from dispensary.takehome import rules
from dispensary.takehome.history import History, canonical, digest
from dispensary.takehome.models import Assessment, Decision, PolicyVersion
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.queries import history_of, policy_of
from dispensary.units import ClientId, SiteId


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
    episode = the_episode(session, client.id, on)
    version = the_policy(session, SiteId(episode.site_id), on, at)
    policy = parse(version.document)
    _refuse_unknown_answers(policy, judged or {})
    history = history_of(session, client_id, on)
    assert history is not None, "there is an episode"
    history = replace(history, judged=dict(judged or {}))
    said = rules.assess(policy, history, on)
    inputs = inputs_of(version, history, on)
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


def the_policy(session: ReadSession, site_id: SiteId, on: date, at: datetime) -> PolicyVersion:
    """The version of a policy by which the site assesses on this day.

    Raises BadInput for a day to come, which has no record yet, and Refused when the site follows none.
    """
    if on > place(session, site_id).dose_day(at):
        raise BadInput(Refusal("day-to-come", f"{on} has no record yet.", "Assess today or earlier.", field="on"))
    version = policy_of(session, site_id, on)
    if version is None:
        raise Refused(
            Refusal(
                "no-policy-adopted",
                f"The site follows no take-home policy on {on}.",
                "An administrator adopts one.",
                field="on",
            )
        )
    return version


def inputs_of(
    version: PolicyVersion, history: History, on: date, *, judged_on: date | None = None
) -> dict[str, object]:
    """What an assessment is made from, as it is kept.

    `judged_on` is there where a practitioner's answers are carried forward from an earlier day.
    """
    inputs: dict[str, object] = {
        "policy_sha256": version.sha256.hex(),
        "on": on.isoformat(),
        "history": history.as_json(),
    }
    return inputs | {"judged_on": judged_on.isoformat()} if judged_on else inputs


def replay(session: ReadSession, assessment_id: UUID) -> bool:
    """Whether the kept inputs, judged again by the kept policy, give the kept hash and result. Raises NotThere."""
    kept = the_assessment(session, assessment_id)
    version = session.get_one(PolicyVersion, kept.policy_version_id)
    try:
        history = History.from_json(kept.inputs["history"])
        said = rules.assess(parse(version.document), history, kept.on_day)
        judged_on = date.fromisoformat(kept.inputs["judged_on"]) if "judged_on" in kept.inputs else None
    except (LookupError, TypeError, ValueError):  # inputs or a policy that nobody here wrote
        return False
    inputs = inputs_of(version, history, kept.on_day, judged_on=judged_on)
    return (
        sha256(version.document.encode()).digest() == version.sha256
        and digest(inputs) == kept.inputs_sha256
        and canonical(inputs) == canonical(kept.inputs)
        and canonical(_as_kept(said, kept.result)) == canonical(kept.result)
        and said.level == kept.level
    )


def _as_kept(said: rules.Assessment, kept: Mapping[str, object]) -> dict[str, object]:
    """What was said, in the form in which an assessment was kept before it told what would change the answer."""
    written = said.as_json()
    return written if "changes" in kept else {name: value for name, value in written.items() if name != "changes"}


def the_assessment(session: ReadSession, assessment_id: UUID) -> Assessment:
    """The kept assessment. Raises NotThere."""
    kept = session.get(Assessment, assessment_id)
    if kept is None:
        raise NotThere(Refusal("no-assessment", "There is no such assessment.", "Look at the client's page again."))
    return kept


def end_decisions(
    session: WriteSession, *, actor: Actor, client_id: ClientId, from_day: date, at: datetime
) -> Sequence[Decision]:
    """No take-home decision holds from a day on: for the end of a stay. Returns what ended; nothing is no fault.

    The caller has locked the client, as everybody has who ends a stay.
    """
    standing = session.scalars(
        select(Decision)
        .where(Decision.client_id == client_id, Decision.voided_at.is_(None))
        .where(Decision.days.overlaps(Range(from_day, None, bounds="[)")))
        .order_by(Decision.days)
        .with_for_update()
    ).all()
    for one in standing:
        if one.days.lower is not None and one.days.lower < from_day:
            one.days = Range(one.days.lower, from_day, bounds="[)")
        else:
            one.voided_at = at
    session.flush()
    if standing:
        details = {"from": from_day, "decisions": [one.id for one in standing]}
        audit.record(
            session, actor=actor, act="ended take-home", subject="client", subject_id=client_id, at=at, details=details
        )
    return standing
