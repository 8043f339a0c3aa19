"""Bottles that are lost, stolen or damaged: what the client tells, what the prescriber decides, for both to read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.database import WriteSession
from dispensary.desks.handed import bottle_words
from dispensary.refusals import Refused
from dispensary.staff.queries import names_of
from dispensary.staff.rules import Act
from dispensary.supplies.losses import (
    Decision,
    Lost,
    bottles_that_can_be_lost,
    decide_loss,
    report_loss,
    reports_of,
    the_report,
)
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.supplies.serials import spoken_serial
from dispensary.units import ClientId, DoseDay
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_dispenser, requires_prescriber
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.words import _


def loss_words() -> dict[str, str]:
    """What happened to a bottle, as pages say it."""
    return {Lost.LOST: _("lost"), Lost.STOLEN: _("stolen"), Lost.DAMAGED: _("damaged or spilled")}


@get("/counter/clients/{client_id:uuid}/lost", sync_to_thread=True, guards=[requires_dispenser])
def lost(client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """The bottles that the client has, to say which are gone. The look is written down."""
    return _lost_page(database, actor, site, clock, ClientId(client_id))


def _lost_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    client_id: ClientId,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    now = clock()
    first = DoseDay(site.dose_day(now) - timedelta(days=LONGEST_SUPPLY))

    def read(session: WriteSession) -> Template:
        shown = page(
            "counter/lost.html",
            refused=refused,
            typed=typed,
            face=face_at(session, site_id=site.id, client_id=client_id),
            bottles=bottles_that_can_be_lost(session, client_id=client_id, first=first),
            reports=reports_of(session, client_id=client_id),
            words=loss_words(),
            back=f"/counter/clients/{client_id}/bottles",
            spoken_serial=spoken_serial,
        )
        looked_at(session, actor=actor, client_id=client_id, at=now, page="lost bottles")
        return shown

    return database.write(read)


@post("/counter/clients/{client_id:uuid}/lost", sync_to_thread=True, guards=[requires_dispenser])
def report(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes the report down and opens it. Refused, the page comes again with all that was typed."""
    now = clock()

    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            what = typed.choice("what", Lost)
            told = typed.text("told", most=LONGEST_NOTE, required=False)
            police_number = typed.text("police_number", most=60, required=False)
            bottle_ids = typed.ids("bottle")
        return report_loss(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            bottle_ids=bottle_ids,
            what=what,
            told=told,
            police_number=police_number,
            key=str(key_of(data)),
            at=now,
        ).id

    return done_or_again(
        database,
        act,
        then=lambda report_id: f"/reports/{report_id}",
        else_again=lambda why: _lost_page(database, actor, site, clock, ClientId(client_id), why, data),
    )


@get("/reports/{report_id:uuid}", sync_to_thread=True, guards=[requires_client_reader])
def read_report(
    report_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """A report with what was decided, for the client to read along. The look is written down."""
    return _report_page(database, actor, site, clock, report_id)


def _report_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    report_id: UUID,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    prescribes = actor.may(Act.ORDER)

    def read(session: WriteSession) -> Template:
        found = the_report(session, site_id=site.id, report_id=report_id)
        client_id = ClientId(found.report.client_id)
        people = [found.report.recorded_by, *([found.report.decided_by] if found.report.decided_by else [])]
        shown = page(
            "counter/report.html",
            refused=refused,
            typed=typed,
            report=found.report,
            bottles=found.bottles,
            on_the_way=found.on_the_way,
            face=face_at(session, site_id=site.id, client_id=client_id),
            names=names_of(session, people),
            words=loss_words(),
            states=bottle_words(),
            may_decide=prescribes,
            back=f"/consulting/clients/{client_id}" if prescribes else f"/counter/clients/{client_id}/lost",
            spoken_serial=spoken_serial,
        )
        looked_at(session, actor=actor, client_id=client_id, at=clock(), page="report of bottles")
        return shown

    return database.write(read)


@post("/reports/{report_id:uuid}/decide", sync_to_thread=True, guards=[requires_prescriber])
def decide(
    report_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Decides what follows from a report, once."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            decision = typed.choice("decision", Decision)
            said = typed.text("said", most=LONGEST_NOTE, required=False)
        return decide_loss(
            session,
            actor=actor,
            report_id=report_id,
            decision=decision,
            said=said,
            today=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/reports/{report_id}",
        else_again=lambda why: _report_page(database, actor, site, clock, report_id, why, data),
    )


HANDLERS: list[ControllerRouterHandler] = [lost, report, read_report, decide]
"""Mounted at /."""
