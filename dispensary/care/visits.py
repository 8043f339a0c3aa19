"""Visits at home: planned by day and by who goes, to whoever agreed to them alone; moved, ended, called off."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import func, select

from dispensary.care.reaching import note_contact
from dispensary.care.visit_models import HomeVisit
from dispensary.clients.contact_rules import CameOf, How
from dispensary.clients.contacts import wants_visits
from dispensary.clients.living import refuse_dead
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.queries import refused_stranger
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, new_id

AHEAD: Final = timedelta(days=92)
MOST_TURNS: Final = 99


class Purpose(StrEnum):
    """What somebody goes there for."""

    LOOK = "look"
    """How they are."""
    DOSES = "doses"
    """Bottles are brought, counted out and answered for as every carried bottle is."""
    STOPPED = "stopped"
    """They have stopped coming."""
    OTHER = "other"


def plan_visit(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    visitor_id: AccountId,
    on: date,
    purpose: Purpose,
    today: date,
    at: datetime,
) -> HomeVisit:
    """Plans a visit, last in the visitor's turns of that day. One that is planned for the client and day is found.

    Raises BadInput for a day that is past or far off or a visitor who does not work here, Refused where the client has
    not agreed to visits or has died, NotAllowed, NotThere.
    """
    _refuse_others(actor)
    _refuse_day_or_visitor(session, actor, visitor_id, on, today)
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(
        select(HomeVisit).where(HomeVisit.client_id == client_id, HomeVisit.on_day == on, HomeVisit.state == "planned")
    )
    if known is not None:
        return known
    refuse_dead(session, client_id)
    refuse_unwanted(session, client_id)
    visit = HomeVisit(
        id=new_id(),
        site_id=actor.site_id,
        client_id=client_id,
        on_day=on,
        visitor_id=visitor_id,
        turn=_last_turn(session, visitor_id, on),
        purpose=purpose.value,
        planned_by=_person(actor),
        planned_at=at,
        state="planned",
    )
    session.add(visit)
    session.flush()
    _write_down(session, actor, "planned visit", visit, at, {"on": on, "visitor": visitor_id})
    return visit


def end_visit(
    session: WriteSession,
    *,
    actor: Actor,
    visit_id: UUID,
    met: bool,
    found: str,
    key: UUID,
    today: date,
    at: datetime,
    came_of: CameOf | None = None,
) -> None:
    """Writes down that the client was met and what was found, or that they were not; a contact like any other.

    Once is enough: the same key again is the same visit. Raises BadInput without words after they met, or before its
    day; Refused where they have taken their consent back; NotAllowed, NotThere.
    """
    visit = _planned(session, actor, visit_id, key)
    if visit is None:
        return
    if visit.on_day > today:
        raise BadInput(Refusal("visit-to-come", f"This visit is planned for {visit.on_day}.", "Wait for its day."))
    note_contact(
        session,
        actor=actor,
        client_id=ClientId(visit.client_id),
        reached=met,
        words=found,
        key=key,
        at=at,
        how=How.VISIT,
        came_of=came_of,
    )
    visit.state, visit.note_id = "done" if met else "not_met", key
    visit.ended_by, visit.ended_at = _person(actor), at
    session.flush()
    _write_down(session, actor, "visited", visit, at, {"met": met})


def call_visit_off(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> None:
    """Nobody goes. Called off once is called off. Raises NotAllowed, NotThere."""
    _refuse_others(actor)
    known = session.get(HomeVisit, visit_id)
    if known is not None and known.site_id == actor.site_id and known.state == "called_off":
        return
    visit = _planned(session, actor, visit_id, None)
    assert visit is not None, "without a key it is planned, or not there"
    visit.state, visit.ended_by, visit.ended_at = "called_off", _person(actor), at
    session.flush()
    _write_down(session, actor, "called off visit", visit, at, {})


def move_visit(
    session: WriteSession,
    *,
    actor: Actor,
    visit_id: UUID,
    to: date,
    visitor_id: AccountId,
    seen: tuple[date, UUID],
    today: date,
    at: datetime,
) -> HomeVisit:
    """Moves a planned visit to another day or another visitor, last in their turns there. Moved so already it stays.

    `seen` are the day and the visitor that whoever moves it saw: of two who move it at once one wins, and the other is
    told. Raises BadInput as for a new visit, Refused where somebody moved it meanwhile, another is planned for the
    client on that day, they have not agreed to visits (any more), or have died; NotAllowed, NotThere.
    """
    _refuse_others(actor)
    visit = _planned(session, actor, visit_id, None)
    assert visit is not None, "without a key it is planned, or not there"
    was = (visit.on_day, visit.visitor_id)
    if was == (to, visitor_id):
        return visit
    if was != seen:
        goes = session.scalars(select(Account.name).where(Account.id == visit.visitor_id)).one()
        raise Refused(
            Refusal(
                "visit-moved",
                f"Somebody else has moved this visit: {goes} goes on {visit.on_day}.",
                "Look at the round again. If that is wrong, move it from there.",
                {"on": visit.on_day, "visitor": visit.visitor_id},
                field="to_day",
            )
        )
    _refuse_day_or_visitor(session, actor, visitor_id, to, today, day_field="to_day")
    client_id = ClientId(visit.client_id)
    refuse_dead(session, client_id)
    refuse_unwanted(session, client_id)
    same_day = select(HomeVisit.id).where(
        HomeVisit.client_id == client_id, HomeVisit.on_day == to, HomeVisit.state == "planned", HomeVisit.id != visit_id
    )
    if session.scalar(same_day.limit(1)) is not None:
        raise Refused(
            Refusal(
                "visited-then",
                f"Another visit to them is planned for {to}.",
                "Choose another day, or call one of the two off.",
                field="to_day",
            )
        )
    visit.turn = _last_turn(session, visitor_id, to)
    visit.on_day, visit.visitor_id = to, visitor_id
    session.flush()
    _write_down(session, actor, "moved visit", visit, at, {"from": was[0], "to": to, "visitor": visitor_id})
    return visit


def call_off_with_stay(
    session: WriteSession, *, actor: Actor, client_id: ClientId, from_day: date, at: datetime
) -> Sequence[HomeVisit]:
    """Nobody goes from a day on: for the end of a stay. What was planned before it is still to be written down.

    The caller has locked the client, as everybody has who ends a stay.
    """
    planned = select(HomeVisit).where(
        HomeVisit.client_id == client_id, HomeVisit.state == "planned", HomeVisit.on_day >= from_day
    )
    visits = session.scalars(planned.order_by(HomeVisit.on_day, HomeVisit.id).with_for_update()).all()
    for visit in visits:
        visit.state, visit.ended_by, visit.ended_at = "called_off", _person(actor), at
    session.flush()
    for visit in visits:
        _write_down(session, actor, "called off visit", visit, at, {"on": visit.on_day, "stay": "ended"})
    return visits


def put_turn(
    session: WriteSession, *, actor: Actor, visit_id: UUID, earlier: bool, seen: int, at: datetime
) -> HomeVisit:
    """Puts a planned visit one turn earlier or later in its round. Whose turn is not `seen` any more is left alone.

    Raises NotAllowed for whoever neither plans visits nor makes this one, NotThere.
    """
    visit = session.get(HomeVisit, visit_id)
    if visit is None or visit.site_id != actor.site_id:
        raise _no_visit()
    _refuse_strangers(actor, visit)
    of_round = select(HomeVisit).where(
        HomeVisit.site_id == actor.site_id,
        HomeVisit.visitor_id == visit.visitor_id,
        HomeVisit.on_day == visit.on_day,
        HomeVisit.state == "planned",
    )
    rows = session.scalars(
        of_round.order_by(HomeVisit.id).with_for_update().execution_options(populate_existing=True)
    ).all()
    turns = sorted(rows, key=lambda each: (each.turn, each.id))
    if visit not in turns:
        raise _no_visit()
    place = turns.index(visit)
    other = place - 1 if earlier else place + 1
    if visit.turn != seen or not 0 <= other < len(turns):
        return visit
    visit.turn, turns[other].turn = turns[other].turn, visit.turn
    session.flush()
    details = {"on": visit.on_day, "visitor": visit.visitor_id, "visits": [visit.id, turns[other].id]}
    audit.record(
        session, actor=actor, act="ordered round", subject="site", subject_id=actor.site_id, at=at, details=details
    )
    return visit


def _planned(session: WriteSession, actor: Actor, visit_id: UUID, key: UUID | None) -> HomeVisit | None:
    """The planned visit, with its client locked; nothing when this very form has ended it before."""
    visit = session.get(HomeVisit, visit_id)
    if visit is None or visit.site_id != actor.site_id:
        raise _no_visit()
    _refuse_strangers(actor, visit)
    lock_client(session, ClientId(visit.client_id), actor.site_id)
    session.refresh(visit, with_for_update=True)
    if key is not None and visit.note_id == key:
        return None
    if visit.state != "planned":
        raise _no_visit()
    return visit


def _refuse_strangers(actor: Actor, visit: HomeVisit) -> None:
    if not actor.may(Act.ENROL) and not (actor.may(Act.CARRY) and visit.visitor_id == actor.account_id):
        raise NotAllowed(Refusal("not-your-visit", "This visit is somebody else's.", "Ask them."))


def _refuse_day_or_visitor(
    session: ReadSession, actor: Actor, visitor_id: AccountId, on: date, today: date, day_field: str = "on_day"
) -> None:
    if not today <= on <= today + AHEAD:
        raise BadInput(Refusal("visit-day", "A visit is planned for today or the next months.", field=day_field))
    stranger = refused_stranger(session, account_id=visitor_id, site_id=actor.site_id, field="visitor_id")
    if stranger is not None:
        raise BadInput(stranger)


def refuse_unwanted(session: ReadSession, client_id: ClientId) -> None:
    """Raises Refused for a client who has not agreed to visits, or no longer does."""
    if not wants_visits(session, [client_id])[client_id]:
        raise Refused(
            Refusal(
                "no-visits", "They have not agreed to visits.", "Ask them first; a no costs nothing.", field="number"
            )
        )


def _last_turn(session: WriteSession, visitor_id: AccountId, on: date) -> int:
    """The turn after all others of the visitor's day; whoever asks in the same moment waits until it stands."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"round {visitor_id} {on}"))))
    theirs = select(func.max(HomeVisit.turn)).where(HomeVisit.visitor_id == visitor_id, HomeVisit.on_day == on)
    return min((session.scalar(theirs) or 0) + 1, MOST_TURNS)


def _no_visit() -> NotThere:
    return NotThere(Refusal("no-visit", "There is no such planned visit.", "Look at the round again."))


def _refuse_others(actor: Actor) -> None:
    if actor.account_id is None or not actor.may(Act.ENROL):
        raise NotAllowed(Refusal("no-visits-act", "Your work at this site does not include this.", "Ask a nurse."))


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "people visit"
    return actor.account_id


def _write_down(
    session: WriteSession, actor: Actor, act: str, visit: HomeVisit, at: datetime, details: dict[str, object]
) -> None:
    audit.record(
        session,
        actor=actor,
        act=act,
        subject="client",
        subject_id=visit.client_id,
        at=at,
        details={"visit": visit.id, **details},
    )
