"""Who leaves a site and who arrives, with what the one who confirms has to see: a face, a number, what follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import aliased

from dispensary.clients.home_models import ClientHome, ClientMove, MoveState
from dispensary.clients.models import Client
from dispensary.clients.queries import Face, face_of
from dispensary.database import ReadSession, through
from dispensary.keys import ERASED
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.models import Account, Site
from dispensary.supplies.bottle_rules import BottleState
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.models import Bottle, Pickup
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door


@dataclass(frozen=True, repr=False)
class MoveShown:
    """A move with what its two sites are called, the client's number at the old one, and the words."""

    move: ClientMove
    number: str
    """At the site that they leave."""
    old: str
    new: str
    asked_by: str
    answered_by: str
    reason: str
    answer: str

    @property
    def state(self) -> MoveState:
        return MoveState(self.move.state)


def moves_at(session: ReadSession, *, site_id: SiteId, since: datetime) -> list[MoveShown]:
    """The moves from and to a site that wait, and those that were answered since; what waits first, then the newest."""
    here = or_(ClientMove.from_site_id == site_id, ClientMove.to_site_id == site_id)
    waits = ClientMove.state == MoveState.ASKED.value
    return _shown(session, here, or_(waits, ClientMove.answered_at >= since))


def arriving(session: ReadSession, *, site_id: SiteId) -> int:
    """How many are expected at a site."""
    waits = select(func.count()).where(ClientMove.to_site_id == site_id, ClientMove.state == MoveState.ASKED.value)
    return session.scalar(waits) or 0


def move_at(session: ReadSession, *, site_id: SiteId, move_id: UUID) -> MoveShown:
    """One move of which the site is one of the two. Raises NotThere."""
    here = or_(ClientMove.from_site_id == site_id, ClientMove.to_site_id == site_id)
    found = _shown(session, here, ClientMove.id == move_id)
    if not found:
        raise NotThere(Refusal("no-move", "There is no such move at this site.", "Open the list again."))
    return found[0]


def moves_of(session: ReadSession, *, client_id: ClientId) -> list[MoveShown]:
    """The moves of a client, the newest first. Ask for a client whom the reader may look at."""
    return _shown(session, ClientMove.client_id == client_id)


@through(Door.MOVES)
def _shown(session: ReadSession, *which: ColumnElement[bool]) -> list[MoveShown]:
    old, new, asked, answered = aliased(Site), aliased(Site), aliased(Account), aliased(Account)
    number = (
        select(ClientHome.number)
        .where(ClientHome.client_id == ClientMove.client_id, ClientHome.site_id == ClientMove.from_site_id)
        .order_by(ClientHome.no.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(ClientMove, number, old.code, new.code, asked.name, answered.name)
        .join(old, old.id == ClientMove.from_site_id)
        .join(new, new.id == ClientMove.to_site_id)
        .join(asked, asked.id == ClientMove.asked_by)
        .outerjoin(answered, answered.id == ClientMove.answered_by)
        .where(*which)
        .order_by((ClientMove.state != MoveState.ASKED.value), ClientMove.asked_at.desc(), ClientMove.id)
    ).all()
    session.vault.know([row[0].client_id for row in rows])
    return [
        MoveShown(move, said, old_code, new_code, by, answerer or "", *_words(session, move))
        for move, said, old_code, new_code, by, answerer in rows
    ]


def _words(session: ReadSession, move: ClientMove) -> tuple[str, str]:
    vault = session.vault
    reason = vault.open_unless_erased("client_move.reason", move.id, move.reason_sealed, gone=ERASED)
    answer = vault.open_unless_erased("client_move.answer", move.id, move.answer_sealed)
    return reason, answer


@dataclass(frozen=True)
class Prepared:
    """Bottles that were prepared for a client and are not handed over: where, for which day, and who has them."""

    site: str
    collect_on: date
    bottles: int
    carried: bool
    """Out with a carrier, or counted out to one."""


@through(Door.MOVES)
def bottles_standing(session: ReadSession, *, client_id: ClientId) -> list[Prepared]:
    """What a move has to see to, at their home or at a satellite of it, by day."""
    counted_out = exists().where(Carrying.pickup_id == Pickup.id, Carrying.state.in_(("counted", "out")))
    rows = session.execute(
        select(Site.code, Pickup.collect_on, func.count(Bottle.id), counted_out)
        .join(Site, Site.id == Pickup.site_id)
        .join(Bottle, Bottle.pickup_id == Pickup.id)
        .where(Pickup.client_id == client_id, Pickup.state.in_(("prepared", "out")))
        .where(Bottle.state.in_((BottleState.PREPARED, BottleState.OUT)))
        .group_by(Site.code, Pickup.collect_on, Pickup.id)
        .order_by(Pickup.collect_on, Site.code)
    )
    return [Prepared(*row) for row in rows]


@through(Door.MOVES)
def arriving_face(session: ReadSession, *, site_id: SiteId, move_id: UUID) -> Face:
    """Who is to stand before the new site, while it has not confirmed them: their face and what they are known by.

    Raises NotThere for a move that does not come here or does not wait any more.
    """
    client = session.scalar(
        select(Client).join(ClientMove, ClientMove.client_id == Client.id).where(*_comes(site_id, move_id))
    )
    if client is None:
        raise NotThere(Refusal("no-move", "Nobody is expected by this move.", "Open the list again."))
    return face_of(session, client)


@through(Door.MOVES)
def arriving_photo(session: ReadSession, *, site_id: SiteId, move_id: UUID) -> bytes | None:
    """Their photo (JPEG), opened; nothing where there is none, or nobody is expected by this move."""
    row = session.execute(
        select(Client.id, Client.photo_sealed)
        .join(ClientMove, ClientMove.client_id == Client.id)
        .where(*_comes(site_id, move_id))
    ).one_or_none()
    if row is None or row.photo_sealed is None:
        return None
    return session.vault.open_bytes("client.photo", row.id, row.photo_sealed)


def _comes(site_id: SiteId, move_id: UUID) -> Sequence[ColumnElement[bool]]:
    return (
        ClientMove.id == move_id,
        ClientMove.to_site_id == site_id,
        ClientMove.state == MoveState.ASKED.value,
    )
