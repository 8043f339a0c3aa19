"""What a site allows whom: reading it, and changing it within the bounds of the house's document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Text, cast, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account, RoleGrant, Site
from dispensary.staff.permission_models import SitePermission
from dispensary.staff.permission_rules import (
    Act,
    Difference,
    Own,
    Permission,
    Role,
    as_own,
    may_change,
    permissions,
    roles_for,
    with_change,
)
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId

SHORTEST_REASON = 5
LONGEST_REASON = 500


@dataclass(frozen=True)
class Changed:
    """A difference of a site, with who made it when and why."""

    role: Role
    act: Act
    allowed: bool
    since: datetime
    by: str
    reason: str


def own_of(session: ReadSession, site_id: SiteId) -> Own:
    """What a site has otherwise than the house."""
    rows = session.execute(
        select(SitePermission.role, SitePermission.act, cast(SitePermission.allowed, Text)).where(
            SitePermission.site_id == site_id
        )
    )
    return as_own((role, act, allowed) for role, act, allowed in rows)


def changed_at(session: ReadSession, site_id: SiteId) -> Sequence[Changed]:
    """What a site has otherwise, the newest change first. What an earlier program allowed and this one does not is
    left out, as it counts for nothing."""
    rows = session.execute(
        select(SitePermission, Account.name)
        .outerjoin(Account, Account.id == SitePermission.set_by)
        .where(SitePermission.site_id == site_id)
        .order_by(SitePermission.since.desc(), SitePermission.act, SitePermission.role)
    )
    known = own_of(session, site_id)
    return [
        Changed(Role(row.role), Act(row.act), row.allowed, row.since, by or "", row.reason)
        for row, by in rows
        if any((each.role, each.act) == (row.role, row.act) for each in known)
    ]


def people_at(session: ReadSession, site_id: SiteId) -> list[frozenset[Role]]:
    """The roles of each who works at a site, without their names: whether somebody is left who may."""
    rows = session.execute(
        select(RoleGrant.account_id, RoleGrant.role)
        .join(Account, Account.id == RoleGrant.account_id)
        .where(RoleGrant.site_id == site_id, Account.left_at.is_(None))
    )
    held: dict[object, set[Role]] = {}
    for account_id, role in rows:
        held.setdefault(account_id, set()).add(Role(role))
    return [frozenset(roles) for roles in held.values()]


def set_permission(
    session: WriteSession, *, actor: Actor, role: Role, act: Act, allowed: bool, reason: str, at: datetime
) -> None:
    """Lets a role do an act at the actor's site, or not, from the next request on.

    Within the bounds of the house's document alone, and never so that nobody is left to do what a site cannot go
    without; two administrators who change at once wait for each other. Set as it is already, nothing is done. Raises
    NotAllowed for anybody but an administrator of the site, BadInput without a reason.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    reason = " ".join(reason.split())
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise BadInput(
            Refusal(
                "permission-reason",
                "Say why this site has it otherwise, in a few words.",
                "Name the rule or the agreement that it follows. Name no client.",
                field="reason",
            )
        )
    session.execute(select(Site.id).where(Site.id == actor.site_id).with_for_update(key_share=True))
    own = own_of(session, actor.site_id)
    if (role in roles_for(act, own)) is allowed:
        return
    change = Difference(role, act, allowed)
    if refusal := may_change(own, change, people_at(session, actor.site_id)):
        raise NotAllowed(refusal)
    key = {"site_id": actor.site_id, "role": role.value, "act": act.value}
    if change in with_change(own, change):
        said = {"allowed": allowed, "since": at, "set_by": actor.account_id, "reason": reason}
        session.execute(
            upsert(SitePermission)
            .values(**key, **said)
            .on_conflict_do_update(index_elements=["site_id", "role", "act"], set_=said)
        )
    else:
        session.execute(delete(SitePermission).filter_by(**key))
    audit.record(
        session,
        actor=actor,
        act="allow" if allowed else "disallow",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"role": role.value, "act": act.value, "reason": reason},
    )


def matrix(own: Own) -> list[tuple[Permission, frozenset[Role]]]:
    """Each act of the house with who may do it at a site."""
    return [(permission, roles_for(act, own)) for act, permission in permissions().items()]
