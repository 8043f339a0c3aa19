"""Reception and the nurse write down which texts a client wants, and that they are to see reception first."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Redirect, Response
from litestar.types import ControllerRouterHandler

from dispensary.clients.wishes import set_wishes
from dispensary.database import WriteSession
from dispensary.desks.client_times import client_page_again
from dispensary.phone.seeing_first import ask_to_see_first
from dispensary.refusals import NotThere, Refused
from dispensary.units import ClientId
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from dispensary.web.typed import Typed
from dispensary.web.wishing import wishes_from


@post("/reception/clients/{client_id:uuid}/texts", sync_to_thread=True, guards=[requires_booker])
def wishes(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps which texts the client wants. Refused, reception's page of the client comes again with what was typed."""
    now, holder = clock(), ClientId(client_id)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            wanted = wishes_from(data, typed)
        set_wishes(session, actor=actor, client_id=holder, wishes=wanted, at=now)

    try:
        database.write(act)
    except NotThere:
        raise
    except Refused as refused:
        return client_page_again(database, actor, site, holder, now, refused=refused, typed=data)
    back = f"/consulting/clients/{client_id}?done=texts" if one(data, "onward") == "record" else ""
    return Redirect(back or f"/reception/clients/{client_id}?done=texts", status_code=303)


@post("/reception/clients/{client_id:uuid}/first", sync_to_thread=True, guards=[requires_booker])
def see_first(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Has the client asked by text to see reception before they queue, and puts on the list what is to be settled."""
    now, holder = clock(), ClientId(client_id)
    try:
        database.write(
            lambda session: ask_to_see_first(
                session, actor=actor, site=site, client_id=holder, note=one(data, "note"), at=now
            )
        )
    except NotThere:
        raise
    except Refused as refused:
        return client_page_again(database, actor, site, holder, now, refused=refused, typed=data)
    return Redirect(f"/reception/clients/{client_id}?done=first", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [wishes, see_first]
