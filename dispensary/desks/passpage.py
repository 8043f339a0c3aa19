"""The page behind the link of a pickup text: a QR, a code and a time, and nothing that says what or where."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from litestar import get
from litestar.params import FromPath
from litestar.response import Template
from litestar.types import ControllerRouterHandler
from markupsafe import Markup

from dispensary.clients.queries import faces
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.supplies import passes
from dispensary.supplies.printing.qr import qr_svg
from dispensary.supplies.verifying import opened_pass
from dispensary.units import ClientId
from dispensary.web.given import TheClock, TheDatabase
from dispensary.web.templating import page


@get("/p/{token:str}", sync_to_thread=True)
def pass_page(token: FromPath[str], database: TheDatabase, clock: TheClock) -> Template:
    """Shows the pass while it is live. A wrong, used or expired one is answered alike: there is nothing here."""
    with database.reading() as session:
        try:
            shown = opened_pass(session, token=token, at=clock())
        except Refused:
            raise NotThere(Refusal("nothing-here", "There is nothing here, or not any more.")) from None
        face = faces(session, [ClientId(shown.client_id)])[ClientId(shown.client_id)]
        return page(
            "pass.html",
            letter=face.name[:1].upper(),
            qr=Markup(qr_svg(passes.plain_text(token))),  # noqa: S704 - drawn by ourselves from 42 checked characters
            code=passes.spoken(passes.code_of(session.vault, shown.pass_id)),
            until=shown.valid_until.astimezone(ZoneInfo(shown.zone)),
        )


HANDLERS: list[ControllerRouterHandler] = [pass_page]
