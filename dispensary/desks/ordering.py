"""The page on which a doctor changes a dose: three actions, and each question that it raises beside its field."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, about
from dispensary.desks.dosing import PORTION_NUMBERS, about_of, basis_of, bottles_of, places_typed
from dispensary.desks.health_record import read_health
from dispensary.desks.health_words import said_of
from dispensary.refusals import Refused
from dispensary.units import ClientId
from dispensary.web import dosing_acts
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_prescriber
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/consulting/clients/{client_id:uuid}/order", sync_to_thread=True, guards=[requires_prescriber])
def order_form(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The form, with what the client takes now, has at home and is warned of, and the guideline, beside it."""
    return _order_page(Consultation(database, actor, site, ClientId(client_id), clock()))


def _order_page(
    here: Consultation, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    record = here.opened(seen_on="order")
    with here.database.reading() as session:
        basis = basis_of(session, record, here.actor.site_id)
        health = read_health(session, place=here.site, record=record, now=here.now)
    asked = {refusal.code for refusal in refused.refusals} if refused else set()
    kept = typed or {}
    return page(
        "consulting/order.html",
        refused=refused,
        typed=typed,
        basis=basis,
        health=health,
        said=said_of(),
        portion_numbers=PORTION_NUMBERS,
        asks_second_look="second-look" in asked or bool(kept.get("second_look")),
        asks_outside="outside-guideline" in asked or bool(kept.get("outside")),
        **about(here.actor, record),
    )


@post("/consulting/clients/{client_id:uuid}/order", sync_to_thread=True, guards=[requires_prescriber])
def order(
    client_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Orders the dose. Refused, the form comes again with the question beside the field and all that was typed."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            last = typed.day_or_none("until_day")
            parts = typed.portions("portions")
            wanted = dosing_acts.Wanted(
                mg=typed.milligrams("mg"),
                parts=parts,
                places=places_typed(typed, data, len(parts) or 1),
                from_day=typed.day("from_day"),
                until_day=last + timedelta(days=1) if last else None,
                reason=typed.text("reason", most=LONGEST_NOTE),
                second_look=typed.text("second_look", most=LONGEST_NOTE, required=False),
                outside=typed.text("outside", most=LONGEST_NOTE, required=False),
                about=about_of(data),
                bottles=bottles_of(data),
            )
        return dosing_acts.order(
            session, actor=actor, client_id=here.client_id, wanted=wanted, today=here.today, at=here.now
        )

    return here.does(act, then="?done=ordered", else_again=lambda why: _order_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [order_form, order]
