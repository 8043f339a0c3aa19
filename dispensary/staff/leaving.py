"""What a site would be left without when somebody leaves: said before it is done, and never refused."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.permission_rules import roles_for
from dispensary.staff.permissions import own_of
from dispensary.staff.queries import Place, sites_as, sites_of
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import AccountId

NEEDED = (Act.DISPENSE, Act.ORDER)
"""What a site cannot do a day without; that somebody runs it is guarded, and refused (service.py)."""


@dataclass(frozen=True)
class LastOne:
    """Nobody else at a site may do this."""

    place: Place
    act: Act
    roles: frozenset[Role]
    """The roles of theirs by which they may."""


def last_ones(session: ReadSession, *, actor: Actor, account_id: AccountId) -> list[LastOne]:
    """What the sites that the actor runs could not do without this account, theirs first.

    Whoever has chosen no password yet does nothing, and may never come.
    """
    if actor.account_id is None:
        return []
    runs = {place.id for place in sites_as(session, actor.account_id, Role.ADMINISTRATOR)} | {actor.site_id}
    places = [place for place in sites_of(session, account_id) if place.id in runs]
    session.look_across(runs)
    there = select(Account.id).where(Account.left_at.is_(None), Account.accepted_at.is_not(None))
    granted = session.execute(
        select(RoleGrant.site_id, RoleGrant.account_id, RoleGrant.role).where(
            RoleGrant.site_id.in_([place.id for place in places]), RoleGrant.account_id.in_(there)
        )
    ).all()
    found = []
    for place in sorted(places, key=lambda each: (each.id != actor.site_id, each.code)):
        own = own_of(session, place.id)
        here = [(who, Role(role)) for site_id, who, role in granted if site_id == place.id]
        for act in NEEDED:
            if roles := _alone(here, account_id, roles_for(act, own)):
                found.append(LastOne(place, act, roles))
    return found


def _alone(here: Iterable[tuple[UUID, Role]], account_id: AccountId, may: frozenset[Role]) -> frozenset[Role]:
    """By which roles this account may, where nobody else may; none where somebody else may, or they may not."""
    able = [(who, role) for who, role in here if role in may]
    return frozenset(role for _, role in able) if {who for who, _ in able} == {account_id} else frozenset()
