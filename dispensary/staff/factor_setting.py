"""Who must have a second factor at a site, and from when on: data of the site, set by its administrator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput
from dispensary.staff import audit
from dispensary.staff.factor_models import FactorSetting, Passkey, SecondFactor
from dispensary.staff.factor_rules import GRACE_DAYS, Demand, grace_fits
from dispensary.staff.models import Account, RoleGrant
from dispensary.staff.rules import Actor, Role
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId


@dataclass(frozen=True)
class Demanded:
    """What a site asks for."""

    demand: Demand
    grace_days: int


@dataclass(frozen=True)
class Without:
    """Somebody of the site, and whether they have a second factor."""

    name: str
    has: bool


def demanded(session: ReadSession, *, site_id: SiteId) -> Demanded:
    """What the site asks for; nothing where it has not set anything."""
    kept = session.get(FactorSetting, site_id)
    return Demanded(Demand(kept.demand), kept.grace_days) if kept else Demanded(Demand.OPTIONAL, GRACE_DAYS)


def demands_of(session: ReadSession, actor: Actor) -> bool:
    """Whether the actor's site demands a second factor of whoever works there as they do, from today or later."""
    demand = demanded(session, site_id=actor.site_id).demand
    return demand is Demand.ALL or (demand is Demand.ADMINISTRATORS and Role.ADMINISTRATOR in actor.roles)


def begin_with(session: WriteSession, *, site_id: SiteId, demand: Demand, at: datetime) -> None:
    """What a site that was just opened asks for, until its administrator says otherwise."""
    session.add(FactorSetting(site_id=site_id, demand=demand.value, grace_days=GRACE_DAYS, demanded_at=at))
    session.flush()


def ask_for(session: WriteSession, *, actor: Actor, demand: Demand, grace_days: int, at: datetime) -> None:
    """Sets it for the actor's site. Raises NotAllowed for anybody but its administrator, and BadInput.

    Whoever has none has the grace from now on where more is asked for than before. Fewer or more days of grace count
    from when it was first asked for.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    if refusal := grace_fits(grace_days):
        raise BadInput(refusal)
    kept = session.get(FactorSetting, actor.site_id, with_for_update=True)
    before = demanded(session, site_id=actor.site_id)
    since = kept.demanded_at if kept and before.demand == demand else at
    session.merge(FactorSetting(site_id=actor.site_id, demand=demand.value, grace_days=grace_days, demanded_at=since))
    session.flush()
    changed = {
        name: [was, now]
        for name, was, now in (("second_factor", before.demand, demand), ("grace_days", before.grace_days, grace_days))
        if was != now
    }
    if changed:
        audit.record(
            session, actor=actor, act="changed site", subject="site", subject_id=actor.site_id, at=at, details=changed
        )


def who_has(session: ReadSession, *, site_id: SiteId) -> Sequence[Without]:
    """Everybody who works at the site, whether they have a second factor: those without first, by name."""
    has = exists().where(
        SecondFactor.account_id == Account.id, SecondFactor.confirmed_at.is_not(None)
    ) | exists().where(Passkey.account_id == Account.id)
    works = exists().where(RoleGrant.account_id == Account.id, RoleGrant.site_id == site_id)
    rows = session.execute(
        select(Account.name, has.label("has")).where(works, Account.left_at.is_(None)).order_by("has", Account.name)
    )
    return [Without(*row) for row in rows]
