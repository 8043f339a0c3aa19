"""How long the safe lasts, from the orders in force, the doses at home and the bottles that stand prepared."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import text

import scheduling.queries
from dispensary.database import ReadSession
from dispensary.stock.lasting_rules import Lasting, lasting
from dispensary.stock.queries import lots
from dispensary.stock.rules import LotOnHand
from dispensary.stock.service import settings_of
from dispensary.units import DoseDay, Milligrams, SiteId

LOOKED_AHEAD = 90
"""Days that the safe's page looks ahead."""

_USUAL = text("""
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY o.mg) FROM dose_order o
JOIN episode e ON e.id = o.episode_id AND e.site_id = :site
WHERE o.voided_at IS NULL AND o.days @> CAST(:day AS date)
""")
# What each day still needs from bulk: as ordered, less what the client has for it, less what stands in a bottle.
# Whoever is a guest elsewhere on the day needs nothing here; the site's own guests do.
_NEEDS = text("""
WITH treated AS (
    SELECT id FROM episode WHERE site_id = :site AND (ended_on IS NULL OR ended_on > :first)
    UNION SELECT e.id FROM guest_stay v JOIN episode e ON e.client_id = v.client_id
        WHERE v.guest_site_id = :site AND v.until_day >= :first
)
SELECT day::date AS day, sum(greatest(o.mg - coalesce(had.mg, 0) - coalesce(stands.mg, 0), 0)) AS mg
FROM treated JOIN episode e ON e.id = treated.id
JOIN dose_order o ON o.episode_id = e.id AND o.voided_at IS NULL
JOIN generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day ON o.days @> day::date
    AND (e.ended_on IS NULL OR e.ended_on > day::date)
LEFT JOIN guest_stay g ON g.client_id = o.client_id AND g.verified_at IS NOT NULL AND g.days @> day::date
LEFT JOIN LATERAL (SELECT sum(d.mg) AS mg FROM dose d
    WHERE d.client_id = o.client_id AND d.dose_day = day::date AND d.voided_at IS NULL) had ON day::date <= :known
LEFT JOIN LATERAL (SELECT sum(b.mg) AS mg FROM bottle b WHERE b.client_id = o.client_id AND b.dose_day = day::date
    AND b.state IN ('prepared', 'checked', 'out')) stands ON day::date <= :known
WHERE coalesce(g.guest_site_id, e.site_id) = :site
    AND NOT EXISTS (SELECT 1 FROM hold h WHERE h.client_id = o.client_id AND h.released_at IS NULL
    AND h.days @> day::date)
GROUP BY 1
""")
_REACHES = 60
"""Days ahead for which doses or bottles can be in somebody's hands: twice the longest supply, to be sure."""


def usual_dose(session: ReadSession, *, site_id: SiteId, day: date) -> Milligrams | None:
    """One usual dose at a site: the median of the orders in force on a day; nothing without any."""
    found: Milligrams | None = session.scalar(_USUAL, {"site": site_id, "day": day})
    return found


def how_long(session: ReadSession, *, site_id: SiteId, today: DoseDay, looked: int = LOOKED_AHEAD) -> Lasting:
    """The forecast for so many days from today on."""
    last = today + timedelta(days=looked - 1)
    values = {"site": site_id, "first": today, "last": last, "known": today + timedelta(days=_REACHES)}
    needs = {row.day: row.mg for row in session.execute(_NEEDS, values)}
    on_hand = [
        LotOnHand(lot.id, lot.book_id, lot.batch, lot.strength, lot.expires_on, lot.balance, lot.bottled)
        for lot in lots(session, site_id=site_id)
    ]
    closed = scheduling.queries.closed_days(session, site_id, today, last)
    return lasting(on_hand, needs, today=today, looked=looked, closed=closed)


def running_low(session: ReadSession, *, site_id: SiteId, today: DoseDay) -> Lasting | None:
    """The forecast where the safe lasts for fewer days than the site wants; nothing where it has set no limit."""
    wanted = settings_of(session, site_id).days_of_stock
    if wanted is None:
        return None
    found = how_long(session, site_id=site_id, today=today, looked=wanted)
    return found if found.days < wanted else None
