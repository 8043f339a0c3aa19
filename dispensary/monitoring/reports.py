"""What somebody reports about the doses of a client, so that a doctor looks into it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId


class Reported(StrEnum):
    """What is reported. Whoever lost bottles has given nothing away, and is not treated as if they had."""

    DIVERSION = "diversion"
    """Doses are said to have gone to somebody else."""
    LOSS = "loss"
    """Bottles were lost, stolen or broken."""


_SAID = {
    Reported.DIVERSION: "Reported: doses are said to have gone to somebody else.",
    Reported.LOSS: "Reported: bottles were lost, stolen or broken.",
}


def report(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    what: Reported,
    words: str,
    key: UUID,
    at: datetime,
) -> None:
    """Tells the doctors what was reported, as an alert that stays until one of them says what became of it.

    Nothing else changes: no report lowers a level, holds a dose or calls bottles back by itself. A diversion's cause
    begins with `diversion`, by which a policy that looks at such reports finds it while it is open. Each report is an
    alert of its own; the same `key` is the same report. Raises BadInput without words, NotThere for another site's
    client.
    """
    if not words.strip():
        raise BadInput(
            Refusal("words", "Say what was reported, and by whom.", "Write a sentence.", field="report_words")
        )
    lock_client(session, client_id, actor.site_id)
    cause = f"{what.value}: {key}"
    if session.scalar(select(Alert.id).where(Alert.client_id == client_id, Alert.cause == cause)):
        return
    open_alert(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        cause=cause,
        severity="warning",
        role=Role.DOCTOR,
        sentence=f"{_SAID[what]} “{words.strip()}” ({actor.name})",
        at=at,
    )
    details = {"what": what.value, "report": key}
    audit.record(session, actor=actor, act="reported", subject="client", subject_id=client_id, at=at, details=details)
