"""What closing some days would do, before it is done: who is booked, what they have for the days, where they go."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from litestar import Request, get
from litestar.response import Template
from litestar.types import ControllerRouterHandler

import scheduling.queries
from dispensary.clients import queries as clients
from dispensary.desks.opening import days_to_close, hours_page
from dispensary.phone.moved import Concerned, plan
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.rules import Act
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page

_MOST_DAYS = 366


@get("/office/closures/plan", sync_to_thread=True, guards=[requires_administrator])
def closing(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Whom closing these days concerns, by number. Nothing is done yet.

    An administrator looks at no record: bottles and days without a dose are shown to whoever may, and counted for all.
    """
    now = clock()
    today, typed = site.dose_day(now), dict(request.query_params)
    try:
        first_day, last_day, reason = days_to_close(typed, today)
        _refuse_unless_days(first_day, last_day)
    except Refused as refused:
        return hours_page(database, site, today, refused=refused, typed=typed)
    concerned: list[Concerned] = []
    with database.reading() as session:
        if scheduling.queries.is_place(session, site.id):
            concerned = plan(session, site=site, first_day=first_day, last_day=last_day, at=now)
        faces = clients.faces_on_papers(session, {each.client_id for each in concerned})
    return page(
        "office/closing.html",
        typed=typed,
        first=first_day,
        last=last_day,
        reason=reason,
        concerned=concerned,
        treats=actor.may(Act.LOOK_AT_CLIENT),
        numbers={client_id: face.number for client_id, face in faces.items()},
        counts=Counter(each.way.state.value for each in concerned),
        without=sum(bool(each.cover.without) for each in concerned),
    )


def _refuse_unless_days(first_day: date, last_day: date) -> None:
    if not first_day <= last_day or (last_day - first_day).days > _MOST_DAYS:
        raise BadInput(
            Refusal(
                "bad-closure",
                "A closure ends on its first day or later, and within a year.",
                "Correct the days.",
                field="last_day",
            )
        )


HANDLERS: list[ControllerRouterHandler] = [closing]
