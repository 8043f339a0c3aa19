"""How a client says they stand with the law, from which day on: at their home site, for those who need it.

It stands on no other page, and on no list. The look is written down like every other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.legal_status import legal_status_of, note_legal_status, take_legal_status_back
from dispensary.clients.legal_status_rules import LegalStatus
from dispensary.clients.queries import face_at
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, plain_day
from dispensary.refusals import Refused
from dispensary.staff.rules import Act
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/law/{client_id:uuid}"
_requires_hearer = requires(Act.LEGAL_STATUS)


def _page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.writing() as session:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        said = legal_status_of(session, actor=here.actor, client_id=here.client_id)
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="circumstances")
    return page(
        "care/law.html",
        face=face,
        said=said,
        client_id=here.client_id,
        done=done,
        refused=refused,
        typed=typed,
        today=here.today,
        plain_day=plain_day,
    )


@get(HERE, sync_to_thread=True, guards=[_requires_hearer])
def law(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """What they said, each from which day on."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


@post(HERE, sync_to_thread=True, guards=[_requires_hearer])
def note(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down what they say now."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            word = typed.choice("word", LegalStatus)
            from_day = typed.day("from_day")
        note_legal_status(
            session,
            actor=actor,
            client_id=here.client_id,
            word=word,
            from_day=from_day,
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/law/{client_id}?done=noted",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


@post(f"{HERE}/back/{{status_id:uuid}}", sync_to_thread=True, guards=[_requires_hearer])
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
        take_legal_status_back(
            session, actor=actor, client_id=here.client_id, status_id=status_id, why=why, at=here.now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"/care/law/{client_id}?done=back",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [law, note, back]
