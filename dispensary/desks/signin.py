"""The door: signing in and out, the first page, and going on at another site."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.refusals import NotAllowed, Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff import queries, sessions, stations
from dispensary.units import SiteId
from dispensary.web.entering import enter
from dispensary.web.forms import Form, one
from dispensary.web.given import TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import address_of, no_cookie, presented_token, token_cookie
from dispensary.web.templating import page


def own_path(wanted: str) -> str:
    """A path of this house to go on to, or the first page: never another site's, however it is written."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted


@get("/signin", sync_to_thread=True, opt={"looks_up": True})
def sign_in_page(request: Request[Any, Any, Any], database: TheDatabase, clock: TheClock) -> Template:
    """Where one signs in; afterwards one is led to `next`. Who is in this browser's shift may come back by PIN."""
    token, shift = presented_token(request), None
    if token:
        with database.reading() as session:
            shift = stations.shift_of(session, token=token, at=clock())
    return page("signin.html", next=own_path(request.query_params.get("next", "/")), shift=shift)


@post("/signin", sync_to_thread=True)
def sign_in(
    request: Request[Any, Any, Any],
    data: Form,
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Signs in and leads on. Refused, the page comes again with the name that was typed, and never the password."""
    onward = own_path(one(data, "next"))
    username, password = one(data, "username"), data.get("password")
    try:
        token = enter(
            database,
            username=username,
            password=password if isinstance(password, str) else "",
            address=address_of(request, settings),
            at=clock(),
            presented=presented_token(request),
        )
    except Refused as refused:
        return page("signin.html", refused=refused, typed={"username": username}, next=onward, shift=None)
    return Redirect(onward, status_code=303, cookies=[token_cookie(token, settings)])


@get("/", sync_to_thread=True, guards=[requires_sign_in])
def home(who: TheVisitor, database: TheDatabase) -> Template:
    """The desks that are open to whoever is signed in, and the other sites where they work."""
    if not who.works_elsewhere or who.actor.account_id is None:
        return page("home.html", elsewhere=[])
    with database.reading() as session:
        elsewhere = queries.sites_of(session, who.actor.account_id)
    return page("home.html", elsewhere=[site for site in elsewhere if site.id != who.site.id])


@post("/switch-site", sync_to_thread=True, guards=[requires_sign_in])
def switch_site(data: Form, who: TheVisitor, database: TheDatabase, settings: TheSettings, clock: TheClock) -> Redirect:
    """Goes on at another site, under a new token."""
    try:
        site_id = SiteId(UUID(one(data, "site_id")))
    except ValueError:
        raise NotAllowed(Refusal("no-role", "This account has no role at that site.", field="site_id")) from None
    with database.writing() as session:
        token = sessions.switch_site(session, who=who, site_id=site_id, at=clock())
    return Redirect("/", status_code=303, cookies=[token_cookie(token, settings)])


@post("/signout", sync_to_thread=True, guards=[requires_sign_in])
def sign_out(who: TheVisitor, database: TheDatabase, settings: TheSettings, clock: TheClock) -> Redirect:
    """Signs out here; who else is in the shift of this browser finds its screen closed."""
    with database.writing() as session:
        token = sessions.sign_out(session, who=who, at=clock())
    return _left(token, settings)


@post("/signout-everywhere", sync_to_thread=True, guards=[requires_sign_in])
def sign_out_everywhere(who: TheVisitor, database: TheDatabase, settings: TheSettings, clock: TheClock) -> Redirect:
    """Signs the account out on this device and on all others."""
    with database.writing() as session:
        token = sessions.sign_out_everywhere(session, who=who, at=clock())
    return _left(token, settings)


def _left(token: str | None, settings: Settings) -> Redirect:
    if token is None:
        return Redirect("/signin", status_code=303, cookies=[no_cookie(settings)])
    return Redirect("/lock", status_code=303, cookies=[token_cookie(token, settings)])


HANDLERS: list[ControllerRouterHandler] = [
    sign_in_page,
    sign_in,
    home,
    switch_site,
    sign_out,
    sign_out_everywhere,
]
