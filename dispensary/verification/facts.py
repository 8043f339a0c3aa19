"""Figures are answered from what is counted of closed days, and that is what the records say.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.evaluation.facts import DIFFERENCES
from dispensary.evaluation.rollup import AGAIN
from dispensary.verification.late import RECORDED
from dispensary.verification.safe import Check

_LAST_COUNTED = f"""
    SELECT f.site_id, f.dose_day, f.doses, f.waits, max(c.closed_at) AS at
    FROM fact_site_day f JOIN day_close c ON c.site_id = f.site_id
        AND c.dose_day BETWEEN f.dose_day AND f.dose_day + {AGAIN - 1}
    GROUP BY f.site_id, f.dose_day"""
"""When each day of a site was counted last: with the closes of a week. What was voided or came later is not in it."""
_KNOWN = f"""greatest({RECORDED},
                (SELECT max(c.ended_at) FROM carrying c WHERE c.pickup_id = s.pickup_id))"""
"""When a supply was on record: what a carrier handed over is told afterwards, at times when its day is closed."""
_SLACK = "interval '10 minutes'"
"""What is handed over or called while a day closes is in its figures, or not."""
_MOVED = """
    SELECT side.site_id, m.day AS dose_day, sum(side.n) AS by
    FROM (SELECT DISTINCT client_id, from_day AS day FROM client_home WHERE no > 1) AS m
    CROSS JOIN LATERAL (VALUES (home_on(m.client_id, m.day), 1), (home_on(m.client_id, m.day - 1), -1))
        AS side (site_id, n)
    WHERE EXISTS (SELECT 1 FROM episode e WHERE e.client_id = m.client_id AND e.began_on < m.day
        AND coalesce(e.ended_on >= m.day, true))
    GROUP BY side.site_id, m.day"""
"""How many more a site has from a day on by moves: who arrived, less who left, of those in treatment the day before."""

FACTS = (
    Check(
        14,
        "client {client_id} is counted otherwise than their records say: run `dispensary evaluation rebuild`",
        f"SELECT DISTINCT client_id FROM ({DIFFERENCES}) AS differing ORDER BY 1",
    ),
    Check(
        14,
        "{dose_day} of site {site_id} is counted, and was not closed then",
        """
        SELECT f.site_id, f.dose_day FROM fact_site_day f
        LEFT JOIN day_close c ON c.site_id = f.site_id AND c.dose_day = f.dose_day
        WHERE c.closed_at IS DISTINCT FROM f.closed_at ORDER BY 1, 2
        """,
    ),
    Check(
        14,
        "{dose_day} of site {site_id} is closed, and is not counted",
        """
        SELECT c.site_id, c.dose_day FROM day_close c
        JOIN (SELECT site_id, min(dose_day) AS first FROM fact_site_day GROUP BY 1) AS counted USING (site_id)
        LEFT JOIN fact_site_day f ON f.site_id = c.site_id AND f.dose_day = c.dose_day
        WHERE c.dose_day >= counted.first AND f.dose_day IS NULL ORDER BY 1, 2
        """,
    ),
    # What was brought in from elsewhere is known since nobody knows when, and counts or does not.
    Check(
        14,
        "{dose_day} of site {site_id} is counted with {doses} doses, and its records say {least} to {most}",
        f"""
        SELECT last.site_id, last.dose_day, last.doses, coalesce(given.least, 0) AS least,
            coalesce(given.most, 0) AS most
        FROM ({_LAST_COUNTED}) AS last LEFT JOIN (
            SELECT n.site_id, n.dose_day,
                count(*) FILTER (WHERE s.origin <> 'import' AND {_KNOWN} <= n.at - {_SLACK}
                    AND d.voided_at IS NULL) AS least,
                count(*) FILTER (WHERE (s.origin = 'import' OR {_KNOWN} <= n.at + {_SLACK})
                    AND (d.voided_at IS NULL OR d.voided_at > n.at - {_SLACK})) AS most
            FROM ({_LAST_COUNTED}) AS n JOIN supply s ON s.site_id = n.site_id AND s.dose_day = n.dose_day
            JOIN dose d ON d.supply_id = s.id GROUP BY 1, 2) AS given USING (site_id, dose_day)
        WHERE last.doses NOT BETWEEN coalesce(given.least, 0) AND coalesce(given.most, 0) ORDER BY 1, 2
        """,
    ),
    Check(
        14,
        "{dose_day} of site {site_id} is counted with {waits} waits, and its records say {least} to {most}",
        f"""
        SELECT last.site_id, last.dose_day, last.waits, coalesce(called.least, 0) AS least,
            coalesce(called.most, 0) AS most
        FROM ({_LAST_COUNTED}) AS last LEFT JOIN (
            SELECT n.site_id, n.dose_day, count(*) FILTER (WHERE v.called_at <= n.at - {_SLACK}) AS least,
                count(*) FILTER (WHERE v.called_at IS NOT NULL OR v.calls > 0) AS most
            FROM ({_LAST_COUNTED}) AS n JOIN visit v ON v.place_id = n.site_id AND v.day = n.dose_day
            GROUP BY 1, 2) AS called USING (site_id, dose_day)
        WHERE last.waits NOT BETWEEN coalesce(called.least, 0) AND coalesce(called.most, 0) ORDER BY 1, 2
        """,
    ),
    # A stay may be put on record or ended for a day long past: of days that were counted together this holds even so.
    Check(
        14,
        "site {site_id} has {active} in treatment on {dose_day}: the day before, who began and who left make {added}",
        f"""
        SELECT f.site_id, f.dose_day, f.active, b.active + f.began - f.ended + coalesce(moved.by, 0) AS added
        FROM fact_site_day f JOIN fact_site_day b ON b.site_id = f.site_id AND b.dose_day = f.dose_day - 1
        LEFT JOIN ({_MOVED}) AS moved ON moved.site_id = f.site_id AND moved.dose_day = f.dose_day
        JOIN (SELECT DISTINCT ON (site_id) site_id, dose_day FROM day_close ORDER BY site_id, closed_at DESC,
            dose_day DESC) AS last ON last.site_id = f.site_id
            AND b.dose_day > last.dose_day - {AGAIN} AND f.dose_day <= last.dose_day
        WHERE f.active <> b.active + f.began - f.ended + coalesce(moved.by, 0) ORDER BY 1, 2
        """,
    ),
)
