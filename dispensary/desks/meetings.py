"""Group sessions: who came is noted by whoever led one. A peer worker sees own clients, and of the others how many."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.meetings import (
    MOST_OTHERS,
    About,
    held_since,
    meetings_of,
    note_meeting,
    take_attendance_back,
    take_meeting_back,
)
from dispensary.clients.numbers import clients_numbered
from dispensary.clients.own import own_clients
from dispensary.clients.queries import faces
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.consulting import acts_of, plain_day
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

HERE = "/care/groups"
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
        held = meetings_of(session, actor=actor)
        mine = own_clients(session, actor=actor) if actor.may(Act.LOOK_AFTER_OWN) else []
        called = {each.client_id: f"{each.called} {each.number}" for each in mine}
        if actor.may(Act.ENROL):
            known = faces(session, {client_id for each in held for client_id in each.clients})
            called |= {client_id: f"{face.name} {face.number}" for client_id, face in known.items()}
        counts = held_since(session, site_id=site.id, since=today.replace(month=1, day=1))
    return page(
        "care/groups.html",
        held=held,
        mine=mine,
        called=called,
        counts=counts,
        most=MOST_OTHERS,
        done=done,
        refused=refused,
        typed=typed,
        today=today,
        plain_day=plain_day,
        can=acts_of(actor),
    )


@get(HERE, sync_to_thread=True, guards=[_WHO])
def groups(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """The last group sessions, and one to note."""
    return _page(database, actor, site, clock(), done=done)


@post(HERE, sync_to_thread=True, guards=[_WHO])
def note(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Notes that one was held, and who came."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            about = typed.choice("about", About)
            on = typed.day("on_day")
            others = typed.whole_or_none("others", 0, MOST_OTHERS)
            numbers = typed.text("numbers", most=600, required=False)
        clients = _ticked(session, actor, data)
        if numbers and actor.may(Act.ENROL):
            typed_in = numbers.replace(",", " ").split()
            clients |= clients_numbered(session, site_ids=[site.id], numbers=typed_in, field="numbers")
        note_meeting(
            session,
            actor=actor,
            about=about,
            on=on,
            clients=clients,
            others=others or 0,
            key=key_of(data),
            today=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=noted",
        else_again=lambda why: _page(database, actor, site, now, refused=why, typed=data),
    )


@post(f"{HERE}/{{meeting_id:uuid}}/back", sync_to_thread=True, guards=[_WHO])
def back(
    meeting_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes one back that was entered in error, or that one client came."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            client = typed.id("client") if one(data, "client") else None
        if client is None:
            take_meeting_back(session, actor=actor, meeting_id=meeting_id, why=why, at=now)
        else:
            take_attendance_back(
                session, actor=actor, meeting_id=meeting_id, client_id=ClientId(client), why=why, at=now
            )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=back",
        else_again=lambda why: _page(database, actor, site, now, refused=why, typed=data),
    )


def _ticked(session: ReadSession, actor: Actor, data: Mapping[str, Any]) -> set[ClientId]:
    """Those of the actor's own clients who are ticked."""
    if not actor.may(Act.LOOK_AFTER_OWN):
        return set()
    ticked = set(several(data, "came"))
    return {each.client_id for each in own_clients(session, actor=actor) if str(each.client_id) in ticked}


HANDLERS: list[ControllerRouterHandler] = [groups, note, back]
