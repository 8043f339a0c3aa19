"""The page that asks why a record is opened, before it is shown: once for each client, person and day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

from dispensary.clients.models import Client
from dispensary.clients.not_here import not_here
from dispensary.database import Database, WriteSession
from dispensary.desks.signin import own_path
from dispensary.looks.asking import Asked, give_reason
from dispensary.looks.rules import LONGEST_WORDS
from dispensary.refusals import Refused
from dispensary.staff.sessions import SignedIn
from dispensary.units import ClientId
from dispensary.web.asking_why import OPEN, asked_of
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheClock, TheDatabase, TheVisitor
from dispensary.web.guards import requires_client_finder
from dispensary.web.templating import page


def _asked(database: Database, who: SignedIn, client_id: ClientId, onward: str, clock: TheClock) -> Asked:
    asked = asked_of(database, who, "client_id", client_id, onward, clock())
    if asked is None:
        with database.reading() as session:
            raise not_here(session, client_id, who.site.id)
    return asked


def _page(
    database: Database,
    asked: Asked,
    onward: str,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        number = session.scalar(select(Client.number).where(Client.id == asked.client_id))
    return page(
        "looking.html",
        number=number,
        asked=asked,
        whys=[why.value for why in asked.whys],
        onward=onward,
        longest=LONGEST_WORDS,
        refused=refused,
        typed=typed,
    )


@get("/looking/{client_id:uuid}", sync_to_thread=True, guards=[requires_client_finder], opt={OPEN: True})
def ask(
    client_id: FromPath[UUID],
    database: TheDatabase,
    who: TheVisitor,
    clock: TheClock,
    onward: FromQuery[str] = "/",
) -> Response[Any]:
    """Asks why, showing the client's number alone; where nothing is asked, it goes on at once."""
    path = own_path(onward)
    asked = _asked(database, who, ClientId(client_id), path, clock)
    return _page(database, asked, path) if asked.needs_reason else Redirect(path, status_code=303)


@post("/looking/{client_id:uuid}", sync_to_thread=True, guards=[requires_client_finder], opt={OPEN: True})
def answer(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, who: TheVisitor, clock: TheClock
) -> Response[Any]:
    """Keeps the reason, and goes on to the page that was asked for."""
    now, path = clock(), own_path(one(data, "onward"))
    asked = _asked(database, who, ClientId(client_id), path, clock)

    def act(session: WriteSession) -> None:
        give_reason(
            session,
            actor=who.actor,
            client_id=asked.client_id,
            reason=one(data, "reason"),
            words=one(data, "words"),
            whys=asked.whys,
            day=who.site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database, act, then=lambda _: path, else_again=lambda why: _page(database, asked, path, why, data)
    )


HANDLERS: list[ControllerRouterHandler] = [ask, answer]
