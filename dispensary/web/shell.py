"""The outermost layer: gives each request a number, each answer its headers, and the log a line."""

from __future__ import annotations

import secrets
from time import perf_counter

import structlog
from litestar.enums import ScopeType
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPResponseStartEvent, Message, Receive, Scope, Send

from dispensary.logs import failure
from dispensary.settings import Settings
from dispensary.staff.sessions import SignedIn
from dispensary.web.patience import in_time

REQUEST_NUMBER = "takehome.request"
"""Where the scope keeps the request's number. The log has it too, and an unexpected failure shows it to a person."""

log = structlog.get_logger("dispensary.requests")

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_ALWAYS = [
    (b"content-security-policy", CONTENT_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # Our own pages see where a form came from, to lead back to it; no other site ever does.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_NEVER_KEPT = (b"cache-control", b"no-store")
_KEPT = (b"cache-control", b"public, max-age=31536000, immutable")
_QUIET = {"/static/{file_path}", "/health/live", "/health/ready"}


def request_number(scope: Scope) -> str:
    """The number of this request, or nothing outside of one."""
    return str(scope.get(REQUEST_NUMBER, ""))


def _start(status: int, body: bytes) -> HTTPResponseStartEvent:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    return {"type": "http.response.start", "status": status, "headers": headers}


def _methods_at(scope: Scope) -> str:
    """All methods of the path that was asked for. The framework tells those of the first of its handlers alone."""
    template = scope.get("path_template")
    routes = [route for route in scope["litestar_app"].routes if isinstance(route, HTTPRoute)]
    return ", ".join(sorted({method for route in routes if route.path_format == template for method in route.methods}))


def in_shell(app: ASGIApp, settings: Settings) -> ASGIApp:
    """Wraps the application, so that also what no route and no middleware saw has its headers and its line.

    A request with the header X-Keep (static/keep.js) gets, in place of a redirect, where it leads: a script cannot
    see a redirect without following it, and the page would be fetched twice.
    """
    always = [*_ALWAYS, _STRICT_TRANSPORT] if settings.production else _ALWAYS

    async def shell(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        began = perf_counter()
        scope[REQUEST_NUMBER] = secrets.token_hex(4)  # type: ignore[literal-required]
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # A file of /static is asked for by the digest of its content, so that it may be kept for ever.
                kept = scope.get("path_template") == "/static/{file_path}" and status == 200 and scope["query_string"]
                own = [header for header in message["headers"] if header[0].lower() != b"cache-control"]
                if status == 303 and any(name == b"x-keep" for name, _ in scope["headers"]):
                    message["status"] = 200
                    own = [(b"x-onward" if name.lower() == b"location" else name, value) for name, value in own]
                if scope.get("method") == "OPTIONS" and any(name.lower() == b"allow" for name, _ in own):
                    own = [header for header in own if header[0].lower() != b"allow"]
                    own.append((b"allow", _methods_at(scope).encode()))
                # A page may say for itself what it is allowed and what it tells: the counter has a camera.
                said = {name.lower() for name, _ in own}
                rest = [header for header in always if header[0] not in said]
                message["headers"] = [*own, *rest, _KEPT if kept else _NEVER_KEPT]
            await send(message)

        try:
            await app(scope, in_time(receive), answer)
        except Exception as reason:
            # Not even the page that says what went wrong could be made, or the answer had begun.
            log.error("unexpected", request=request_number(scope), **failure(reason, production=settings.production))
            if status:
                raise
            body = f"Something went wrong. Incident number {request_number(scope)}.".encode()
            await answer(_start(500, body))
            await answer({"type": "http.response.body", "body": body, "more_body": False})
        finally:
            route = scope.get("path_template") or "no route"
            if route not in _QUIET or status >= 400:
                who = scope.get("user")
                log.info(
                    "request",
                    request=scope[REQUEST_NUMBER],  # type: ignore[literal-required]
                    method=scope.get("method"),
                    route=route,
                    status=status or "no answer",
                    ms=round((perf_counter() - began) * 1000, 1),
                    account=str(who.actor.account_id) if isinstance(who, SignedIn) else None,
                )

    return shell
