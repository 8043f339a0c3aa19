"""Looking for what must not be in the safe: the view stock_discrepancy, and what it named from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.database import ReadSession, WriteSession
from dispensary.staff import audit
from dispensary.staff.rules import Actor
from dispensary.stock.safe_models import StockFinding
from dispensary.units import SiteId, new_id

_NAMED = text("SELECT kind, subject, sentence FROM stock_discrepancy WHERE site_id = :site ORDER BY kind, subject")


def named(session: ReadSession, *, site_id: SiteId) -> Sequence[str]:
    """Each discrepancy in a site's safe as it is now, in words; nothing is kept of the look."""
    return [row.sentence for row in session.execute(_NAMED, {"site": site_id})]


def look(session: WriteSession, *, actor: Actor, at: datetime) -> Sequence[StockFinding]:
    """Names every discrepancy in the safe of the actor's site anew: what is there, and what has gone since.

    What was named before keeps the moment at which it was first seen. A new one is in the audit trail.
    """
    named = session.execute(_NAMED, {"site": actor.site_id}).all()
    before = {(each.kind, each.subject) for each in findings(session, site_id=actor.site_id)}
    for row in named:
        session.execute(
            upsert(StockFinding)
            .values(
                id=new_id(),
                site_id=actor.site_id,
                kind=row.kind,
                subject=row.subject,
                sentence=row.sentence,
                first_seen_at=at,
                seen_at=at,
            )
            .on_conflict_do_update(
                index_elements=["site_id", "kind", "subject"],
                index_where=StockFinding.gone_at.is_(None),
                set_={"sentence": row.sentence, "seen_at": at},
            )
        )
    there = {(row.kind, row.subject) for row in named}
    for kind, subject in before - there:
        session.execute(
            update(StockFinding)
            .where(StockFinding.site_id == actor.site_id, StockFinding.gone_at.is_(None))
            .where(StockFinding.kind == kind, StockFinding.subject == subject)
            .values(gone_at=at)
        )
    if new := there - before:
        details = {"kinds": sorted({kind for kind, _ in new}), "rows": len(new)}
        audit.record(
            session, actor=actor, act="found discrepancy", subject="site", subject_id=actor.site_id, at=at,
            details=details,
        )  # fmt: skip
    session.expire_all()
    return findings(session, site_id=actor.site_id)


def findings(session: ReadSession, *, site_id: SiteId) -> Sequence[StockFinding]:
    """What the last look named and is still there, the longest there first."""
    return session.scalars(
        select(StockFinding)
        .where(StockFinding.site_id == site_id, StockFinding.gone_at.is_(None))
        .order_by(StockFinding.first_seen_at, StockFinding.kind, StockFinding.subject)
    ).all()
