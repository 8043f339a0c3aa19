"""Referrals at the client's page: somebody is sent on with their consent, and what became of it is noted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.care.referral_models import Outcome, Service
from dispensary.care.referrals import LONGEST_PLACE, close_referral, refer, referral_to_print
from dispensary.care.reopening import reopen_referral
from dispensary.clients.queries import face_at
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, client_page
from dispensary.staff.models import Site
from dispensary.staff.rules import Act
from dispensary.supplies.printing.referral_letter import referral_letter_pdf
from dispensary.units import ClientId
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.paper import pdf
from dispensary.web.typed import Typed


@post("/consulting/clients/{client_id:uuid}/referrals", sync_to_thread=True, guards=[requires(Act.ENROL)])
def add_referral(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Refers the client, and has the nurses ask later whether they went."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            service = typed.choice("service", Service)
            place = typed.text("place", most=LONGEST_PLACE)
            ask_on = typed.day("ask_on")
        return refer(
            session,
            actor=actor,
            client_id=here.client_id,
            service=service,
            place=place,
            agreed=one(data, "agreed") == "yes",
            ask_on=ask_on,
            today=here.today,
            at=here.now,
        )

    return here.does(
        act, then="?done=referred#referrals", else_again=lambda why: client_page(here, refused=why, typed=data)
    )


@post(
    "/consulting/clients/{client_id:uuid}/referrals/{referral_id:uuid}/close",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
)
def end_referral(
    client_id: FromPath[UUID],
    referral_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Notes whether they went, and when."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            outcome = typed.choice("outcome", Outcome)
            attended_on = typed.day_or_none("attended_on")
        return close_referral(
            session,
            actor=actor,
            client_id=here.client_id,
            referral_id=referral_id,
            outcome=outcome,
            attended_on=attended_on,
            today=here.today,
            at=here.now,
        )

    return here.does(
        act, then="?done=followed-up#referrals", else_again=lambda why: client_page(here, refused=why, typed=data)
    )


@post(
    "/consulting/clients/{client_id:uuid}/referrals/{referral_id:uuid}/letter.pdf",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
    status_code=200,
)
def letter(
    client_id: FromPath[UUID],
    referral_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """The letter that they carry there themselves, with their first name where they wish it."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    named = one(data, "named") == "yes"
    with database.writing() as session:
        face = face_at(session, site_id=site.id, client_id=here.client_id)
        referral = referral_to_print(
            session, actor=actor, client_id=here.client_id, referral_id=referral_id, named=named, at=here.now
        )
        content = referral_letter_pdf(
            place=referral.place,
            service=Service(referral.service),
            name=face.name if named else "",
            sent_on=referral.sent_on,
            language=session.get_one(Site, site.id).language,
            printed_at=here.now,
        )
    return pdf(content, "letter.pdf")


@post(
    "/consulting/clients/{client_id:uuid}/referrals/{referral_id:uuid}/reopen",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
)
def reopen(
    client_id: FromPath[UUID],
    referral_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what became of it, which was entered in error."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            seen = typed.moment("seen")
        reopen_referral(
            session,
            actor=actor,
            client_id=here.client_id,
            referral_id=referral_id,
            seen=seen,
            why=why,
            at=here.now,
        )

    return here.does(
        act, then="?done=reopened#referrals", else_again=lambda why: client_page(here, refused=why, typed=data)
    )


HANDLERS: list[ControllerRouterHandler] = [add_referral, end_referral, letter, reopen]
