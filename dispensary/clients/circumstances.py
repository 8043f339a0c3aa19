"""What a client told of their circumstances: a lockbox, housing, work, health. Read by take-home assessments alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispensary.clients.models import Client
from dispensary.clients.service import the_client
from dispensary.database import WriteSession
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.units import ClientId


@dataclass(frozen=True)
class Circumstances:
    """Four answers; nothing where nobody has asked."""

    lockbox: bool | None = None
    housing_stable: bool | None = None
    employed: bool | None = None
    health_stable: bool | None = None


def note_circumstances(
    session: WriteSession, *, actor: Actor, client_id: ClientId, told: Circumstances, at: datetime
) -> Client:
    """Writes the answers down. Assessments that were made before keep what they knew. Raises NotThere."""
    client = the_client(session, client_id, actor.site_id)
    changed = [name for name, answer in vars(told).items() if getattr(client, name) is not answer]
    for name in changed:
        setattr(client, name, getattr(told, name))
    session.flush()
    if changed:
        details = {"changed": changed}
        audit.record(
            session,
            actor=actor,
            act="noted circumstances",
            subject="client",
            subject_id=client_id,
            at=at,
            details=details,
        )
    return client
