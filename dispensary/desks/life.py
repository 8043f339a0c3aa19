"""How a client works and lives over time, as they tell it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.life import note_life, take_life_back, told_of_life
from dispensary.clients.life_rules import Aspect
from dispensary.clients.queries import face_at
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, acts_of, plain_day
from dispensary.refusals import Refused
from dispensary.staff.rules import Act
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/life/{client_id:uuid}"


def _page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.writing() as session:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        said = told_of_life(session, client_id=here.client_id)
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="work and home")
    return page(
        "care/life.html",
        face=face,
        said={aspect: [each for each in said if each.aspect == aspect] for aspect in Aspect},
        client_id=here.client_id,
        done=done,
        refused=refused,
        typed=typed,
        today=here.today,
        plain_day=plain_day,
        can=acts_of(here.actor),
    )


@get(HERE, sync_to_thread=True, guards=[requires(Act.ENROL)])
def life(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """Work and home, each from which day on."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


@post(HERE, sync_to_thread=True, guards=[requires(Act.ENROL)])
def note(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down how they work or live from a day on."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            aspect = typed.choice("aspect", Aspect)
            from_day = typed.day("from_day")
        note_life(
            session,
            actor=actor,
            client_id=here.client_id,
            aspect=aspect,
            word=one(data, "word"),
            from_day=from_day,
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/life/{client_id}?done=noted",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


@post(f"{HERE}/back/{{status_id:uuid}}", sync_to_thread=True, guards=[requires(Act.ENROL)])
def back(
    client_id: FromPath[UUID],
    status_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what was entered in error."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
        take_life_back(session, actor=actor, client_id=here.client_id, status_id=status_id, why=why, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/life/{client_id}?done=back",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [life, note, back]
