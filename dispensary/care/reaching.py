"""Noting a contact with a client, and calling those who treat when the client needs help today."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.contact_rules import CameOf, How, Why
from dispensary.clients.contacts import write_contact
from dispensary.clients.own import own_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId

NEEDS_HELP: Final = "needs help"
"""The cause of the alert: until somebody has answered it, a second call for help is the same alert."""


def note_contact(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    reached: bool,
    words: str,
    key: UUID,
    at: datetime,
    how: How = How.TALK,
    came_of: CameOf | None = None,
    why: Why | None = None,
    stops: bool = False,
) -> None:
    """Notes a contact. Where they need help today the nurses have an alert, until somebody says what was done.

    The alert costs the client nothing: no take-home is decided by it. The caller has made sure that the client is the
    actor's to know. The same key again is the same contact. Raises what `write_contact` raises.
    """
    is_new = write_contact(
        session,
        actor=actor,
        client_id=client_id,
        reached=reached,
        words=words,
        key=key,
        at=at,
        how=how,
        came_of=came_of,
        why=why,
        stops=stops,
    )
    if is_new and came_of is CameOf.NEEDS_HELP:
        open_alert(
            session,
            site_id=actor.site_id,
            client_id=client_id,
            cause=NEEDS_HELP,
            severity="urgent",
            role=Role.NURSE,
            sentence=f"They need help today, as they said to {actor.name}. Speak with them.",
            at=at,
        )


def note_own_contact(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    reached: bool,
    words: str,
    key: UUID,
    at: datetime,
    how: How = How.TALK,
    came_of: CameOf | None = None,
) -> None:
    """Notes a peer worker's contact with one of their own clients. Raises NotThere for everybody else's client."""
    own_client(session, actor=actor, client_id=client_id)
    note_contact(
        session,
        actor=actor,
        client_id=client_id,
        reached=reached,
        words=words,
        key=key,
        at=at,
        how=how,
        came_of=came_of,
    )


def who_needs_help(session: ReadSession, clients: Collection[ClientId]) -> frozenset[ClientId]:
    """Who of these said that they need help, and nobody has answered it yet."""
    unanswered = select(Alert.client_id).where(
        Alert.client_id.in_(list(clients)), Alert.cause == NEEDS_HELP, Alert.resolved_at.is_(None)
    )
    return frozenset(ClientId(client_id) for client_id in session.scalars(unanswered))
