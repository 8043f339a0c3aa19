"""The safe: what is in it and what it has to say, deliveries, opening a lot, counting at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import ReadSession
from dispensary.refusals import NotThere, Refused
from dispensary.staff.queries import initials_of
from dispensary.staff.rules import Act
from dispensary.stock import queries as stock
from dispensary.stock.counting import last_counts, shortages
from dispensary.stock.discrepancies import findings
from dispensary.stock.models import Lot
from dispensary.stock.receiving import Came, open_lot
from dispensary.stock.service import settings_of
from dispensary.stock.transfers import transfers
from dispensary.supplies.lasting import how_long
from dispensary.units import DoseDay
from dispensary.web import safe_acts
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_day_closer, requires_stock_keeper
from dispensary.web.safe_acts import Delivered, Measured
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

LONGEST_NAME = 120


@get("/counter/stock", sync_to_thread=True, guards=[requires(Act.DISPENSE, Act.RECEIVE_STOCK, Act.CLOSE_DAY)])
def safe(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """The lots in the safe, how long they last, what is on its way, what is missing, what must not be."""
    with database.reading() as session:
        return _safe_page(session, site, site.dose_day(clock()), done=done)


def _safe_page(
    session: ReadSession, site: TheSite, today: DoseDay, *, done: str = "", refused: Refused | None = None
) -> Template:
    lots = stock.lots(session, site_id=site.id)
    return page(
        "counter/stock.html",
        refused=refused,
        done=done,
        lots=[lot for lot in lots if lot.expires_on >= today],
        expired=[lot for lot in lots if lot.expires_on < today],
        openers=initials_of(session, [lot.opened_by for lot in lots if lot.opened_by]),
        counted=last_counts(session, site_id=site.id),
        books=stock.books(session, site_id=site.id),
        lasts=how_long(session, site_id=site.id, today=today),
        wanted=settings_of(session, site.id).days_of_stock,
        moving=transfers(session, site_id=site.id, in_transit_only=True),
        shortages=shortages(session, site_id=site.id),
        findings=findings(session, site_id=site.id),
        this_site=site,
        today=today,
    )


@post("/counter/stock/lots/{lot_id:uuid}/open", sync_to_thread=True, guards=[requires_stock_keeper])
def open_it(
    lot_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that a lot is opened."""
    now = clock()
    today = site.dose_day(now)
    try:
        database.write(lambda session: open_lot(session, actor=actor, lot_id=lot_id, day=today, at=now))
    except NotThere:
        raise
    except Refused as refused:
        with database.reading() as session:
            return _safe_page(session, site, today, refused=refused)
    return Redirect("/counter/stock?done=opened", status_code=303)


# A delivery


@get("/counter/stock/receive", sync_to_thread=True, guards=[requires_stock_keeper])
def receive_form(database: TheDatabase, site: TheSite) -> Template:
    """The form of a delivery, with those from whom something came before."""
    return _receive_page(database, site)


def _receive_page(
    database: TheDatabase, site: TheSite, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with database.reading() as session:
        known = stock.suppliers(session, site_id=site.id)
    return page("counter/stock_receive.html", refused=refused, typed=typed, suppliers=known)


@post("/counter/stock/receive", sync_to_thread=True, guards=[requires_stock_keeper])
def receive(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Receives a delivery into the safe and the register."""
    now = clock()
    today = site.dose_day(now)
    try:
        with Typed(data) as typed:
            delivered = Delivered(
                batch=typed.text("batch", most=40),
                strength=typed.strength("strength"),
                expires_on=typed.day("expires_on"),
                ml=typed.millilitres("ml"),
                came=Came(
                    supplier_name=typed.text("supplier_name", most=LONGEST_NAME),
                    supplier_address=typed.text("supplier_address", required=False),
                    document_no=typed.text("document_no", most=60),
                    measured_ml=typed.millilitres("measured_ml", zero=True) if one(data, "measured_ml") else None,
                    reason=typed.text("reason", most=LONGEST_NOTE, required=False),
                ),
            )
        key = str(key_of(data))
        database.write(
            lambda session: safe_acts.receive(session, actor=actor, delivered=delivered, key=key, today=today, at=now)
        )
    except Refused as refused:
        return _receive_page(database, site, refused, data)
    return Redirect("/counter/stock?done=received", status_code=303)


# A count


@get("/counter/stock/count", sync_to_thread=True, guards=[requires_day_closer])
def count_form(database: TheDatabase, site: TheSite) -> Template:
    """What the register says of each lot, and fields for what is measured."""
    return _count_page(database, site)


def _count_page(
    database: TheDatabase, site: TheSite, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with database.reading() as session:
        return page(
            "counter/stock_count.html",
            refused=refused,
            typed=typed,
            lots=stock.lots(session, site_id=site.id),
            counted=last_counts(session, site_id=site.id),
            kept=settings_of(session, site.id),
        )


@post("/counter/stock/count", sync_to_thread=True, guards=[requires_day_closer])
def count(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Counts the lots that were measured; those whose field was left open are not counted."""
    now = clock()
    today = site.dose_day(now)
    try:
        with database.reading() as session:
            asked = stock.lots(session, site_id=site.id, with_stock_only=False)
        measured = _measured(data, asked)
        key = str(key_of(data))
        done = database.write(
            lambda session: safe_acts.count(session, actor=actor, measured=measured, key=key, today=today, at=now)
        )
    except Refused as refused:
        return _count_page(database, site, refused, data)
    differs = any(each.difference for each in done)
    return Redirect(f"/counter/stock?done={'differs' if differs else 'counted'}", status_code=303)


def _measured(data: Mapping[str, Any], lots: Sequence[Lot]) -> dict[UUID, Measured]:
    found = {}
    with Typed(data) as typed:
        for lot in lots:
            if one(data, f"bulk_{lot.id}"):
                found[lot.id] = Measured(
                    typed.millilitres(f"bulk_{lot.id}", zero=True),
                    typed.text(f"reason_{lot.id}", most=LONGEST_NOTE, required=False),
                    typed.millilitres(f"seen_{lot.id}", zero=True),
                )
    return found


HANDLERS: list[ControllerRouterHandler] = [safe, open_it, receive_form, receive, count_form, count]
