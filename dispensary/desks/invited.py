"""The page behind an invitation: whoever has the code, printed or read out to them, chooses the password of an account.

The code stands in the link behind #, which no browser sends to a server: no log, no proxy and no referrer has it. A
script of the page puts it into the form and takes it out of the address; without scripts one types it from the paper.
"""

from __future__ import annotations

from typing import Any

from litestar import Request, get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.refusals import Refused
from dispensary.staff.invitations import Invited
from dispensary.web.choosing import accept_invitation, look_at_invitation
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import TheClock, TheDatabase, TheSettings
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page

_HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


@get("/invited", sync_to_thread=False)
def invited_page() -> Template:
    """Asks for the code."""
    return _page(None)


def _page(invited: Invited | None, *, code: str = "", refused: Refused | None = None) -> Template:
    typed = {"code": code} if refused and invited is None else {}
    return page("invited.html", headers=_HEADERS, invited=invited, code=code, refused=refused, typed=typed)


@post("/invited", sync_to_thread=True, status_code=200)
def open_invitation(
    request: Request[Any, Any, Any], data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Template:
    """Shows whom the code invites, and asks for the password. Nothing is used up."""
    code = one(data, "code")
    try:
        invited = look_at_invitation(database, code=code, address=address_of(request, settings), at=clock())
    except Refused as refused:
        return _page(None, code=code[:80], refused=refused)
    return _page(invited, code=code)


@post("/invited/password", sync_to_thread=True)
def choose_password(
    request: Request[Any, Any, Any], data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Sets the password and uses the code up. What was typed never comes back in a page, except the code."""
    code, address, now = one(data, "code"), address_of(request, settings), clock()
    try:
        accept_invitation(
            database,
            code=code,
            password=secret(data, "password"),
            again=secret(data, "again"),
            address=address,
            at=now,
        )
    except Refused as refused:
        if refused.first.field not in ("password", "again"):
            return _page(None, code=code[:80], refused=refused)
        invited = look_at_invitation(database, code=code, address=address, at=now)
        return _page(invited, code=code, refused=refused)
    return Redirect("/signin?done=password", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [invited_page, open_invitation, choose_password]
