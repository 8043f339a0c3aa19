"""Stock that leaves the safe otherwise than by a dose: to another site and back, or destroyed; and what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.refusals import Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.staff.queries import sites
from dispensary.stock import queries as stock
from dispensary.stock.counting import close_investigation, handled_since, the_shortage
from dispensary.stock.destroying import destroy
from dispensary.stock.transfers import send, take_back, the_transfer, transfers
from dispensary.units import AccountId, SiteId
from dispensary.web import safe_acts
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_stock_keeper
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed

# To another site and back


@get("/counter/stock/transfers", sync_to_thread=True, guards=[requires_stock_keeper])
def transfer_list(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """What was sent and received, and the form to send."""
    return _transfers_page(database, site, clock)


def _transfers_page(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    today = site.dose_day(clock())
    with database.reading() as session:
        return page(
            "counter/stock_transfers.html",
            refused=refused,
            typed=typed,
            lots=[lot for lot in stock.lots(session, site_id=site.id) if lot.expires_on >= today],
            others=[each for each in sites(session) if each.id != site.id],
            transfers=transfers(session, site_id=site.id),
            this_site=site,
        )


@post("/counter/stock/transfers", sync_to_thread=True, guards=[requires_stock_keeper])
def send_it(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sends stock to another site."""
    now = clock()
    try:
        with Typed(data) as typed:
            lot_id = typed.id("lot_id")
            to_site_id = SiteId(typed.id("to_site_id"))
            ml = typed.millilitres("ml")
            carried_by = typed.text("carried_by", most=LONGEST_NOTE)
        key = str(key_of(data))
        database.write(
            lambda session: send(
                session,
                actor=actor,
                lot_id=lot_id,
                to_site_id=to_site_id,
                ml=ml,
                carried_by=carried_by,
                key=key,
                day=site.dose_day(now),
                at=now,
            )
        )
    except Refused as refused:
        return _transfers_page(database, site, clock, refused, data)
    return Redirect("/counter/stock?done=sent", status_code=303)


@get("/counter/stock/transfers/{transfer_id:uuid}", sync_to_thread=True, guards=[requires_stock_keeper])
def transfer(transfer_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Template:
    """One transfer: to be received here, or to be taken back when it never left, or as it ended."""
    return _transfer_page(transfer_id, database, site)


def _transfer_page(
    transfer_id: UUID,
    database: TheDatabase,
    site: TheSite,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        one_of = the_transfer(session, site_id=site.id, transfer_id=transfer_id)
    return page("counter/stock_transfer.html", refused=refused, typed=typed, one=one_of, this_site=site)


@post("/counter/stock/transfers/{transfer_id:uuid}/receive", sync_to_thread=True, guards=[requires_stock_keeper])
def receive_it(
    transfer_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Receives a transfer into the safe of this site."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            measured = typed.millilitres("measured_ml", zero=True)
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
        return safe_acts.receive_transfer(
            session,
            actor=actor,
            transfer_id=transfer_id,
            measured=measured,
            reason=reason,
            today=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/stock?done=arrived",
        else_again=lambda why: _transfer_page(transfer_id, database, site, why, data),
    )


@post("/counter/stock/transfers/{transfer_id:uuid}/take-back", sync_to_thread=True, guards=[requires_stock_keeper])
def take_it_back(
    transfer_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what never left."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("why", most=LONGEST_NOTE)
        return take_back(session, actor=actor, transfer_id=transfer_id, reason=reason, day=site.dose_day(now), at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/stock?done=back",
        else_again=lambda why: _transfer_page(transfer_id, database, site, why, data),
    )


# Destroyed


@get("/counter/stock/destroy", sync_to_thread=True, guards=[requires_stock_keeper])
def destroy_form(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, lot: FromQuery[str] = ""
) -> Template:
    """The form of a destruction, expired lots first."""
    return _destroy_page(database, actor, site, clock, lot=lot)


def _destroy_page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    *,
    lot: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        people = who_can_stand_by(session, actor=actor)
        return page(
            "counter/stock_destroy.html",
            refused=refused,
            typed=typed,
            lots=stock.lots(session, site_id=site.id),
            chosen=lot,
            people=[("", "–"), *((str(each.id), each.name) for each in people)] if people else [],
            today=site.dose_day(clock()),
        )


@post("/counter/stock/destroy", sync_to_thread=True, guards=[requires_stock_keeper])
def destroy_it(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Writes stock off as destroyed, before a second person."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            lot_id = typed.id("lot_id")
            ml = typed.millilitres("ml")
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
            method = typed.text("method", most=LONGEST_NOTE, required=False)
            reference = typed.text("reference", most=LONGEST_NOTE, required=False)
            second_id = AccountId(typed.id("second_id")) if one(data, "second_id") else None
        return destroy(
            session,
            actor=actor,
            lot_id=lot_id,
            ml=ml,
            reason=reason,
            method=method,
            reference=reference,
            second_id=second_id,
            pin=secret(data, "second_pin"),
            key=str(key_of(data)),
            day=site.dose_day(now),
            at=now,
        )

    try:
        database.write(act)
    except Refused as refused:
        return _destroy_page(database, actor, site, clock, refused=refused, typed=data)
    return Redirect("/counter/stock?done=destroyed", status_code=303)


# Missing


@get("/counter/stock/investigations/{investigation_id:uuid}", sync_to_thread=True, guards=[requires_stock_keeper])
def investigation(investigation_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Template:
    """What is missing since when, who handled the lot since, and what was found."""
    return _investigation_page(investigation_id, database, site)


def _investigation_page(
    investigation_id: UUID,
    database: TheDatabase,
    site: TheSite,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        missing = the_shortage(session, site_id=site.id, investigation_id=investigation_id)
        people = handled_since(session, missing.row)
    return page(
        "counter/investigation.html", refused=refused, typed=typed, missing=missing, people=people, region=site.region
    )


@post("/counter/stock/investigations/{investigation_id:uuid}", sync_to_thread=True, guards=[requires_stock_keeper])
def close_it(
    investigation_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Closes an investigation with what was found."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            found = typed.text("found", most=LONGEST_NOTE, required=False)
        return close_investigation(session, actor=actor, investigation_id=investigation_id, found=found, at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/stock?done=found",
        else_again=lambda why: _investigation_page(investigation_id, database, site, why, data),
    )


HANDLERS: list[ControllerRouterHandler] = [
    transfer_list,
    send_it,
    transfer,
    receive_it,
    take_it_back,
    destroy_form,
    destroy_it,
    investigation,
    close_it,
]
