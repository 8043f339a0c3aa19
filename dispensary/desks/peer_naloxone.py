"""Naloxone in a peer worker's hands: kits for their own clients, families and whoever they meet, and uses told of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.corrections import own_gifts, own_uses
from dispensary.care.naloxone import lots_of
from dispensary.clients.own import own_client
from dispensary.database import Database, ReadSession, WriteSession
from dispensary.desks.consulting import plain_day
from dispensary.desks.naloxone import given_from, taken_back_from, used_from
from dispensary.refusals import Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_peer_worker
from dispensary.web.templating import page

ANYBODY, OWN = "/peers/naloxone", "/peers/clients/{client_id:uuid}/naloxone"


@dataclass(frozen=True)
class _Here:
    """Where a peer worker stands: with one of their own clients, or with somebody who is none."""

    database: Database
    actor: Actor
    site: Place
    client_id: ClientId | None
    now: datetime

    @property
    def today(self) -> date:
        return self.site.dose_day(self.now)

    @property
    def url(self) -> str:
        return ANYBODY if self.client_id is None else f"/peers/clients/{self.client_id}/naloxone"


def _shown(session: ReadSession, here: _Here) -> dict[str, Any]:
    return {
        "who": own_client(session, actor=here.actor, client_id=here.client_id) if here.client_id else None,
        "lots": [lot for lot in lots_of(session, site_id=here.site.id) if lot.expires_on > here.today],
        "gifts": own_gifts(session, actor=here.actor, client_id=here.client_id, today=here.today),
        "uses": own_uses(session, actor=here.actor, client_id=here.client_id, today=here.today),
    }


def _page(
    here: _Here, *, done: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    with here.database.writing() as session:
        shown = _shown(session, here)
        if here.client_id is not None:
            looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="naloxone")
    return page(
        "peers/naloxone.html",
        here_url=here.url,
        done=done,
        refused=refused,
        typed=typed,
        today=here.today,
        plain_day=plain_day,
        **shown,
    )


def _does(here: _Here, act: Callable[[WriteSession], object], *, done: str, data: Form) -> Response[Any]:
    return done_or_again(
        here.database,
        act,
        then=lambda _: f"{here.url}?done={done}",
        else_again=lambda why: _page(here, refused=why, typed=data),
    )


def _gives(here: _Here, data: Form) -> Response[Any]:
    return _does(
        here,
        lambda session: given_from(session, here.actor, here.client_id, data, here.today, here.now),
        done="given",
        data=data,
    )


def _hears(here: _Here, data: Form) -> Response[Any]:
    return _does(
        here,
        lambda session: used_from(session, here.actor, here.client_id, data, here.today, here.now),
        done="use",
        data=data,
    )


def _takes_back(here: _Here, what: str, entry_id: UUID, data: Form) -> Response[Any]:
    return _does(
        here,
        lambda session: taken_back_from(session, here.actor, here.client_id, what, entry_id, data, here.now),
        done="back",
        data=data,
    )


@get(ANYBODY, sync_to_thread=True, guards=[requires_peer_worker])
def naloxone(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """Kits for somebody who is no client, and what this person gave and was told; nobody else's."""
    return _page(_Here(database, actor, site, None, clock()), done=done)


@post(f"{ANYBODY}/kits", sync_to_thread=True, guards=[requires_peer_worker])
def give(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Gives kits to somebody who is no client, by a code or by none."""
    return _gives(_Here(database, actor, site, None, clock()), data)


@post(f"{ANYBODY}/uses", sync_to_thread=True, guards=[requires_peer_worker])
def use(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Writes down a use that somebody who is no client tells of."""
    return _hears(_Here(database, actor, site, None, clock()), data)


@post(f"{ANYBODY}/back/{{what:str}}/{{entry_id:uuid}}", sync_to_thread=True, guards=[requires_peer_worker])
def taken_back(
    what: FromPath[str],
    entry_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what this person entered in error."""
    return _takes_back(_Here(database, actor, site, None, clock()), what, entry_id, data)


@get(OWN, sync_to_thread=True, guards=[requires_peer_worker])
def of_client(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[str] = "",
) -> Template:
    """The same for one of their own clients. The look is written down."""
    return _page(_Here(database, actor, site, ClientId(client_id), clock()), done=done)


@post(f"{OWN}/kits", sync_to_thread=True, guards=[requires_peer_worker])
def give_to_client(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Gives kits to one of their own clients, or to the family."""
    return _gives(_Here(database, actor, site, ClientId(client_id), clock()), data)


@post(f"{OWN}/uses", sync_to_thread=True, guards=[requires_peer_worker])
def used_by_client(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that the kit of one of their own clients was used, as they or their family tell it."""
    return _hears(_Here(database, actor, site, ClientId(client_id), clock()), data)


@post(f"{OWN}/back/{{what:str}}/{{entry_id:uuid}}", sync_to_thread=True, guards=[requires_peer_worker])
def taken_back_of_client(
    client_id: FromPath[UUID],
    what: FromPath[str],
    entry_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what this person entered in error of one of their own clients."""
    return _takes_back(_Here(database, actor, site, ClientId(client_id), clock()), what, entry_id, data)


HANDLERS: list[ControllerRouterHandler] = [
    naloxone,
    give,
    use,
    taken_back,
    of_client,
    give_to_client,
    used_by_client,
    taken_back_of_client,
]
