"""The office's page of what the site has set for bookings: limits, offers from the waiting list, who is new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
import scheduling.setting
from dispensary.clients.groups import new_days, set_new_days
from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from scheduling.rules import BadHours, BookingRules, NotFound


@get("/office/bookings", sync_to_thread=True, guards=[requires_administrator])
def bookings_form(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
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
        rules = scheduling.queries.booking_rules(session, site.id)
        days = new_days(session, site.id)
    return page("office/bookings.html", rules=rules, new_days=days, done=done, refused=refused, typed=typed)


@post("/office/bookings", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Changes what is set. Bookings and offers that are there stay."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            most = typed.whole_or_none("most_open", 1, 400)
            minutes = typed.whole("offer_minutes", 5, 1440)
            offers_from, offers_until = typed.time("offers_from"), typed.time("offers_until")
            days = typed.whole("new_days", 0, 365)
        rules = BookingRules(most, minutes, offers_from, offers_until)
        try:
            scheduling.setting.set_booking_rules(session, place_id=site.id, rules=rules)
        except BadHours as reason:
            raise BadInput(Refusal(reason.code, reason.sentence, "Correct it.", field="offers_until")) from None
        except NotFound:
            raise Refused(Refusal("no-hours", "This site has no hours yet.", "Set its hours first.")) from None
        set_new_days(session, site_id=site.id, days=days)
        details = {**vars(rules), "new_days": days}
        audit.record(
            session, actor=actor, act="set bookings", subject="site", subject_id=site.id, at=now, details=details
        )

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/bookings?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [bookings_form, change]
