"""From where on looks are unusual at a site, and whether its clients are told names: the defaults until it is set."""

from __future__ import annotations

from datetime import datetime

from dispensary.database import ReadSession, WriteSession
from dispensary.looks.models import LookSetting
from dispensary.looks.rules import Thresholds, faults_of_thresholds
from dispensary.refusals import BadInput
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId


def thresholds_of(session: ReadSession, *, site_id: SiteId) -> Thresholds:
    """What the site has set, or the defaults."""
    row = session.get(LookSetting, site_id)
    if row is None:
        return Thresholds()
    return Thresholds(row.most_charts, row.times_usual, row.minutes_around, row.names_to_clients)


def set_thresholds(session: WriteSession, *, actor: Actor, wanted: Thresholds, at: datetime) -> None:
    """Sets them for the actor's site; what changed is in its trail. Raises BadInput, or NotAllowed for anybody else."""
    refuse_unless_runs_site(actor, actor.site_id)
    if faults := faults_of_thresholds(wanted):
        raise BadInput(*faults)
    before = thresholds_of(session, site_id=actor.site_id)
    session.merge(LookSetting(site_id=actor.site_id, **vars(wanted)))
    session.flush()
    changed = {
        name: [getattr(before, name), value] for name, value in vars(wanted).items() if getattr(before, name) != value
    }
    if changed:
        audit.record(
            session,
            actor=actor,
            act="set what is unusual",
            subject="site",
            subject_id=actor.site_id,
            at=at,
            details=changed,
        )
