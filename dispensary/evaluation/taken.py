"""Who took which export, or looked at which figures: one entry of the audit trail, from wherever it was asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dispensary.database import WriteSession
from dispensary.staff import audit
from dispensary.staff.rules import Actor


def note_taken(session: WriteSession, *, actor: Actor, name: str, at: datetime, asked: Mapping[str, Any]) -> None:
    """Puts on record who took which export at the actor's site, with the whole question."""
    audit.record(
        session, actor=actor, act=f"exported {name}", subject="site", subject_id=actor.site_id, at=at, details=asked
    )


def note_looked(session: WriteSession, actor: Actor, name: str, now: datetime, asked: Mapping[str, Any]) -> None:
    """Puts on record who looked at which figures on a page."""
    details = {"figures": name, **asked}
    audit.record(
        session,
        actor=actor,
        act="looked at figures",
        subject="site",
        subject_id=actor.site_id,
        at=now,
        details=details,
    )
