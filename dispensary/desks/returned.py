"""Full bottles that came back: what waits, destroyed by two people, or put back where the site's rule allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import faces
from dispensary.database import ReadSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.supplies.full_bottles import (
    RESTOCK,
    awaiting,
    destroy_bottles,
    destroyed_lately,
    restock_bottles,
    rule_of,
)
from dispensary.supplies.serials import spoken_serial
from dispensary.units import ClientId
from dispensary.web.forms import Form, one, secret, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/counter/returned", sync_to_thread=True, guards=[requires_dispenser])
def returned(database: TheDatabase, actor: TheActor, site: TheSite) -> Template:
    """The full bottles that came back and are still here, and what was destroyed lately."""
    with database.reading() as session:
        return _page(session, actor, site)


def _page(
    session: ReadSession,
    actor: TheActor,
    site: TheSite,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    waiting = awaiting(session, site_id=site.id)
    rule, source = rule_of(session, site_id=site.id)
    return page(
        "counter/returned.html",
        refused=refused,
        typed=typed,
        waiting=waiting,
        faces=faces(session, [ClientId(each.bottle.client_id) for each in waiting]),
        restocks=rule == RESTOCK,
        source=source,
        seconds=choices(who_can_stand_by(session, actor=actor)),
        destroyed=destroyed_lately(session, site_id=site.id),
        spoken_serial=spoken_serial,
    )


@post("/counter/returned", sync_to_thread=True, guards=[requires_dispenser])
def settle(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Destroys the chosen bottles, or puts them back. Refused, the page comes again with all but the PIN."""
    now = clock()
    try:
        with Typed(data) as typed:
            words = typed.text("how", most=LONGEST_NOTE, required=False)
            second_id = somebody(typed, data, "second_id")
        bottle_ids = _chosen(data)
        if one(data, "act") == "restock":
            database.write(
                lambda session: restock_bottles(
                    session, actor=actor, bottle_ids=bottle_ids, reason=words, day=site.dose_day(now), at=now
                )
            )
        else:
            database.write(
                lambda session: destroy_bottles(
                    session,
                    actor=actor,
                    bottle_ids=bottle_ids,
                    how=words,
                    second_id=second_id,
                    pin=secret(data, "second_pin"),
                    at=now,
                )
            )
    except NotThere:
        raise
    except Refused as refused:
        kept = {"how": one(data, "how"), "second_id": one(data, "second_id"), "bottle": several(data, "bottle")}
        with database.reading() as session:
            return _page(session, actor, site, refused, kept)
    return Redirect("/counter/returned", status_code=303)


def _chosen(data: Mapping[str, Any]) -> list[UUID]:
    try:
        return [UUID(text) for text in several(data, "bottle") if text]
    except ValueError:
        raise BadInput(Refusal("bottles", "A chosen bottle was not readable.", "Open the list again.")) from None


HANDLERS: list[ControllerRouterHandler] = [returned, settle]
"""Mounted at /."""
