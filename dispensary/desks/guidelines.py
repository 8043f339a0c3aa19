"""The office's page of dosing guidelines: for each topic what the site follows, what there is, and where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.prescribing.adopting import Followed, adopt_guideline, adoptions_of, leave_guideline
from dispensary.prescribing.guideline import guidelines_with, parse, shipped_guidelines
from dispensary.prescribing.sections import TOLD_OF, Topic
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

NONE = "none"
"""The choice of a site that follows no guideline for a topic."""


@get("/office/guidelines", sync_to_thread=True, guards=[requires_administrator])
def guidelines_page(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """Topic by topic: what is followed and from when, and every guideline that speaks of it."""
    return _page(database, site, site.dose_day(clock()), done=done)


def _page(
    database: Database,
    site: Place,
    today: date,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        adopted = adoptions_of(session, site.id)
    followed: dict[str, list[Followed]] = {topic.value: [] for topic in Topic}
    for each in reversed(adopted):
        if each.adoption.days.upper is None or each.adoption.days.upper > today:
            followed[each.adoption.topic].append(each)
    return page(
        "office/guidelines.html",
        topics=[(topic, TOLD_OF[topic], guidelines_with(topic)) for topic in Topic],
        followed=followed,
        documents={parse(document).guideline: document for document in shipped_guidelines()},
        today=today,
        about=one(typed or {}, "topic"),
        done=done,
        refused=refused,
        typed=typed,
    )


@post("/office/guidelines", sync_to_thread=True, guards=[requires_administrator])
def adopt(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """The site follows a guideline for one topic from a day on. What was ruled before stays as it was."""
    now = clock()

    document = data.get("document")
    own = document.replace("\r\n", "\n") if isinstance(document, str) else ""

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            topic, from_day = typed.choice("topic", Topic), typed.day("from_day")
            guideline = typed.text("guideline", required=not own.strip())
        if guideline == NONE:
            leave_guideline(session, actor=actor, site_id=site.id, topic=topic, from_day=from_day, at=now)
        else:
            adopt_guideline(
                session,
                actor=actor,
                site_id=site.id,
                topic=topic,
                guideline=guideline,
                document=own if own.strip() else "",
                from_day=from_day,
                at=now,
            )

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, site.dose_day(now), refused=refused, typed=data)
    return Redirect("/office/guidelines?done=adopted", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [guidelines_page, adopt]
