"""Where the gateway to the phone network calls: a text came in, or something became of one that was sent.

Nobody is signed in here and no form was opened: what stands for both is the gateway's signature over the public address
and every field. Whoever cannot sign learns nothing, not even whether texts go this way at all.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, post
from litestar.params import RawBody
from litestar.response import Response
from litestar.types import ControllerRouterHandler

import notifications.service
from dispensary.jobs import gateway_from
from dispensary.phone import answer
from dispensary.settings import Settings
from dispensary.web.given import TheClock, TheDatabase, TheSettings
from notifications.gateways.twilio import TwilioGateway

log = logging.getLogger(__name__)

AnyRequest = Request[Any, Any, Any]

EMPTY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
"""TwiML that writes nothing back: the answer goes through the outbox, so that it is kept, counted and sent once."""
SIGNED = {"exclude_from_csrf": True}
"""A handler that looks for the gateway's signature in place of a form's token."""
MOST_FIELDS = 200


@post("/twilio/inbound", sync_to_thread=True, status_code=200, opt=SIGNED)
def text_came_in(
    request: AnyRequest, body: RawBody, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[str]:
    """Answers the text by the outbox, in the unit of work in which it is kept. The same text again does nothing."""
    form, at = _fields(body), clock()
    gateway = _signed(request, settings, form)
    if gateway is None:
        return _not_signed()
    for inbound in gateway.parse_inbound(form):
        database.write(partial(answer, gateway=gateway.name, inbound=inbound, at=at))
    return Response(EMPTY, media_type="text/xml")


@post("/twilio/status", sync_to_thread=True, status_code=200, opt=SIGNED)
def text_went_on(
    request: AnyRequest, body: RawBody, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[str]:
    """Notes how far a text of ours has come. Reports may come in any order and more than once."""
    form, at = _fields(body), clock()
    gateway = _signed(request, settings, form)
    if gateway is None:
        return _not_signed()
    query = dict(parse_qsl(_query(request), keep_blank_values=True))
    with database.writing() as session:
        for report in gateway.parse_status({**form, "reference": query.get("reference", "")}):
            notifications.service.record_status(
                session,
                gateway=gateway.name,
                provider_id=report.provider_id,
                state=report.state,
                code=report.code,
                now=at,
                reference=report.reference,
                opted_out=report.opted_out,
            )
    return Response("", media_type="text/plain")


def _fields(body: bytes) -> dict[str, str]:
    """Every field as it was sent, blanks included: the signature is over all of them."""
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:  # not UTF-8, or too many fields: nothing that the gateway sends
        return {}


def _query(request: AnyRequest) -> str:
    return request.scope["query_string"].decode("latin-1")


def _signed(request: AnyRequest, settings: Settings, form: Mapping[str, str]) -> TwilioGateway | None:
    """The gateway, when it has signed this request.

    The address is the one that the settings name, never what the request says it came by: who writes the request
    writes its Host too.
    """
    gateway = gateway_from(settings)
    if not isinstance(gateway, TwilioGateway):
        return None
    query = _query(request)
    url = settings.public_base_url + request.scope["path"] + (f"?{query}" if query else "")
    return gateway if gateway.verify(url, form, request.headers.get("x-twilio-signature", "")) else None


def _not_signed() -> Response[str]:
    log.warning("a webhook without the gateway's signature was refused")
    return Response("Not signed.", status_code=403, media_type="text/plain")


HANDLERS: list[ControllerRouterHandler] = [text_came_in, text_went_on]
"""Mounted at /hooks, outside the API: no sign-in opens them."""
