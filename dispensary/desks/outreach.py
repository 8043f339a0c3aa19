"""Outreach: a contact outside is noted with what was handed out, by a code or by nothing, and taken back in error."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.centres import SERVICES
from dispensary.care.corrections import met_of_late, take_met_back
from dispensary.care.outreach import LONGEST_CODE, LONGEST_PLACE, MOST, Kind, Material, Met, note_met, reached_since
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import acts_of
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/outreach"
_WHO = requires(Act.ENROL, Act.LOOK_AFTER_OWN)


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    now: datetime,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    today = site.dose_day(now)
    with database.reading() as session:
        reached = reached_since(session, site_id=site.id, since=today.replace(month=1, day=1))
        before = met_of_late(session, actor=actor, today=today)
    return page(
        "care/outreach.html",
        reached=reached,
        before=before,
        materials=[each.value for each in Material],
        services=SERVICES,
        longest_place=LONGEST_PLACE,
        longest_code=LONGEST_CODE,
        done=done,
        refused=refused,
        typed=typed,
        today=today,
        can=acts_of(actor),
    )


@get(HERE, sync_to_thread=True, guards=[_WHO])
def outreach(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """The year's counts, and a contact to note. It names nobody."""
    return _page(database, actor, site, clock(), done=done)


@post(HERE, sync_to_thread=True, guards=[_WHO])
def note(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Notes a contact, and what was handed out."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            amounts = {each: typed.whole_or_none(each.value, 0, MOST) for each in Material}
            met = Met(
                on=typed.day("on_day"),
                kind=typed.choice("kind", Kind),
                place=typed.text("place", most=LONGEST_PLACE),
                code=typed.text("code", most=LONGEST_CODE, required=False),
                services=tuple(several(data, "services")),
                materials={each: amount for each, amount in amounts.items() if amount},
            )
        note_met(session, actor=actor, met=met, key=key_of(data), today=site.dose_day(now), at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=noted",
        else_again=lambda why: _page(database, actor, site, now, refused=why, typed=data),
    )


@post(f"{HERE}/back/{{met_id:uuid}}", sync_to_thread=True, guards=[_WHO])
def taken_back(
    met_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes back a contact that was entered in error, with what was handed out."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
        take_met_back(session, actor=actor, contact_id=met_id, why=why, at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=back",
        else_again=lambda why: _page(database, actor, site, now, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [outreach, note, taken_back]
