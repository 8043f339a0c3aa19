"""What a dose day became, frozen once for each portion that was ordered, by the close of the site that gave its doses.

A day on which a client is a verified guest belongs to the guest site's close, whenever that comes: home's close passes
it by, since the client may still be dosed. Its outcome stands under home all the same, which is what is evaluated.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import text

from dispensary.database import WriteSession
from dispensary.evaluation.facts import count_with_the_close
from dispensary.units import ClientId, SiteId

# Whose day this is: everybody in a stay at the site who is not a guest elsewhere, and its own guests.
_OF_SITE = """
    SELECT e.id, e.ended_on, e.site_id FROM episode e
    WHERE e.site_id = :site AND e.began_on <= :day AND (e.ended_on IS NULL OR e.ended_on >= :day)
        AND NOT EXISTS (SELECT 1 FROM guest_stay g WHERE g.client_id = e.client_id AND g.verified_at IS NOT NULL
            AND g.days @> CAST(:day AS date))
    UNION ALL
    SELECT e.id, e.ended_on, home_on(e.client_id, :day) FROM guest_stay g JOIN episode e ON e.client_id = g.client_id
        AND e.began_on <= :day AND (e.ended_on IS NULL OR e.ended_on >= :day)
    WHERE g.guest_site_id = :site AND g.verified_at IS NOT NULL AND g.days @> CAST(:day AS date)
"""
_OF_CLIENT = """
    SELECT e.id, e.ended_on, home_on(e.client_id, :day) AS site_id FROM episode e
    WHERE e.client_id = :client AND e.began_on <= :day AND (e.ended_on IS NULL OR e.ended_on >= :day)
"""

# One outcome a portion of each order in force, from the order that is in force now, as the day closes. A day that was
# covered by bottles before its dose was divided otherwise is frozen as it was covered. Of the day on which a stay ended
# what was given is frozen, and nothing is missed. (CASE and not coalesce: see takehome/naloxone.py.)
_FREEZE = """
WITH here AS ({here}), due AS (
    SELECT o.client_id, o.episode_id, here.site_id, taken.id AS order_id, part.portion,
           cardinality(taken.portions) AS portions, taken.portions[part.portion] AS ordered_mg, here.ended_on
    FROM dose_order o
    JOIN here ON here.id = o.episode_id
    LEFT JOIN LATERAL (SELECT d.order_id FROM dose d WHERE d.client_id = o.client_id AND d.dose_day = :day
        AND d.voided_at IS NULL AND d.portions <> cardinality(o.portions) LIMIT 1) otherwise ON true
    JOIN dose_order taken
        ON taken.id = CASE WHEN otherwise.order_id IS NULL THEN o.id ELSE otherwise.order_id END
    CROSS JOIN LATERAL generate_subscripts(taken.portions, 1) AS part(portion)
    WHERE o.voided_at IS NULL AND o.days @> CAST(:day AS date)
), frozen AS (
    INSERT INTO day_outcome (client_id, dose_day, portion, portions, site_id, episode_id, order_id, ordered_mg,
                             given_mg, outcome, frozen_at)
    SELECT due.client_id, :day, due.portion, due.portions, due.site_id, due.episode_id, due.order_id, due.ordered_mg,
           coalesce(d.mg, 0),
           CASE WHEN d.id IS NOT NULL THEN d.kind
                WHEN EXISTS (SELECT 1 FROM hold h WHERE h.client_id = due.client_id AND h.released_at IS NULL
                             AND h.days @> CAST(:day AS date))
                  OR EXISTS (SELECT 1 FROM stop_flag f WHERE f.client_id = due.client_id AND f.cleared_at IS NULL
                             AND f.kind = 'stop_dose' AND f.days @> CAST(:day AS date)) THEN 'held'
                ELSE 'missed' END,
           :at
    FROM due LEFT JOIN dose d ON d.client_id = due.client_id AND d.dose_day = :day
        AND d.portion = due.portion AND d.voided_at IS NULL
    WHERE d.id IS NOT NULL OR due.ended_on IS DISTINCT FROM CAST(:day AS date)
    ON CONFLICT DO NOTHING
    RETURNING client_id, outcome
)
SELECT outcome, count(*) AS n, array_agg(DISTINCT client_id) AS clients FROM frozen GROUP BY outcome
"""
_FREEZE_SITE = text(_FREEZE.format(here=_OF_SITE))
_FREEZE_CLIENT = text(_FREEZE.format(here=_OF_CLIENT))


def freeze_day(session: WriteSession, *, site_id: SiteId, day: date, at: datetime) -> dict[str, int]:
    """Freezes the day of everybody whose doses this site gave; how many portions of each outcome were frozen.

    What closed days say of each of them is counted with it. Lock the clients first.
    """
    rows = session.execute(_FREEZE_SITE, {"site": site_id, "day": day, "at": at}).all()
    count_with_the_close(session, client_ids=sorted({ClientId(each) for row in rows for each in row.clients}))
    return {row.outcome: row.n for row in rows}


def freeze_for(session: WriteSession, *, client_id: ClientId, day: date, at: datetime) -> None:
    """Freezes a day of one client that home had closed while it was the guest site's. What is frozen stays."""
    session.execute(_FREEZE_CLIENT, {"client": client_id, "day": day, "at": at})
