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

CONDITIONS = ("hiv", "hepatitis_b", "hepatitis_c", "tuberculosis", "pregnancy")


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


def resolve_alert(
    session: WriteSession, *, actor: Actor, alert_id: UUID, resolution: str, at: datetime, dismissed: bool = False
) -> Alert:
    """Closes an alert with the reason that somebody states. Raises BadInput or NotThere.

    `dismissed` says that it was not worth acting on, which speaks against its rule.
    """
    if not resolution.strip():
        raise BadInput(Refusal("resolution", "Say what was done.", "Write a sentence.", field="resolution"))
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or alert.site_id != actor.site_id or alert.resolved_at is not None:
        raise NotThere(Refusal("no-alert", "There is no such open alert.", "Look at the list again."))
    alert.resolved_at, alert.resolved_by, alert.resolution = at, actor.account_id, resolution.strip()
    alert.dismissed = dismissed
    session.flush()
    details = {"cause": alert.cause, "dismissed": dismissed}
    audit.record(
        session, actor=actor, act="resolved alert", subject="client", subject_id=alert.client_id, at=at, details=details
    )
    return alert


def note_condition(
    session: WriteSession, *, actor: Actor, client_id: ClientId, kind: str, noted_on: date, at: datetime
) -> None:
    """Notes a condition of a client; noted already, it stays as it was, and one that had ended begins anew.

    Raises BadInput for one that is not known here.
    """
    if kind not in CONDITIONS:
        raise BadInput(
            Refusal("condition", f"“{kind}” is not a condition that is watched.", "Choose one.", field="kind")
        )
    again = {"noted_on": noted_on, "noted_by": actor.account_id, "ended_on": None}
    noted = session.execute(
        upsert(Condition)
        .values(client_id=client_id, kind=kind, noted_on=noted_on, noted_by=actor.account_id)
        .on_conflict_do_update(index_elements=["client_id", "kind"], set_=again, where=Condition.ended_on.is_not(None))
        .returning(Condition.kind)
    ).all()
    if noted:
        audit.record(session, actor=actor, act="noted condition", subject="client", subject_id=client_id, at=at)


def end_condition(
    session: WriteSession, *, actor: Actor, client_id: ClientId, kind: str, ended_on: date, at: datetime
) -> None:
    """Ends a condition, as after a cure or a birth: `ended_on` is the first day without it. Ended, it stays so.

    Raises BadInput for a day before it was noted, NotThere when it was not noted.
    """
    row = session.get(Condition, (client_id, kind), with_for_update=True)
    if row is None:
        raise NotThere(Refusal("no-condition", "This condition is not noted.", "Look at the client's record again."))
    if row.ended_on is not None:
        return
    if ended_on < row.noted_on:
        raise BadInput(
            Refusal("before-noted", f"It was noted on {row.noted_on}.", "Write a later day.", field="ended_on")
        )
    row.ended_on = ended_on
    session.flush()
    audit.record(session, actor=actor, act="ended condition", subject="client", subject_id=client_id, at=at)
