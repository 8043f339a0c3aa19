"""Alerts of findings: opened once for a cause, raised when it grows graver, read, passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on

from dispensary.database import WriteSession
from dispensary.monitoring.due_models import HealthSetting
from dispensary.monitoring.findings import Severity
from dispensary.monitoring.judged import Caused
from dispensary.monitoring.models import Alert
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.units import ClientId, SiteId, new_id

NEXT_ROLE: Mapping[Role, Role] = {Role.NURSE: Role.DOCTOR, Role.PHARMACIST: Role.DOCTOR, Role.DOCTOR: Role.PHARMACIST}
"""To whom an alert goes too, when nobody of its role has read it in time: the counter sees the client every day."""
_GRADES = {"info": Severity.INFO, "warning": Severity.WARNING, "urgent": Severity.URGENT}


@dataclass(frozen=True)
class Changed:
    """How many alerts were opened, and how many grew graver or have newer evidence."""

    opened: int
    raised: int


def keep_alerts(
    session: WriteSession, found: Mapping[ClientId, Sequence[Caused]], *, site_id: SiteId, at: datetime
) -> Changed:
    """Brings the alerts of these clients up to what was found of them; three statements, however many they are.

    One that was closed is opened again by newer evidence or a graver finding, never by the same. An open one grows
    graver and never milder: it stays as it was until somebody closes it, and says what is found now where that is as
    grave.
    """
    wanted = {(client_id, each.cause): each for client_id, several in found.items() for each in several}
    if not wanted:
        return Changed(0, 0)
    now = _now(session, list(found))
    new, raised = [], []
    for (client_id, cause), each in wanted.items():
        grade = each.finding.severity
        before = now.get((client_id, cause))
        if before is None or (before.resolved and (grade > before.grade or each.evidence != before.evidence)):
            new.append(_row(each, client_id, site_id, at))
        elif not before.resolved and (
            grade > before.grade
            or (grade == before.grade and (each.evidence, each.finding.sentence) != (before.evidence, before.sentence))
        ):
            graver = grade > before.grade
            raised.append(
                {
                    "b_id": before.id,
                    "severity": grade.word,
                    "sentence": each.finding.sentence,
                    "advice": each.finding.advice,
                    "evidence": _evidence(each),
                    "role": each.role.value,
                    "raised_at": at if graver else before.raised_at,
                    "read_at": None if graver else before.read_at,
                    "read_by": None if graver else before.read_by,
                    "escalated_at": before.escalated_at if each.role.value == before.role else None,
                    "escalated_to": before.escalated_to if each.role.value == before.role else "",
                }
            )
    if new:
        session.execute(insert(Alert), new)
    if raised:
        session.connection().execute(update(Alert.__table__).where(Alert.__table__.c.id == bindparam("b_id")), raised)  # type: ignore[arg-type]
    return Changed(len(new), len(raised))


@dataclass(frozen=True)
class _Before:
    id: UUID
    grade: Severity
    evidence: tuple[str, ...]
    resolved: bool
    raised_at: datetime | None
    read_at: datetime | None
    read_by: UUID | None
    sentence: str
    role: str
    escalated_at: datetime | None
    escalated_to: str


def _now(session: WriteSession, clients: Sequence[ClientId]) -> dict[tuple[ClientId, str], _Before]:
    """The newest alert of each cause, open or closed."""
    newest = (
        select(
            Alert.client_id,
            Alert.cause,
            Alert.id,
            Alert.severity,
            Alert.evidence["rests_on"].label("rests_on"),
            Alert.resolved_at,
            Alert.raised_at,
            Alert.read_at,
            Alert.read_by,
            Alert.sentence,
            Alert.role,
            Alert.escalated_at,
            Alert.escalated_to,
        )
        .ext(distinct_on(Alert.client_id, Alert.cause))
        .where(Alert.client_id == text("ANY(:clients)"), Alert.rule != "")
        .order_by(Alert.client_id, Alert.cause, Alert.resolved_at.is_not(None), Alert.opened_at.desc())
    )
    return {
        (row.client_id, row.cause): _Before(
            row.id,
            _GRADES[row.severity],
            tuple(row.rests_on or ()),
            row.resolved_at is not None,
            row.raised_at,
            row.read_at,
            row.read_by,
            row.sentence,
            row.role,
            row.escalated_at,
            row.escalated_to,
        )
        for row in session.execute(newest, {"clients": list(clients)})
    }


def _evidence(each: Caused) -> dict[str, object]:
    return {**each.finding.as_json(), "rests_on": list(each.evidence)}


def _row(each: Caused, client_id: ClientId, site_id: SiteId, at: datetime) -> dict[str, object]:
    return {
        "id": new_id(),
        "site_id": site_id,
        "client_id": client_id,
        "cause": each.cause,
        "severity": each.finding.severity.word,
        "role": each.role.value,
        "sentence": each.finding.sentence,
        "opened_at": at,
        "resolution": "",
        "rule": each.finding.kind,
        "evidence": _evidence(each),
        "advice": each.finding.advice,
        "escalated_to": "",
        "dismissed": False,
    }


def read_alert(session: WriteSession, *, actor: Actor, alert_id: UUID, at: datetime) -> Alert:
    """Says that somebody has read it; it stays open. Read once, it is read.

    Only whose it is can say so, by its role or the one that it was passed on to: another's look would keep it from
    being passed on. Raises NotThere or Refused.
    """
    alert = session.get(Alert, alert_id, with_for_update=True)
    if alert is None or alert.site_id != actor.site_id or alert.resolved_at is not None:
        raise NotThere(Refusal("no-alert", "There is no such open alert.", "Look at the client's page again."))
    if not {alert.role, alert.escalated_to} & {role.value for role in actor.roles}:
        raise Refused(
            Refusal("not-its-role", f"This alert is for the {alert.role}.", "Tell a colleague whose work it is.")
        )
    if alert.read_at is None:
        alert.read_at, alert.read_by = at, actor.account_id
        session.flush()
        details = {"cause": alert.cause}
        audit.record(
            session, actor=actor, act="read alert", subject="client", subject_id=alert.client_id, at=at, details=details
        )
    return alert


def alerts_are_over(
    session: WriteSession, *, actor: Actor, client_id: ClientId, causes: Sequence[str], reason: str, at: datetime
) -> None:
    """Closes the open alerts of these causes, because what they speak of is over by what somebody else wrote down.

    Nobody is named as having answered them: such an alert counts neither as answered nor as dismissed.
    """
    rows = session.scalars(
        select(Alert)
        .where(Alert.client_id == client_id, Alert.cause.in_(list(causes)), Alert.resolved_at.is_(None))
        .order_by(Alert.id)
        .with_for_update()
    ).all()
    for row in rows:
        row.resolved_at, row.resolution = at, reason
    session.flush()
    for row in rows:
        details: dict[str, object] = {"cause": row.cause, "over": reason}
        audit.record(
            session, actor=actor, act="alert is over", subject="client", subject_id=client_id, at=at, details=details
        )


def escalate(session: WriteSession, *, site_id: SiteId, at: datetime) -> int:
    """Passes on what nobody of its role has read in the site's time for its severity. Says how many.

    The time runs from when it was opened, or last grew graver.
    """
    setting = session.get(HealthSetting, site_id) or HealthSetting(urgent_hours=24, warning_hours=168)
    passed = 0
    for severity, hours in (("urgent", setting.urgent_hours), ("warning", setting.warning_hours)):
        for role, onward in NEXT_ROLE.items():
            done = session.execute(
                update(Alert)
                .where(
                    Alert.site_id == site_id,
                    Alert.rule != "",
                    Alert.severity == severity,
                    Alert.role == role.value,
                    Alert.resolved_at.is_(None),
                    Alert.read_at.is_(None),
                    Alert.escalated_at.is_(None),
                    func.coalesce(Alert.raised_at, Alert.opened_at) <= at - timedelta(hours=hours),
                )
                .values(escalated_at=at, escalated_to=onward.value)
                .returning(Alert.id)
                .execution_options(synchronize_session=False)
            )
            passed += len(done.all())
    return passed
