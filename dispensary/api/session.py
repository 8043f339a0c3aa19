"""Signing in and out by JSON.

A program first gets this resource, which gives it the CSRF token and cookie, and sends the token as `X-CSRFToken` with
everything that it posts; the sign-in itself is the cookie that the post answers with. The token is of one sign-in: once
signed in, the program gets this resource again, and the token that it has from then on. It opens /api and no page, and
has no screen that closes after minutes without a touch: it ends after 30 minutes without a request, and after 12 hours.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import JSONBody
from litestar.types import ControllerRouterHandler
from litestar.utils.scope.state import ScopeState

from dispensary.staff import sessions
from dispensary.staff.sessions import SignedIn
from dispensary.web.entering import enter_as_program
from dispensary.web.given import TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of, no_cookie, presented_token, token_cookie


class SignInForm(msgspec.Struct, forbid_unknown_fields=True):
    """An account's name and password."""

    username: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    password: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]
    code: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """Of the account's authenticator, or a recovery code, where it has a second factor."""


class Me(msgspec.Struct):
    """Who is signed in, and where."""

    account_id: UUID
    name: str
    initials: str
    roles: list[str]
    site: str
    site_name: str


class SessionState(msgspec.Struct):
    """The CSRF token to send, and who is signed in, if anybody."""

    csrf_token: str
    signed_in: Me | None


def _me(who: SignedIn) -> Me:
    assert who.actor.account_id is not None
    return Me(
        who.actor.account_id,
        who.actor.name,
        who.actor.initials,
        sorted(role.value for role in who.actor.roles),
        who.site.code,
        who.site.name,
    )


@get("/session", sync_to_thread=False, operation_id="readSession", tags=["session"], opt={"looks_up": True})
def read_session(request: Request[Any, Any, Any]) -> SessionState:
    """The CSRF token, and who is signed in by the cookie. The token is another one after a sign-in."""
    who = request.scope["user"]
    token = ScopeState.from_scope(request.scope).csrf_token
    return SessionState(token if isinstance(token, str) else "", _me(who) if isinstance(who, SignedIn) else None)


@post("/session", sync_to_thread=True, operation_id="signIn", tags=["session"], status_code=204)
def sign_in(
    request: Request[Any, Any, Any],
    data: JSONBody[SignInForm],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Response[None]:
    """Signs a program in, for /api alone.

    Five failures of a name, or twenty from an address, in 15 minutes are answered by 429. Where the account has a
    second factor, its code comes with the password: without one the answer is 401, `second-factor-needed`.
    """
    token = enter_as_program(
        database,
        username=data.username,
        password=data.password,
        code=data.code,
        address=address_of(request, settings),
        at=clock(),
        presented=presented_token(request),
    )
    return Response(None, status_code=204, cookies=[token_cookie(token, settings)])


@delete(
    "/session",
    sync_to_thread=True,
    operation_id="signOut",
    tags=["session"],
    status_code=204,
    guards=[requires_sign_in],
    opt={"looks_up": True},
)
def sign_out(who: TheVisitor, database: TheDatabase, settings: TheSettings, clock: TheClock) -> Response[None]:
    """Signs out here."""
    with database.writing() as session:
        sessions.sign_out(session, who=who, at=clock())
    return Response(None, status_code=204, cookies=[no_cookie(settings)])


HANDLERS: list[ControllerRouterHandler] = [read_session, sign_in, sign_out]
