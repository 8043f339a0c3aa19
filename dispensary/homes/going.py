"""The client goes over to the new site, in one unit with all that follows them; and back again on the same day.

What stays where it was: doses, bottles, register lines, outcomes of days, entries of the trail, and every other thing
that a site did. What follows is what is still to be done: the stay in treatment with its orders, decisions and plans,
which go by the client, and open alerts, tasks, looks and treatments, which are the new site's from now on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from dispensary.clients.home_models import ClientHome, ClientMove, MoveState
from dispensary.clients.homes import home_as_of
from dispensary.clients.models import Client
from dispensary.clients.own_keys import refuse_erased
from dispensary.clients.rules import plain_number
from dispensary.clients.service import index_client
from dispensary.clients.tasks import open_task
from dispensary.database import ReadSession, WriteSession, broken_constraint, through
from dispensary.homes.asking import answered, locked, refuse_others, standing_of, write_down
from dispensary.homes.bookings import take_bookings_over
from dispensary.homes.rules import Days, faults_of_number, may_go
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor, Role
from dispensary.supplies.closing import left_open
from dispensary.supplies.guests import end_with_the_move
from dispensary.supplies.models import DayClose, Pickup
from dispensary.supplies.pickups import put_back
from dispensary.units import ClientId, DoseDay, SiteId
from dispensary.wall import Door

_FOLLOWS = (
    "UPDATE episode SET site_id = %(to)s WHERE client_id = %(client)s",
    "UPDATE alert SET site_id = %(to)s WHERE client_id = %(client)s AND resolved_at IS NULL",
    "UPDATE task SET site_id = %(to)s WHERE client_id = %(client)s AND done_at IS NULL",
    "UPDATE scheduled_look SET site_id = %(to)s WHERE client_id = %(client)s AND done_at IS NULL",
    "UPDATE test_due SET site_id = %(to)s WHERE client_id = %(client)s",
    "UPDATE treatment SET site_id = %(to)s WHERE client_id = %(client)s",
    "UPDATE medication SET site_id = %(to)s WHERE client_id = %(client)s",
    "UPDATE recall SET site_id = %(to)s WHERE client_id = %(client)s AND state = 'open'",
    "UPDATE looked_after SET ended_at = %(at)s, ended_by = %(by)s WHERE client_id = %(client)s AND ended_at IS NULL",
    """UPDATE home_visit SET state = 'called_off', ended_by = %(by)s, ended_at = %(at)s
    WHERE client_id = %(client)s AND state = 'planned'""",
)
"""What is the new site's from then on, and what ends; of all else the client is asked for, or the site that did it."""


@through(Door.MOVES)
def take_on(session: WriteSession, *, actor: Actor, move_id: UUID, number: str, seen: bool, at: datetime) -> ClientMove:
    """The new site has the client before it, and they are its own from this moment and this dose day on.

    Whoever doses them waits for their row as this does: a dose of the day was given before it, at the old site, or is
    given after it, at the new one, and covers its portion once. Sent again by the same person it is found done. Raises
    NotAllowed, NotThere, BadInput with every reason, and Refused for a move that was answered or a number that is
    another client's.
    """
    refuse_others(actor)
    move = locked(session, actor, move_id)
    if actor.site_id != move.to_site_id:
        raise BadInput(Refusal("move-other-site", "The site to which they move confirms it.", "Call them."))
    if move.state == MoveState.DONE.value and move.answered_by == actor.account_id:
        return move
    if move.state != MoveState.ASKED.value:
        raise answered()
    faults = [*faults_of_number(plain_number(number))]
    if not seen:
        faults.append(
            Refusal(
                "move-not-seen",
                "Nobody has said that the client is here, and who they are.",
                "Look at the photo or ask for what they are known by, and say so.",
                field="seen",
            )
        )
    if faults:
        raise BadInput(*faults)
    old, new = place(session, move.from_site_id), place(session, move.to_site_id)
    day = _may_go(session, move, old, new, at)
    back, dropped = _follow(session, actor, ClientId(move.client_id), old, new, day, at)
    move.state, move.answered_by, move.answered_at = MoveState.DONE.value, actor.account_id, at
    move.from_day, move.number_there = day, plain_number(number)
    move.bottles_back, move.bookings_dropped = back, dropped
    session.flush()
    write_down(session, actor, "moved here", move, at, **{"from": old.code, "to": new.code, "day": day})
    _go_over(session, move, new.id, move.number_there, day, at)
    _ask_for_review(session, actor, move, old.code, day, at)
    return move


@through(Door.MOVES)
def undo(session: WriteSession, *, actor: Actor, move_id: UUID, at: datetime) -> ClientMove:
    """Takes a move back on its own dose day: the client is the old site's again, with their number there.

    Either site may. What was given meanwhile stands. Bottles that went back into stock with the move stay there, since
    somebody may have poured them back already, and so do those that the new site had prepared: both are counted, each
    where it stood. Bookings that were dropped are not made again. Raises NotAllowed, NotThere, BadInput with every
    reason, and Refused for a move that is not of today or was followed by another.
    """
    refuse_others(actor)
    move = locked(session, actor, move_id)
    if move.state == MoveState.UNDONE.value and move.undone_by == actor.account_id:
        return move
    last = session.scalar(select(func.max(ClientHome.no)).where(ClientHome.client_id == move.client_id))
    home = session.get_one(ClientHome, (move.client_id, last))
    old, new = place(session, move.from_site_id), place(session, move.to_site_id)
    if move.state != MoveState.DONE.value or home.move_id != move.id or new.dose_day(at) != move.from_day:
        raise Refused(
            Refusal(
                "move-not-today",
                "A move is undone on its own day, before another follows.",
                "Write a move back instead.",
            )
        )
    day = _may_go(session, move, new, old, at)
    back, dropped = _follow(session, actor, ClientId(move.client_id), new, old, day, at)
    move.state, move.undone_by, move.undone_at = MoveState.UNDONE.value, actor.account_id, at
    move.undone_bottles_back, move.undone_bookings_dropped = back, dropped
    session.flush()
    write_down(session, actor, "undid a move", move, at, **{"from": new.code, "to": old.code, "day": day})
    _go_over(session, move, old.id, _number_before(session, move), day, at)
    return move


