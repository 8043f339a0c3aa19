"""Visits at home: planned by day and by who goes, to whoever agreed to them alone; and who is on call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select

from dispensary.care.visit_models import HomeVisit, OnCall
from dispensary.clients.contact_rules import How
from dispensary.clients.contacts import visit_wish, wants_visits, write_contact
from dispensary.clients.models import Client
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Act, Actor
from dispensary.units import AccountId, ClientId, SiteId, new_id

AHEAD: Final = timedelta(days=92)
LONGEST_PHONE: Final = 40
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
    not agreed to visits, NotAllowed, NotThere.
    """
    _refuse_others(actor)
    if not today <= on <= today + AHEAD:
        raise BadInput(Refusal("visit-day", "A visit is planned for today or the next months.", field="on_day"))
    works_here = select(RoleGrant.account_id).where(
        RoleGrant.account_id == visitor_id, RoleGrant.site_id == actor.site_id
    )
    if session.scalar(works_here.limit(1)) is None:
        raise BadInput(Refusal("no-visitor", "They do not work here.", "Choose a colleague.", field="visitor_id"))
    lock_client(session, client_id, actor.site_id)
    known = session.scalar(
        select(HomeVisit).where(HomeVisit.client_id == client_id, HomeVisit.on_day == on, HomeVisit.state == "planned")
    )
    if known is not None:
        return known
    if not wants_visits(session, [client_id])[client_id]:
        raise Refused(
            Refusal(
                "no-visits", "They have not agreed to visits.", "Ask them first; a no costs nothing.", field="number"
            )
        )
    theirs = select(func.max(HomeVisit.turn)).where(HomeVisit.visitor_id == visitor_id, HomeVisit.on_day == on)
    visit = HomeVisit(
        id=new_id(),
        site_id=actor.site_id,
        client_id=client_id,
        on_day=on,
        visitor_id=visitor_id,
        turn=min((session.scalar(theirs) or 0) + 1, MOST_TURNS),
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
    session: WriteSession, *, actor: Actor, visit_id: UUID, met: bool, found: str, key: UUID, today: date, at: datetime
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
    write_contact(
        session,
        actor=actor,
        client_id=ClientId(visit.client_id),
        reached=met,
        words=found,
        key=key,
        at=at,
        how=How.VISIT,
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


@dataclass(frozen=True, repr=False)
class OnRound:
    """A visit of a round, with whom it is to and where."""

    visit: HomeVisit
    number: str
    called: str
    """The first of their names."""
    where: str
    """Where to come and how to behave there; empty once they have taken it back."""
    visitor: str


def round_of(session: ReadSession, *, site_id: SiteId, on: date, visitor_id: AccountId | None = None) -> list[OnRound]:
    """The visits of a day, by who goes and in their turn; of one visitor where asked."""
    rows = select(HomeVisit, Client, Account.name).where(HomeVisit.site_id == site_id, HomeVisit.on_day == on)
    rows = rows.join(Client, Client.id == HomeVisit.client_id).join(Account, Account.id == HomeVisit.visitor_id)
    if visitor_id is not None:
        rows = rows.where(HomeVisit.visitor_id == visitor_id)
    found = session.execute(
        rows.where(HomeVisit.state != "called_off").order_by(Account.name, HomeVisit.turn, HomeVisit.id)
    ).all()
    session.vault.know([client.id for _, client, _ in found])
    return [_on_round(session, visit, client, name) for visit, client, name in found]


def _on_round(session: ReadSession, visit: HomeVisit, client: Client, visitor: str) -> OnRound:
    wish = visit_wish(session, client_id=ClientId(client.id))
    name = session.vault.open("client.name", client.id, client.name_sealed).split()
    where = wish.where if wish is not None and wish.agreed else ""
    return OnRound(visit, client.number, name[0] if name else client.number, where, visitor)


def planned_ahead(session: ReadSession, *, site_id: SiteId, after: date) -> Sequence[tuple[date, int]]:
    """The days after this one for which visits are planned, and how many."""
    ahead = select(HomeVisit.on_day, func.count()).where(
        HomeVisit.site_id == site_id, HomeVisit.on_day > after, HomeVisit.state == "planned"
    )
    return [(day, count) for day, count in session.execute(ahead.group_by(HomeVisit.on_day).order_by(HomeVisit.on_day))]


def put_on_call(
    session: WriteSession,
    *,
    actor: Actor,
    account_id: AccountId,
    first: date,
    last: date,
    phone: str,
    at: datetime,
) -> None:
    """Puts a colleague on call for some days. The same again is found. Raises NotAllowed, BadInput."""
    _refuse_others(actor)
    number = " ".join(phone.split())
    faults = []
    if not 0 < len(number) <= LONGEST_PHONE:
        faults.append(Refusal("phone", "There is no number to call.", "A number of the clinic.", field="phone"))
    if not first <= last <= first + AHEAD:
        faults.append(
            Refusal("on-call-days", "It ends on its first day or in the next months.", "Correct it.", field="last_day")
        )
    works_here = select(RoleGrant.account_id).where(
        RoleGrant.account_id == account_id, RoleGrant.site_id == actor.site_id
    )
    if session.scalar(works_here.limit(1)) is None:
        faults.append(Refusal("no-visitor", "They do not work here.", "Choose a colleague.", field="account_id"))
    if faults:
        raise BadInput(*faults)
    same = select(OnCall.id).where(
        OnCall.site_id == actor.site_id,
        OnCall.account_id == account_id,
        OnCall.first_day == first,
        OnCall.last_day == last,
        OnCall.phone == number,
    )
    if session.scalar(same.limit(1)) is not None:
        return
    row = OnCall(
        id=new_id(),
        site_id=actor.site_id,
        account_id=account_id,
        first_day=first,
        last_day=last,
        phone=number,
        set_by=_person(actor),
        set_at=at,
    )
    session.add(row)
    session.flush()
    details = {"account": account_id, "from": first, "until": last}
    audit.record(
        session, actor=actor, act="put on call", subject="site", subject_id=actor.site_id, at=at, details=details
    )


def take_off_call(session: WriteSession, *, actor: Actor, on_call_id: UUID, at: datetime) -> None:
    """Takes a line off the list of who is on call; one that is not there is nothing to say. Raises NotAllowed."""
    _refuse_others(actor)
    gone = session.scalar(
        delete(OnCall).where(OnCall.id == on_call_id, OnCall.site_id == actor.site_id).returning(OnCall.account_id)
    )
    if gone is not None:
        details = {"account": gone}
        audit.record(
            session, actor=actor, act="took off call", subject="site", subject_id=actor.site_id, at=at, details=details
        )


def on_call(session: ReadSession, *, site_id: SiteId, today: date) -> list[tuple[OnCall, str]]:
    """Who can be called today and from now on, the soonest first, with their names."""
    rows = (
        select(OnCall, Account.name)
        .join(Account, Account.id == OnCall.account_id)
        .where(OnCall.site_id == site_id, OnCall.last_day >= today)
        .order_by(OnCall.first_day, Account.name, OnCall.id)
    )
    return [(row, name) for row, name in session.execute(rows)]


def _planned(session: WriteSession, actor: Actor, visit_id: UUID, key: UUID | None) -> HomeVisit | None:
    """The planned visit, with its client locked; nothing when this very form has ended it before."""
    visit = session.get(HomeVisit, visit_id)
    if visit is None or visit.site_id != actor.site_id:
        raise _no_visit()
    if not actor.may(Act.ENROL) and not (actor.may(Act.CARRY) and visit.visitor_id == actor.account_id):
        raise NotAllowed(Refusal("not-your-visit", "This visit is somebody else's.", "Ask them."))
    lock_client(session, ClientId(visit.client_id), actor.site_id)
    session.refresh(visit, with_for_update=True)
    if key is not None and visit.note_id == key:
        return None
    if visit.state != "planned":
        raise _no_visit()
    return visit


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
