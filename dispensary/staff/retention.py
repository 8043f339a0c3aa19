"""For how long a site keeps each kind of record, as its administrator has set it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput
from dispensary.staff import audit
from dispensary.staff.retention_models import RetentionPeriod
from dispensary.staff.retention_rules import Kind, faults_of
from dispensary.staff.rules import Actor
from dispensary.staff.service import refuse_unless_runs_site
from dispensary.units import SiteId


def periods_of(session: ReadSession, *, site_id: SiteId) -> Mapping[Kind, RetentionPeriod]:
    """What the site has set, kind by kind; what is missing is kept."""
    rows = session.scalars(select(RetentionPeriod).where(RetentionPeriod.site_id == site_id))
    return {Kind(row.kind): row for row in rows}


def figure_of(session: ReadSession, *, site_id: SiteId, kind: Kind) -> int | None:
    """The site's figure; nothing where it has set none."""
    kept = session.get(RetentionPeriod, (site_id, kind.value))
    return kept.figure if kept is not None else None


def set_period(
    session: WriteSession, *, actor: Actor, kind: Kind, figure: int | None, source: str, at: datetime
) -> None:
    """Sets it for the actor's site, or takes it away: then the kind is kept. Raises NotAllowed and BadInput."""
    refuse_unless_runs_site(actor, actor.site_id)
    if faults := faults_of(kind, figure, source):
        raise BadInput(*faults)
    kept = session.get(RetentionPeriod, (actor.site_id, kind.value))
    was = kept.figure if kept is not None else None
    if figure is None:
        if kept is not None:
            session.delete(kept)
    elif kept is None:
        kept = RetentionPeriod(site_id=actor.site_id, kind=kind.value, figure=figure, source=source.strip(), set_at=at)
        kept.set_by = actor.account_id
        session.add(kept)
    else:
        kept.figure, kept.source, kept.set_by, kept.set_at = figure, source.strip(), actor.account_id, at
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="set period of records",
        subject="site",
        subject_id=actor.site_id,
        at=at,
        details={"kind": kind.value, "from": was, "to": figure},
    )
