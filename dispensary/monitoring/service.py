"""Opening an alert and resolving it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import WriteSession
from dispensary.monitoring.models import Alert, Condition
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, SiteId, new_id

CONDITIONS = ("hiv", "hepatitis_b", "hepatitis_c", "tuberculosis")


def open_alert(
    session: WriteSession,
    *,
    site_id: SiteId,
    client_id: ClientId,
    cause: str,
    severity: str,
    role: Role,
    sentence: str,
    at: datetime,
) -> None:
    """Opens an alert for a role, unless one for the same cause is open already."""
    session.execute(
        upsert(Alert)
        .values(
            id=new_id(),
            site_id=site_id,
            client_id=client_id,
            cause=cause,
            severity=severity,
            role=role.value,
            sentence=sentence,
            opened_at=at,
            resolution="",
        )
        .on_conflict_do_nothing(index_elements=["client_id", "cause"], index_where=text("resolved_at IS NULL"))
    )


def resolve_alert(session: WriteSession, *, actor: Actor, alert_id: UUID, resolution: str, at: datetime) -> Alert:
    """Closes an alert with the reason that somebody states. Raises BadInput or NotThere."""
    if not resolution.strip():
        raise BadInput(Refusal("resolution", "Say what was done.", "Write a sentence.", field="resolution"))
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or alert.site_id != actor.site_id or alert.resolved_at is not None:
        raise NotThere(Refusal("no-alert", "There is no such open alert.", "Look at the list again."))
    alert.resolved_at, alert.resolved_by, alert.resolution = at, actor.account_id, resolution.strip()
    session.flush()
    details = {"cause": alert.cause}
    audit.record(
        session, actor=actor, act="resolved alert", subject="client", subject_id=alert.client_id, at=at, details=details
    )
    return alert


def note_condition(
    session: WriteSession, *, actor: Actor, client_id: ClientId, kind: str, noted_on: date, at: datetime
) -> None:
    """Notes a condition of a client, once. Raises BadInput for one that is not known here."""
    if kind not in CONDITIONS:
        raise BadInput(
            Refusal("condition", f"“{kind}” is not a condition that is watched.", "Choose one.", field="kind")
        )
    session.execute(
        upsert(Condition)
        .values(client_id=client_id, kind=kind, noted_on=noted_on, noted_by=actor.account_id)
        .on_conflict_do_nothing(index_elements=["client_id", "kind"])
    )
    audit.record(session, actor=actor, act="noted condition", subject="client", subject_id=client_id, at=at)
