"""The page behind the link of a pickup text: a QR, a code and a time, and nothing that says what or where.

The QR holds the minute in which it was drawn and is drawn anew every minute, so that a picture of it is known as one.
"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, get
from litestar.params import FromPath
from litestar.response import Template
from litestar.types import ControllerRouterHandler
from markupsafe import Markup

from dispensary.clients.queries import faces
from dispensary.refusals import Refused
from dispensary.supplies import passes
from dispensary.supplies.pickups import signer_of
from dispensary.supplies.printing.qr import qr_svg
from dispensary.supplies.verifying import opened_pass
from dispensary.units import ClientId
from dispensary.web.given import TheClock, TheDatabase, TheSettings
from dispensary.web.guessing import Guesses
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page

_HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


@get("/p/{token:str}", sync_to_thread=True)
def pass_page(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Template:
    """Shows the pass while it is live. A wrong, used or expired one is answered alike: there is nothing here.

    Whoever tries many is answered the same without being looked up.
    """
    now, address = clock(), address_of(request, settings)
    guesses: Guesses = request.app.state.guesses
    if guesses.too_many(address, now):
        return _nothing()
    with database.reading() as session:
        try:
            shown = opened_pass(session, link=token, at=now)
        except Refused:
            guesses.wrong(address, now)
            return _nothing()
        face = faces(session, [ClientId(shown.client_id)])[ClientId(shown.client_id)]
        signer = signer_of(session, shown.pass_id)
        drawn = passes.screen_of(signer, shown.pass_id, now)
        return page(
            "pass.html",
            headers=_HEADERS,
            letter=face.name[:1].upper(),
            qr=Markup(qr_svg(drawn)),  # noqa: S704 - drawn by ourselves from 42 checked characters
            code=passes.spoken(passes.code_of(signer, shown.pass_id)),
            until=shown.valid_until.astimezone(ZoneInfo(shown.zone)),
            redrawn=int(passes.REDRAWN.total_seconds()),
        )


def _nothing() -> Template:
    return page("pass_gone.html", headers=_HEADERS, status=404)


HANDLERS: list[ControllerRouterHandler] = [pass_page]
