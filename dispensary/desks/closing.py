"""The close of the day at the counter: who is still due, what goes back into stock, what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients import queries as clients
from dispensary.database import ReadSession
from dispensary.refusals import Refused
from dispensary.supplies import queries
from dispensary.supplies.carrying import out_now
from dispensary.supplies.closing import Counted, close_day, left_open, to_count
from dispensary.supplies.day_list import day_list
from dispensary.units import ClientId, DoseDay
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_day_closer
from dispensary.web.safe_acts import look_after_close
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/counter/close", sync_to_thread=True, guards=[requires_day_closer])
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
        faces=clients.faces_on_papers(session, [ClientId(w.pickup.client_id) for w in uncollected]),
        counts=to_count(session, site_id=site.id, day=today),
        earlier=left_open(session, site_id=site.id, before=today),
    )


@post("/counter/close", sync_to_thread=True, guards=[requires_day_closer])
def close(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Closes today with the counts. Refused, nothing is closed and what was measured stays in the form."""
    now = clock()
    today = site.dose_day(now)
    try:
        with database.reading() as session:
            asked = [row.lot.id for row in to_count(session, site_id=site.id, day=today)]
        counts = _counts(data, asked)
        database.write(lambda session: close_day(session, actor=actor, day=today, today=today, counts=counts, at=now))
        look_after_close(database, actor=actor, at=now)
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
    close_form,
    close,
]
