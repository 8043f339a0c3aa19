"""Bottles that a client lost, that were stolen, or that broke: told, decided by a prescriber, readable by both sides.

Nothing is replaced by itself, and nothing is taken away: no level falls and no dose is withheld because of a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, text

from dispensary.clients.homes import clients_of
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.models import Alert
from dispensary.monitoring.service import open_alert, resolve_alert
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.bottle_rules import WITH_CLIENT, BottleState
from dispensary.supplies.bottle_states import move_bottles
from dispensary.supplies.loss_models import BottleReport, ReportedBottle
from dispensary.supplies.models import Bottle, Dose
from dispensary.supplies.writing import request_digest, told_as_refusals
from dispensary.units import ClientId, DoseDay, in_bottles


class Lost(StrEnum):
    """What happened to a bottle, as the client tells it."""

    LOST = "lost"
    STOLEN = "stolen"
    DAMAGED = "damaged"


class Decision(StrEnum):
    """What a prescriber decides about it."""

    STAYS = "stays"
    """Nothing is given in its place."""
    GIVEN_AGAIN = "given_again"
    """Its days, from today on, may be given again within the order and the decision in force."""


def report_loss(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    bottle_ids: Sequence[UUID],
    what: Lost,
    told: str,
    police_number: str,
    key: str,
    at: datetime,
) -> BottleReport:
    """Writes down what the client tells of bottles that they no longer have, and tells the prescriber, who decides.

    The bottles count as lost from now on: they are not expected back and not counted at a recall. Their days stay
    covered until the prescriber says otherwise. A repeated request with the same key gets the first answer. Raises
    BadInput with everything that is missing, and NotThere for a bottle that the client does not have.
    """
    wanted = sorted(set(bottle_ids))
    digest = request_digest(key, "loss", client_id, wanted, what.value)
    lock_client(session, client_id, actor.site_id)
    known = known_report(session, actor=actor, key=key, digest=digest)
    if known is not None:
        return known
    faults = faults_of_report(wanted, told)
    if faults:
        raise BadInput(*faults)
    found = session.scalars(
        select(Bottle).where(Bottle.id.in_(wanted), Bottle.client_id == client_id).order_by(Bottle.dose_day)
    ).all()
    if len(found) != len(wanted) or any(bottle.state not in WITH_CLIENT for bottle in found):
        raise NotThere(Refusal("no-bottle", "The client does not have such a bottle now.", "Open the page again."))
    return write_report(
        session,
        actor=actor,
        client_id=client_id,
        bottles=found,
        what=what,
        told=told,
        police_number=police_number,
        key=key,
        digest=digest,
        at=at,
    )


def known_report(session: ReadSession, *, actor: Actor, key: str, digest: bytes) -> BottleReport | None:
    """The report that the same request wrote before. Raises Refused when the key belongs to another one."""
    known = session.scalar(select(BottleReport).where(BottleReport.site_id == actor.site_id, BottleReport.key == key))
    if known is not None and known.request_sha256 != digest:
        raise Refused(Refusal("key-reused", "This key belongs to another report.", "Open the page again."))
    return known


def faults_of_report(bottle_ids: Sequence[UUID], told: str) -> list[Refusal]:
    """What is missing in a report; nothing when it is whole."""
    faults = []
    if not bottle_ids:
        faults.append(Refusal("bottles", "No bottle was chosen.", "Tick each bottle that is gone.", field="bottle"))
    if not told.strip():
        faults.append(Refusal("told", "What happened is missing.", "Write it down as it is told to you.", field="told"))
    return faults


def write_report(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    bottles: Sequence[Bottle],
    what: Lost,
    told: str,
    police_number: str,
    key: str,
    digest: bytes,
    carried_by: str = "",
    at: datetime,
) -> BottleReport:
    """Writes the report of bottles, by day, that are gone from now on, and tells the prescriber.

    `carried_by` names who carried them, where they never reached the client. Whoever calls has locked the client.
    """
    assert actor.account_id is not None, "a report is written down by a person"
    report = BottleReport(
        site_id=actor.site_id,
        client_id=client_id,
        what=what.value,
        told=told.strip(),
        police_number=police_number.strip(),
        key=key,
        request_sha256=digest,
        recorded_by=actor.account_id,
        at=at,
    )
    session.add(report)
    ids = [bottle.id for bottle in bottles]
    serials, first = [bottle.serial for bottle in bottles], min(bottle.dose_day for bottle in bottles)
    where = f" on the way with {carried_by}" if carried_by else ""
    with told_as_refusals():
        move_bottles(
            session, actor=actor, bottle_ids=ids, into=BottleState.LOST, at=at, note=f"{what.value}{where}: {told}"
        )
        session.add_all(ReportedBottle(bottle_id=bottle_id, report_id=report.id) for bottle_id in ids)
        session.flush()
    open_alert(
        session,
        site_id=actor.site_id,
        client_id=client_id,
        cause=_cause(report.id),
        severity="urgent" if what is Lost.STOLEN or carried_by else "warning",
        role=Role.DOCTOR,
        sentence=f"{in_bottles(len(ids))} reported {what.value}{where}, from {first} on: {told.strip()}",
        at=at,
    )
    details = {"report": report.id, "what": what.value, "bottles": serials}
    audit.record(
        session, actor=actor, act="reported bottles", subject="client", subject_id=client_id, at=at, details=details
    )
    return report


def _cause(report_id: UUID) -> str:
    return f"bottle report:{report_id}"


def decide_loss(
    session: WriteSession,
    *,
    actor: Actor,
    report_id: UUID,
    decision: Decision,
    said: str,
    today: DoseDay,
    at: datetime,
) -> BottleReport:
    """A prescriber decides what follows from a report, once, with the reason that the client reads too.

    Given again: the bottles' days from today on are without a dose from now, unless the day is closed, and may be given
    within the order and the take-home decision in force. The alert is closed with the decision. Sent again by the same
    person with the same words it is found decided. Raises BadInput without a reason, NotThere, and Refused when
    somebody has decided otherwise.
    """
    client_id = session.scalar(
        select(BottleReport.client_id).where(
            BottleReport.id == report_id, BottleReport.client_id.in_(clients_of(actor.site_id))
        )
    )
    if client_id is None:
        raise NotThere(Refusal("no-report", "There is no such report at this site.", "Open the client again."))
    lock_client(session, ClientId(client_id), actor.site_id)
    report = session.scalars(
        select(BottleReport).where(BottleReport.id == report_id).execution_options(populate_existing=True)
    ).one()
    if report.decided_at is not None:
        if (report.decision, report.said, report.decided_by) == (decision.value, said.strip(), actor.account_id):
            return report
        raise Refused(Refusal("decided-already", "This report is decided.", "Open the client again and read it."))
    if not said.strip():
        raise BadInput(
            Refusal("said", "The reason is missing.", "Write it so that the client can read it.", field="said")
        )
    report.decision, report.said = decision.value, said.strip()
    report.decided_by, report.decided_at = actor.account_id, at
    session.flush()
    again = _uncover(session, report_id, today, at) if decision is Decision.GIVEN_AGAIN else []
    alert = session.scalar(select(Alert.id).where(Alert.cause == _cause(report_id), Alert.resolved_at.is_(None)))
    if alert is not None:
        resolve_alert(session, actor=actor, alert_id=alert, resolution=f"{decision.value}: {said.strip()}", at=at)
    details = {"report": report_id, "decision": decision.value, "days": again}
    audit.record(
        session,
        actor=actor,
        act="decided on reported bottles",
        subject="client",
        subject_id=client_id,
        at=at,
        details=details,
    )
    return report


_UNCOVER = text("""
UPDATE dose SET voided_at = :at
FROM bottle b JOIN reported_bottle r ON r.bottle_id = b.id
WHERE r.report_id = :report AND dose.id = b.dose_id AND dose.voided_at IS NULL AND dose.dose_day >= :today
    AND b.state = 'lost' AND NOT EXISTS (SELECT 1 FROM day_outcome o WHERE o.client_id = dose.client_id
        AND o.dose_day = dose.dose_day AND o.portion = dose.portion)
