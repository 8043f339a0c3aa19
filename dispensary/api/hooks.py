"""Where the gateway to the phone network calls: a text came in, or something became of one that was sent.

Nobody is signed in here and no form was opened: what stands for both is the gateway's signature over the public address
and every field. Whoever cannot sign learns nothing, not even whether texts go this way at all.

A signature is looked at before anything else, without a thread and without the database, so that a flood of unsigned
requests keeps no desk waiting; an address that goes on is answered shortly, and no longer noted. What is signed is
never refused for another's flood. A gateway that itself calls faster than PER_SECOND is answered by 503, on which it
calls again (README.md says how Twilio is told to); nothing was kept of it then, and nothing is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, post, route
from litestar.concurrency import sync_to_thread
from litestar.params import FromPath, RawBody
from litestar.response import Response
from litestar.types import ControllerRouterHandler

import notifications.service
from dispensary.database import Database
from dispensary.jobs import gateway_from
from dispensary.phone import answer
from dispensary.settings import Settings
from dispensary.web.given import TheClock, TheDatabase, TheSettings
from dispensary.web.pace import Pace
from dispensary.web.signed_in import address_of
from notifications.gateways import Called, Gateway, Inbound, Status

log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

SIGNED = {"exclude_from_csrf": True}
"""A handler that looks for the gateway's signature in place of a form's token."""
LARGEST = 64 * 1024
"""Bytes of a call: a text of ten parts with all that Twilio says of it has some thousand."""
PER_SECOND = 100
"""Signed calls from one address of a gateway: as many texts as Twilio sends in a second of one account at most."""
UNSIGNED_A_MINUTE = 30
"""From one address; more are neither noted nor answered in words."""


@dataclass(frozen=True)
class Paces:
    """The hooks' own counts, apart from everybody else's."""

    signed: Pace = field(default_factory=lambda: Pace(PER_SECOND, timedelta(seconds=1)))
    unsigned: Pace = field(default_factory=lambda: Pace(UNSIGNED_A_MINUTE, timedelta(minutes=1)))


@post("/{gateway:str}/inbound", status_code=200, opt=SIGNED, request_max_body_size=LARGEST)
async def text_came_in(
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
    if refused := _refused(request, ours, settings, at):
        return refused
    assert ours is not None
    await sync_to_thread(_keep, database, ours.name, ours.parse_inbound(called), at)
    return Response(ours.heard.body, media_type=ours.heard.media_type)


def _keep(database: Database, gateway: str, came: Sequence[Inbound], at: datetime) -> None:
    for inbound in came:
        database.write(partial(answer, gateway=gateway, inbound=inbound, at=at))


@route(
    "/{gateway:str}/status",
    http_method=["GET", "POST"],
    status_code=200,
    opt=SIGNED,
    request_max_body_size=LARGEST,
)
async def text_went_on(
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
    if refused := _refused(request, ours, settings, at):
        return refused
    assert ours is not None
    await sync_to_thread(_note, database, ours.name, ours.parse_status(called), at)
    return Response("", media_type="text/plain")


def _note(database: Database, gateway: str, reports: Sequence[Status], at: datetime) -> None:
    with database.writing() as session:
        for report in reports:
            notifications.service.record_status(
                session,
                gateway=gateway,
                provider_id=report.provider_id,
                state=report.state,
                code=report.code,
                now=at,
                reference=report.reference,
                opted_out=report.opted_out,
            )


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


def _refused(request: AnyRequest, ours: Gateway | None, settings: Settings, at: datetime) -> Response[str] | None:
    """The answer to a call that is not heard: unsigned, or so fast that it is to come again."""
    paces: Paces = request.app.state["hook_paces"]
    address = address_of(request, settings)
    if ours is None:
        if paces.unsigned.count(address, at):
            return Response("", status_code=429, media_type="text/plain", headers={"Retry-After": "60"})
        log.warning("a webhook without the gateway's signature was refused")
        return Response("Not signed.", status_code=403, media_type="text/plain")
    if paces.signed.count(f"{ours.name} {address}", at):
        log.warning("a gateway called faster than it may, and was told to call again")
        return Response("", status_code=503, media_type="text/plain", headers={"Retry-After": "1"})
    return None


HANDLERS: list[ControllerRouterHandler] = [text_came_in, text_went_on]
"""Mounted at /hooks, outside the API: no sign-in opens them."""
