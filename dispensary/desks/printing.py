"""What the counter prints of bottles: their labels, and the list of what is packed for a day."""

from __future__ import annotations

from collections.abc import Sequence
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
from dispensary.refusals import BadInput, NotThere, Refusal
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
from dispensary.web.guards import requires_dispenser, requires_packer
from dispensary.web.paper import pdf, to_keep


@get("/counter/pickups/{pickup_id:uuid}/labels", sync_to_thread=True, guards=[requires_packer])
def pickup_labels(
    pickup_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    skip: FromQuery[int] = 0,
) -> Response[bytes]:
    """A label for each bottle of a prepared pickup, for the printer that the site has."""
    return database.write(lambda session: _labels(session, actor, site.id, clock(), skip, pickup_ids=[pickup_id]))


@get("/counter/pickups/labels", sync_to_thread=True, guards=[requires_packer])
def day_labels(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    on: FromQuery[str] = "",
    skip: FromQuery[int] = 0,
) -> Response[bytes]:
    """A label for each bottle that is prepared for a day, client after client as the pack list has them."""
    now = clock()
    day = _day(on, site, now)

    def print_them(session: WriteSession) -> Response[bytes]:
        return _labels(session, actor, site.id, now, skip, pickup_ids=_as_packed(session, site, day))

    return database.write(print_them)


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
    pickup_ids: Sequence[UUID] = (),
    supply_id: UUID | None = None,
) -> Response[bytes]:
    """The labels, and in the log of each client that they were printed."""
    if supply_id is None and not pickup_ids:
        raise NotThere(Refusal("no-bottles", "There is no bottle to label here.", "Look at the record again."))
    site = session.get_one(Site, site_id)
    paper = paper_of(session, site)
    content = bottle_labels(session, site=site, pickup_ids=pickup_ids, supply_id=supply_id, paper=paper, skip=skip)
    holders: list[tuple[UUID, UUID | None]] = [
        (row.client_id, row.id)
        for row in session.execute(select(Pickup.client_id, Pickup.id).where(Pickup.id.in_(pickup_ids)))
    ]
    if supply_id is not None:
        holders = [(session.get_one(Supply, supply_id).client_id, None)]
    for client_id, pickup_id in sorted(holders, key=lambda each: str(each[0])):
        audit.record(
            session,
            actor=actor,
            act="printed labels",
            subject="client",
            subject_id=client_id,
            at=now,
            details={"pickup": pickup_id, "supply": supply_id, "printer": paper.printer},
        )
    return to_keep(content, "labels.zpl") if paper.printer in DOTS else pdf(content, "labels.pdf")


def _day(on: str, site: TheSite, now: datetime) -> date:
    """The day that is asked for; today when none is. Raises BadInput."""
    try:
        return date.fromisoformat(on) if on else site.dose_day(now)
    except ValueError:
        raise BadInput(Refusal("not-a-day", f"“{on[:20]}” is not a day.", "Open the list again.", field="on")) from None


def _as_packed(session: ReadSession, site: TheSite, day: date) -> list[UUID]:
    """The pickups of a day in the order of its pack list: by the time at which each client comes, then by number."""
    waiting = queries.pickups_on(session, site_id=site.id, day=day)
    comes = {booking.holder_id: booking.starts_at for booking in scheduling.queries.bookings_on(session, site.id, day)}
    faces = clients.faces_on_papers(session, [ClientId(each.pickup.client_id) for each in waiting])

    def place(each: queries.Waiting) -> tuple[bool, datetime, str]:
        client_id = each.pickup.client_id
        at = comes.get(client_id)
        return at is None, at or each.pickup.prepared_at, faces[client_id].number

    return [each.pickup.id for each in sorted(waiting, key=place) if each.bottles]


@get("/counter/pickups/pack-list.pdf", sync_to_thread=True, guards=[requires_packer])
def pack_list(database: TheDatabase, site: TheSite, clock: TheClock, on: FromQuery[str] = "") -> Response[bytes]:
    """What is prepared for a day of collection, in the order in which its clients come."""
    now = clock()
    day = _day(on, site, now)
    with database.reading() as session:
        rows = _rows(session, site, day)
        content = pack_list_pdf(rows, site=session.get_one(Site, site.id), day=day, printed_at=now)
    return pdf(content, "pack-list.pdf")


def _rows(session: ReadSession, site: TheSite, day: date) -> list[PackRow]:
    waiting = queries.pickups_on(session, site_id=site.id, day=day)
    faces = clients.faces_on_papers(session, [ClientId(each.pickup.client_id) for each in waiting])
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


HANDLERS: list[ControllerRouterHandler] = [pickup_labels, day_labels, supply_labels, pack_list]
