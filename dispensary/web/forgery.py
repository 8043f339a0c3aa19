"""The token against forged forms: bound to the browser that a page was drawn for, and to the sign-in in front of it.

A form carries the number of the sign-in that it was drawn for, and a keyed digest of that number and of what a cookie
of this browser holds. Whatever acts for somebody is heard with a token of their own sign-in alone: one that was drawn
for a stranger, for an earlier sign-in or for another person's opens nothing, whoever has planted its cookie. Coming
back by PIN is the same sign-in, so that a form in another tab still counts. What anybody may send, such as the sign-in
itself, asks for the cookie's half alone.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.datastructures import Cookie, MutableScopeHeaders
from litestar.enums import RequestEncodingType, ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from dispensary.database import Database
from dispensary.keys import Vault
from dispensary.refusals import Refusal
from dispensary.settings import Settings
from dispensary.staff.sessions import SignedIn
from dispensary.web.acting import AnothersPage, typed_in
from dispensary.web.guards import PUBLIC

COOKIE = "takehome-forms"
FIELD, HEADER = "_csrf_token", "x-csrftoken"
SIGNED = "exclude_from_csrf"
"""In the `opt` of a handler that hears what its sender has signed, and no browser's form."""
_LOOKS = ("GET", "HEAD", "OPTIONS")
_NOBODY = UUID(int=0)
_OURS = re.compile(r"[0-9a-f]{64}")
_FORMS = {RequestEncodingType.URL_ENCODED, RequestEncodingType.MULTI_PART}


class FormTooOld(AnothersPage):
    """The token is none of this sign-in's. Nothing of the form was done; `typed` is what it held."""

    status = 403


def cookie_name(settings: Settings) -> str:
    """What the browser's half is kept in. Over TLS nobody but this very host sets one that begins with __Host-."""
    return f"__Host-{COOKIE}" if settings.production else COOKIE


@dataclass(frozen=True)
class Tokens:
    """Makes tokens, and tells which fit."""

    database: Database

    def of(self, kept: str, sign_in: UUID) -> str:
        """The token of this sign-in in the browser whose cookie holds `kept`."""
        return _token(self.database.vault, kept, sign_in)

    def fits(self, token: str, kept: str, sign_in: UUID | None) -> bool:
        """Whether the token is of this browser, and of this sign-in where one is named."""
        try:
            bound = UUID(token[:32])
        except ValueError:
            return False
        whose = bound if sign_in is None else sign_in
        signers = self.database.vault.signers()
        return any(compare_digest(token.encode(), _token(signer, kept, whose).encode()) for signer in signers)


def _token(signer: Vault, kept: str, sign_in: UUID) -> str:
    told = f"{sign_in.hex}|{kept}".encode()
    return f"{sign_in.hex}{signer.sign('forms', told).hex()}"


class FormsMiddleware(ASGIMiddleware):
    """Refuses what would change something and brings no token that fits; gives each page the one for its forms.

    A request that a program's own token has proved needs none: no browser sends that by itself.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._tokens = Tokens(database)
        self._name = cookie_name(settings)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        who = scope.get("user")
        bearer = isinstance(who, SignedIn) and who.actor.token_id is not None
        if bearer or scope["route_handler"].opt.get(SIGNED):
            await next_app(scope, receive, send)
            return
        request: Request[Any, Any, Any] = scope["litestar_app"].request_class(scope=scope, receive=receive)
        kept = request.cookies.get(self._name, "")
        fresh = not _OURS.fullmatch(kept)
        if fresh:
            kept = secrets.token_hex(32)
        if request.method not in _LOOKS:
            await self._refuse_forged(request, "" if fresh else kept)
        sign_in = who.forms if isinstance(who, SignedIn) else _NOBODY
        ScopeState.from_scope(scope).csrf_token = self._tokens.of(kept, sign_in)
        await next_app(scope, receive, self._giving(send, kept) if fresh else send)

    async def _refuse_forged(self, request: Request[Any, Any, Any], kept: str) -> None:
        sent: Any = request.headers.get(HEADER)
        form: Any = {}
        if request.content_type[0] in _FORMS:
            form = await request.form()
            sent = sent or form.get(FIELD)
        if kept and isinstance(sent, str) and self._tokens.fits(sent, kept, _acts_for(request)):
            return
        raise FormTooOld(
            Refusal(
                "form-too-old",
                "This page is no longer valid: it was opened before this sign-in, in another browser, or its cookie is "
                "gone.",
                "Open the page again and repeat what you did. Nothing was done.",
            ),
            typed=typed_in(form),
        )

    def _giving(self, send: Send, kept: str) -> Send:
        cookie = Cookie(
            key=self._name, value=kept, path="/", httponly=True, samesite="lax", secure=self._settings.production
        )

        async def giving(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                MutableScopeHeaders.from_message(message).add("set-cookie", cookie.to_header(header=""))
            await send(message)

        return giving


def _acts_for(request: Request[Any, Any, Any]) -> UUID | None:
    """The number of the sign-in that this request would act for; nothing where anybody may send it."""
    who = request.scope.get("user")
    anybody = request.scope.get("path_template") in PUBLIC and not request.scope["route_handler"].resolve_guards()
    return who.forms if isinstance(who, SignedIn) and not anybody else None
