"""A kiosk or a screen at the door: known by the cookie of its own, before any handler runs, in its site's language."""

from __future__ import annotations

from typing import Any, Literal

from litestar import Request
from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Guard, Receive, Scope, Send

from dispensary.database import Database
from dispensary.refusals import NotThere, Refusal
from dispensary.settings import Settings
from dispensary.staff.devices import Bound, bound
from dispensary.words import spoken

Kind = Literal["kiosk", "screen"]
PATHS: dict[Kind, str] = {"kiosk": "/kiosk", "screen": "/screen"}
"""Where each is. Its cookie goes there and nowhere else, and opens nothing else."""
YEARS = 400 * 24 * 3600
"""As long as browsers keep a cookie at most; staff end a device on reception's page."""
_SCOPE = "takehome.device"


def cookie_name(kind: Kind, settings: Settings) -> str:
    """What its cookie is called. Over TLS browsers let no page without it set one that begins with __Secure-."""
    return f"__Secure-takehome.{kind}" if settings.production else f"takehome.{kind}"


class DeviceMiddleware(ASGIMiddleware):
    """Looks a device's token up where devices are, and speaks its site's language to whoever stands there."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        kind = _kind_at(scope["path"])
        settings = scope["litestar_app"].state["settings"]
        cookies = ASGIConnection[Any, Any, Any, Any](scope).cookies
        token = cookies.get(cookie_name(kind, settings)) if kind else None
        device = await sync_to_thread(self._find, token, kind) if kind and token else None
        if device is None:
            await next_app(scope, receive, send)
            return
        scope[_SCOPE] = device  # type: ignore[literal-required]
        with spoken(device.site.language, on_screen=True):
            await next_app(scope, receive, send)

    def _find(self, token: str, kind: Kind) -> Bound | None:
        with self._database.reading() as session:
            return bound(session, token=token, kind=kind)


def _kind_at(path: str) -> Kind | None:
    return next((kind for kind, at in PATHS.items() if path == at or path.startswith(f"{at}/")), None)


def requires_device(kind: Kind) -> Guard:
    """A guard that lets pass a browser that was bound as this."""

    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if not isinstance(connection.scope.get(_SCOPE), Bound):
            raise NotThere(
                Refusal(
                    "not-bound",
                    "This browser is not set up for the waiting room, or not any more.",
                    "Somebody from reception signs in here and opens Reception, Kiosk and screens.",
                )
            )

    guard.__name__ = f"requires_{kind}"
    return guard


def device_of(request: Request[Any, Any, Any]) -> Bound:
    """The device that asks; its guard has let it pass."""
    device = request.scope[_SCOPE]  # type: ignore[literal-required]
    assert isinstance(device, Bound)
    return device


def device_cookie(kind: Kind, token: str, settings: Settings) -> Cookie:
    """The cookie of a device: for its own paths alone, out of reach of scripts, over TLS in production."""
    return Cookie(
        key=cookie_name(kind, settings),
        value=token,
        path=PATHS[kind],
        httponly=True,
        samesite="strict",
        secure=settings.production,
        max_age=YEARS,
    )
