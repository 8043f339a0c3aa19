"""Finds out, before any handler runs, who is signed in by the cookie, and from where."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

from litestar.concurrency import sync_to_thread
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from dispensary.database import Database
from dispensary.settings import Settings
from dispensary.staff import sessions
from dispensary.staff.factor_rules import HALF_LASTS
from dispensary.staff.queries import Place
from dispensary.staff.rules import Role
from dispensary.staff.sessions import SignedIn
from dispensary.supplies.nightwatch import Undone, undone
from dispensary.units import SiteId
from dispensary.wall import Sites, behind
from dispensary.web.acting import refuse_anothers_page
from dispensary.web.bearer import bearer_of, two_proofs, who_brings
from dispensary.web.given import Clock
from dispensary.web.guards import PUBLIC, factor_due, locked, not_signed_in, opens_before_set_up
from dispensary.words import spoken

COOKIE = "takehome"
HALF_COOKIE, HALF_PATH = "takehome.half", "/signin/code"
"""Of whoever is half signed in: it goes to the page of the code, and nowhere else."""
BESIDE_EACH_OTHER = {
    "/evaluation": (Role.EVALUATOR,),
    "/programme": (Role.EVALUATOR, Role.ADMINISTRATOR),
    "/api/programme": (Role.EVALUATOR, Role.ADMINISTRATOR),
}
"""Where the pages are that put several sites beside each other, and for which roles those sites are in view there."""
NIGHT = "takehome.night"
"""Where the scope of a page keeps what the night left undone; the templates find it there."""
_FRESH = timedelta(seconds=15)
_NIGHTS: dict[SiteId, tuple[datetime, tuple[Undone, ...]]] = {}


def forget_night(site_id: SiteId) -> None:
    """The next page looks anew at what the night left undone there."""
    _NIGHTS.pop(site_id, None)


Request = ASGIConnection[Any, Any, Any, Any]


class SignedInMiddleware(ASGIMiddleware):
    """Looks the cookie's token up in a thread, in one query outside any transaction, and speaks the site's language.

    Whatever is asked of the database from here on stands behind the second wall, with that one site in view, and for
    figures those that the person evaluates or runs (`dispensary/wall.py`).

    It costs one more hop to a thread than a look-up inside the handler; guards, the log and every error page then know
    who asks. On an open path (PUBLIC) nothing is looked up unless the handler's opt `looks_up` asks for it.
    A program may bring a token of its own in place of the cookie (bearer.py).
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def night(self, site: Place) -> tuple[Undone, ...]:
        """What the night left undone at a site, looked up every few seconds and not for every page."""
        now = self._clock()
        known = _NIGHTS.get(site.id)
        if known is None or not timedelta(0) <= now - known[0] < _FRESH:
            known = _NIGHTS[site.id] = (now, self._database.glance(lambda glance: undone(glance, site=site, now=now)))
        return known[1]

    def who(self, token: str, *, quiet: bool) -> tuple[SignedIn | None, bool]:
        """Who is signed in by the token, and whether their screen is closed. Marks the touch, unless it was none.

        What a page asks for by itself, such as its list anew, says so (`X-Quiet`), and keeps no screen open.
        """
        now = self._clock()
        found = self._database.glance(lambda glance: sessions.signed_in(glance, token=token, at=now))
        if found is None or found.locked(now):
            return found, found is not None
        if not quiet and sessions.stale(found, at=now):
            with self._database.writing() as session:
                sessions.mark_seen(session, who=found, at=now)
        return found, False

    async def in_view(self, who: SignedIn, path: str) -> Sites:
        """The sites whose rows this request may see: where they work now, and on pages of several what they see to."""
        roles = next((roles for begins, roles in BESIDE_EACH_OTHER.items() if path.startswith(begins)), ())
        if not roles or who.actor.account_id is None:
            return (who.actor.site_id,)
        account_id = who.actor.account_id
        sees_to = await sync_to_thread(
            self._database.glance,
            lambda glance: sessions.sites_of_roles(glance, account_id=account_id, roles=roles),
        )
        return (who.actor.site_id, *sees_to)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        open_path = scope.get("path_template") in PUBLIC
        connection: Request = ASGIConnection(scope)
        token = presented_token(connection)
        who: SignedIn | None = None
        closed = False
        bearer = bearer_of(scope)
        if bearer is not None and token:
            raise two_proofs()
        if bearer is not None and not open_path:
            who = await sync_to_thread(who_brings, self._database, bearer, at=self._clock())
        if token and (not open_path or scope["route_handler"].opt.get("looks_up")):
            quiet = open_path or "x-quiet" in connection.headers
            who, closed = await sync_to_thread(self.who, token, quiet=quiet)
        page = not scope["path"].startswith("/api/")
        if who is not None and who.station_id is None and page:
            who = None  # a program's: a page would be one that nobody's touch keeps open, and that never closes
        if not open_path:
            if who is None:
                raise not_signed_in()
            if closed:
                raise locked()
            if who.without_factor(self._clock()) and not opens_before_set_up(scope["path"]):
                raise factor_due()
        scope["user"] = None if closed else who
        if who is None:
            await next_app(scope, receive, send)
            return
        if open_path:  # its handler signs somebody in or out, at whichever sites they work
            with spoken(who.site.language, on_screen=True):
                await next_app(scope, receive, send)
            return
        with spoken(who.site.language, on_screen=True), behind(*await self.in_view(who, scope["path"])):
            if page:
                await refuse_anothers_page(scope, receive, self._database, who)
                if scope.get("method") == "GET":
                    scope[NIGHT] = await sync_to_thread(self.night, who.site)  # type: ignore[literal-required]
            await next_app(scope, receive, send)


