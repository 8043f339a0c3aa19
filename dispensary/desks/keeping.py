"""The office's page of how long what is kept: each kind of record with the site's own figure and its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput, Refused
from dispensary.staff.queries import Place, names_of
from dispensary.staff.retention import periods_of, set_period
from dispensary.staff.retention_rules import KINDS, LONGEST_SOURCE, Kind
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from notifications.places import rules_of


@get("/office/keeping", sync_to_thread=True, guards=[requires_administrator])
def keeping(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site has set, kind by kind; what has no figure is kept."""
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
        periods = periods_of(session, site_id=site.id)
        people = names_of(session, [each.set_by for each in periods.values() if each.set_by is not None])
        return page(
            "office/keeping.html",
            kinds=KINDS,
            periods=periods,
            people=people,
            text_days=rules_of(session, site.id).keep_days,
            longest=LONGEST_SOURCE,
            done=done,
            refused=refused,
            typed=typed,
        )


@post("/office/keeping", sync_to_thread=True, guards=[requires_administrator])
def change(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets one kind's figure with its source; an empty figure takes it away, and the kind is kept."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            kind = typed.choice("kind", Kind)
            kept = KINDS[kind]
            figure = typed.whole(f"figure {kind}", kept.least, kept.most) if one(data, f"figure {kind}") else None
        source = one(data, f"source {kind}")
        try:
            set_period(session, actor=actor, kind=kind, figure=figure, source=source, at=now)
        except BadInput as refused:  # each kind has fields of its own on the page
            raise BadInput(*(replace(each, field=f"{each.field} {kind}") for each in refused.refusals)) from None

    try:
        database.write(act)
    except Refused as refused:
        return _page(database, site, refused=refused, typed=data)
    return Redirect("/office/keeping?done=changed", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [keeping, change]
