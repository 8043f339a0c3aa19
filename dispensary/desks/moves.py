"""Moving to another site: who leaves and who arrives, writing a move, taking a client on, and the same day's undo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.home_models import ClientMove, MoveState
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.window import AtCounter, desk_of
from dispensary.homes.asking import turn_down, write_move
from dispensary.homes.going import take_on, undo
from dispensary.homes.queries import arriving_face, arriving_photo, bottles_standing, move_at, moves_at, moves_of
from dispensary.homes.rules import LONGEST_REASON
from dispensary.refusals import Refused
from dispensary.staff.queries import sites
from dispensary.staff.rules import Actor
from dispensary.supplies.guest_facts import facts_of
from dispensary.units import ClientId, SiteId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_mover
from dispensary.web.photo import shown_photo
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

_PAST_SHOWN = timedelta(days=30)
_FACTS_AHEAD = timedelta(days=28)


def _words() -> dict[str, str]:
    return {
        MoveState.ASKED: _("waits for them to come"),
        MoveState.DONE: _("has moved"),
        MoveState.REFUSED: _("refused"),
        MoveState.WITHDRAWN: _("withdrawn"),
        MoveState.UNDONE: _("taken back the same day"),
    }


@get("/moves", sync_to_thread=True, guards=[requires_mover])
def moves(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """Who leaves this site and who arrives: what waits, and what became of the moves of the last month."""
    with database.reading() as session:
        rows = moves_at(session, site_id=site.id, since=clock() - _PAST_SHOWN)
    waits = [each for each in rows if each.state is MoveState.ASKED]
    return page(
        "counter/moves.html",
        arriving=[each for each in waits if each.move.to_site_id == site.id],
        leaving=[each for each in waits if each.move.from_site_id == site.id],
        past=[each for each in rows if each.state is not MoveState.ASKED],
        words=_words(),
        back=desk_of(actor),
    )


@get("/moves/{move_id:uuid}", sync_to_thread=True, guards=[requires_mover])
def move(move_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """One move: why, and what follows; for the new site who is to stand before it, and what its counter will go by."""
    return _one(database, actor, site, clock, move_id)


def _one(
    database: TheDatabase,
    actor: Actor,
    site: TheSite,
    clock: TheClock,
    move_id: UUID,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    now = clock()
    today = site.dose_day(now)

    def read(session: WriteSession) -> Template:
        shown = move_at(session, site_id=site.id, move_id=move_id)
        client_id = ClientId(shown.move.client_id)
        arrives = shown.move.to_site_id == site.id
        waits = shown.state is MoveState.ASKED
        face = arriving_face(session, site_id=site.id, move_id=move_id) if arrives and waits else None
        looked_at(session, actor=actor, client_id=client_id, at=now, page="move to another site")
        here = arrives is (shown.state is MoveState.DONE) or (not arrives and shown.state is not MoveState.DONE)
        return page(
            "counter/move.html",
            refused=refused,
            typed=typed,
            shown=shown,
            row=shown.move,
            word=_words()[shown.state],
            arrives=arrives,
            waits=waits,
            standing=bottles_standing(session, client_id=client_id) if waits else [],
            face=face,
            undoes=shown.state is MoveState.DONE and shown.move.from_day == today,
            most=LONGEST_REASON,
            here_url=f"/moves/{move_id}",
            client_url=f"{desk_of(actor)}/clients/{client_id}" if here else "",
        )

    return database.write(read)


@get("/moves/{move_id:uuid}/photo", sync_to_thread=True, guards=[requires_mover])
def photo(move_id: FromPath[UUID], database: TheDatabase, site: TheSite) -> Response[bytes]:
    """The photo of whoever is to come, while they have not: for the screen alone, never kept by the browser."""
    with database.reading() as session:
        found = arriving_photo(session, site_id=site.id, move_id=move_id)
    return shown_photo(found)


@post("/moves/{move_id:uuid}/take-on", sync_to_thread=True, guards=[requires_mover])
def taken_on(
    move_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The new site has seen the client: they are its own from now on."""
    number, seen = one(data, "number"), one(data, "seen") == "yes"

    def act(session: WriteSession) -> ClientMove:
        return take_on(session, actor=actor, move_id=move_id, number=number, seen=seen, at=clock())

    return _done(database, actor, site, clock, move_id, data, act)


@post("/moves/{move_id:uuid}/end", sync_to_thread=True, guards=[requires_mover])
def ended(
    move_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The new site refuses a move that waits, or the old one withdraws it."""

    def act(session: WriteSession) -> ClientMove:
        with Typed(data) as typed:
            reason = typed.text("answer", most=LONGEST_REASON, required=False)
        return turn_down(session, actor=actor, move_id=move_id, reason=reason, at=clock())

    return _done(database, actor, site, clock, move_id, data, act)


@post("/moves/{move_id:uuid}/undo", sync_to_thread=True, guards=[requires_mover])
def undone(
    move_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes a move back on its own day."""
    return _done(
        database, actor, site, clock, move_id, data,
        lambda session: undo(session, actor=actor, move_id=move_id, at=clock()),
    )  # fmt: skip


def _done(
    database: TheDatabase,
    actor: Actor,
    site: TheSite,
    clock: TheClock,
    move_id: UUID,
    data: Mapping[str, Any],
    act: Callable[[WriteSession], ClientMove],
) -> Response[Any]:
    return done_or_again(
        database,
        act,
        then=lambda _: f"/moves/{move_id}",
        else_again=lambda why: _one(database, actor, site, clock, move_id, why, data),
    )


@get("/moves/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_mover])
def client(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The form that writes a move of one's own client, with what follows them, and their moves until now."""
    return _client(AtCounter(database, actor, site, ClientId(client_id), clock()))


def _client(here: AtCounter, refused: Refused | None = None, typed: Mapping[str, Any] | None = None) -> Template:
    def read(session: ReadSession) -> Template:
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        rows = moves_of(session, client_id=here.client_id)
        return page(
            "counter/move_client.html",
            refused=refused,
            typed=typed,
            face=face,
            rows=rows,
            waits=any(each.state is MoveState.ASKED for each in rows),
            words=_words(),
            standing=bottles_standing(session, client_id=here.client_id),
            facts=facts_of(
                session,
                client_id=here.client_id,
                home_id=SiteId(here.site.id),
                today=here.today,
                first=here.today,
                until=here.today + _FACTS_AHEAD,
            ),
            others=[(each.code, f"{each.code}, {each.name}") for each in sites(session) if each.id != here.site.id],
            most=LONGEST_REASON,
            here_url=f"/moves/clients/{here.client_id}",
            back=f"{desk_of(here.actor)}/clients/{here.client_id}",
        )

    return here.sees(read, seen_on="move to another site")


@post("/moves/clients/{client_id:uuid}", sync_to_thread=True, guards=[requires_mover])
def written(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes that the client moves to another site."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            reason = typed.text("reason", most=LONGEST_REASON, required=False)
        return write_move(
            session,
            actor=actor,
            client_id=here.client_id,
            to_code=one(data, "to"),
            reason=reason,
            key=str(key_of(data)),
            at=here.now,
        ).id

    return here.does(
        act, then=lambda move_id: f"/moves/{move_id}", else_again=lambda why: _client(here, refused=why, typed=data)
    )


HANDLERS: list[ControllerRouterHandler] = [moves, move, photo, taken_on, ended, undone, client, written]
"""Mounted at /."""
