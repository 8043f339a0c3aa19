"""The back of the counter: the safe and its register, the close of the day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from litestar import get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients import queries as clients
from dispensary.database import ReadSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.stock import queries as stock
from dispensary.stock.service import receive_lot
from dispensary.supplies import queries
from dispensary.supplies.carrying import out_now
from dispensary.supplies.closing import Counted, close_day, left_open, to_count
from dispensary.supplies.day_list import day_list
from dispensary.units import BadAmount, ClientId, DoseDay, millilitres, strength
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

Clock = Callable[[], datetime]
Amount = TypeVar("Amount")


def _day(text: str, *, field: str) -> date:
    with Typed({field: text}) as typed:
        return typed.day(field)


# The safe


@get("/counter/stock", sync_to_thread=True, guards=[requires_dispenser])
def safe(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """The lots in the safe, the registers, and a lot to receive."""
    with database.reading() as session:
        return _stock_page(session, site, site.dose_day(clock()))


def _stock_page(
    session: ReadSession,
    site: TheSite,
    today: DoseDay,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    return page(
        "counter/stock.html",
        refused=refused,
        typed=typed,
        lots=stock.lots(session, site_id=site.id),
        books=stock.books(session, site_id=site.id),
        today=today,
    )


@post("/counter/stock", sync_to_thread=True, guards=[requires_dispenser])
def receive(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Receives a lot into the safe and the register."""
    now = clock()
    today = site.dose_day(now)
    try:
        strong = _amount(strength, data, "strength")
        volume = _amount(millilitres, data, "ml")
        expires = _day(one(data, "expires_on"), field="expires_on")
        database.write(
            lambda session: receive_lot(
                session,
                actor=actor,
                batch=one(data, "batch"),
                strength=strong,
                expires_on=expires,
                ml=volume,
                day=today,
                at=now,
            )
        )
    except Refused as refused:
        with database.reading() as session:
            return _stock_page(session, site, today, refused, data)
    return Redirect("/counter/stock", status_code=303)


def _amount(read: Callable[[str], Amount], data: Mapping[str, Any], field: str) -> Amount:
    try:
        return read(one(data, field))
    except BadAmount as reason:
        raise BadInput(Refusal("bad-amount", str(reason), "Correct it.", field=field)) from None


# The close


@get("/counter/close", sync_to_thread=True, guards=[requires_dispenser])
def close_form(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """What the close will do: who is still due, what goes back into stock, what to measure."""
    with database.reading() as session:
        return _close_page(session, site, site.dose_day(clock()))


def _close_page(
    session: ReadSession,
    site: TheSite,
    today: DoseDay,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    closed = queries.day_close_of(session, site_id=site.id, day=today)
    day = day_list(session, site_id=site.id, day=today)
    uncollected = [
        *queries.pickups_before(session, site_id=site.id, day=today),
        *queries.pickups_on(session, site_id=site.id, day=today),
    ]
    return page(
        "counter/close.html",
        refused=refused,
        typed=typed,
        today=today,
        closed=closed,
        due=[row for row in day if row.state == "due"],
        dosed=sum(row.state == "dosed" for row in day),
        uncollected=uncollected,
        out=out_now(session, site_id=site.id),
        faces=clients.faces(session, [ClientId(w.pickup.client_id) for w in uncollected]),
        counts=to_count(session, site_id=site.id, day=today),
        earlier=left_open(session, site_id=site.id, before=today),
    )


@post("/counter/close", sync_to_thread=True, guards=[requires_dispenser])
def close(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Closes today with the counts. Refused, nothing is closed and what was measured stays in the form."""
    now = clock()
    today = site.dose_day(now)
    try:
        with database.reading() as session:
            asked = [row.lot.id for row in to_count(session, site_id=site.id, day=today)]
        counts = _counts(data, asked)
        database.write(lambda session: close_day(session, actor=actor, day=today, today=today, counts=counts, at=now))
    except Refused as refused:
        with database.reading() as session:
            return _close_page(session, site, today, refused, data)
    return Redirect("/counter/close", status_code=303)


def _counts(data: Mapping[str, Any], asked: list[UUID]) -> dict[UUID, Counted]:
    counts = {}
    with Typed(data) as typed:
        for lot_id in asked:
            if not one(data, f"bulk_{lot_id}"):
                continue  # the close names each lot that was not counted
            bulk = typed.millilitres(f"bulk_{lot_id}", zero=True)
            counts[lot_id] = Counted(bulk, typed.text(f"reason_{lot_id}", most=LONGEST_NOTE, required=False))
    return counts


HANDLERS: list[ControllerRouterHandler] = [
    safe,
    receive,
    close_form,
    close,
]
