"""Everybody at a site is assessed at once, as each night does. What differs from before is a proposal to the doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.service import open_alert
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.takehome import permitted, rules
from dispensary.takehome.history import History, canonical
from dispensary.takehome.models import Decision, PolicyVersion
from dispensary.takehome.policy import Policy, parse
from dispensary.takehome.proposals import Said, carried_answers, cut_to_law, is_news
from dispensary.takehome.queries import history_of_all
from dispensary.takehome.service import inputs_of, the_policy
from dispensary.takehome.terms import DecisionKind, Terms
from dispensary.units import ClientId, SiteId, new_id


@dataclass(frozen=True)
class NightlyReport:
    """What came of assessing everybody at a site."""

    policy: str
    version: str
    assessed: int
    kept: int
    """Assessments that say something new; of everybody else the newest one stands."""
    cut: int
    """Decisions that were above a limit of the law."""
    levels: Mapping[str, int]
    """How many clients have which level."""

    def as_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class _Before:
    """What is known of a client's assessments and decision before this night."""

    episode_id: UUID
    said: Said | None
    judged: Mapping[str, bool]
    judged_on: date | None
    terms: Terms | None
    """Of the decision in force; nothing where there is none."""


@dataclass(frozen=True)
class _Assessed:
    """A client's assessment of this night, before it is a row."""

    id: UUID
    client_id: ClientId
    episode_id: UUID
    inputs: Mapping[str, object]
    said: rules.Assessment


def assess_everybody(session: WriteSession, *, actor: Actor, site_id: SiteId, on: date, at: datetime) -> NightlyReport:
    """Assesses everybody who is in treatment at the site on the day by the policy that the site follows.

    An assessment is kept where it says something new. What a practitioner judged when they last assessed the client in
    this stay is carried forward, with the day on which they did. No decision changes, up or down, but for one: what is
    in force above a limit of the law is cut to it, and the doctor has an urgent alert. Raises Refused without a policy
    and BadInput for a day to come.
    """
    version = the_policy(session, site_id, on, at)
    policy = parse(version.document)
    histories = history_of_all(session, site_id, on)
    levels: Counter[str] = Counter()
    news: list[_Assessed] = []
    above: dict[ClientId, _Assessed] = {}
    for client_id, before in _before(session, site_id, on, policy):
        if client_id not in histories:  # enrolled between the two reads: the next night comes
            continue
        history = replace(histories[client_id], judged=before.judged)
        made = _assessed(version, policy, history, on, client_id, before)
        levels[made.said.level] += 1
        is_above = before.terms is not None and cut_to_law(made.said.allowance, before.terms) is not None
        if is_above:
            above[client_id] = made
        if is_above or is_news(before.said, version.id, made.said):
            news.append(made)
    _keep(session, news, version=version, site_id=site_id, on=on, actor=actor, at=at)
    cut = _cut(session, above, actor=actor, on=on, at=at)
    report = NightlyReport(policy.policy, policy.version, levels.total(), len(news), cut, dict(sorted(levels.items())))
    audit.record(
        session,
        actor=actor,
        act="assessed take-home of everybody",
        subject="site",
        subject_id=site_id,
        at=at,
        details=report.as_json(),
    )
    return report


def _assessed(
    version: PolicyVersion, policy: Policy, history: History, on: date, client_id: ClientId, before: _Before
) -> _Assessed:
    said = rules.assess(policy, history, on)
    inputs = inputs_of(version, history, on, judged_on=before.judged_on)
    return _Assessed(new_id(), client_id, before.episode_id, inputs, said)


# Of everybody in treatment: what the newest assessment said, what a person judged when they last assessed, and what was
# decided for the day.
_BEFORE = """
SELECT e.client_id, e.id AS episode_id,
    newest.policy_version_id, newest.on_day, newest.level, newest.result -> 'allowance' AS allowance,
    (SELECT jsonb_object_agg(f ->> 'criterion', f ->> 'state')
        FROM jsonb_array_elements(newest.result -> 'findings') AS f) AS states,
    asked.document, asked.on_day AS judged_on, asked.judged,
    d.per_supply, d.per_week, d.consecutive, d.weekdays
FROM episode e
LEFT JOIN LATERAL (
    SELECT a.policy_version_id, a.on_day, a.level, a.result FROM assessment a
    WHERE a.client_id = e.client_id AND a.episode_id = e.id
    ORDER BY a.made_at DESC, a.id DESC LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT v.document, a.on_day, a.inputs -> 'history' -> 'judged' AS judged
    FROM assessment a JOIN policy_version v ON v.id = a.policy_version_id
    WHERE a.client_id = e.client_id AND a.episode_id = e.id AND a.made_by IS NOT NULL
    ORDER BY a.made_at DESC, a.id DESC LIMIT 1
) asked ON true
LEFT JOIN decision d ON d.episode_id = e.id AND d.voided_at IS NULL AND d.days @> %(on)s::date
WHERE e.site_id = %(site)s AND e.began_on <= %(on)s AND (e.ended_on IS NULL OR e.ended_on > %(on)s)
ORDER BY e.client_id
"""


def _before(session: ReadSession, site_id: SiteId, on: date, policy: Policy) -> Iterator[tuple[ClientId, _Before]]:
    cursor = session.run(_BEFORE, {"site": site_id, "on": on})
    names = [column.name for column in cursor.description or ()]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        judged = carried_answers(row["judged"], parse(row["document"]), policy) if row["judged"] else {}
        yield (
            ClientId(row["client_id"]),
            _Before(
                episode_id=row["episode_id"],
                said=_said(row) if row["on_day"] else None,
                judged=judged,
                judged_on=row["judged_on"] if judged else None,
                terms=_terms(row) if row["per_supply"] is not None else None,
            ),
        )


