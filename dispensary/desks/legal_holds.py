"""Legal holds at the desk: the list of the site by client number, setting one, lifting one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.legal_holds import LONGEST_WORDS, holds_at, lift_hold, set_hold
from dispensary.clients.numbers import client_numbered
from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_record_keeper
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_PAGE = "/disclosure/legal-holds"


def _page(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        holds = holds_at(session, site_id=site.id)
    return page(
        "disclosure/legal_holds.html",
        standing=[hold for hold in holds if hold.lifted_at is None],
        lifted=[hold for hold in holds if hold.lifted_at is not None],
        done=done if done in ("set", "lifted") else "",
        longest=LONGEST_WORDS,
        refused=refused,
        typed=typed,
    )


@get(_PAGE, sync_to_thread=True, guards=[requires_record_keeper])
def legal_holds(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """Every hold of the site by client number: those that stand, and those that were lifted."""
    return _page(database, site, done=done)


@post(_PAGE, sync_to_thread=True, guards=[requires_record_keeper])
def set_legal_hold(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps the record of the client with this number from being wiped or erased."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            number = typed.text("number", most=40)
            authority = typed.text("authority", most=LONGEST_WORDS)
            reason = typed.text("reason", most=LONGEST_WORDS)
        client_id = client_numbered(session, site_id=site.id, number=number)
        return set_hold(session, actor=actor, client_id=client_id, reason=reason, authority=authority, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{_PAGE}?done=set",
        else_again=lambda why: _page(database, site, refused=why, typed=data),
    )


@post(f"{_PAGE}/{{hold_id:uuid}}/lift", sync_to_thread=True, guards=[requires_record_keeper])
def lift_legal_hold(
    hold_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Lifts a hold, with the reason."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            reason = typed.text("lift_reason", most=LONGEST_WORDS)
        return lift_hold(session, actor=actor, hold_id=hold_id, reason=reason, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{_PAGE}?done=lifted",
        else_again=lambda why: _page(database, site, refused=why, typed={**data, "hold": str(hold_id)}),
    )


HANDLERS: list[ControllerRouterHandler] = [legal_holds, set_legal_hold, lift_legal_hold]
