"""Who stands there to collect: the client, an agent whom they authorised, or a carrier at the client's home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from dispensary.database import WriteSession
from dispensary.refusals import Refusal
from dispensary.staff.rules import Actor
from dispensary.supplies.agents_models import AgentConsent
from dispensary.supplies.agents_rules import InForce, Scope, may_collect
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.models import Supply
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId, DoseDay


@dataclass(frozen=True)
class Collector:
    """Who collects, as the supply keeps it."""

    by: str = "client"
    agent_id: UUID | None = None
    consent_id: UUID | None = None
    id_requested: bool = False
    id_provided: bool = False


def collector_of(
    session: WriteSession, *, actor: Actor, client_id: ClientId, wanted: Wanted, bottles: int, today: DoseDay
) -> tuple[Collector, list[Refusal]]:
    """Who collects, and every reason why they may not. A consent is locked until the unit of work ends.

    Lock the client and the pickup first.
    """
    if wanted.collected_by == "agent":
        return _agent(session, client_id, wanted, bottles, today)
    if wanted.collected_by == "carrier":
        return Collector("carrier"), _carrier(session, actor, client_id, wanted)
    return Collector(), []


def _agent(
    session: WriteSession, client_id: ClientId, wanted: Wanted, bottles: int, today: DoseDay
) -> tuple[Collector, list[Refusal]]:
    consent = session.scalar(
        select(AgentConsent)
        .where(AgentConsent.id == wanted.consent_id, AgentConsent.client_id == client_id)
        .with_for_update(key_share=True)
    )
    compared = wanted.identified_by == "document"
    faults = may_collect(
        in_force(consent, used=_used(session, consent.id)) if consent else None,
        bottles=bottles,
        observed=wanted.observed,
        document_compared=compared,
        today=today,
    )
    if wanted.pickup_id is None:
        faults.append(
            Refusal("agent-no-pickup", "Somebody else collects a prepared pickup alone.", "Prepare the bottles first.")
        )
    if consent is None:
        return Collector("agent"), faults
    return Collector("agent", consent.agent_id, consent.id, id_requested=True, id_provided=compared), faults


def in_force(consent: AgentConsent, *, used: bool) -> InForce:
    """The row as the rules read it."""
    return InForce(
        scope=Scope(consent.scope),
        signed_on=consent.signed_on,
        last_day=consent.last_day,
        most_bottles=consent.most_bottles,
        agreed=consent.agreed_at is not None,
        revoked=consent.revoked_at is not None,
        used=used,
    )


def _used(session: WriteSession, consent_id: UUID) -> bool:
    used = select(Supply.id).where(Supply.agent_consent_id == consent_id, Supply.voided_at.is_(None)).limit(1)
    return session.scalar(used) is not None


def _carrier(session: WriteSession, actor: Actor, client_id: ClientId, wanted: Wanted) -> list[Refusal]:
    carried = session.scalar(
        select(Carrying.id)
        .where(Carrying.pickup_id == wanted.pickup_id, Carrying.client_id == client_id)
        .where(Carrying.state == "out", Carrying.carrier_id == actor.account_id)
    )
    faults = []
    if carried is None:
        faults.append(NOT_CARRIED)
    if wanted.observed:
        faults.append(
            Refusal(
                "carrier-observed",
                "A dose that is taken at the counter is not given at a home.",
                "Hand over the bottles that were prepared.",
            )
        )
    return faults


NOT_CARRIED = Refusal(
    "not-carried", "These bottles are not out with you.", "Look at your list: they were brought back or handed over."
)

BROKEN: Mapping[str, Refusal] = {
    "agent_of_client": Refusal(
        "agent-unknown", "The client has not authorised this person.", "Hand nothing over.", field="consent_id"
    ),
    "agent_consent_in_force": Refusal(
        "agent-no-consent", "The consent was revoked a moment ago.", "Hand nothing over. Call the client."
    ),
    "agent_consent_once": Refusal(
        "agent-no-consent", "This consent was used a moment ago.", "Hand nothing over. Call the client."
    ),
    "agent_most_bottles": Refusal(
        "agent-too-many", "More bottles than the client consented to.", "Put the pickup back and prepare fewer."
    ),
    "observed_of_client": Refusal(
        "agent-observed", "A dose that is taken here is never handed to somebody else.", "Hand over the bottles alone."
    ),
    "carrier_carries": NOT_CARRIED,
}
"""What PostgreSQL's refusals about who collects mean."""
