"""The office's page of what the site has set for itself: its name and phones, and the guards at counter and desk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.models import Site
from dispensary.staff.pin_rules import LOCK_AFTER_BOUNDS
from dispensary.staff.queries import Place
from dispensary.staff.sites import SiteFacts, change_site
from dispensary.staff.stations import lock_after, set_lock_after
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/office/site", sync_to_thread=True, guards=[requires_administrator])
def site_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The form, as the site is set now."""
    return _site_page(database, site, done=done)


def _site_page(
    database: Database,
    here: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        kept = session.get_one(Site, here.id)
        minutes = lock_after(session, site_id=here.id)
        return page("office/site.html", kept=kept, lock_after=minutes, done=done, refused=refused, typed=typed)


@post("/office/site", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set; the counter and the consulting room follow it from the next page on."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            facts = SiteFacts(
                name=typed.text("name"),
                address=typed.text("address", required=False),
                phone=typed.text("phone", most=40, required=False),
                prescriber_phone=typed.text("prescriber_phone", most=40, required=False),
                jump_percent=typed.whole("jump_percent", 1, 100),
                jump_mg=typed.milligrams("jump_mg"),
                missed_days_ask=typed.whole("missed_days_ask", 1, 5),
            )
        return change_site(session, actor=actor, facts=facts, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _site_page(database, site, refused=refused, typed=data)
    return Redirect("/office/site?done=changed", status_code=303)


@post("/office/site/lock", sync_to_thread=True, guards=[requires_administrator])
def change_lock(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes after how long an untouched screen closes; screens that are open follow it from their next page on."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            minutes = typed.whole("lock_after_minutes", *LOCK_AFTER_BOUNDS)
        set_lock_after(session, actor=actor, minutes=minutes, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _site_page(database, site, refused=refused, typed=data)
    return Redirect("/office/site?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [site_form, change, change_lock]
