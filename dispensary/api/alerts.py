"""What somebody must act on: a site's open alerts, read and closed; the tests that are due, and the conditions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.api.treatments import does
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.due import When as WhenDue
from dispensary.monitoring.due import when_due
from dispensary.monitoring.due_models import DueTest
from dispensary.monitoring.models import Alert
from dispensary.monitoring.queries import conditions_of, open_alerts, open_alerts_of
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.consultation import looked_at, looked_at_lists
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_health_watcher
from dispensary.web.health_acts import When

Kind = Literal["hiv", "hepatitis_b", "hepatitis_c", "tuberculosis", "pregnancy"]


class AlertAnswer(msgspec.Struct):
    """An alert, open or just closed. `evidence` has the figures, the source and the ids of the results."""

    id: UUID
    client_id: UUID
    severity: str
    role: str
    passed_on_to: str
    rule: str
    sentence: str
    advice: str
    evidence: dict[str, Any]
    opened_at: datetime
    raised_at: datetime | None
    read_at: datetime | None
    resolved_at: datetime | None
    resolution: str
    dismissed: bool


class CloseRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What was done; `dismissed`: it was not worth acting on, which is counted against its rule."""

    resolution: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    dismissed: bool = False


class DueAnswer(msgspec.Struct):
    """A test that is due on a day, by a rule; `when` is late, soon or later."""

    client_id: UUID
    test: str
    due_on: date
    when: WhenDue
    rule: str


class ConditionRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A condition that decides what is watched, since a day."""

    kind: Kind
    noted_on: date


class EndRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The first day without the condition."""

    ended_on: date


class ConditionAnswer(msgspec.Struct):
    """A condition; `ended_on` is the first day without it."""

    kind: str
    noted_on: date
    ended_on: date | None


def _told(row: Alert) -> AlertAnswer:
    return AlertAnswer(
        id=row.id,
        client_id=row.client_id,
        severity=row.severity,
        role=row.role,
        passed_on_to=row.escalated_to,
        rule=row.rule,
        sentence=row.sentence,
        advice=row.advice,
        evidence=row.evidence,
        opened_at=row.opened_at,
        raised_at=row.raised_at,
        read_at=row.read_at,
        resolved_at=row.resolved_at,
        resolution=row.resolution,
        dismissed=row.dismissed,
    )


@get("/alerts", sync_to_thread=True, operation_id="listAlerts", tags=["health"], guards=[requires_health_watcher])
def alerts(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    client_id: FromQuery[UUID | None] = None,
) -> list[AlertAnswer]:
    """The open alerts of the site or of one client, the gravest first. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> list[AlertAnswer]:
        if client_id is None:
            looked_at_lists(session, actor=actor, at=now, which="alerts")
            return [_told(each) for each in open_alerts(session, site_id=site.id)]
        lock_client(session, ClientId(client_id), actor.site_id)
        found = [_told(each) for each in open_alerts_of(session, client_id=ClientId(client_id))]
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="alerts")
        return found

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/alerts/{alert_id:uuid}/read",
    sync_to_thread=True,
    operation_id="readAlert",
    tags=["health"],
    status_code=200,
    guards=[requires(Act.RESOLVE_ALERT)],
)
def read(
    client_id: FromPath[UUID],
    alert_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> AlertAnswer:
    """Says that somebody has read it, which stops its being passed on; it stays open. Read once, it is read."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.read_alert(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            alert_id=alert_id,
            when=When(site.dose_day(now), now),
        ),
        _told,
    )


@post(
    "/clients/{client_id:uuid}/alerts/{alert_id:uuid}/close",
    sync_to_thread=True,
    operation_id="closeAlert",
    tags=["health"],
    status_code=200,
    guards=[requires(Act.RESOLVE_ALERT)],
)
def close(
    client_id: FromPath[UUID],
    alert_id: FromPath[UUID],
    data: JSONBody[CloseRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> AlertAnswer:
    """Closes an alert with what was done. The same request again gets the same answer; 404 when it is closed."""
    now = clock()
    return does(
        database,
        lambda session: health_acts.close_alert(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            alert_id=alert_id,
            resolution=data.resolution,
            dismissed=data.dismissed,
            when=When(site.dose_day(now), now),
        ),
        _told,
    )


def _due(session: ReadSession, site: Place, client_id: ClientId | None, today: date) -> Sequence[DueAnswer]:
    found = select(DueTest).where(DueTest.site_id == site.id).order_by(DueTest.due_on, DueTest.client_id, DueTest.test)
    if client_id is not None:
        found = found.where(DueTest.client_id == client_id)
    return [
        DueAnswer(row.client_id, row.test, row.due_on, when_due(row.due_on, today), row.rule)
        for row in session.scalars(found)
    ]


@get("/due-tests", sync_to_thread=True, operation_id="listDueTests", tags=["health"], guards=[requires_health_watcher])
def due(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    client_id: FromQuery[UUID | None] = None,
    when: FromQuery[WhenDue | None] = None,
) -> list[DueAnswer]:
    """The tests that are due, at the site or of one client, the earliest first; only the late ones, or the others.

    The look is written down.
    """
    now = clock()
    today = site.dose_day(now)

    def look(session: WriteSession) -> list[DueAnswer]:
        if client_id is None:
            looked_at_lists(session, actor=actor, at=now, which="due tests")
        else:
            lock_client(session, ClientId(client_id), actor.site_id)
            looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="due tests")
        found = _due(session, site, ClientId(client_id) if client_id else None, today)
        return [each for each in found if when is None or each.when is when]

    return database.write(look)


@get(
    "/clients/{client_id:uuid}/conditions",
    sync_to_thread=True,
    operation_id="listConditions",
    tags=["health"],
    guards=[requires_health_watcher],
)
def conditions(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock
) -> list[ConditionAnswer]:
    """The conditions noted of a client. The look is written down."""
    now = clock()

    def look(session: WriteSession) -> list[ConditionAnswer]:
        lock_client(session, ClientId(client_id), actor.site_id)
        found = conditions_of(session, client_id=ClientId(client_id))
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="conditions")
        return [ConditionAnswer(each.kind, each.noted_on, each.ended_on) for each in found]

    return database.write(look)


@post(
    "/clients/{client_id:uuid}/conditions",
    sync_to_thread=True,
    operation_id="noteCondition",
    tags=["health"],
    status_code=204,
    guards=[requires_health_watcher],
)
def note(
    client_id: FromPath[UUID],
    data: JSONBody[ConditionRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> None:
    """Notes a condition. Noted already, it stays as it was."""
    now = clock()
    does(
        database,
        lambda session: health_acts.note_condition(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            kind=data.kind,
            noted_on=data.noted_on,
            when=When(site.dose_day(now), now),
        ),
        lambda _: None,
        noted_on=data.noted_on,
    )


@post(
    "/clients/{client_id:uuid}/conditions/{kind:str}/end",
    sync_to_thread=True,
    operation_id="endCondition",
    tags=["health"],
    status_code=204,
    guards=[requires_health_watcher],
)
def end(
    client_id: FromPath[UUID],
    kind: FromPath[str],
    data: JSONBody[EndRequest],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> None:
    """Ends a condition, as after a cure or a birth. Ended already, it stays as it was."""
    now = clock()
    does(
        database,
        lambda session: health_acts.end_condition(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            kind=kind,
            ended_on=data.ended_on,
            when=When(site.dose_day(now), now),
        ),
        lambda _: None,
        ended_on=data.ended_on,
    )


HANDLERS: list[ControllerRouterHandler] = [alerts, read, close, due, conditions, note, end]
