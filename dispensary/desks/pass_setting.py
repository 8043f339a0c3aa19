"""The office's page of what the site has set for passes and for who collects in a client's place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.supplies.verifying import PassRules, pass_rules, set_pass_rules
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@get("/office/passes", sync_to_thread=True, guards=[requires_administrator])
def passes_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The form, as the site is set now."""
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
        kept = pass_rules(session, site.id)
    return page("office/passes.html", kept=kept, done=done, refused=refused, typed=typed)


@post("/office/passes", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set. Consents that were signed before hold as they were signed."""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            months = typed.whole("agent_months", 0, 12)
        rules = PassRules(cards=one(data, "cards") == "yes", agent_months=months)
        set_pass_rules(session, actor=actor, rules=rules, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/passes?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [passes_form, change]
