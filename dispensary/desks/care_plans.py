"""Plans of sessions at a client's page of care: begun with their consent, each session marked, moved, or called off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.own_documents import plans_there
from dispensary.care.plans import Chosen, usual
from dispensary.care.reopening import reopen_plan, take_mark_back
from dispensary.care.session_models import SessionState
from dispensary.care.sessions import begin_plan, end_plan, mark_session, move_session
from dispensary.clients.queries import face_at
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import WriteSession
from dispensary.desks.care import caring, client_page, requires_carer, said
from dispensary.desks.window import AtCounter
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.templating import page
from dispensary.web.typed import Typed

_CLIENT = "/care/clients/{client_id:uuid}"


def _form(
    here: AtCounter, key: str, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.reading() as session:
        plan = plans_there(session).get(key)
    if plan is None:
        raise NotThere(Refusal("no-plan", "There is no such plan.", "Choose one of the list."))
    face = here.sees(
        lambda session: face_at(session, site_id=here.site.id, client_id=here.client_id), seen_on="plan of sessions"
    )
    parts = list(zip(plan.part, usual(plan), strict=True))
    return page("care/plan.html", **said(here), face=face, plan=plan, plan_parts=parts, refused=refused, typed=typed)


@get(f"{_CLIENT}/begin/{{plan:str}}", sync_to_thread=True, guards=[requires_carer])
def form(
    client_id: FromPath[UUID],
    plan: FromPath[str],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Template:
    """What the plan leaves to choose."""
    return _form(AtCounter(database, actor, site, ClientId(client_id), clock()), plan)


def _time(typed: Typed, data: Mapping[str, Any]) -> time | None:
    return typed.time("at_time") if one(data, "at_time") else None


@post(f"{_CLIENT}/begin/{{plan:str}}", sync_to_thread=True, guards=[requires_carer])
def begin(
    client_id: FromPath[UUID],
    plan: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Begins it, with all its sessions."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        known = plans_there(session).get(plan)
        with Typed(data) as typed:
            first = typed.day("first")
            at_time = _time(typed, data)
            minutes = typed.whole("minutes", 1, 999)
            count = len(known.part) if known else 0
            chosen = [
                Chosen(typed.whole(f"times_{n}", 1, 99), typed.whole(f"every_{n}", 1, 99)) for n in range(1, count + 1)
            ]
        begin_plan(
            session,
            actor=actor,
            client_id=here.client_id,
            plan=plan,
            first=first,
            at_time=at_time,
            minutes=minutes,
            chosen=chosen,
            agreed=one(data, "agreed") == "yes",
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=begun#sessions",
        else_again=lambda why: _form(here, plan, refused=why, typed=data),
    )


@post(f"{_CLIENT}/sessions/{{session_id:uuid}}/mark", sync_to_thread=True, guards=[requires_carer])
def mark(
    client_id: FromPath[UUID],
    session_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down whether they came, from the day's list or the client's page, and goes back there."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            state = typed.choice("state", SessionState)
        mark_session(
            session,
            actor=actor,
            client_id=here.client_id,
            session_id=session_id,
            state=state,
            today=here.today,
            at=here.now,
        )

    back = "/care#sessions" if one(data, "back") == "day" else f"{caring(here)}?done=marked#sessions"
    return done_or_again(
        database, act, then=lambda _: back, else_again=lambda why: client_page(here, refused=why, typed=data)
    )


@post(f"{_CLIENT}/sessions/{{session_id:uuid}}/move", sync_to_thread=True, guards=[requires_carer])
def move(
    client_id: FromPath[UUID],
    session_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Moves one session; the others stay where they are."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            to = typed.day("to")
            at_time = _time(typed, data)
        move_session(
            session,
            actor=actor,
            client_id=here.client_id,
            session_id=session_id,
            to=to,
            at_time=at_time,
            today=here.today,
            at=here.now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=moved#sessions",
        else_again=lambda why: client_page(here, refused=why, typed={**data, "session": str(session_id)}),
    )


@post(f"{_CLIENT}/plans/{{plan_id:uuid}}/end", sync_to_thread=True, guards=[requires_carer])
def end(
    client_id: FromPath[UUID],
    plan_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Ends a plan, because the client does not want it any more or does not need it."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())
    return done_or_again(
        database,
        lambda session: end_plan(session, actor=actor, client_id=here.client_id, plan_id=plan_id, at=here.now),
        then=lambda _: f"{caring(here)}?done=ended#sessions",
        else_again=lambda why: client_page(here, refused=why, typed=data),
    )


@post(f"{_CLIENT}/sessions/{{session_id:uuid}}/back", sync_to_thread=True, guards=[requires_carer])
def unmark(
    client_id: FromPath[UUID],
    session_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back how a session was marked, or that it was called off."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            seen = typed.moment("seen")
        take_mark_back(
            session, actor=actor, client_id=here.client_id, session_id=session_id, seen=seen, why=why, at=here.now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=back#sessions",
        else_again=lambda why: client_page(here, refused=why, typed=data),
    )


@post(f"{_CLIENT}/plans/{{plan_id:uuid}}/back", sync_to_thread=True, guards=[requires_carer])
def go_on(
    client_id: FromPath[UUID],
    plan_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back that a plan was ended."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            seen = typed.moment("seen")
        reopen_plan(session, actor=actor, client_id=here.client_id, plan_id=plan_id, seen=seen, why=why, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=back#sessions",
        else_again=lambda why: client_page(here, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [form, begin, mark, move, end, unmark, go_on]
