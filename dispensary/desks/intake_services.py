"""What somebody is given who came from outside and is no client: it is written down, and taken back in error."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.care.intake_services import Given, give_service, take_service_back
from dispensary.care.referral_models import Service
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.desks.intakes import HERE, AtIntakes, requires_intakes
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.typed import Typed


@post(f"{HERE}/{{intake_id:uuid}}/services", sync_to_thread=True, guards=[requires_intakes])
def give(
    intake_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down what they were given."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            given = typed.choice("given", Given)
            service = typed.choice_or_none("service", Service)
        give_service(
            session,
            actor=actor,
            intake_id=intake_id,
            given=given,
            service=service,
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=given",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


@post(f"{HERE}/{{intake_id:uuid}}/services/{{entry_id:uuid}}/back", sync_to_thread=True, guards=[requires_intakes])
def taken_back(
    intake_id: FromPath[UUID],
    entry_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what was entered in error."""
    here = AtIntakes(database, actor, site, clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
        take_service_back(session, actor=actor, intake_id=intake_id, entry_id=entry_id, why=why, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{intake_id}?done=back",
        else_again=lambda why: here.shown(intake_id, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [give, taken_back]
