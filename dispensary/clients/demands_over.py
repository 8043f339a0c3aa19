"""Legal demands that were answered about nobody are removed when their site's period for records is over."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import delete, exists, select

from dispensary.clients.demand_models import LegalDemand, LegalDemandStep
from dispensary.clients.disclosure_models import Release
from dispensary.database import WriteSession
from dispensary.staff import audit
from dispensary.staff.queries import sites
from dispensary.staff.retention import figure_of
from dispensary.staff.retention_rules import Kind
from dispensary.staff.rules import the_program

AT_ONCE = 200
DEMANDS = (LegalDemand.__tablename__, LegalDemandStep.__tablename__)


def remove_demands_over(session: WriteSession, *, at: datetime) -> int:
    """Removes up to 200 demands that came longer ago than their site keeps records, and says how many.

    A demand names a person in the words of whoever asked, and is linked to nobody, so that no erasure finds it. One
    that told something of a client stays as the ground of that line of the register. Where a site has set no period,
    all stay.
    """
    removed = 0
    for site in sites(session):
        years = figure_of(session, site_id=site.id, kind=Kind.CLIENTS)
        if years is None:
            continue
        over = session.scalars(
            select(LegalDemand.id)
            .where(
                LegalDemand.site_id == site.id,
                LegalDemand.received_at < _years_before(at, years),
                ~exists().where(Release.legal_demand_id == LegalDemand.id),
            )
            .order_by(LegalDemand.no)
            .limit(AT_ONCE)
        ).all()
        if not over:
            continue
        session.execute(delete(LegalDemandStep).where(LegalDemandStep.demand_id.in_(over)))
        session.execute(delete(LegalDemand).where(LegalDemand.id.in_(over)))
        removed += len(over)
        audit.record(
            session,
            actor=the_program(site.id),
            act="removed legal demands",
            subject="site",
            subject_id=site.id,
            at=at,
            details={"count": len(over), "years": years},
        )
    return removed


def _years_before(at: datetime, years: int) -> datetime:
    day = min(at.day, 28) if at.month == 2 else at.day
    return datetime.combine(date(at.year - years, at.month, day), at.timetz())
