"""Pickups: bottles prepared for a client to collect, the pass that verifies it, the labels and the card to print."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients import queries as clients
from dispensary.database import ReadSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.supplies import queries
from dispensary.supplies.handover import prepare_and_tell
from dispensary.supplies.models import Pickup, PickupPass
from dispensary.supplies.moment import read_moment
from dispensary.supplies.pickups import cancel_pickup, live_pass, shown
from dispensary.supplies.printing.labels import bottle_labels
from dispensary.supplies.printing.passcard import pass_card
from dispensary.supplies.rules import LONGEST_SUPPLY
from dispensary.supplies.shown import proposed_days
from dispensary.units import ClientId, DoseDay
from dispensary.web.forms import Form, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


def _day(text: str, *, field: str) -> date:
    with Typed({field: text}) as typed:
        return typed.day(field)


@get("/counter/pickups", sync_to_thread=True, guards=[requires_dispenser])
def pickups(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """The prepared pickups of today and the next days, with their passes."""
    today = site.dose_day(clock())
    with database.reading() as session:
        days = [today + timedelta(days=n) for n in range(8)]
        waiting = {day: queries.pickups_on(session, site_id=site.id, day=day) for day in days}
        overdue = queries.pickups_before(session, site_id=site.id, day=today)
        people = [ClientId(w.pickup.client_id) for ws in [*waiting.values(), overdue] for w in ws]
        faces = clients.faces(session, people)
    return page("counter/pickups.html", waiting=waiting, overdue=overdue, faces=faces, today=today)


@get("/counter/clients/{client_id:uuid}/pickup", sync_to_thread=True, guards=[requires_dispenser])
def pickup_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    on: FromQuery[str] = "",
) -> Template:
    """Which bottles to prepare for which day of collection: what the decision in force allows then. A look as well."""
    now = clock()
    today = site.dose_day(now)
    chosen = DoseDay(_day(on, field="collect_on")) if on else DoseDay(today + timedelta(days=1))
    with database.writing() as session:
        shown = _pickup_page(session, site, ClientId(client_id), today, chosen)
        audit.record(session, actor=actor, act="looked at", subject="client", subject_id=client_id, at=now)
    return shown


def _pickup_page(
    session: ReadSession,
    site: TheSite,
    client_id: ClientId,
    today: DoseDay,
    collect_on: DoseDay,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    face = clients.face_at(session, site_id=site.id, client_id=client_id)
    ahead = [DoseDay(collect_on + timedelta(days=n)) for n in range(1, LONGEST_SUPPLY + 1)]
    reading = read_moment(session, site_id=site.id, client_id=client_id, today=collect_on, days=ahead)
    return page(
        "counter/pickup.html",
        refused=refused,
        typed=typed,
        face=face,
        today=today,
        collect_on=collect_on,
        moment=reading.moment,
        proposed=proposed_days(reading.moment),
    )


@post("/counter/clients/{client_id:uuid}/pickup", sync_to_thread=True, guards=[requires_dispenser])
def prepare(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Packs the bottles, issues the pass and tells the client by text."""
    now = clock()
    today = site.dose_day(now)
    collect_on = DoseDay(_day(one(data, "collect_on"), field="collect_on"))
    try:
        days = [DoseDay(_day(day, field="take_home_days")) for day in several(data, "take_home_days") if day]
        database.write(
            lambda session: prepare_and_tell(
                session,
                actor=actor,
                client_id=ClientId(client_id),
                collect_on=collect_on,
                take_home_days=days,
                valid=site.window_of(collect_on),
                public_base_url=settings.public_base_url,
                zone=site.zone,
                today=today,
                at=now,
            )
        )
    except NotThere:
        raise
    except Refused as refused:
        with database.reading() as session:
            return _pickup_page(session, site, ClientId(client_id), today, collect_on, refused, data)
    return Redirect("/counter/pickups", status_code=303)


@post("/counter/pickups/{pickup_id:uuid}/cancel", sync_to_thread=True, guards=[requires_dispenser])
def cancel(
    pickup_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Redirect:
    """Puts the bottles of a pickup back into stock, with the reason."""
    now = clock()
    with Typed(data) as typed:
        reason = typed.text("reason", most=LONGEST_NOTE, required=False)
    database.write(
        lambda session: cancel_pickup(
            session, actor=actor, pickup_id=pickup_id, reason=reason, day=site.dose_day(now), at=now
        )
    )
    return Redirect("/counter/pickups", status_code=303)


@get("/counter/pickups/{pickup_id:uuid}/card.pdf", sync_to_thread=True, guards=[requires_dispenser])
def card(pickup_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """The pass as a card to print: QR and code, nothing about the person."""
    with database.reading() as session:
        pickup, live = _live(session, site, pickup_id)
        token, code = shown(session, live.id)
    content = pass_card(token, code, day=pickup.collect_on, place=site.name, language=site.language)
    return pdf(content, "pass.pdf")


def _live(session: ReadSession, site: TheSite, pickup_id: FromPath[UUID]) -> tuple[Pickup, PickupPass]:
    pickup = session.get(Pickup, pickup_id)
    live = live_pass(session, pickup_id=pickup_id)
    if pickup is None or pickup.site_id != site.id or live is None:
        raise NotThere(Refusal("no-pass", "No pass is live for this pickup.", "Look at the list of pickups."))
    return pickup, live


@get("/counter/pickups/{pickup_id:uuid}/labels.pdf", sync_to_thread=True, guards=[requires_dispenser])
def pickup_labels(pickup_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """A label for each bottle of a prepared pickup."""
    with database.reading() as session:
        return pdf(bottle_labels(session, site=session.get_one(Site, site.id), pickup_id=pickup_id), "labels.pdf")


@get("/counter/supplies/{supply_id:uuid}/labels.pdf", sync_to_thread=True, guards=[requires_dispenser])
def supply_labels(supply_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """A label for each bottle of a supply."""
    with database.reading() as session:
        return pdf(bottle_labels(session, site=session.get_one(Site, site.id), supply_id=supply_id), "labels.pdf")


HANDLERS: list[ControllerRouterHandler] = [pickups, pickup_form, prepare, cancel, card, pickup_labels, supply_labels]
