"""A site's figures about its accounts: how long an invitation and an opened code last, and when an account sleeps."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.entry_models import EntrySetting
from dispensary.staff.entry_rules import DORMANT_DAYS, GLASS_HOURS, INVITED_DAYS, Entry
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId


def entry_of(session: ReadSession, *, site_id: SiteId) -> Entry:
    """What the site has set, or the product's figures."""
    kept = session.get(EntrySetting, site_id)
    return Entry(kept.invited_days, kept.dormant_days, kept.glass_hours) if kept else Entry()


def set_entry(session: WriteSession, *, actor: Actor, wanted: Entry, at: datetime) -> None:
    """Sets them for the actor's site. Invitations and opened codes that exist keep their end.

    Raises NotAllowed, and BadInput with a fault for each figure that is no choice.
    """
    refuse_unless_runs_site(actor, actor.site_id)
    bounds = {"invited_days": INVITED_DAYS, "dormant_days": DORMANT_DAYS, "glass_hours": GLASS_HOURS}
    before, after = asdict(entry_of(session, site_id=actor.site_id)), asdict(wanted)
    faults = [
        Refusal("bad-figure", f"This is a number from {least} to {most}.", field=name)
        for name, (least, most) in bounds.items()
        if not least <= after[name] <= most
    ]
    if faults:
        raise BadInput(*faults)
    session.merge(EntrySetting(site_id=actor.site_id, **after))
    session.flush()
    details = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    if details:
        audit.record(
            session, actor=actor, act="changed site", subject="site", subject_id=actor.site_id, at=at, details=details
        )
