"""Who may pass a door: guards named as sentences, each for one act of the staff room.

A handler has a guard, or its path stands in PUBLIC; a test walks all routes and finds any that has neither. A path that
is not in PUBLIC is closed to whoever is not signed in, guard or no guard.
"""

from __future__ import annotations

import re
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Guard

from dispensary.refusals import NotAllowed, Refusal
from dispensary.staff.rules import Act, Actor
from dispensary.staff.sessions import FactorDue, Locked, NotSignedIn, SignedIn

PUBLIC = {
    "/favicon.ico",
    "/signin",
    "/signin/code",
    "/signin/passkey",
    "/signin/passkey/ask",
    "/lock",
    "/invited",
    "/invited/password",
    "/break-glass",
    "/api/session",
    "/health/live",
    "/health/ready",
    "/static/{file_path}",
    "/p/{token}",
    "/s/{ticket}",
    "/s/told/{survey_id}",
    "/kiosk",
    "/kiosk/arrive",
    "/screen",
    "/screen/events",
    "/hooks/{gateway}/inbound",
    "/hooks/{gateway}/status",
    "/telephone",
    "/telephone/{owner}",
    "/telephone/{owner}/texts",
    "/schema",
    "/schema/openapi.json",
    "/schema/{path}",
}
"""Paths that anybody may ask for, as route templates without types: `/p/{token}` for a handler at `/p/{token:str}`.

A handler behind one may still have a guard of its own.
"""

Connection = ASGIConnection[Any, Any, Any, Any]


def not_signed_in() -> NotSignedIn:
    """The refusal for somebody who is not signed in, or not any more."""
    return NotSignedIn(
        Refusal(
            "not-signed-in",
            "You are not signed in, or your sign-in has ended.",
            "Sign in. It ends after 30 minutes without use.",
        )
    )


SET_UP = (
    "/second-factor",
    "/signout",
    "/signout-everywhere",
    "/lock/now",
    "/awake",
)
"""What opens to whoever must set up a second factor first: these paths, and what is below the first."""


def opens_before_set_up(path: str) -> bool:
    """Whether a path is part of setting up a second factor, or of leaving."""
    return path in SET_UP or path.startswith("/second-factor/")


def factor_due() -> FactorDue:
    """The refusal for whoever must have a second factor and has none."""
    return FactorDue(
        Refusal(
            "second-factor-due",
            "Your site asks for a second factor, and you have none yet: nothing else opens until it is set up.",
            "Set it up in a browser, under “Your second factor”. It takes a minute and a phone.",
        )
    )


def locked() -> Locked:
    """The refusal for a screen that is closed."""
    return Locked(
        Refusal(
            "locked",
            "This screen is closed: nobody touched it for a while, or somebody closed it.",
            "Come back to it by your PIN. Nothing was recorded meanwhile.",
        )
    )


def who_asks(connection: Connection) -> SignedIn:
    """Who is signed in on this connection. Raises NotSignedIn."""
    who = connection.scope.get("user")
    if not isinstance(who, SignedIn):
        raise not_signed_in()
    return who


async def requires_sign_in(connection: Connection, _: BaseRouteHandler) -> None:
    """Anybody on the staff, in whatever role."""
    who_asks(connection)


_ACTS: dict[Any, tuple[Act, ...]] = {}


def acts_behind(app: Litestar, prefix: str) -> tuple[Act, ...]:
    """The acts that any route below this path needs, in the order of the house: what a token for it can be good for."""
    needed = {
        act
        for route in app.routes
        if isinstance(route, HTTPRoute) and route.path.startswith(prefix)
        for handler in route.route_handlers
        for guard in handler.resolve_guards()
        for act in _ACTS.get(guard, ())
    }
    return tuple(act for act in Act if act in needed)


_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_Doors = dict[tuple[str, str], list[tuple[Act, ...]]]


def opens(app: Litestar, actor: Actor, path: str, method: str = "GET") -> bool:
    """Whether the guards of what stands at this path would let the actor pass: for links that a page shows or not.

    Of a path that no route has as it is written, such as another site's, nothing is known, and it is shown.
    """
    doors: _Doors | None = app.state.get("doors")
    if doors is None:
        doors = app.state["doors"] = {
            (str(each), re.sub(r"\{[^}]*\}", "*", route.path)): [
                _ACTS[guard] for guard in handler.resolve_guards() if guard in _ACTS
            ]
            for route in app.routes
            if isinstance(route, HTTPRoute)
            for handler in route.route_handlers
            for each in handler.http_methods
        }
    plain = _ID.sub("*", path.split("?")[0].split("#")[0])
    return all(any(actor.may(act) for act in acts) for acts in doors.get((method, plain), ()))


def requires(*acts: Act) -> Guard:
    """A guard that lets pass whoever may do the act where they work now; of several, any one of them."""

    async def guard(connection: Connection, _: BaseRouteHandler) -> None:
        actor = who_asks(connection).actor
        if not any(actor.may(act) for act in acts):
            raise NotAllowed(
                Refusal(
                    "not-allowed",
                    "Your work at this site does not include this.",
                    "Ask a colleague whose work it is, or an administrator to add a role to your account.",
                    {"act": acts[0].value},
                )
            )

    guard.__name__ = "requires_" + "_or_".join(act.name.lower() for act in acts)
    _ACTS[guard] = acts
    return guard


requires_prescriber = requires(Act.ORDER)
requires_dispenser = requires(Act.DISPENSE)
requires_packer = requires(Act.PREPARE_PICKUP)
requires_stock_keeper = requires(Act.RECEIVE_STOCK)
requires_day_closer = requires(Act.CLOSE_DAY)
requires_pack_taker = requires(Act.TAKE_PACK)
requires_alert_resolver = requires(Act.RESOLVE_ALERT)
requires_carrier = requires(Act.CARRY)
requires_guest_arranger = requires(Act.ARRANGE_GUEST)
requires_mover = requires(Act.MOVE_CLIENT)
requires_client_finder = requires(Act.FIND_CLIENT)
requires_client_reader = requires(Act.LOOK_AT_CLIENT)
requires_health_watcher = requires(Act.WATCH_HEALTH)
requires_booker = requires(Act.BOOK)
requires_greeter = requires(Act.CHECK_IN)
requires_help_printer = requires(Act.PRINT_HELP)
requires_record_keeper = requires(Act.KEEP_RECORD)
requires_eraser = requires(Act.ERASE)
requires_peer_worker = requires(Act.LOOK_AFTER_OWN)
requires_evaluator = requires(Act.EXPORT)
requires_administrator = requires(Act.RUN_SITE)
requires_overseer = requires(Act.EXPORT, Act.RUN_SITE)
