"""The lock screen: who is in the shift of this browser, and the PIN by which one comes back to the very page."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, get, post
from litestar.response import Redirect, Response
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.desks.signin import own_path
from dispensary.refusals import Refused
from dispensary.staff import sessions, stations
from dispensary.staff.sessions import NotSignedIn
from dispensary.units import AccountId
from dispensary.web.entering import come_back
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import Clock, TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import not_signed_in, requires_sign_in
from dispensary.web.signed_in import address_of, presented_token, token_cookie
from dispensary.web.templating import page


@get("/lock", sync_to_thread=True, opt={"looks_up": True})
def lock_screen(request: Request[Any, Any, Any], database: TheDatabase, clock: TheClock) -> Response[Any]:
    """Who may come back. Without anybody one signs in. Asking for it closes nothing."""
    return _screen(request, database, clock, onward=own_path(request.query_params.get("next", "/")))


def _screen(
    request: Request[Any, Any, Any],
    database: Database,
    clock: Clock,
    *,
    onward: str,
    chosen: str = "",
    refused: Refused | None = None,
) -> Response[Any]:
    token = presented_token(request)
    with database.reading() as session:
        shift = stations.shift_of(session, token=token, at=clock()) if token else None
    if shift is None:
        raise NotSignedIn(*refused.refusals) if refused else not_signed_in()
    return page("lock.html", refused=refused, shift=shift, next=onward, chosen=chosen)


@post("/lock", sync_to_thread=True, opt={"looks_up": True})
def open_again(
    request: Request[Any, Any, Any], data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Somebody of the shift comes back, under a new token. `X-Acting` tells the page's script whether it is theirs."""
    onward, chosen = own_path(one(data, "next")), one(data, "account_id")
    now, token = clock(), presented_token(request)
    try:
        account_id = AccountId(UUID(chosen))
    except ValueError:
        account_id = None
    try:
        if token is None or account_id is None:
            raise stations.not_in_shift()
        fresh = come_back(
            database,
            presented=token,
            account_id=account_id,
            secret=secret(data, "secret"),
            address=address_of(request, settings),
            at=now,
        )
    except Refused as refused:
        return _screen(request, database, clock, onward=onward, chosen=chosen, refused=refused)
    who = database.glance(lambda glance: sessions.signed_in(glance, token=fresh, at=now))
    return Redirect(
        onward,
        status_code=303,
        cookies=[token_cookie(fresh, settings)],
        headers={"X-Acting": who.acting if who else ""},
    )


@post("/lock/now", sync_to_thread=True, guards=[requires_sign_in])
def close_now(data: Form, who: TheVisitor, database: TheDatabase, clock: TheClock) -> Redirect:
    """Closes the screen at once, as whoever walks away from it does."""
    with database.writing() as session:
        stations.close_screen(session, token_digest=who.token_digest, at=clock())
    return Redirect(f"/lock?next={quote(own_path(one(data, 'next')))}", status_code=303)


@get("/awake", sync_to_thread=False, guards=[requires_sign_in], status_code=204)
def awake(who: TheVisitor) -> Response[None]:
    """Somebody touches the page: its screen stays open. Tells the page who is in front of the browser now."""
    return Response(None, status_code=204, headers={"X-Acting": who.acting})


HANDLERS: list[ControllerRouterHandler] = [lock_screen, open_again, close_now, awake]
