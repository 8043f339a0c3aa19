"""What a whole branch allows whom otherwise than the house: the same difference at each of its sites, in one unit.

Each site keeps its own and may be set otherwise afterwards by whoever runs it. A site that is opened later begins as
the house has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession, through
from dispensary.refusals import NotAllowed
from dispensary.staff.branch_queries import Branch, areas_run_by, sites_in, sites_run_by, tree
from dispensary.staff.branches import branch_by_code, refuse_unless_runs_branch
from dispensary.staff.models import Site
from dispensary.staff.permission_rules import Act, Role, roles_for
from dispensary.staff.permissions import own_of, set_permission
from dispensary.staff.rules import Actor
from dispensary.wall import Door


def branches_run_above(session: ReadSession, actor: Actor) -> Sequence[Branch]:
    """The branches in which the actor's site lies with others and which the actor runs whole, the smallest first."""
    if actor.account_id is None:
        return []
    nodes = {each.code: each for each in tree(session)}
    areas, sites = areas_run_by(session, actor.account_id), sites_run_by(session, actor.account_id)
    found = []
    at = next((each for each in nodes.values() if each.id == actor.site_id), None)
    while at is not None:
        runs = at.id in areas if at.is_area else sites_in(session, area_id=None, site_id=at.id) <= sites
        if runs and at.sites > 1:
            found.append(at)
        at = nodes.get(at.parent)
    return found


@through(Door.BRANCH)
def set_permission_at_branch(
    session: WriteSession, *, actor: Actor, branch: str, role: Role, act: Act, allowed: bool, reason: str, at: datetime
) -> int:
    """Lets a role do an act at every site of a branch, or at none, and says at how many that is new.

    Raises as `set_permission` does, naming the site, and NotAllowed for anybody but an administrator of the whole
    branch; NotThere for one that there is not. Refused at one site, it is changed at none.
    """
    to = branch_by_code(session, branch)
    refuse_unless_runs_branch(session, actor, to)
    changed = 0
    chosen = select(Site.id, Site.code).where(Site.id.in_(sites_in(session, area_id=to.area_id, site_id=to.site_id)))
    for site_id, code in session.execute(chosen.order_by(Site.id)).all():
        if (role in roles_for(act, own_of(session, site_id))) is allowed:
            continue
        here = replace(actor, site_id=site_id)
        try:
            set_permission(session, actor=here, role=role, act=act, allowed=allowed, reason=reason, at=at)
        except NotAllowed as refused:
            named = [replace(each, sentence=f"{code}: {each.sentence}") for each in refused.refusals]
            raise NotAllowed(*named) from None
        changed += 1
    return changed
