"""The sealed code: the page on which two people open it, and the office's page that makes it and answers for it."""

from __future__ import annotations

from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database
from dispensary.refusals import Refused
from dispensary.staff.entry_rules import spelled
from dispensary.staff.entry_settings import entry_of
from dispensary.staff.glass import acknowledge, glass_of, seal
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.staff.service import is_granted_administrator
from dispensary.web.breaking import Typed, break_glass
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.signed_in import address_of, presented_token
from dispensary.web.templating import page

_HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


@get("/break-glass", sync_to_thread=False)
def glass_page() -> Template:
    """Asks for the code and for two people."""
    return page("break_glass.html", headers=_HEADERS, site=None)


@post("/break-glass", sync_to_thread=True, status_code=200)
def open_it(
    request: Request[Any, Any, Any], data: Form, database: TheDatabase, settings: TheSettings, clock: TheClock
) -> Template:
    """Opens it for the first of the two. Refused, the names come again, and neither the code nor a secret."""
    people = [
        Typed(which, one(data, f"{which}_username"), secret(data, f"{which}_secret"), one(data, f"{which}_code"))
        for which in _TWO
    ]
    try:
        site, until = break_glass(
            database,
            code=one(data, "code"),
            people=people,
            presented=presented_token(request),
            address=address_of(request, settings),
            at=clock(),
        )
    except Refused as refused:
        typed = {f"{person.which}_username": person.username[:200] for person in people}
        return page("break_glass.html", headers=_HEADERS, site=None, refused=refused, typed=typed)
    return page(
        "break_glass.html",
        headers=_HEADERS,
        site=site,
        until=until.astimezone(ZoneInfo(site.zone)),
        who=people[0].username,
    )


_TWO = ("first", "second")


@get("/office/glass", sync_to_thread=True, guards=[requires_administrator])
def glass_setting(database: TheDatabase, site: TheSite, actor: TheActor, done: FromQuery[str] = "") -> Template:
    """Whether there is a sealed code, who made it, and what was opened."""
    return _setting(database, site, actor, done=done)


def _setting(
    database: Database,
    site: Place,
    actor: Actor,
    *,
    done: str = "",
    refused: Refused | None = None,
    words: str = "",
) -> Template:
    with database.reading() as session:
        return page(
            "office/glass.html",
            glass=glass_of(session, site_id=site.id),
            hours=entry_of(session, site_id=site.id).glass_hours,
            granted=is_granted_administrator(session, actor),
            actor=actor,
            done=done,
            refused=refused,
            typed={"words": words} if refused else {},
        )


@post("/office/glass", sync_to_thread=True, guards=[requires_administrator], status_code=200)
def make(
    data: Form, database: TheDatabase, settings: TheSettings, site: TheSite, actor: TheActor, clock: TheClock
) -> Response[Any] | Template:
    """Makes a new code, in place of the one before, and shows it once, to be printed."""
    now = clock()
    try:
        code = database.write(lambda session: seal(session, actor=actor, at=now))
    except Refused as refused:
        return _setting(database, site, actor, refused=refused)
    return page(
        "office/sealed.html", code=spelled(code), at=now, address=f"{settings.public_base_url}/break-glass", site=site
    )


@post("/office/glass/{glass_id:uuid}/answer", sync_to_thread=True, guards=[requires_administrator])
def answer(
    glass_id: FromPath[UUID], data: Form, database: TheDatabase, site: TheSite, actor: TheActor, clock: TheClock
) -> Response[Any] | Template:
    """An administrator says what it was about; the line on every page goes."""
    now = clock()
    try:
        database.write(
            lambda session: acknowledge(
                session,
                actor=actor,
                glass_id=glass_id,
                words=one(data, "words"),
                end_now=one(data, "end_now") == "yes",
                at=now,
            )
        )
    except Refused as refused:
        return _setting(database, site, actor, refused=refused, words=one(data, "words"))
    return Redirect("/office/glass?done=answered", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [glass_page, open_it, glass_setting, make, answer]
