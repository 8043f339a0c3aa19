"""Agents: whom a client names to collect for them, the consent, the prescriber's agreement, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError

from dispensary.clients.homes import clients_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, broken_constraint
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.supplies.agents_models import Agent, AgentConsent
from dispensary.supplies.agents_rules import (
    LAST_DIGITS,
    Consented,
    Named,
    faults_of_agent,
    faults_of_consent,
    standing,
)
from dispensary.supplies.collecting import in_force
from dispensary.supplies.models import Supply
from dispensary.supplies.verifying import pass_rules
from dispensary.units import ClientId, SiteId, new_id


def name_agent(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    named: Named,
    consented: Consented,
    today: date,
    at: datetime,
) -> AgentConsent:
    """Writes down whom the client has named, and what they have signed. A prescriber has yet to agree.

    Name, document, birth date and photo are sealed for this row. The same form sent again finds it written. Raises
    BadInput with every fault.
    """
    lock_client(session, client_id, actor.site_id)
    months = pass_rules(session, actor.site_id).agent_months
    faults = [
        *faults_of_agent(named, today=today),
        *faults_of_consent(consented, agent_months=months, today=today),
    ]
    if faults:
        raise BadInput(*faults)
    before = _named_before(session, actor, client_id, named, consented)
    if before is not None:
        return before
    agent_id = new_id()
    seal = partial(session.vault.seal, row=agent_id, of=client_id)
    session.add(
        Agent(
            id=agent_id,
            site_id=actor.site_id,
            client_id=client_id,
            name_sealed=seal("agent.name", value=named.name.strip()),
            relation=named.relation.value,
            document_kind=named.document.value,
            document_sealed=seal("agent.document", value=named.document_number.strip()),
            born_sealed=seal("agent.born", value=named.born.isoformat()),
            birth_year=named.born.year,
            photo_sealed=seal("agent.photo", value=named.photo) if named.photo else None,
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    return _consent(session, actor, client_id, agent_id, consented, at)


def consent_again(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    agent_id: UUID,
    consented: Consented,
    today: date,
    at: datetime,
) -> AgentConsent:
    """Writes down another consent for somebody whom the client has named before. Raises BadInput or NotThere."""
    lock_client(session, client_id, actor.site_id)
    agent = session.get(Agent, agent_id)
    if agent is None or agent.client_id != client_id:
        raise _no_agent()
    months = pass_rules(session, actor.site_id).agent_months
    faults = faults_of_consent(consented, agent_months=months, today=today)
    if faults:
        raise BadInput(*faults)
    same = session.scalars(
        _same(consented).where(AgentConsent.agent_id == agent_id, AgentConsent.recorded_by == actor.account_id)
    ).first()
    return same or _consent(session, actor, client_id, agent_id, consented, at)


def _same(consented: Consented) -> Select[AgentConsent]:
    return (
        select(AgentConsent)
        .where(AgentConsent.scope == consented.scope.value, AgentConsent.signed_on == consented.signed_on)
        .where(AgentConsent.last_day == consented.last_day, AgentConsent.most_bottles == consented.most_bottles)
        .where(AgentConsent.revoked_at.is_(None))
        .order_by(AgentConsent.recorded_at)
    )


def _named_before(
    session: ReadSession, actor: Actor, client_id: ClientId, named: Named, consented: Consented
) -> AgentConsent | None:
    same = session.scalars(
        _same(consented).where(AgentConsent.client_id == client_id, AgentConsent.recorded_by == actor.account_id)
    )
    for consent in same.all():
        agent = session.get_one(Agent, consent.agent_id)
        if session.vault.open("agent.name", agent.id, agent.name_sealed) == named.name.strip():
            return consent
    return None


def _consent(
    session: WriteSession, actor: Actor, client_id: ClientId, agent_id: UUID, consented: Consented, at: datetime
) -> AgentConsent:
    consent = AgentConsent(
        site_id=actor.site_id,
        client_id=client_id,
        agent_id=agent_id,
        scope=consented.scope.value,
        signed_on=consented.signed_on,
        last_day=consented.last_day,
        most_bottles=consented.most_bottles,
        recorded_by=actor.account_id,
        recorded_at=at,
    )
    session.add(consent)
    try:
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) in _BROKEN:
            raise Refused(_BROKEN[broken_constraint(reason)]) from None
        raise
    details = {"agent": agent_id, "consent": consent.id, "scope": consent.scope, "last_day": consent.last_day}
    audit.record(
        session, actor=actor, act="recorded consent", subject="client", subject_id=client_id, at=at, details=details
    )
    return consent


_BROKEN = {
    "agent_adult": Refusal("agent-child", "Nobody under 18 collects for a client.", "Name somebody else."),
    "agent_consent_length": Refusal(
        "consent-too-long", "The site has just shortened how long a consent may hold.", "Choose an earlier day."
    ),
}


def agree(session: WriteSession, *, actor: Actor, client_id: ClientId, consent_id: UUID, at: datetime) -> None:
    """A prescriber agrees that this agent collects. Agreed once is agreed. Raises NotThere or Refused."""
    consent = _the_consent(session, actor, client_id, consent_id)
    if consent.agreed_at is not None:
        return
    if consent.revoked_at is not None:
        raise Refused(Refusal("agent-no-consent", "The client has revoked this consent.", "Nothing is to be done."))
    consent.agreed_by, consent.agreed_at = actor.account_id, at
    session.flush()
    _write_down(session, actor, "agreed to agent", consent, at)


def revoke(
    session: WriteSession, *, actor: Actor, client_id: ClientId, consent_id: UUID, why: str, at: datetime
) -> None:
    """Ends a consent from now on: the client may at any time, and so may the prescriber. Raises BadInput, NotThere."""
    if not why.strip():
        raise BadInput(Refusal("revoked-why", "Say who revokes it, and why.", "Write it.", field="why"))
    consent = _the_consent(session, actor, client_id, consent_id)
    if consent.revoked_at is not None:
        return
    consent.revoked_by, consent.revoked_at, consent.revoked_why = actor.account_id, at, why.strip()
    session.flush()
    _write_down(session, actor, "revoked consent", consent, at)


def _the_consent(session: WriteSession, actor: Actor, client_id: ClientId, consent_id: UUID) -> AgentConsent:
    lock_client(session, client_id, actor.site_id)
    consent = session.get(AgentConsent, consent_id, with_for_update={"key_share": True}, populate_existing=True)
    if consent is None or consent.client_id != client_id:
        raise NotThere(Refusal("no-consent", "There is no such consent.", "Look at the list again."))
    return consent


def _write_down(session: WriteSession, actor: Actor, act: str, consent: AgentConsent, at: datetime) -> None:
    details = {"agent": consent.agent_id, "consent": consent.id}
    audit.record(session, actor=actor, act=act, subject="client", subject_id=consent.client_id, at=at, details=details)


def _no_agent() -> NotThere:
    return NotThere(Refusal("no-agent", "The client has named nobody like this.", "Look at the list again."))


@dataclass(frozen=True, repr=False)
class AgentView:
    """An agent with their consents, as people who need it see it."""

    agent: Agent
    name: str
    last_digits: str
    born: date
    consents: Sequence[tuple[AgentConsent, str]]
    """Each with how it stands: `holds`, `awaits`, `revoked`, `over` or `used`; the newest first."""

    @property
    def has_photo(self) -> bool:
        return self.agent.photo_sealed is not None

    @property
    def holding(self) -> AgentConsent | None:
        """The consent by which they may collect today."""
        return next((consent for consent, state in self.consents if state == "holds"), None)


def agents_of(session: ReadSession, *, client_id: ClientId, today: date) -> list[AgentView]:
    """Whom the client has named, the newest first. Their names are opened: write the look down."""
    agents = session.scalars(
        select(Agent).where(Agent.client_id == client_id).order_by(Agent.noted_at.desc(), Agent.id.desc())
    ).all()
    consents = session.scalars(
        select(AgentConsent)
        .where(AgentConsent.client_id == client_id)
        .order_by(AgentConsent.recorded_at.desc(), AgentConsent.id.desc())
    ).all()
    used = set(
        session.scalars(
            select(Supply.agent_consent_id)
            .where(Supply.client_id == client_id, Supply.agent_consent_id.is_not(None), Supply.voided_at.is_(None))
            .distinct()
        )
    )
    vault = session.vault
    return [
        AgentView(
            agent=agent,
            name=vault.open("agent.name", agent.id, agent.name_sealed),
            last_digits=vault.open("agent.document", agent.id, agent.document_sealed)[-LAST_DIGITS:],
            born=date.fromisoformat(vault.open("agent.born", agent.id, agent.born_sealed)),
            consents=[
                (consent, standing(in_force(consent, used=consent.id in used), today))
                for consent in consents
                if consent.agent_id == agent.id
            ],
        )
        for agent in agents
    ]


def agent_photo(session: ReadSession, *, agent_id: UUID, site_id: SiteId) -> bytes | None:
    """The photo (JPEG) of an agent of the site's clients, opened."""
    sealed = session.scalar(
        select(Agent.photo_sealed).where(Agent.id == agent_id, Agent.client_id.in_(clients_of(site_id)))
    )
    return session.vault.open_bytes("agent.photo", agent_id, sealed) if sealed else None


def name_of_agent(session: ReadSession, agent_id: UUID) -> str:
    """Who collected, for a receipt."""
    agent = session.get_one(Agent, agent_id)
    return session.vault.open("agent.name", agent.id, agent.name_sealed)
