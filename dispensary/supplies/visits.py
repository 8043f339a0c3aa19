"""A visit at home with what goes along: it is moved or called off once its bottles have come back, and no sooner.

These are the ways to move a visit and to call one off. What a stay that ends does with both is its own.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from dispensary.care import visits
from dispensary.care.visit_models import HomeVisit
from dispensary.clients.service import lock_client
from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.supplies.carrying import carried_to
from dispensary.units import AccountId, ClientId


def call_visit_off(session: WriteSession, *, actor: Actor, visit_id: UUID, at: datetime) -> None:
    """Nobody goes. Called off once is called off.

    Raises Refused while its bottles are counted out or out; NotAllowed, NotThere.
    """
    _refuse_with_bottles(session, actor=actor, visit_id=visit_id)
    visits.call_visit_off(session, actor=actor, visit_id=visit_id, at=at)


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
    """Moves a planned visit to another day or another visitor, as `care.visits.move_visit` does.

    Raises Refused while its bottles are counted out or out, and what that raises.
    """
    _refuse_with_bottles(session, actor=actor, visit_id=visit_id)
    return visits.move_visit(
        session, actor=actor, visit_id=visit_id, to=to, visitor_id=visitor_id, seen=seen, today=today, at=at
    )


def _refuse_with_bottles(session: WriteSession, *, actor: Actor, visit_id: UUID) -> None:
    visit = session.get(HomeVisit, visit_id)
    if visit is None or visit.site_id != actor.site_id or visit.state != "planned":
        return  # whoever ends or moves it says so
    client_id = ClientId(visit.client_id)
    lock_client(session, client_id, actor.site_id)
    session.refresh(visit)
    for carrying, name in carried_to(session, client_id=client_id, on=visit.on_day):
        out = carrying.state == "out"
        raise Refused(
            Refusal(
                "visit-with-bottles",
                f"{name} is on the way with {carrying.bottles} bottles for this visit."
                if out
                else f"{carrying.bottles} bottles for this visit are counted out to {name}.",
                "Have them brought back and counted in first." if out else "Call the counting out off at the counter.",
                {"carrying": carrying.id},
            )
        )
