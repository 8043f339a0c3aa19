"""Somebody else than the client collects at the counter: the agent, their document, the receipt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.database import Database, WriteSession
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Actor
from dispensary.supplies import queries
from dispensary.supplies.agents import agents_of, name_of_agent
from dispensary.supplies.handover import hand_over
from dispensary.supplies.models import Pickup
from dispensary.supplies.pickups import prepared_bottles
from dispensary.supplies.rules import Wanted
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/counter/pickups/{pickup_id:uuid}/agent", sync_to_thread=True, guards=[requires_dispenser])
def agent_form(
    pickup_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Who of those whom the client has named stands there, and what they would be handed. A look as well."""
    return _page(database, actor, site, pickup_id, clock())


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    pickup_id: UUID,
    now: datetime,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    today = site.dose_day(now)

    def read(session: WriteSession) -> dict[str, Any]:
        pickup = _pickup(session, site, pickup_id)
        client_id = ClientId(pickup.client_id)
        looked_at(session, actor=actor, client_id=client_id, at=now, page="agent")
        return {
            "pickup": pickup,
            "face": face_at(session, site_id=site.id, client_id=client_id),
            "bottles": prepared_bottles(session, pickup_id),
            "agents": agents_of(session, client_id=client_id, today=today),
        }

    return page("counter/agent.html", refused=refused, typed=typed, today=today, **database.write(read))


def _pickup(session: WriteSession, site: Place, pickup_id: UUID) -> Pickup:
    pickup = session.get(Pickup, pickup_id)
    if pickup is None or pickup.site_id != site.id:
        raise NotThere(Refusal("no-pickup", "No such pickup is waiting.", "Look at the list again."))
    return pickup


@post("/counter/pickups/{pickup_id:uuid}/agent", sync_to_thread=True, guards=[requires_dispenser])
def give_to_agent(
    pickup_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Hands the prepared bottles to the agent who was chosen, and goes on to the receipt."""
    now = clock()

    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            observation = typed.text("observation", most=LONGEST_NOTE, required=False)
            consent_id = typed.id("consent_id") if one(data, "consent_id") else None
        handed = hand_over(
            session,
            actor=actor,
            client_id=ClientId(_pickup(session, site, pickup_id).client_id),
            wanted=Wanted(
                observed=False,
                identified_by="document" if one(data, "document_compared") == "yes" else "",
                well=one(data, "well") == "yes",
                observation=observation,
                pickup_id=pickup_id,
                collected_by="agent",
                consent_id=consent_id,
            ),
            key=str(key_of(data)),
            today=site.dose_day(now),
            zone=site.zone,
            at=now,
        )
        return handed.supply_id

    return done_or_again(
        database,
        act,
        then=lambda supply_id: f"/counter/supplies/{supply_id}/receipt",
        else_again=lambda why: _page(database, actor, site, pickup_id, now, why, data),
    )


@get("/counter/supplies/{supply_id:uuid}/receipt", sync_to_thread=True, guards=[requires_dispenser])
def receipt(
    supply_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """From whose hands into whose which bottles went, to print and sign. A look as well."""

    def read(session: WriteSession) -> dict[str, Any]:
        view = queries.supply_of(session, site_id=site.id, supply_id=supply_id)
        supply = view.supply
        client_id = ClientId(supply.client_id)
        looked_at(session, actor=actor, client_id=client_id, at=clock(), page="receipt")
        return {
            "view": view,
            "face": face_at(session, site_id=site.id, client_id=client_id),
            "agent": name_of_agent(session, supply.agent_id) if supply.agent_id else "",
            "names": names_of(session, [supply.dispensed_by] if supply.dispensed_by else []),
            "kept": session.get_one(Site, site.id),
        }

    return page("counter/receipt.html", **database.write(read))


HANDLERS: list[ControllerRouterHandler] = [agent_form, give_to_agent, receipt]
