"""Reception's work on bookings ahead: weekly times, the waiting list, and whose held places a client may have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler
from sqlalchemy import select

import scheduling.queries
import scheduling.standing
import scheduling.waitlist
from dispensary.clients import queries as clients
from dispensary.clients.groups import NOTED, SHIFT, note_groups, noted_of
from dispensary.clients.models import Client
from dispensary.clients.not_here import not_here
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.phone import front_desk, offers, regulars
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId
from dispensary.web.forms import Form, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from dispensary.web.templating import page
from dispensary.web.typed import Typed


def ahead_of(
    session: ReadSession, actor: Actor, site: Place, client_id: ClientId, chosen: date, at: datetime
) -> dict[str, Any]:
    """What the client's page shows of weekly times, waiting and held places. A reason is shown to nobody at reception.

    Whoever looks at records may see and note that a client is pregnant; others see of groups what is theirs to ask.
    """
    today = scheduling.queries.day_at(session, site.id, at)
    noted = noted_of(session, client_id)
    known = scheduling.queries.timetable(session, site.id, chosen, chosen)
    views = scheduling.queries.slots_on(session, site.id, chosen)
    return {
        "weekly": scheduling.standing.of_holder(session, site.id, client_id, today),
        "line": [each for each in offers.line(session, site=site, at=at) if each.wait.holder_id == client_id],
        "groups": _words_for(actor),
        "noted": noted,
        "held_slots": [view for view in views if view.held and view.starts_at > at and not known.shut_on(chosen)],
        "can_wait": bool(views) and not any(view.free for view in views if view.starts_at > at) and chosen >= today,
    }


def _words_for(actor: Actor) -> tuple[str, ...]:
    return NOTED if actor.may(Act.LOOK_AT_CLIENT) else (SHIFT,)


def _done(
    database: Database, site: Place, client_id: UUID, act: Callable[[WriteSession], object], done: str
) -> Response[Any]:
    """Does it and goes back to the client's page; what is refused is said there. Raises NotThere."""

    def here(session: WriteSession) -> None:
        if session.scalar(select(Client.site_id).where(Client.id == client_id)) != site.id:
            raise not_here(session, ClientId(client_id), site.id)
        act(session)

    try:
        database.write(here)
    except NotThere:
        raise
    except Refused as refused:
        first = refused.first
        return Redirect(f"/reception/clients/{client_id}?said={first.code}", status_code=303)
    return Redirect(f"/reception/clients/{client_id}?done={done}", status_code=303)


@post("/reception/clients/{client_id:uuid}/weekly", sync_to_thread=True, guards=[requires_booker])
def begin(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The client comes at this time on the ticked weekdays until they say otherwise."""
    now = clock()

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            days = sorted({int(day) for day in several(data, "weekday") if day in set("0123456")})
            at = typed.time("weekly_at")
            if not days:
                typed.fault("weekday", "no-days", "No day is ticked.", "Tick the days of the week.")
        regulars.begin_for(
            session, actor=actor, site=site, client_id=ClientId(client_id), weekdays=days, clock=at, at=now
        )

    return _done(database, site, client_id, act, "weekly")


@post("/reception/clients/{client_id:uuid}/weekly/end", sync_to_thread=True, guards=[requires_booker])
def end(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Ends all weekly times, and gives up what was booked from them."""
    now, holder = clock(), ClientId(client_id)
    return _done(
        database,
        site,
        client_id,
        lambda session: regulars.end_for(session, actor=actor, site=site, client_id=holder, at=now),
        "weekly-ended",
    )


@post("/reception/clients/{client_id:uuid}/weekly/pause", sync_to_thread=True, guards=[requires_booker])
def pause(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """No weekly bookings for some days, or until they go on."""
    now, holder = clock(), ClientId(client_id)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            first, last = typed.day("pause_from"), typed.day_or_none("pause_last")
            if first < site.dose_day(now) or (last is not None and last < first):
                typed.fault("pause_from", "bad-pause", "A pause begins today or later, and ends after it began.")
        regulars.pause_for(session, actor=actor, site=site, client_id=holder, first_day=first, last_day=last, at=now)

    return _done(database, site, client_id, act, "weekly-paused")


@post("/reception/clients/{client_id:uuid}/weekly/on", sync_to_thread=True, guards=[requires_booker])
def go_on(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Ends the pause."""
    now, holder = clock(), ClientId(client_id)
    return _done(
        database,
        site,
        client_id,
        lambda session: regulars.go_on_for(session, actor=actor, site=site, client_id=holder, at=now),
        "weekly",
    )


@post("/reception/clients/{client_id:uuid}/wait", sync_to_thread=True, guards=[requires_booker])
def wait(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Puts the client in line for a full day."""
    now, holder = clock(), ClientId(client_id)

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            day = typed.day("day")
        offers.ask_for(session, actor=actor, site=site, client_id=holder, day=day, at=now)

    return _done(database, site, client_id, act, "waits")


@post("/reception/waits/{wait_id:uuid}/leave", sync_to_thread=True, guards=[requires_booker])
def leave(wait_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Redirect:
    """Takes a wish out of the line."""
    now = clock()
    database.write(lambda session: offers.leave_line(session, actor=actor, site=site, wait_id=wait_id, at=now))
    return Redirect("/reception/waiting?done=left", status_code=303)


@post("/reception/offers/{offer_id:uuid}/take", sync_to_thread=True, guards=[requires_booker])
def take(
    offer_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes the place that is kept, as the client said."""
    now = clock()
    try:
        database.write(lambda session: offers.take_for(session, actor=actor, site=site, offer_id=offer_id, at=now))
    except Refused as refused:
        return _waiting_page(database, site, now, refused=refused)
    return Redirect("/reception/waiting?done=taken", status_code=303)


@post("/reception/clients/{client_id:uuid}/groups", sync_to_thread=True, guards=[requires_booker])
def groups(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Notes whose held places the client may have. What the asker may not see stays as it was."""
    now, holder, mine = clock(), ClientId(client_id), _words_for(actor)

    def act(session: WriteSession) -> None:
        ticked = set(several(data, "group"))
        if ticked - set(mine):
            raise BadInput(Refusal("no-group", "There is no such group.", "Choose from the list.", field="group"))
        kept = noted_of(session, holder) - set(mine)
        note_groups(session, actor=actor, client_id=holder, words=ticked | kept, at=now)

    return _done(database, site, client_id, act, "groups")


@get("/reception/waiting", sync_to_thread=True, guards=[requires_booker])
def waiting_list(database: TheDatabase, site: TheSite, clock: TheClock, done: FromQuery[str] = "") -> Template:
    """Who waits for a place, day by day in their order, and what is kept for whom until when."""
    return _waiting_page(database, site, clock(), done=done)


def _waiting_page(
    database: Database, site: Place, now: datetime, *, done: str = "", refused: Refused | None = None
) -> Template:
    with database.reading() as session, front_desk.where_it_opens():
        waiting = offers.line(session, site=site, at=now)
        faces = clients.faces_on_papers(session, {ClientId(each.wait.holder_id) for each in waiting})
    return page("reception/waiting.html", line=waiting, faces=faces, done=done, refused=refused, now=now)


HANDLERS: list[ControllerRouterHandler] = [begin, end, pause, go_on, wait, leave, take, groups, waiting_list]
