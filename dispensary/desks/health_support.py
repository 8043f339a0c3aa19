"""What is said on a client's page of health beside results: adherence support, and symptoms on TB medicines."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation
from dispensary.desks.health import health_page, when
from dispensary.monitoring.judged import SYMPTOMS_NONE, SYMPTOMS_PRESENT
from dispensary.monitoring.support_models import SupportKind
from dispensary.units import ClientId
from dispensary.web import support_acts
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.typed import LONGEST_NOTE, Typed


class Symptoms(StrEnum):
    """The answers, as a form sends them."""

    PRESENT = SYMPTOMS_PRESENT
    NONE = SYMPTOMS_NONE


@post("/consulting/clients/{client_id:uuid}/health/support", sync_to_thread=True, guards=[requires_health_watcher])
def give(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down support: what, on which day, in a few words."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            kind = typed.choice("support", SupportKind)
            on = typed.day("support_on")
            note = typed.text("support_note", most=LONGEST_NOTE, required=False)
        return support_acts.give_support(
            session,
            actor=actor,
            client_id=here.client_id,
            on=on,
            kind=kind.value,
            note=note,
            key=key_of(data),
            when=when(here),
        )

    return here.does(
        act, then="/health?done=supported", else_again=lambda why: health_page(here, refused=why, typed=data)
    )


@post(
    "/consulting/clients/{client_id:uuid}/health/support/{support_id:uuid}/take-back",
    sync_to_thread=True,
    guards=[requires_health_watcher],
)
def take_back(
    client_id: FromPath[UUID],
    support_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes support back that was written down by mistake."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_NOTE)
        return support_acts.take_support_back(
            session, actor=actor, client_id=here.client_id, support_id=support_id, reason=reason, when=when(here)
        )

    return here.does(
        act, then="/health?done=unsupported", else_again=lambda why: health_page(here, refused=why, typed=data)
    )


@post("/consulting/clients/{client_id:uuid}/health/symptoms", sync_to_thread=True, guards=[requires_health_watcher])
def symptoms(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Says, as of today, whether there are symptoms of a harmed liver: one press beside the alert."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            answer = typed.choice("symptoms", Symptoms)
        return support_acts.say_symptoms(
            session,
            actor=actor,
            client_id=here.client_id,
            present=answer is Symptoms.PRESENT,
            key=key_of(data),
            when=when(here),
        )

    return here.does(act, then="/health?done=asked", else_again=lambda why: health_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [give, take_back, symptoms]
