"""Writing that a client moves, and ending a move that waits: refused by the new site, or withdrawn by the old one."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID, uuid5

from sqlalchemy import func, or_, select

from dispensary.clients.guest_models import GuestStay
from dispensary.clients.home_models import ClientMove, MoveState
from dispensary.clients.legal_holds import held
from dispensary.clients.models import Episode
from dispensary.clients.own_keys import refuse_erased, sealed_for
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession, through
from dispensary.homes.rules import Standing, faults_of_reason, may_be_asked
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.apart_models import SiteApart
from dispensary.staff.models import Site
from dispensary.staff.queries import place, site_by_code
from dispensary.staff.rules import Act, Actor
from dispensary.supplies.carrying_models import Carrying
from dispensary.supplies.guests import lock_sites
from dispensary.supplies.models import Pickup
from dispensary.units import ClientId, SiteId
from dispensary.wall import Door

_STANDS = Pickup.state == "prepared"


@through(Door.MOVES)
def write_move(
    session: WriteSession, *, actor: Actor, client_id: ClientId, to_code: str, reason: str, key: str, at: datetime
) -> ClientMove:
    """Writes that a client of the actor's site moves to another one, which confirms it when they come.

    Until then nothing changes: this site gives the doses, or the other one as a guest's. Inside the programme nothing
    is disclosed by it, so that no consent is asked for. The same request with the same key is found written. Raises
    NotAllowed, NotThere, BadInput with every reason, and Refused while another move waits.
    """
    refuse_others(actor)
    assert actor.account_id is not None, "a person writes it"
    if not 8 <= len(key) <= 80:
        raise BadInput(Refusal("key", "The request has no idempotency key of 8 to 80 characters.", "Send one."))
    to = site_by_code(session, to_code)
    lock_client(session, client_id, actor.site_id)
    move_id = uuid5(actor.site_id, f"move:{client_id}:{key}")
    if (known := session.get(ClientMove, move_id)) is not None:
        return known
    refuse_erased(session, client_id)
    today = place(session, actor.site_id).dose_day(at)
    faults = [*faults_of_reason(reason), *may_be_asked(standing_of(session, client_id, actor.site_id, to.id, today))]
    if to.id == actor.site_id:
        faults.append(Refusal("own-site", "The client is this site's.", "Choose another site.", field="to"))
    if faults:
        raise BadInput(*faults)
    if session.scalar(select(ClientMove.id).filter_by(client_id=client_id, state=MoveState.ASKED.value)) is not None:
        raise Refused(
            Refusal("move-waits", "A move of this client waits already.", "Withdraw it first, or wait for them.")
        )
    move = ClientMove(
        id=move_id,
        client_id=client_id,
        from_site_id=actor.site_id,
        to_site_id=to.id,
        state=MoveState.ASKED.value,
        reason_sealed=session.vault.seal("client_move.reason", move_id, reason.strip(), of=client_id),
        asked_by=actor.account_id,
        asked_at=at,
    )
    session.add(move)
    session.flush()
    write_down(session, actor, "wrote a move", move, at, to=to.code)
    return move


@through(Door.MOVES)
def turn_down(session: WriteSession, *, actor: Actor, move_id: UUID, reason: str, at: datetime) -> ClientMove:
    """Ends a move that waits: the new site refuses it, or the old one withdraws it. The client stays where they are.

    Sent again by the same person it is found ended. Raises NotAllowed, NotThere, BadInput without a reason, and Refused
    for a move that was answered.
    """
    refuse_others(actor)
    move = locked(session, actor, move_id)
    refused = actor.site_id == move.to_site_id
    state = MoveState.REFUSED if refused else MoveState.WITHDRAWN
    if move.state == state.value and move.answered_by == actor.account_id:
        return move
    if move.state != MoveState.ASKED.value:
        raise answered()
    if faults := faults_of_reason(reason, "answer"):
        raise BadInput(*faults)
    whose = sealed_for(session, ClientId(move.client_id))  # a move may wait for somebody who was erased meanwhile
    move.state, move.answered_by, move.answered_at = state.value, actor.account_id, at
    move.answer_sealed = session.vault.seal("client_move.answer", move.id, reason.strip(), of=whose)
    session.flush()
    write_down(session, actor, "refused a move" if refused else "withdrew a move", move, at)
    return move


def standing_of(session: ReadSession, client_id: ClientId, from_id: SiteId, to_id: SiteId, today: date) -> Standing:
    """What stands about a client, before the wall: an episode, a hold, a stay at a third site, bottles on their way.

    Bottles and doses are looked for at every site: a satellite of their home has them too.
    """
    stay = session.execute(
        select(Site.code, func.coalesce(GuestStay.ended_on, GuestStay.until_day))
        .join(Site, Site.id == GuestStay.guest_site_id)
        .where(GuestStay.client_id == client_id, GuestStay.verified_at.is_not(None), ~GuestStay.satellite)
        .where(GuestStay.guest_site_id != to_id, func.upper(GuestStay.days) > today)
        .order_by(GuestStay.from_day)
        .limit(1)
    ).one_or_none()
    running = select(Episode.id).where(
        Episode.client_id == client_id, Episode.began_on <= today, Episode.ended_on.is_(None)
    )
    out = session.execute(
        select(Site.code, func.sum(Carrying.bottles))
        .join(Site, Site.id == Carrying.site_id)
        .where(Carrying.client_id == client_id, Carrying.state.in_(("counted", "out")))
        .group_by(Site.code)
        .order_by(Site.code)
    ).all()
    return Standing(
        in_treatment=session.scalar(running.limit(1)) is not None,
        legal_hold=held(session, client_id) is not None,
        away_at=stay[0] if stay else "",
        away_until=stay[1] if stay else None,
        bottles_out=sum(int(count) for _, count in out),
        out_from=tuple(code for code, _ in out),
        apart=_apart(session, client_id, (from_id, to_id), today),
    )


def _apart(session: ReadSession, client_id: ClientId, both: tuple[SiteId, SiteId], today: date) -> tuple[str, ...]:
    """The codes of the sites of a move that have a server of their own: with the satellite of their doses, if any."""
    satellite = select(GuestStay.guest_site_id).where(
        GuestStay.client_id == client_id, GuestStay.verified_at.is_not(None), func.upper(GuestStay.days) > today
    )
    prepared = select(Pickup.site_id).where(Pickup.client_id == client_id, Pickup.state.in_(("prepared", "out")))
    lent = select(SiteApart.site_id).where(SiteApart.until.is_(None))
    concerned = or_(Site.id.in_(both), Site.id.in_(satellite), Site.id.in_(prepared))
    return tuple(session.scalars(select(Site.code).where(concerned, Site.id.in_(lent)).order_by(Site.code)))


def locked(session: WriteSession, actor: Actor, move_id: UUID) -> ClientMove:
    """The move with its sites and its client locked, for an account of one of the two. Raises NotThere.

    A site at which bottles stand prepared for them is locked with the two: no close of it is under way.
    """
    move = session.get(ClientMove, move_id)
    if move is None or actor.site_id not in (move.from_site_id, move.to_site_id):
        raise NotThere(Refusal("no-move", "There is no such move at this site.", "Open the list again."))
    bottles_at = session.scalars(select(Pickup.site_id).where(Pickup.client_id == move.client_id, _STANDS))
    lock_sites(session, SiteId(move.from_site_id), SiteId(move.to_site_id), *bottles_at)
    session.run("SELECT FROM client WHERE id = %(client)s FOR NO KEY UPDATE", {"client": move.client_id})
    session.refresh(move)
    return move


def refuse_others(actor: Actor) -> None:
    """Raises NotAllowed for whoever does not move clients at their site."""
    if actor.account_id is None or not actor.may(Act.MOVE_CLIENT):
        raise NotAllowed(Refusal("may-not-move", "Your work at this site does not include this.", "Ask a prescriber."))


def answered() -> Refused:
    return Refused(Refusal("move-answered", "This move was answered meanwhile.", "Open the list again."))


def write_down(
    session: WriteSession, actor: Actor, act: str, move: ClientMove, at: datetime, **details: object
) -> None:
    """An entry in the chain of the actor's site, and by the trigger in that of the client's home."""
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="client",
        subject_id=move.client_id,
        at=at,
        details={"move": move.id, **details},
    )
