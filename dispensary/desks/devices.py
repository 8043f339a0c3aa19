"""Kiosks and screens of the waiting room: this browser becomes one, and whichever stands somewhere is ended."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.refusals import Refused
from dispensary.staff import devices
from dispensary.staff.sessions import end_shift
from dispensary.web.devices import PATHS, Kind, device_cookie
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite, TheVisitor
from dispensary.web.guards import requires_greeter
from dispensary.web.signed_in import no_cookie
from dispensary.web.templating import page


@get("/reception/devices", sync_to_thread=True, guards=[requires_greeter])
def device_list(database: TheDatabase, site: TheSite) -> Template:
    """What stands in the waiting room, and how another comes there."""
    return _page(database, site)


def _page(
    database: TheDatabase, site: TheSite, refused: Refused | None = None, typed: dict[str, Any] | None = None
) -> Template:
    with database.reading() as session:
        found = devices.devices_of(session, site_id=site.id)
    return page("reception/devices.html", refused=refused, typed=typed, devices=found)


@post("/reception/devices", sync_to_thread=True, guards=[requires_greeter])
def bind(
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    who: TheVisitor,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """This browser becomes a kiosk or a screen; whoever has signed in there is signed out of it in the same act."""
    now, kind = clock(), one(data, "kind")
    try:
        with database.writing() as session:
            token = devices.bind(session, actor=actor, kind=kind, name=one(data, "name"), at=now)
            end_shift(session, who=who, at=now)
    except Refused as refused:
        return _page(database, site, refused, dict(data))
    bound = cast(Kind, kind)
    cookies = [no_cookie(settings), device_cookie(bound, token, settings)]
    return Redirect(PATHS[bound], status_code=303, cookies=cookies)


@post("/reception/devices/{device_id:uuid}/end", sync_to_thread=True, guards=[requires_greeter])
def end(device_id: FromPath[UUID], database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """From now on that device shows nothing."""
    now = clock()
    database.write(lambda session: devices.unbind(session, actor=actor, device_id=device_id, at=now))
    return Redirect("/reception/devices", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [device_list, bind, end]
