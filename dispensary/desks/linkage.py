"""Testing and linkage: who is stuck on the way from an offer to treatment, and each client's steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.linkage import note_step, set_aside, standings, steps_of, stuck
from dispensary.care.linkage_rules import Disease, Step
from dispensary.care.settings import reminders_of
from dispensary.clients.queries import face_at, faces
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, acts_of, plain_day
from dispensary.refusals import Refused
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at, looked_at_lists
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/linkage"


@get(HERE, sync_to_thread=True, guards=[requires_health_watcher])
def linkage(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, show: FromQuery[str] = ""
) -> Template:
    """Everybody for whom a step is out for too long; `show` narrows it to one disease.

    Names stand beside what is known of them: that somebody saw the list is written down.
    """
    now = clock()
    today = site.dose_day(now)
    with database.writing() as session:
        rows = stuck(session, site_id=site.id, today=today)
        known = faces(session, {row.client_id for row in rows})
        days = reminders_of(session, site.id).stuck_days
        looked_at_lists(session, actor=actor, at=now, which="linkage")
    chosen = Disease(show) if show in list(Disease) else None
    return page(
        "care/linkage.html",
        rows=[
            (row, known[row.client_id])
            for row in rows
            if row.client_id in known and (chosen is None or row.disease is chosen)
        ],
        counts={disease: sum(row.disease is disease for row in rows) for disease in Disease},
        everybody=len(rows),
        show=chosen,
        days=days,
        today=today,
        plain_day=plain_day,
        can=acts_of(actor),
    )


def _page(
    here: Consultation, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.writing() as session:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        taken = steps_of(session, client_id=here.client_id)
        days = reminders_of(session, here.site.id).stuck_days
        looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="testing and linkage")
    return page(
        "care/linkage_client.html",
        done=done,
        refused=refused,
        typed=typed,
        client_id=here.client_id,
        face=face,
        taken=list(reversed(taken)),
        standings=standings(taken),
        days=days,
        diseases=list(Disease),
        steps=list(Step),
        today=here.today,
        plain_day=plain_day,
        can=acts_of(here.actor),
    )


@get(f"{HERE}/{{client_id:uuid}}", sync_to_thread=True, guards=[requires_health_watcher])
def of_client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """How far one client has come with each disease, and by which steps."""
    return _page(Consultation(database, actor, site, ClientId(client_id), clock()), done=done)


@post(f"{HERE}/{{client_id:uuid}}/steps", sync_to_thread=True, guards=[requires_health_watcher])
def add_step(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down a step that no other record holds."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            disease = typed.choice("disease", Disease)
            step = typed.choice("step", Step)
            on = typed.day("on_day")
        note_step(
            session,
            actor=actor,
            client_id=here.client_id,
            disease=disease,
            step=step,
            on=on,
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{client_id}?done=step",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


@post(f"{HERE}/{{client_id:uuid}}/steps/{{step_id:uuid}}/aside", sync_to_thread=True, guards=[requires_health_watcher])
def aside(
    client_id: FromPath[UUID],
    step_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Sets a step aside that was written in error."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        set_aside(session, actor=actor, client_id=here.client_id, step_id=step_id, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}/{client_id}?done=aside",
        else_again=lambda why: _page(here, refused=why),
    )


HANDLERS: list[ControllerRouterHandler] = [linkage, of_client, add_step, aside]
