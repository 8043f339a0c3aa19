"""What the counter prints of bottles: their labels, and the list of what is packed for a day."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from litestar import get
from litestar.params import FromPath, FromQuery
from litestar.response import Response
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

import scheduling.queries
from dispensary.clients import queries as clients
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Actor
from dispensary.stock.models import Lot
from dispensary.supplies import queries
from dispensary.supplies.models import Pickup, Supply
from dispensary.supplies.paper import paper_of
from dispensary.supplies.printing.labels import DOTS, bottle_labels, initials_of
from dispensary.supplies.printing.packlist import PackBottle, PackRow, pack_list_pdf
from dispensary.units import ClientId
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.paper import pdf, sent_to_printer


@get("/counter/pickups/{pickup_id:uuid}/labels", sync_to_thread=True, guards=[requires_dispenser])
def pickup_labels(
    pickup_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    skip: FromQuery[int] = 0,
) -> Response[bytes]:
    """A label for each bottle of a prepared pickup, for the printer that the site has."""
    return database.write(lambda session: _labels(session, actor, site.id, clock(), skip, pickup_id=pickup_id))


@get("/counter/supplies/{supply_id:uuid}/labels", sync_to_thread=True, guards=[requires_dispenser])
def supply_labels(
    supply_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    skip: FromQuery[int] = 0,
) -> Response[bytes]:
    """A label for each bottle of a supply, for the printer that the site has."""
    return database.write(lambda session: _labels(session, actor, site.id, clock(), skip, supply_id=supply_id))


def _labels(
    session: WriteSession,
    actor: Actor,
    site_id: UUID,
    now: datetime,
    skip: int,
    *,
    pickup_id: UUID | None = None,
    supply_id: UUID | None = None,
) -> Response[bytes]:
    """The labels, and in the log that they were printed."""
    site = session.get_one(Site, site_id)
    paper = paper_of(session, site)
    content = bottle_labels(session, site=site, pickup_id=pickup_id, supply_id=supply_id, paper=paper, skip=skip)
    holder = select(Pickup.client_id).where(Pickup.id == pickup_id)
    if supply_id is not None:
        holder = select(Supply.client_id).where(Supply.id == supply_id)
    audit.record(
        session,
        actor=actor,
        act="printed labels",
        subject="client",
        subject_id=session.scalar(holder),
        at=now,
        details={"pickup": pickup_id, "supply": supply_id, "printer": paper.printer},
    )
    return sent_to_printer(content, "labels.zpl") if paper.printer in DOTS else pdf(content, "labels.pdf")


@get("/counter/pickups/pack-list.pdf", sync_to_thread=True, guards=[requires_dispenser])
def pack_list(database: TheDatabase, site: TheSite, clock: TheClock, on: FromQuery[str] = "") -> Response[bytes]:
    """What is prepared for a day of collection, in the order in which its clients come."""
    now = clock()
    try:
        day = date.fromisoformat(on) if on else site.dose_day(now)
    except ValueError:
        raise BadInput(Refusal("not-a-day", f"“{on[:20]}” is not a day.", "Open the list again.", field="on")) from None
    with database.reading() as session:
        rows = _rows(session, site, day)
        content = pack_list_pdf(rows, site=session.get_one(Site, site.id), day=day, printed_at=now)
    return pdf(content, "pack-list.pdf")


def _rows(session: ReadSession, site: TheSite, day: date) -> list[PackRow]:
    waiting = queries.pickups_on(session, site_id=site.id, day=day)
    faces = clients.faces(session, [ClientId(each.pickup.client_id) for each in waiting])
    comes = {booking.holder_id: booking.starts_at for booking in scheduling.queries.bookings_on(session, site.id, day)}
    used = {bottle.lot_id for each in waiting for bottle in each.bottles}
    batches = {lot.id: lot.batch for lot in session.scalars(select(Lot).where(Lot.id.in_(used)))}
    return [
        PackRow(
            at=comes.get(each.pickup.client_id),
            number=faces[each.pickup.client_id].number,
            initials=initials_of(faces[each.pickup.client_id].name),
            bottles=[
                PackBottle(b.dose_day, b.portion, b.portions, b.mg, b.ml, batches[b.lot_id]) for b in each.bottles
            ],
        )
        for each in waiting
    ]


HANDLERS: list[ControllerRouterHandler] = [pickup_labels, supply_labels, pack_list]