def _said(row: Mapping[str, Any]) -> Said:
    allowance = rules.Allowance.from_json(row["allowance"])
    return Said(row["policy_version_id"], row["on_day"], row["level"], allowance, row["states"] or {})


def _terms(row: Mapping[str, Any]) -> Terms:
    weekdays = frozenset(row["weekdays"]) if row["weekdays"] else None
    return Terms(row["per_supply"], row["per_week"], row["consecutive"], weekdays)


_KEEP = """
INSERT INTO assessment (id, site_id, client_id, episode_id, policy_version_id, on_day, inputs, inputs_sha256, result,
    level, made_at, made_by)
VALUES (%(id)s, %(site)s, %(client)s, %(episode)s, %(version)s, %(on)s, %(inputs)s::jsonb, %(sha256)s,
    %(result)s::jsonb, %(level)s, %(at)s, %(by)s)
"""


def _keep(
    session: WriteSession,
    news: Sequence[_Assessed],
    *,
    version: PolicyVersion,
    site_id: SiteId,
    on: date,
    actor: Actor,
    at: datetime,
) -> None:
    written = [canonical(made.inputs) for made in news]
    rows = [
        {
            "id": made.id,
            "site": site_id,
            "client": made.client_id,
            "episode": made.episode_id,
            "version": version.id,
            "on": on,
            "inputs": inputs,
            "sha256": sha256(inputs.encode()).digest(),
            "result": canonical(made.said.as_json()),
            "level": made.said.level,
            "at": at,
            "by": actor.account_id,
        }
        for made, inputs in zip(news, written, strict=True)
    ]
    if rows:
        session.straight.run_each(_KEEP, rows)


def _cut(session: WriteSession, above: Mapping[ClientId, _Assessed], *, actor: Actor, on: date, at: datetime) -> int:
    """Cuts what is in force above a limit of the law, as it stands once nobody else can decide on these clients."""
    if not above:
        return 0
    session.execute(select(Client.id).where(Client.id.in_(above)).order_by(Client.id).with_for_update(key_share=True))
    standing = session.scalars(
        select(Decision)
        .where(Decision.client_id.in_(above), Decision.voided_at.is_(None), Decision.days.contains(on))
        .order_by(Decision.client_id)
        .execution_options(populate_existing=True)
    ).all()
    by_law = [decision for one in standing if (decision := _by_law(one, above[one.client_id], on, at))]
    replaced = {decision.continues_id for decision in by_law}
    for one in standing:
        if one.id in replaced:
            _end(one, on, at)
    session.flush()
    session.add_all(by_law)
    session.flush()
    for decision in by_law:
        _tell(session, decision, actor=actor, on=on, at=at)
    return len(by_law)


def _by_law(one: Decision, made: _Assessed, on: date, at: datetime) -> Decision | None:
    allowance = made.said.allowance
    terms = cut_to_law(allowance, Terms(one.per_supply, one.per_week, one.consecutive, _weekdays(one)))
    if terms is None:
        return None
    return Decision(
        site_id=one.site_id,
        client_id=one.client_id,
        episode_id=one.episode_id,
        assessment_id=made.id,
        days=Range(on, one.days.upper, bounds="[)"),
        per_supply=terms.per_supply,
        per_week=terms.per_week,
        consecutive=terms.consecutive,
        weekdays=one.weekdays,
        closed_days_apart=allowance.closed_days_apart,
        closed_days_in_a_row=allowance.closed_days_in_a_row,
        kind=DecisionKind.BY_LAW.value,
        occasion=one.occasion,
        review_on=one.review_on,
        agreement_signed_on=one.agreement_signed_on,
        continues_id=one.id,
        differs=permitted.differs(
            allowance, per_supply=terms.per_supply, per_week=terms.a_week, consecutive=terms.consecutive
        ),
        reason=_why(one, made.said, terms),
        decided_by=None,
        decided_at=at,
    )


def _weekdays(one: Decision) -> frozenset[int] | None:
    return frozenset(one.weekdays) if one.weekdays else None


def _why(one: Decision, said: rules.Assessment, terms: Terms) -> str:
    before = rules.in_words(one.per_supply, one.per_week, one.consecutive)
    now = rules.in_words(terms.per_supply, terms.per_week, terms.consecutive)
    return f"{said.policy} allows by law {now}; decided was {before}."


def _end(one: Decision, on: date, at: datetime) -> None:
    if one.days.lower is not None and one.days.lower < on:
        one.days = Range(one.days.lower, on, bounds="[)")
    else:
        one.voided_at = at


def _tell(session: WriteSession, decision: Decision, *, actor: Actor, on: date, at: datetime) -> None:
    client_id = ClientId(decision.client_id)
    open_alert(
        session,
        site_id=SiteId(decision.site_id),
        client_id=client_id,
        cause=f"proposal:by-law:{on}",
        severity="urgent",
        role=Role.DOCTOR,
        sentence=f"Take-home was cut to a limit of the law from {on} on. {decision.reason} Decide anew.",
        at=at,
    )
    details = {
        "decision": decision.id,
        "assessment": decision.assessment_id,
        "from": decision.days.lower,
        "until": decision.days.upper,
        "per_supply": decision.per_supply,
        "per_week": decision.per_week,
        "superseded": [decision.continues_id],
    }
    audit.record(
        session,
        actor=actor,
        act="cut take-home to the law",
        subject="client",
        subject_id=client_id,
        at=at,
        details=details,
    )
