"""A supply as it stands in the record: what left, what became of each bottle, and voiding it when it is an error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import faces_on_papers
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.monitoring.refills import came_with
from dispensary.refusals import Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.staff.queries import names_of
from dispensary.supplies.bottle_rules import WITH_CLIENT, BottleState
from dispensary.supplies.bottle_states import record_of
from dispensary.supplies.models import Pickup
from dispensary.supplies.outage_models import LateEntry
from dispensary.supplies.pickups import live_pass
from dispensary.supplies.queries import supply_of
from dispensary.supplies.serials import spoken_serial
from dispensary.supplies.voiding import asks_for_two, void_of, void_supply
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.words import _


def bottle_words() -> dict[str, str]:
    """What the states of a bottle are called on the page."""
    return {
        BottleState.PREPARED: _("prepared"),
        BottleState.CHECKED: _("checked"),
        BottleState.OUT: _("on the way with a carrier"),
        BottleState.HANDED_OVER: _("handed over"),
        BottleState.RECALLED: _("called back"),
        BottleState.RETURNED_EMPTY: _("back, empty"),
        BottleState.RETURNED_FULL: _("back, full"),
        BottleState.LOST: _("reported lost or damaged"),
        BottleState.DESTROYED: _("destroyed"),
        BottleState.BACK_IN_STOCK: _("back in stock"),
        BottleState.VOID: _("void: entered in error"),
    }


@get("/counter/supplies/{supply_id:uuid}", sync_to_thread=True, guards=[requires_dispenser])
def supply(
    supply_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """One supply with its doses, its bottles' records, and the way to void it. The look is written down."""
    return _page(database, actor, site, clock, supply_id)


def _page(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    supply_id: UUID,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    now = clock()

    def read(session: WriteSession) -> Template:
        seen = supply_of(session, site_id=site.id, supply_id=supply_id)
        client_id = ClientId(seen.supply.client_id)
        looked_at(session, actor=actor, client_id=client_id, at=now, page="supply")
        voided = void_of(session, supply_id=supply_id)
        late = session.get(LateEntry, supply_id)
        people = [
            seen.supply.dispensed_by,
            *((voided.account_id, voided.second_id) if voided else ()),
            *((late.recorded_by, late.witnessed_by) if late else ()),
        ]
        return page(
            "counter/supply.html",
            refused=refused,
            typed=typed,
            seen=seen,
            face=faces_on_papers(session, [client_id])[
                client_id
            ],  # handed over here, though they may be a guest no more
            records=[(bottle, record_of(session, bottle_id=bottle.id)) for bottle in seen.bottles],
            voided=voided,
            besides=came_with(session, supply_id=supply_id),
            late=late,
            waits_again=voided is not None and _waits_without_pass(session, seen.supply.pickup_id),
            names=names_of(session, [each for each in people if each]),
            words=bottle_words(),
            may_void=voided is None
            and seen.supply.origin != "import"
            and all(bottle.state in WITH_CLIENT for bottle in seen.bottles),
            needs_two=voided is None and asks_for_two(session, supply_id=supply_id),
            seconds=choices(who_can_stand_by(session, actor=actor)),
            spoken_serial=spoken_serial,
        )

    return database.write(read)


def _waits_without_pass(session: ReadSession, pickup_id: UUID | None) -> bool:
    """Whether the pickup that this supply handed over stands prepared again, and nothing opens it."""
    pickup = session.get(Pickup, pickup_id) if pickup_id else None
    return pickup is not None and pickup.state == "prepared" and live_pass(session, pickup_id=pickup.id) is None


@post("/counter/supplies/{supply_id:uuid}/void", sync_to_thread=True, guards=[requires_dispenser])
def void(
    supply_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Voids the supply. Refused, the page comes again with every reason and all that was typed but the PIN."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_NOTE, required=False)
            second_id = somebody(typed, data, "second_id")
        return void_supply(
            session,
            actor=actor,
            supply_id=supply_id,
            reason=reason,
            second_id=second_id,
            pin=secret(data, "second_pin"),
            key=str(key_of(data)),
            today=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/counter/supplies/{supply_id}",
        else_again=lambda why: _page(database, actor, site, clock, supply_id, why, data),
    )


HANDLERS: list[ControllerRouterHandler] = [supply, void]
"""Mounted at /."""
