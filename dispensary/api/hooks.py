"""Where the gateway to the phone network calls: a text came in, or something became of one that was sent.

Nobody is signed in here and no form was opened: what stands for both is the gateway's signature over the public address
and every field. Whoever cannot sign learns nothing, not even whether texts go this way at all.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, post, route
from litestar.params import FromPath, RawBody
from litestar.response import Response
from litestar.types import ControllerRouterHandler

import notifications.service
from dispensary.jobs import gateway_from
from dispensary.phone import answer
from dispensary.settings import Settings
from dispensary.web.given import TheClock, TheDatabase, TheSettings
from notifications.gateways import Called, Gateway

log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

SIGNED = {"exclude_from_csrf": True}
"""A handler that looks for the gateway's signature in place of a form's token."""


@post("/{gateway:str}/inbound", sync_to_thread=True, status_code=200, opt=SIGNED)
def text_came_in(
    request: AnyRequest,
    gateway: FromPath[str],
    body: RawBody,
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Response[str]:
    """Answers the text by the outbox, in the unit of work in which it is kept. The same text again does nothing."""
    called, at = _called(request, settings, body), clock()
    ours = _proven(gateway, called, settings)
    if ours is None:
        return _not_signed()
    for inbound in ours.parse_inbound(called):
        database.write(partial(answer, gateway=ours.name, inbound=inbound, at=at))
    return Response(ours.heard.body, media_type=ours.heard.media_type)


@route("/{gateway:str}/status", http_method=["GET", "POST"], sync_to_thread=True, status_code=200, opt=SIGNED)
def text_went_on(
    request: AnyRequest,
    gateway: FromPath[str],
    body: RawBody,
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Response[str]:
    """Notes how far a text of ours has come. Reports may come in any order and more than once."""
    called, at = _called(request, settings, body), clock()
    ours = _proven(gateway, called, settings)
    if ours is None:
        return _not_signed()
    with database.writing() as session:
        for report in ours.parse_status(called):
            notifications.service.record_status(
                session,
                gateway=ours.name,
                provider_id=report.provider_id,
                state=report.state,
                code=report.code,
                now=at,
                reference=report.reference,
                opted_out=report.opted_out,
            )
    return Response("", media_type="text/plain")


def _called(request: AnyRequest, settings: Settings, body: bytes) -> Called:
    """The request, at the address that the settings name, never at the one that it says it came by.

    Who writes the request writes its Host too.
    """
    query = request.scope["query_string"].decode("latin-1")
    url = settings.public_base_url + request.scope["path"] + (f"?{query}" if query else "")
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Called(url, dict(parse_qsl(query, keep_blank_values=True)), headers, body)


def _proven(name: str, called: Called, settings: Settings) -> Gateway | None:
    """The gateway, when texts go by it and it has proven that it made this request."""
    gateway = gateway_from(settings)
    return gateway if gateway is not None and gateway.name == name and gateway.verify(called) else None


def _not_signed() -> Response[str]:
    log.warning("a webhook without the gateway's signature was refused")
    return Response("Not signed.", status_code=403, media_type="text/plain")


HANDLERS: list[ControllerRouterHandler] = [text_came_in, text_went_on]
"""Mounted at /hooks, outside the API: no sign-in opens them."""
