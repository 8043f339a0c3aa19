"""One client's health on one page: methadone beside ART and liver, what is open, what is due, what was looked at."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.desks.health_record import HealthRecord, read_health
from dispensary.desks.health_words import said_of
from dispensary.desks.record import Record
from dispensary.monitoring.models import Alert
from dispensary.refusals import Refused
from dispensary.staff.queries import names_of
from dispensary.units import ClientId
from dispensary.web import health_acts
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_alert_resolver, requires_health_watcher
from dispensary.web.health_acts import When
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

LONGEST_RESOLUTION = 1000
SHOWN_ALERTS = 2
"""Alerts that stand open on the page; milder ones are one line that opens."""


class Watched(StrEnum):
    """Conditions that can be noted, as a form sends them."""

    HIV = "hiv"
    HEPATITIS_B = "hepatitis_b"
    HEPATITIS_C = "hepatitis_c"
    TUBERCULOSIS = "tuberculosis"
    PREGNANCY = "pregnancy"


def when(here: Consultation) -> When:
    """The day and moment, as the acts of health want them."""
    return When(here.today, here.now)


def seen_health(here: Consultation, *, seen_on: str) -> tuple[Record, HealthRecord]:
    """The client's record and health, with the look written down."""
    record = here.opened(seen_on=seen_on)
    with here.database.reading() as session:
        return record, read_health(session, place=here.site, record=record, now=here.now)


def is_theirs(here: Consultation, alert: Alert) -> bool:
    """Whether an alert is for somebody with the roles of the reader."""
    return bool({alert.role, alert.escalated_to} & {role.value for role in here.actor.roles})


@get("/consulting/clients/{client_id:uuid}/health", sync_to_thread=True, guards=[requires_health_watcher])
def health(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
    about_medicine: FromQuery[UUID | None] = None,
) -> Template:
    """The page. After something was started, what it does to methadone stands at its top."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return health_page(here, done=done, about_medicine=about_medicine)


def health_page(
    here: Consultation,
    *,
    done: str = "",
    about_medicine: UUID | None = None,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The page of one client's health, with what was refused and typed when something was."""
    record, found = seen_health(here, seen_on="health")
    alerts = [each for each in record.window.alerts if each.rule]
    with here.database.reading() as session:
        people = [each.read_by for each in alerts] + [each.given_by for each in found.support]
        readers = names_of(session, [each for each in people if each])
    return page(
        "consulting/health.html",
        refused=refused,
        typed=typed,
        done=done,
        health=found,
        alerts=alerts,
        readers=readers,
        shown_alerts=SHOWN_ALERTS,
        shown_looks=max(1, sum(each.on_day <= record.today for each in found.looks)),
        mine=frozenset(each.id for each in alerts if is_theirs(here, each)),
        moved=[part for part in found.parts if part.medicine.id == about_medicine],
        stopped_now=[each for each in found.stopped if each.id == about_medicine],
        said=said_of(),
        **about(here.actor, record),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/alerts/{alert_id:uuid}/read",
    sync_to_thread=True,
    guards=[requires_alert_resolver],
)
def read(
    client_id: FromPath[UUID],
    alert_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says that an alert was read. It stays open, and is not passed on for want of a reader."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return here.does(
        lambda session: health_acts.read_alert(
            session, actor=actor, client_id=here.client_id, when=when(here), alert_id=alert_id
        ),
        then="/health?done=read",
        else_again=lambda why: health_page(here, refused=why, typed=data),
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/alerts/{alert_id:uuid}/close",
    sync_to_thread=True,
    guards=[requires_alert_resolver],
)
def close(
    client_id: FromPath[UUID],
    alert_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Closes an alert with what was done, or as one that was not worth acting on."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            resolution = typed.text("resolution", most=LONGEST_RESOLUTION)
        return health_acts.close_alert(
            session,
            actor=actor,
            client_id=here.client_id,
            alert_id=alert_id,
            resolution=resolution,
            dismissed=one(data, "dismissed") == "yes",
            when=when(here),
        )

    return here.does(act, then="/health?done=closed", else_again=lambda why: health_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/health/looks/{look_id:uuid}",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def look(
    client_id: FromPath[UUID],
    look_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says what was seen on a day to look."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            found = typed.text("found", most=LONGEST_NOTE)
        return health_acts.have_looked(
            session, actor=actor, client_id=here.client_id, when=when(here), look_id=look_id, found=found
        )

    return here.does(act, then="/health?done=looked", else_again=lambda why: health_page(here, refused=why, typed=data))


@post("/consulting/clients/{client_id:uuid}/health/conditions", sync_to_thread=True, guards=[requires_health_watcher])
def note(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Notes a condition, which decides which tests are due."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kind = typed.choice("kind", Watched)
            noted_on = typed.day("noted_on")
        health_acts.note_condition(
            session, actor=actor, client_id=here.client_id, when=when(here), kind=kind.value, noted_on=noted_on
        )

    return here.does(act, then="/health?done=noted", else_again=lambda why: health_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/health/conditions/{kind:str}/end",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def end(
    client_id: FromPath[UUID],
    kind: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says that a condition is over."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            ended_on = typed.day("ended_on")
        health_acts.end_condition(
            session, actor=actor, client_id=here.client_id, when=when(here), kind=kind, ended_on=ended_on
        )

    return here.does(act, then="/health?done=over", else_again=lambda why: health_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [health, read, close, look, note, end]
