"""What is done beside results, for pages and API alike: adherence support, and whether somebody has symptoms.

Each ends with judging the client anew, as the acts of health do.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from dispensary.database import WriteSession
from dispensary.monitoring import support
from dispensary.monitoring.judged import SYMPTOMS, SYMPTOMS_NONE, SYMPTOMS_PRESENT
from dispensary.monitoring.judging import judge_health
from dispensary.monitoring.result_models import HealthResult
from dispensary.monitoring.results import Measurement
from dispensary.monitoring.support_models import AdherenceSupport
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.health_acts import When


def give_support(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    on: date,
    kind: str,
    note: str,
    key: UUID,
    when: When,
) -> AdherenceSupport:
    """Writes down that a client was helped to take their medicines. Raises BadInput, NotThere."""
    row = support.give_support(
        session,
        actor=actor,
        client_id=client_id,
        on=on,
        kind=kind,
        note=note,
        key=str(key),
        today=when.today,
        at=when.at,
    )
    judge_health(session, site_id=actor.site_id, on=when.today, at=when.at, client_ids=[client_id])
    return row


def take_support_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, support_id: UUID, reason: str, when: When
) -> AdherenceSupport:
    """Takes support back that was written down by mistake. Raises BadInput, NotThere."""
    if all(each.id != support_id for each in support.support_of(session, client_id=client_id)):
        raise NotThere(Refusal("no-support", "The client has no such support.", "Open the client's health again."))
    row = support.take_support_back(session, actor=actor, support_id=support_id, reason=reason, at=when.at)
    judge_health(session, site_id=actor.site_id, on=when.today, at=when.at, client_ids=[client_id])
    return row


def say_symptoms(
    session: WriteSession, *, actor: Actor, client_id: ClientId, present: bool, key: UUID, when: When
) -> Sequence[HealthResult]:
    """Says, as of today, whether a client has symptoms of a harmed liver. Raises NotThere."""
    word = SYMPTOMS_PRESENT if present else SYMPTOMS_NONE
    return health_acts.enter(
        session,
        actor=actor,
        client_id=client_id,
        taken_on=when.today,
        measurements=[Measurement(SYMPTOMS, word)],
        key=key,
        when=when,
    )
