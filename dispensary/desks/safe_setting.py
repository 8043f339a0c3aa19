"""The office's page of what the site has set for its safe: tolerance of a count, low stock, what may be mixed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.refusals import Refused
from dispensary.stock.service import settings_of
from dispensary.stock.setting import MOST_DAYS, SafeFacts, change_safe
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed


@get("/office/safe", sync_to_thread=True, guards=[requires_administrator])
def safe_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The form, as the safe is set now."""
    return _page(database, site, done=done)


def _page(
    database: TheDatabase,
    site: TheSite,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        kept = settings_of(session, site.id)
        return page("office/safe.html", kept=kept, done=done, refused=refused, typed=typed)


@post("/office/safe", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set; the next count and the next look at the counter follow it."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            facts = SafeFacts(
                tolerance_percent=_percent(typed, one(data, "tolerance_percent")),
                tolerance_ml=typed.millilitres("tolerance_ml", zero=True) if one(data, "tolerance_ml") else None,
                days_of_stock=typed.whole_or_none("days_of_stock", 1, MOST_DAYS),
                mix_strengths=one(data, "mix_strengths") == "yes",
                one_open_lot=one(data, "one_open_lot") == "yes",
                source=typed.text("source", most=LONGEST_NOTE, required=False),
            )
        return change_safe(session, actor=actor, facts=facts, at=clock())

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/safe?done=changed", status_code=303)


def _percent(typed: Typed, text: str) -> Decimal | None:
    if not text:
        return None
    try:
        found = Decimal(text).quantize(Decimal("0.01"))
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        typed.fault("tolerance_percent", "bad-percent", "This is 0 to 100 per cent.", "Write digits, as 1 or 0.5.")
        return None
    return found


HANDLERS: list[ControllerRouterHandler] = [safe_form, change]
