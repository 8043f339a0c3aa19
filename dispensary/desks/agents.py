"""Whom a client has named to collect for them: written down, agreed to by a prescriber, revoked by the client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery, MultipartBody
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import Face, face_at
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, acts_of
from dispensary.refusals import Refused
from dispensary.supplies.agents import AgentView, agent_photo, agents_of, agree, consent_again, name_agent, revoke
from dispensary.supplies.agents_rules import LONGEST_NAME, MOST_BOTTLES, Consented, Document, Named, Relation, Scope
from dispensary.supplies.verifying import pass_rules
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader, requires_prescriber
from dispensary.web.photo import sent_photo, shown_photo
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/consulting/clients/{client_id:uuid}/agents", sync_to_thread=True, guards=[requires_client_reader])
def agents(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """Whom the client has named. The look is written down."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


def _page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: WriteSession) -> tuple[Face, list[AgentView], int]:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        named = agents_of(session, client_id=here.client_id, today=here.today)
        months = pass_rules(session, here.site.id).agent_months
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="agents")
        return face, named, months

    face, named, months = here.database.write(read)
    return page(
        "consulting/agents.html",
        refused=refused,
        typed={name: value for name, value in (typed or {}).items() if isinstance(value, str)},
        face=face,
        agents=named,
        months=months,
        today=here.today,
        can=acts_of(here.actor),
        done=done,
    )


def _consented(typed: Typed) -> Consented:
    return Consented(
        scope=typed.choice("scope", Scope),
        signed_on=typed.day("signed_on"),
        last_day=typed.day("last_day"),
        most_bottles=typed.whole("most_bottles", 1, MOST_BOTTLES),
    )


@post("/consulting/clients/{client_id:uuid}/agents", sync_to_thread=True, guards=[requires_client_reader])
def add(
    client_id: FromPath[UUID],
    data: MultipartBody[dict[str, Any]],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down whom the client has named and what they have signed."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    photo, refused_photo = sent_photo(data)

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            for fault in refused_photo:
                typed.fault("photo", fault.code, fault.sentence, fault.remedy)
            named = Named(
                name=typed.text("name", most=LONGEST_NAME),
                relation=typed.choice("relation", Relation),
                document=typed.choice("document", Document),
                document_number=typed.text("document_number", most=40),
                born=typed.day("born"),
                photo=photo,
            )
            consented = _consented(typed)
        return name_agent(
            session,
            actor=actor,
            client_id=here.client_id,
            named=named,
            consented=consented,
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="/agents?done=added", else_again=lambda why: _page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/agents/{agent_id:uuid}/consents",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def again(
    client_id: FromPath[UUID],
    agent_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down another consent for somebody who was named before."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            consented = _consented(typed)
        return consent_again(
            session,
            actor=actor,
            client_id=here.client_id,
            agent_id=agent_id,
            consented=consented,
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="/agents?done=added", else_again=lambda why: _page(here, refused=why))


@post(
    "/consulting/clients/{client_id:uuid}/consents/{consent_id:uuid}/agree",
    sync_to_thread=True,
    guards=[requires_prescriber],
)
def agreed(
    client_id: FromPath[UUID],
    consent_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """The prescriber agrees."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        agree(session, actor=actor, client_id=here.client_id, consent_id=consent_id, at=here.now)

    return here.does(act, then="/agents?done=agreed", else_again=lambda why: _page(here, refused=why))


@post(
    "/consulting/clients/{client_id:uuid}/consents/{consent_id:uuid}/revoke",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def revoked(
    client_id: FromPath[UUID],
    consent_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """The client revokes, or somebody for a reason: from now on nothing is handed to the agent."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.text("why", most=LONGEST_NOTE)
        revoke(session, actor=actor, client_id=here.client_id, consent_id=consent_id, why=why, at=here.now)

    return here.does(act, then="/agents?done=revoked", else_again=lambda why: _page(here, refused=why, typed=data))


@get("/counter/agents/{agent_id:uuid}/photo", sync_to_thread=True, guards=[requires_client_reader])
def photo(agent_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """The agent's photo, for the screen alone: never kept by the browser."""
    with database.reading() as session:
        found = agent_photo(session, agent_id=agent_id, site_id=site.id)
    return shown_photo(found)


HANDLERS: list[ControllerRouterHandler] = [agents, add, again, agreed, revoked, photo]
