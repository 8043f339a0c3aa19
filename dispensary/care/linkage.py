"""Testing and linkage: each client's steps, from what is written here and what results and treatments say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text

from dispensary.care.linkage_models import LinkageStep
from dispensary.care.linkage_rules import Dated, Disease, Standing, Step, standing
from dispensary.care.settings import reminders_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.evaluation.linking import tests, went
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId, SiteId

EARLIEST = date(1990, 1, 1)

_RESULTS = """
    SELECT r.client_id, r.analyte, r.taken_on, r.number, r.comparator, r.choice FROM health_result r
    WHERE r.client_id = c.id AND num_nonnulls(r.number, r.choice) = 1
        AND NOT EXISTS (SELECT FROM health_result n WHERE n.replaces = r.id)
"""
_TREATMENTS = "SELECT t.client_id, t.kind, t.started_on, t.stopped_on FROM treatment t WHERE t.client_id = c.id"
_REFERRALS = """
    SELECT f.client_id, f.service, f.sent_on, f.outcome, f.attended_on FROM referral f WHERE f.client_id = c.id
"""

_STEPS = f"""
    SELECT l.client_id, l.disease, l.step, l.on_day, CAST(NULL AS boolean) AS positive, l.id AS step_id
    FROM linkage_step l WHERE l.client_id = c.id AND l.voided_at IS NULL
    UNION ALL
    SELECT r.client_id, r.disease, 'tested', r.taken_on, r.positive, NULL FROM ({tests(_RESULTS)}) AS r
    UNION ALL
    SELECT f.client_id, f.disease, f.step, f.attended_on, NULL, NULL
    FROM ({went(_REFERRALS, _RESULTS, _TREATMENTS)}) AS f
    UNION ALL
    SELECT t.client_id, CASE t.kind WHEN 'art' THEN 'hiv' ELSE t.kind END, 'on_treatment', t.started_on, NULL, NULL
    FROM ({_TREATMENTS}) AS t
"""
"""Every step that is known of a client `c`, wherever it is kept: client_id, disease, step, on_day, positive, step_id
where it was written by hand. Whoever went for a test was tested; what was found there is a result."""

_OF_CLIENT = text(f"""
SELECT known.* FROM client c CROSS JOIN LATERAL ({_STEPS}) AS known WHERE c.id = :client ORDER BY on_day, disease, step
""")
_OF_SITE = text(f"""
SELECT known.* FROM client c CROSS JOIN LATERAL ({_STEPS}) AS known
WHERE c.site_id = :site AND EXISTS (SELECT FROM episode e WHERE e.client_id = c.id AND e.ended_on IS NULL)
""")


@dataclass(frozen=True)
class Taken:
    """A step of one client, and its id where it was written by hand and can be set aside."""

    disease: Disease
    step: Step
    on: date
    positive: bool | None
    step_id: UUID | None


def note_step(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    disease: Disease,
    step: Step,
    on: date,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Writes a step down. The same one of the same day is found, not doubled.

    Raises BadInput for a day that is to come or long ago, NotAllowed, NotThere.
    """
    _refuse_others(actor)
    if not EARLIEST <= on <= today:
        raise BadInput(
            Refusal("step-day", "It was taken today or on an earlier day.", "Correct the day.", field="on_day")
        )
    lock_client(session, client_id, actor.site_id)
    known = steps_of(session, client_id=client_id)
    if any((each.disease, each.step, each.on) == (disease, step, on) for each in known):
        return
    assert actor.account_id is not None, "people take steps"
    session.add(
        LinkageStep(
            id=key,
            client_id=client_id,
            site_id=actor.site_id,
            disease=disease.value,
            step=step.value,
            on_day=on,
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    details = {"disease": disease.value, "step": step.value, "on": on}
    audit.record(
        session,
        actor=actor,
        act="noted step to treatment",
        subject="client",
        subject_id=client_id,
        at=at,
        details=details,
    )


def set_aside(session: WriteSession, *, actor: Actor, client_id: ClientId, step_id: UUID, at: datetime) -> None:
    """Sets a step aside that was written in error; once it is, it stays so. Raises NotAllowed, NotThere."""
    _refuse_others(actor)
    lock_client(session, client_id, actor.site_id)
    step = session.get(LinkageStep, step_id, with_for_update=True)
    if step is None or step.client_id != client_id:
        raise NotThere(Refusal("no-step", "There is no such step.", "Look at the page again."))
    if step.voided_at is not None:
        return
    step.voided_at, step.voided_by = at, actor.account_id
    session.flush()
    details = {"disease": step.disease, "step": step.step, "on": step.on_day}
    audit.record(
        session,
        actor=actor,
        act="set step to treatment aside",
        subject="client",
        subject_id=client_id,
        at=at,
        details=details,
    )


def steps_of(session: ReadSession, *, client_id: ClientId) -> list[Taken]:
    """Everything that is known of a client's steps, in the order of their days."""
    return [
        Taken(Disease(row.disease), Step(row.step), row.on_day, row.positive, row.step_id)
        for row in session.execute(_OF_CLIENT, {"client": client_id})
    ]


def standings(taken: list[Taken]) -> Mapping[Disease, Standing]:
    """How far a client has come with each disease."""
    return {
        disease: standing(Dated(each.step, each.on, each.positive) for each in taken if each.disease is disease)
        for disease in Disease
    }


@dataclass(frozen=True)
class Stuck:
    """A client of whom the next step has been out for too long."""

    client_id: ClientId
    disease: Disease
    standing: Standing


def stuck(session: ReadSession, *, site_id: SiteId, today: date) -> list[Stuck]:
    """Everybody in treatment at the site for whom a step is out for more than the site's days, the longest first."""
    days = reminders_of(session, site_id).stuck_days
    steps: dict[tuple[ClientId, Disease], list[Dated]] = defaultdict(list)
    for row in session.execute(_OF_SITE, {"site": site_id}):
        key = (ClientId(row.client_id), Disease(row.disease))
        steps[key].append(Dated(Step(row.step), row.on_day, row.positive))
    found = [Stuck(client_id, disease, standing(dated)) for (client_id, disease), dated in steps.items()]
    late = [each for each in found if each.standing.stuck(today, days)]
    return sorted(late, key=lambda each: (each.standing.since or today, each.client_id, each.disease))


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.WATCH_HEALTH):
        raise NotAllowed(Refusal("no-health", "Your work at this site does not include this.", "Ask a colleague."))
