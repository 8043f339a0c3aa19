"""After how many days a site is reminded: of a step that is out, of a lost referral, of whoever waits from outside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.dialects.postgresql import insert

from dispensary.care.linkage_models import CareSetting
from dispensary.care.linkage_rules import STUCK_DAYS
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Actor
from dispensary.units import SiteId

LOST_DAYS: Final = 30
"""A referral is lost after so many days without word of it, where the site has set nothing: the house's own figure."""
INTAKE_DAYS: Final = 14
"""Whoever came from outside waits long after so many days, where the site has set nothing: the house's own figure."""
BOUNDS: Final = (1, 365)


@dataclass(frozen=True)
class Reminders:
    """A site's days."""

    stuck_days: int = STUCK_DAYS
    lost_days: int = LOST_DAYS
    intake_days: int = INTAKE_DAYS


def reminders_of(session: ReadSession, site_id: SiteId) -> Reminders:
    """What the site follows."""
    row = session.get(CareSetting, site_id)
    return Reminders() if row is None else Reminders(row.stuck_days, row.lost_days, row.intake_days)


def set_reminders(session: WriteSession, *, actor: Actor, days: Reminders, at: datetime) -> None:
    """Sets them for the actor's site. Raises NotAllowed for anybody but its administrator, BadInput."""
    if not actor.may(Act.RUN_SITE):
        raise NotAllowed(Refusal("not-allowed", "The site's administrator sets this.", "Ask them."))
    given = vars(days)
    faults = [
        Refusal("reminder-days", f"From {BOUNDS[0]} to {BOUNDS[1]} days.", "Correct it.", field=name)
        for name, value in given.items()
        if not BOUNDS[0] <= value <= BOUNDS[1]
    ]
    if faults:
        raise BadInput(*faults)
    put = insert(CareSetting).values(site_id=actor.site_id, **given)
    session.execute(put.on_conflict_do_update(index_elements=["site_id"], set_=given))
    session.expire_all()
    audit.record(
        session, actor=actor, act="set reminders", subject="site", subject_id=actor.site_id, at=at, details=given
    )
