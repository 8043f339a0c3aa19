"""One's own counter PIN: set after the password, never shown, and taken away by its own person."""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff import pins
from dispensary.staff.rules import Actor
from dispensary.web.entering import set_own_pin
from dispensary.web.forms import Form, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page


@get("/pin", sync_to_thread=True, guards=[requires_sign_in])
def pin(database: TheDatabase, actor: TheActor, done: FromQuery[str] = "") -> Template:
    """What the PIN is for, and the form that sets it."""
    return _page(database, actor, done=done)


def _page(database: Database, actor: Actor, *, done: str = "", refused: Refused | None = None) -> Template:
    assert actor.account_id is not None
    with database.reading() as session:
        return page("pin.html", refused=refused, has=pins.has_pin(session, actor.account_id), done=done)


@post("/pin", sync_to_thread=True, guards=[requires_sign_in])
def set_pin(
    request: Request[Any, Any, Any],
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    actor: TheActor,
    clock: TheClock,
) -> Response[Any]:
    """Sets it, whatever it was before."""
    try:
        set_own_pin(
            database,
            actor=actor,
            password=secret(data, "password"),
            pin=secret(data, "pin"),
            again=secret(data, "again"),
            address=address_of(request, settings),
            at=clock(),
        )
    except Refused as refused:
        return _page(database, actor, refused=refused)
    return Redirect("/pin?done=set", status_code=303)


@post("/pin/remove", sync_to_thread=True, guards=[requires_sign_in])
def remove_pin(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """Takes one's own PIN away; one comes back by the password then."""
    assert actor.account_id is not None
    with database.writing() as session:
        pins.remove_pin(session, actor=actor, account_id=actor.account_id, at=clock())
    return Redirect("/pin?done=removed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [pin, set_pin, remove_pin]
