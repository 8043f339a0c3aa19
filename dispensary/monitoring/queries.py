"""Reading alerts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy import case, select

from dispensary.database import ReadSession
from dispensary.monitoring.due import SOON
from dispensary.monitoring.due_models import DueTest
from dispensary.monitoring.models import Alert, Condition
from dispensary.units import ClientId, SiteId

_GRAVEST_FIRST = case((Alert.severity == "urgent", 0), (Alert.severity == "warning", 1), else_=2)


def open_alerts_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Alert]:
    """A client's open alerts, the gravest first."""
    return session.scalars(
        select(Alert)
        .where(Alert.client_id == client_id, Alert.resolved_at.is_(None))
        .order_by(_GRAVEST_FIRST, Alert.opened_at)
    ).all()


def open_alerts(session: ReadSession, *, site_id: SiteId) -> Sequence[Alert]:
    """The open alerts of a site, the gravest first, the oldest of them first."""
    return session.scalars(
        select(Alert)
        .where(Alert.site_id == site_id, Alert.resolved_at.is_(None))
        .order_by(_GRAVEST_FIRST, Alert.opened_at)
    ).all()


def conditions_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Condition]:
    """The conditions noted of a client. Only for pages of those who treat: reception never sees them."""
    return session.scalars(select(Condition).where(Condition.client_id == client_id).order_by(Condition.kind)).all()


def visits_that_take_longer(session: ReadSession, days: Mapping[ClientId, date]) -> frozenset[ClientId]:
    """Which of these clients have a test that is due, or soon will be, on the day on which they come for it."""
    rows = session.execute(select(DueTest.client_id, DueTest.due_on).where(DueTest.client_id.in_(list(days))))
    return frozenset(client_id for client_id, due_on in rows if due_on - SOON <= days[client_id])
