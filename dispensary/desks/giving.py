"""The gesture at the counter: who it is, how they are, what is said, and the dose and the bottles in one act."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.clients.rules import LONGEST_NAME, day_as_said
from dispensary.clients.service import note_identity
from dispensary.database import WriteSession
from dispensary.desks.counter import client_page
from dispensary.desks.exceptional import unusual_page
from dispensary.desks.window import AtCounter
from dispensary.desks.with_methadone import refills_typed
from dispensary.refusals import Refusal, Refused
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.handover import hand_over
from dispensary.supplies.rules import Wanted
from dispensary.supplies.safety_rules import Found
from dispensary.supplies.shown import Shown
from dispensary.supplies.writing import Handed
from dispensary.units import ClientId, DoseDay, milligrams, millilitres
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.typed import LONGEST_NOTE, Typed

_NOT_SOBER = "intoxicated"
"""Of what a safety check can find, the one after which no dose is given."""


@post("/counter/clients/{client_id:uuid}/supply", sync_to_thread=True, guards=[requires_dispenser])
def give(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Hands over the dose and the bottles. Refused, the page comes again with every reason and all that was typed.

    Where the client is not sober nothing is handed over: what was seen goes on to the page on which it is withheld.
    """
    here = AtCounter(database, actor, site, ClientId(client_id), clock())
    if one(data, "well") == "no" and one(data, "found") == _NOT_SOBER:
        return unusual_page(here, what=ExceptionKind.INTOXICATED, typed={"observation": one(data, "observation")})

    def act(session: WriteSession) -> Handed:
        wanted, answers = _wanted(data)
        return hand_over(
            session,
            actor=actor,
            client_id=here.client_id,
            wanted=wanted,
            answers=answers,
            shown=_shown(data),
            key=str(key_of(data)),
            today=here.today,
            zone=site.zone,
            at=here.now,
        )

    return here.does(
        act,
        then=lambda handed: f"/counter?done={handed.supply_id}",
        else_again=lambda why: client_page(here, chosen=one(data, "pickup_id"), refused=why, typed=data),
    )


def _wanted(data: Mapping[str, Any]) -> tuple[Wanted, dict[UUID, bool]]:
    """What is to be handed over, and what became of each message that the page asked about."""
    pickup = one(data, "pickup_id")
    try:
        days = tuple(DoseDay(date.fromisoformat(day)) for day in several(data, "take_home_days") if day)
        pickup_id = UUID(pickup) if pickup else None
        asked = [UUID(flag) for flag in several(data, "asked")]
    except ValueError:
        raise Refused(
            Refusal("bad-day", "A chosen day or pickup was not readable.", "Open the client again.")
        ) from None
    with Typed(data) as typed:
        refills = refills_typed(typed, data)
        observation = typed.text("observation", most=LONGEST_NOTE, required=False)
        second_look = typed.text("second_look", most=LONGEST_NOTE, required=False)
        well = one(data, "well") == "yes"
        found = typed.choice("found", Found).value if one(data, "well") == "no" else ""
        answers = {flag: one(data, f"say_{flag}") == "said" for flag in asked}
        for flag in asked:
            if one(data, f"say_{flag}") not in ("said", "later"):
                typed.fault(f"say_{flag}", "say-first", "A message was not answered.", "Say it, or leave it.")
    wanted = Wanted(
        observed=one(data, "observed") == "yes",
        take_home_days=days,
        identified_by=one(data, "identified_by"),
        well=well,
        found=found,
        observation=observation if found else "",
        second_look=second_look,
        pickup_id=pickup_id,
        refills=refills,
    )
    return wanted, answers


def _lots(text: str) -> dict[UUID, Decimal]:
    pairs = (each.partition(":") for each in text.split())
    return {UUID(lot): millilitres(ml) for lot, _, ml in pairs}


def _shown(data: Mapping[str, Any]) -> Shown:
    """What the page showed when it was opened; what is not readable of it was not on a page of ours."""
    try:
        return Shown(
            day=DoseDay(date.fromisoformat(day)) if (day := one(data, "shown_day")) else None,
            mg=milligrams(mg) if (mg := one(data, "shown_mg")) else None,
            orders=frozenset(map(UUID, orders.split())) if (orders := one(data, "shown_orders")) else None,
            lots=_lots(lots) if (lots := one(data, "shown_lots")) else None,
        )
    except ValueError:
        raise Refused(
            Refusal("page-lost", "The page has lost what it showed.", "Open the client again before you pour.")
        ) from None


@post("/counter/clients/{client_id:uuid}/known", sync_to_thread=True, guards=[requires_dispenser])
def know(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down what a client can be known by, where nothing was on record."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            mark = typed.text("known_mark", most=LONGEST_NAME, required=False)
            said = one(data, "known_born")
            born = day_as_said(said)
            if said and (born is None or not typed.near("known_born", born) or born > here.today):
                typed.fault("known_born", "not-a-day", "This is not a birth date.", "Write it like 06 05 1984.")
        note_identity(session, actor=actor, client_id=here.client_id, born=born, second_identifier=mark, at=here.now)

    return here.does(act, then=lambda _: here.url, else_again=lambda why: client_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [give, know]
