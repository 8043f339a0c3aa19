"""How a site's downtime pack is made: the words that open it, how far it looks ahead, where it is copied to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotAllowed, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.staff.rules import Act, Actor, password_fits
from dispensary.supplies.outage_models import DowntimeSetting
from dispensary.units import SiteId

_COLUMN = "downtime_setting.password"
MOST_DAYS = 7
USUAL_DAYS = 3
_MOST_BYTES = 127
"""Of a password that opens a PDF (ISO 32000-2, 7.6.4.3.3)."""


@dataclass(frozen=True)
class Downtime:
    """What is set, for the program itself: `password` is empty where nobody has set one, and no pack is made."""

    password: str = ""
    days_ahead: int = USUAL_DAYS
    copy_to: str = ""


def downtime_of(session: ReadSession, *, site_id: SiteId) -> Downtime:
    """What the site has set."""
    kept = session.get(DowntimeSetting, site_id)
    if kept is None:
        return Downtime()
    sealed = kept.password_sealed
    password = session.vault.open(_COLUMN, site_id, bytes(sealed)) if sealed else ""
    return Downtime(password, kept.days_ahead, kept.copy_to)


def has_password(session: ReadSession, *, site_id: SiteId) -> bool:
    """Whether packs are made at all."""
    kept = session.get(DowntimeSetting, site_id)
    return kept is not None and kept.password_sealed is not None


def set_downtime(
    session: WriteSession, *, actor: Actor, password: str, days_ahead: int, copy_to: str, at: datetime
) -> None:
    """Sets it for the actor's site. An empty password leaves the one that is set. The trail never holds the words.

    Raises NotAllowed for anybody but its administrator, BadInput with everything that does not fit.
    """
    if not actor.may(Act.RUN_SITE) or actor.account_id is None:
        raise NotAllowed(Refusal("not-allowed", "The site's administrator sets this.", "Ask them."))
    faults = []
    around = (session.get_one(Site, actor.site_id).name,)
    if password and (weak := password_fits(password, username="takehome", around=around)):
        faults.append(weak)
    elif len(password.encode()) > _MOST_BYTES:
        faults.append(Refusal("long-password", "A PDF cannot be locked with so many letters.", field="password"))
    if not 1 <= days_ahead <= MOST_DAYS:
        faults.append(Refusal("days-ahead", f"From 1 to {MOST_DAYS} days.", field="days_ahead"))
    folder = copy_to.strip()
    if folder and not Path(folder).is_absolute():
        faults.append(
            Refusal("copy-to", "Write the whole path of the folder.", "It begins at the root.", field="copy_to")
        )
    if faults:
        raise BadInput(*faults)
    kept = session.get(DowntimeSetting, actor.site_id, with_for_update=True)
    if kept is None:
        kept = DowntimeSetting(site_id=actor.site_id, password_sealed=None)
        session.add(kept)
    changed = {"days_ahead": days_ahead, "copied": bool(folder), "new_password": bool(password)}
    if password:
        kept.password_sealed = session.vault.seal(_COLUMN, actor.site_id, password)
    kept.days_ahead, kept.copy_to, kept.set_by, kept.set_at = days_ahead, folder, actor.account_id, at
    session.flush()
    audit.record(
        session, actor=actor, act="set downtime pack", subject="site", subject_id=actor.site_id, at=at, details=changed
    )