def presented_token(connection: Request) -> str | None:
    """What the browser's sign-in cookie holds."""
    return connection.cookies.get(cookie_name(connection.app.state["settings"]))


def cookie_name(settings: Settings) -> str:
    """What the cookie is called. Over TLS browsers let nobody but this very host set one that begins with __Host-."""
    return f"__Host-{COOKIE}" if settings.production else COOKIE


def token_cookie(token: str, settings: Settings) -> Cookie:
    """The cookie of a sign-in: for this site's own pages alone, out of reach of scripts, over TLS in production."""
    return Cookie(
        key=cookie_name(settings),
        value=token,
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.production,
    )


def no_cookie(settings: Settings) -> Cookie:
    """Takes the cookie back."""
    return Cookie(
        key=cookie_name(settings),
        value="",
        path="/",
        httponly=True,
        samesite="strict",
        secure=settings.production,
        max_age=0,
    )


def half_token(connection: Request) -> str | None:
    """What the browser's cookie of a half sign-in holds."""
    return connection.cookies.get(half_name(connection.app.state["settings"]))


def half_name(settings: Settings) -> str:
    """What the cookie of a half sign-in is called. It goes to one page alone, so that __Host- is not for it."""
    return f"__Secure-{HALF_COOKIE}" if settings.production else HALF_COOKIE


def half_cookie(token: str, settings: Settings) -> Cookie:
    """The cookie of a half sign-in, which opens nothing; with an empty token it is taken back."""
    return Cookie(
        key=half_name(settings),
        value=token,
        path=HALF_PATH,
        httponly=True,
        samesite="strict",
        secure=settings.production,
        max_age=int(HALF_LASTS.total_seconds()) if token else 0,
    )


def address_of(connection: Request, settings: Settings) -> str:
    """The address that a request came from.

    A proxy of DISPENSARY_PROXIES appends the address that it saw to X-Forwarded-For. The header is read from its end
    and only as far as such proxies wrote it: what stands before that was written by the browser and counts for nothing,
    and nothing of it does when the request came past the proxies.
    """
    address = connection.client.host if connection.client else ""
    forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
    for said in reversed([each.strip() for each in forwarded.split(",")]):
        if not said or not _is_proxy(address, settings):
            break
        address = said[:64]
    return address


def _is_proxy(address: str, settings: Settings) -> bool:
    try:
        return any(ip_address(address) in network for network in settings.proxies)
    except ValueError:
        return False
