"""The door: signing in and out, the first page, and going on at another site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import Cookie
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.refusals import BadInput, NotAllowed, Refusal, Refused
from dispensary.settings import Settings
from dispensary.staff import factors, half_signed, queries, sessions, stations
from dispensary.staff.factor_rules import WORTH_TELLING
from dispensary.staff.factors import RECOVERY_CODE
from dispensary.staff.passkey_rules import relying_party
from dispensary.staff.stations import Shift
from dispensary.units import SiteId
from dispensary.web.entering import Entered, HalfEntered, enter, enter_by_code
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import Clock, TheClock, TheDatabase, TheSettings, TheVisitor
from dispensary.web.guards import requires_sign_in
from dispensary.web.signed_in import (
    HALF_PATH,
    address_of,
    half_cookie,
    half_token,
    no_cookie,
    presented_token,
    token_cookie,
)
from dispensary.web.templating import page


def own_path(wanted: str) -> str:
    """A path of this house to go on to, or the first page: never another site's, however it is written."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")) or not wanted.isprintable():
        return "/"
    return wanted


@get("/signin", sync_to_thread=True, opt={"looks_up": True})
def sign_in_page(
    request: Request[Any, Any, Any], database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Template:
    """Where one signs in; afterwards one is led to `next`. Who is in this browser's shift may come back by PIN."""
    token, shift = presented_token(request), None
    if token:
        with database.reading() as session:
            shift = stations.shift_of(session, token=token, at=clock())
    return door_page(settings, own_path(request.query_params.get("next", "/")), shift=shift)


def door_page(
    settings: Settings,
    onward: str,
    *,
    shift: Shift | None = None,
    refused: Refused | None = None,
    typed: Mapping[str, str] | None = None,
) -> Template:
    """The page of name and password, and of the passkey where browsers make one for this address."""
    party = relying_party(settings.public_base_url)
    return page("signin.html", refused=refused, typed=typed, next=onward, shift=shift, passkeys=party is not None)


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
    username = one(data, "username")
    try:
        entered = enter(
            database,
            username=username,
            password=secret(data, "password"),
            address=address_of(request, settings),
            at=clock(),
            presented=presented_token(request),
        )
    except Refused as refused:
        return door_page(settings, onward, refused=refused, typed={"username": username})
    if isinstance(entered, HalfEntered):
        asked = f"{HALF_PATH}?next={quote(onward)}"
        return Redirect(asked, status_code=303, cookies=[half_cookie(entered.token, settings)])
    return came_in(database, entered, onward, [token_cookie(entered.token, settings)])


def came_in(database: Database, entered: Entered, onward: str, cookies: Sequence[Cookie]) -> Redirect:
    """Leads on, past the page of the second factor where there is something of it to be read first."""
    with database.reading() as session:
        unread = factors.was_reset(session, entered.account_id) is not None
        wrong = factors.wrong_lately(session, entered.account_id, sign_ins_ago=1)
    done = "recovered" if entered.by == RECOVERY_CODE else "guessed" if wrong >= WORTH_TELLING else ""
    if unread or done:
        onward = f"/second-factor?{f'done={done}&' if done else ''}next={quote(onward)}"
    return Redirect(onward, status_code=303, cookies=cookies)


@get("/signin/code", sync_to_thread=True)
def code_page(
    request: Request[Any, Any, Any],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
    next: FromQuery[str] = "/",
) -> Response[Any]:
    """Where whoever typed the password types the code; whoever did not is led to the door."""
    return _code_page(request, database, settings, clock, onward=own_path(next))


def _code_page(
    request: Request[Any, Any, Any],
    database: Database,
    settings: Settings,
    clock: Clock,
    *,
    onward: str,
    refused: Refused | None = None,
    lost: bool = False,
) -> Response[Any]:
    """With `lost` it was a recovery code that was refused: its field shows it."""
    if lost and isinstance(refused, BadInput):
        refused = BadInput(*(replace(each, field="recovery") for each in refused.refusals))
    with database.reading() as session:
        half = half_signed.half_of(session, token=half_token(request), presented=presented_token(request), at=clock())
        if half is None and refused is None:
            return Redirect(f"/signin?next={quote(onward)}", status_code=303)
        if half is None:
            return door_page(settings, onward, refused=refused)
        has = factors.has(session, half.account_id)
    passkeys = has.passkeys > 0 and relying_party(settings.public_base_url) is not None
    return page("signin_code.html", refused=refused, next=onward, half=half, has=has, passkeys=passkeys, lost=lost)


@post("/signin/code", sync_to_thread=True)
def sign_in_by_code(
    request: Request[Any, Any, Any], data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Response[Any]:
    """Hears the code, signs in, and leads on."""
    onward = own_path(one(data, "next"))
    try:
        entered = enter_by_code(
            database,
            half=half_token(request),
            code=one(data, "recovery") or one(data, "code"),
            address=address_of(request, settings),
            at=clock(),
            presented=presented_token(request),
        )
    except Refused as refused:
        lost = bool(one(data, "recovery"))
        return _code_page(request, database, settings, clock, onward=onward, refused=refused, lost=lost)
    cookies = [token_cookie(entered.token, settings), half_cookie("", settings)]
    return came_in(database, entered, onward, cookies)


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
    """Goes on at another site, under a new token: by its button, or by its code where buttons would be too many."""
    with database.writing() as session:
        if code := one(data, "code"):
            site_id = SiteId(queries.site_by_code(session, code).id)
        else:
            try:
                site_id = SiteId(UUID(one(data, "site_id")))
            except ValueError:
                raise NotAllowed(
                    Refusal("no-role", "This account has no role at that site.", field="site_id")
                ) from None
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
    code_page,
    sign_in_by_code,
    home,
    switch_site,
    sign_out,
    sign_out_everywhere,
]
