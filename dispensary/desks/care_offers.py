"""Offers at a client's page of care: what was offered and what they said; and the pathway that the site follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.care.offer_models import Answer, Settled
from dispensary.care.offers import answer_offer, follow_pathway, offer
from dispensary.care.wanted import settle_offer
from dispensary.database import WriteSession
from dispensary.desks.asking_setting import HERE as SETTING
from dispensary.desks.asking_setting import setting_page
from dispensary.desks.care import caring, client_page, requires_carer
from dispensary.desks.window import AtCounter
from dispensary.refusals import BadInput, Refusal
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, named, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_prescriber
from dispensary.web.typed import LONGEST_NOTE, Typed

_CLIENT = "/care/clients/{client_id:uuid}"


def _answer(data: Mapping[str, Any]) -> Answer:
    """What was pressed: accepted, declined, or that they are still thinking about it."""
    said = one(data, "answer")
    if said == "open":
        return Answer.OPEN
    if said in (Answer.ACCEPTED, Answer.DECLINED):
        return Answer(said)
    raise BadInput(Refusal("no-answer", "Nothing was chosen.", "Say what they answered.", field="answer"))


@post(f"{_CLIENT}/offers", sync_to_thread=True, guards=[requires_carer])
def add(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that something was offered, and what they said."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        offer(
            session,
            actor=actor,
            client_id=here.client_id,
            what=one(data, "what"),
            answer=_answer(data),
            screening_id=named(data, "screening"),
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=offered#offers",
        else_again=lambda why: client_page(here, refused=why, typed=data),
    )


@post(f"{_CLIENT}/offers/{{offer_id:uuid}}/answer", sync_to_thread=True, guards=[requires_carer])
def answer(
    client_id: FromPath[UUID],
    offer_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down what they said to what was offered before."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        said = _answer(data)
        answer_offer(session, actor=actor, client_id=here.client_id, offer_id=offer_id, answer=said, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=offered#offers",
        else_again=lambda why: client_page(here, refused=why, typed=data),
    )


@post(f"{_CLIENT}/offers/{{offer_id:uuid}}/settle", sync_to_thread=True, guards=[requires_carer])
def settle(
    client_id: FromPath[UUID],
    offer_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Notes that what they wanted was seen to, or that they want it no more; from the day's list or their page."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            how = typed.choice("how", Settled)
        settle_offer(session, actor=actor, client_id=here.client_id, offer_id=offer_id, how=how, at=here.now)

    back = "/care#wanted" if one(data, "back") == "day" else f"{caring(here)}?done=offered#offers"
    return done_or_again(
        database, act, then=lambda _: back, else_again=lambda why: client_page(here, refused=why, typed=data)
    )


@post(f"{SETTING}/pathway", sync_to_thread=True, guards=[requires_prescriber])
def follow(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Has the site follow a pathway, or none. A doctor signs for it, by name."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            reason = typed.text("why", most=LONGEST_NOTE)
        follow_pathway(session, actor=actor, pathway=one(data, "pathway"), reason=reason, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{SETTING}?done=pathway",
        else_again=lambda why: setting_page(database, site, actor, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [add, answer, settle, follow]
