"""Full bottles that came back: what waits, destroyed by two people, or put back where the site's rule allows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import faces_on_papers
from dispensary.database import WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.refusals import Refused
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
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/counter/returned", sync_to_thread=True, guards=[requires_dispenser])
def returned(database: TheDatabase, actor: TheActor, site: TheSite) -> Template:
    """The full bottles that came back and are still here, and what was destroyed lately."""
    return _page(database, actor, site)


def _page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        waiting = awaiting(session, site_id=site.id)
        rule, source = rule_of(session, site_id=site.id)
        return page(
            "counter/returned.html",
            refused=refused,
            typed=typed,
            waiting=waiting,
            faces=faces_on_papers(session, [ClientId(each.bottle.client_id) for each in waiting]),
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

    def act(session: WriteSession) -> int:
        with Typed(data) as typed:
            words = typed.text("how", most=LONGEST_NOTE, required=False)
            second_id = somebody(typed, data, "second_id")
            bottle_ids = typed.ids("bottle")
        if one(data, "act") == "restock":
            return restock_bottles(
                session, actor=actor, bottle_ids=bottle_ids, reason=words, day=site.dose_day(now), at=now
            )
        return destroy_bottles(
            session,
            actor=actor,
            bottle_ids=bottle_ids,
            how=words,
            second_id=second_id,
            pin=secret(data, "second_pin"),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: "/counter/returned",
        else_again=lambda why: _page(database, actor, site, why, data),
    )


HANDLERS: list[ControllerRouterHandler] = [returned, settle]
"""Mounted at /."""
