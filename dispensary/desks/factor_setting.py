"""The office's page of who must have a second factor at the site, and who has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff import factor_setting
from dispensary.staff.factor_rules import GRACE_BOUNDS, Demand
from dispensary.staff.queries import Place
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/office/second-factor", sync_to_thread=True, guards=[requires_administrator])
def setting(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site asks for now, and who has a second factor."""
    return _page(database, site, done=done)


def _page(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        return page(
            "office/second_factor.html",
            refused=refused,
            typed=typed,
            asked=factor_setting.demanded(session, site_id=site.id),
            people=factor_setting.who_has(session, site_id=site.id),
            done=done,
        )


@post("/office/second-factor", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is asked for; whoever is signed in meets it on their next page."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            demand = typed.choice("demand", Demand)
            days = typed.whole("grace_days", *GRACE_BOUNDS)
        factor_setting.ask_for(session, actor=actor, demand=demand, grace_days=days, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/second-factor?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [setting, change]