RETURNING dose.dose_day
""")


def _uncover(session: WriteSession, report_id: UUID, today: DoseDay, at: datetime) -> list[DoseDay]:
    days = session.scalars(_UNCOVER, {"at": at, "report": report_id, "today": today})
    return sorted({DoseDay(day) for day in days})


@dataclass(frozen=True)
class Reported:
    """A report with its bottles, as both sides read it."""

    report: BottleReport
    bottles: Sequence[Bottle]

    @property
    def is_open(self) -> bool:
        return self.report.decided_at is None

    @property
    def on_the_way(self) -> bool:
        """Whether they never reached the client: their days have no dose, and whoever carried them answers."""
        return any(bottle.dose_id is None for bottle in self.bottles)


def reports_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Reported]:
    """Every report of a client, those that wait for a decision first, then the newest."""
    reports = session.scalars(
        select(BottleReport)
        .where(BottleReport.client_id == client_id)
        .order_by(BottleReport.decided_at.is_(None).desc(), BottleReport.at.desc())
    ).all()
    return [Reported(report, _bottles(session, report.id)) for report in reports]


def the_report(session: ReadSession, *, site_id: UUID, report_id: UUID) -> Reported:
    """One report of a site. Raises NotThere."""
    report = session.scalar(
        select(BottleReport).where(BottleReport.id == report_id, BottleReport.client_id.in_(clients_of(site_id)))
    )
    if report is None:
        raise NotThere(Refusal("no-report", "There is no such report at this site.", "Open the client again."))
    return Reported(report, _bottles(session, report_id))


def _bottles(session: ReadSession, report_id: UUID) -> Sequence[Bottle]:
    return session.scalars(
        select(Bottle)
        .join(ReportedBottle, ReportedBottle.bottle_id == Bottle.id)
        .where(ReportedBottle.report_id == report_id)
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()


def reports_by_bottle(session: ReadSession, *, pickup_id: UUID) -> dict[UUID, UUID]:
    """The report of each bottle of a pickup that was reported."""
    rows = session.execute(
        select(ReportedBottle.bottle_id, ReportedBottle.report_id)
        .join(Bottle, Bottle.id == ReportedBottle.bottle_id)
        .where(Bottle.pickup_id == pickup_id)
    )
    return {row.bottle_id: row.report_id for row in rows}


def bottles_that_can_be_lost(session: ReadSession, *, client_id: ClientId, first: DoseDay) -> Sequence[Bottle]:
    """The bottles for a day and later ones that the client has, as far as anybody knows."""
    return session.scalars(
        select(Bottle)
        .join(Dose, Dose.id == Bottle.dose_id)
        .where(Bottle.client_id == client_id, Bottle.dose_day >= first, Bottle.state.in_(WITH_CLIENT))
        .order_by(Bottle.dose_day, Bottle.portion)
    ).all()
