"""What was not right when a client was here last, as the counter is shown it before the next dose."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from dispensary.database import ReadSession
from dispensary.supplies.models import Supply
from dispensary.units import ClientId

FOUND_SHOWN_DAYS = 7
"""How many days it is shown: a week's visits (the house's own figure)."""


def found_last(session: ReadSession, *, client_id: ClientId, today: date) -> Supply | None:
    """The last hand-over of these days at which something was not right; nothing when all was well."""
    return session.scalar(
        select(Supply)
        .where(Supply.client_id == client_id, Supply.found.is_not(None), Supply.voided_at.is_(None))
        .where(Supply.dose_day >= today - timedelta(days=FOUND_SHOWN_DAYS))
        .order_by(Supply.at.desc())
        .limit(1)
    )