def _may_go(session: ReadSession, move: ClientMove, old: Place, new: Place, at: datetime) -> DoseDay:
    """The dose day on which they go from `old` to `new`. Raises BadInput with everything that is in the way."""
    client_id = ClientId(move.client_id)
    refuse_erased(session, client_id)
    today = new.dose_day(at)
    stands_at = {pickup.site_id for pickup in _prepared(session, client_id, new.id)} - {old.id}
    there = (old, new, *(place(session, each) for each in sorted(stands_at)))
    closed = session.scalars(
        select(DayClose.site_id).where(DayClose.site_id.in_([each.id for each in there]), DayClose.dose_day >= today)
    ).all()
    days = Days(
        old_today=old.dose_day(at),
        new_today=today,
        old_left_open=tuple(
            day
            for day in left_open(session, site_id=old.id, before=today)
            if home_as_of(session, client_id=client_id, day=day, known_at=at) == old.id
        ),
        closed=tuple(each.code for each in there if each.id in closed),
    )
    if faults := may_go(standing_of(session, client_id, old.id, new.id, today), days):
        raise BadInput(*faults)
    return today


def _follow(
    session: WriteSession, actor: Actor, client_id: ClientId, old: Place, new: Place, day: DoseDay, at: datetime
) -> tuple[int, int]:
    """Brings to its end what only the old site could; how many bottles went back there, and bookings were given up.

    Bottles that stand prepared at a satellite of it go back into the satellite's own stock.
    """
    bottles = 0
    for pickup in _prepared(session, client_id, new.id):
        bottles += put_back(
            session,
            actor=replace(actor, site_id=SiteId(pickup.site_id)),
            pickup=pickup,
            state="cancelled",
            reason=f"moved to {new.code}",
            day=place(session, pickup.site_id).dose_day(at) if pickup.site_id != old.id else day,
            at=at,
        )
    dropped = take_bookings_over(session, actor=actor, client_id=client_id, old=old, new=new, at=at)
    end_with_the_move(session, actor=actor, client_id=client_id, day=day, at=at)
    values = {"client": client_id, "to": new.id, "by": actor.account_id, "at": at}
    for statement in _FOLLOWS:
        session.run(statement, values)
    return bottles, dropped


def _prepared(session: ReadSession, client_id: ClientId, new_id: SiteId) -> Sequence[Pickup]:
    """The pickups that stand prepared anywhere but at the new site: at the old one, or at a satellite of it."""
    waiting = select(Pickup).where(Pickup.client_id == client_id, Pickup.site_id != new_id, Pickup.state == "prepared")
    return session.scalars(waiting.order_by(Pickup.collect_on).with_for_update()).all()


_HOME = """
INSERT INTO client_home (client_id, no, site_id, number, from_day, since, move_id)
VALUES (%(client)s, 0, %(site)s, %(number)s, %(day)s, %(at)s, %(move)s)
"""


def _go_over(session: WriteSession, move: ClientMove, site_id: SiteId, number: str, day: date, at: datetime) -> None:
    """The last step: the next home begins, and the record is found there by name and number."""
    client_id = ClientId(move.client_id)
    values = {"client": client_id, "site": site_id, "number": number, "day": day, "at": at, "move": move.id}
    client = session.get_one(Client, client_id)
    try:
        session.run(_HOME, values)
        client.site_id, client.number = site_id, number
        session.flush()
    except IntegrityError as reason:
        if broken_constraint(reason) in ("uq_client_site_id_number", "client_home_number_is_theirs"):
            raise _number_taken(number) from None
        raise
    index_client(session, client_id=client_id)


def _number_taken(number: str) -> Refused:
    taken = Refusal("number-taken", f"{number} is another client's number.", "Type another.", field="number")
    return Refused(taken)


def _number_before(session: ReadSession, move: ClientMove) -> str:
    """Their number at the site that they left."""
    before = (
        select(ClientHome.number)
        .where(ClientHome.client_id == move.client_id, ClientHome.site_id == move.from_site_id)
        .order_by(ClientHome.no.desc())
        .limit(1)
    )
    return session.scalars(before).one()


def _ask_for_review(session: WriteSession, actor: Actor, move: ClientMove, old: str, day: date, at: datetime) -> None:
    open_task(
        session,
        site_id=actor.site_id,
        client_id=ClientId(move.client_id),
        role=Role.DOCTOR,
        kind="review",
        sentence=f"Moved here from {old}: look at orders, take-home by this site's policy, and what is to be done.",
        due_on=day,
        opened_by=actor.account_id,
        at=at,
    )
