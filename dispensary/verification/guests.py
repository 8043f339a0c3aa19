"""What never breaks when a client is a guest at another site: one site gives a day's doses, and one close freezes it.

A dose is judged by what was verified when it was handed over: a stay that was arranged or ended afterwards does not
make it wrong. What home gave on paper while its client was a guest elsewhere is a fact, and covers nothing.
"""

from __future__ import annotations

from dispensary.verification.apart import not_known
from dispensary.verification.safe import Check

# Stays that may have been in force at the moment and day of a hand-over, and those that certainly were.
_STAY = """SELECT 1 FROM guest_stay g WHERE g.client_id = h.client_id AND h.day >= g.from_day
    AND h.day < CASE WHEN g.ended_at IS NULL OR g.ended_at {ended} h.at THEN g.until_day ELSE g.ended_on END
    AND g.verified_at {verified} h.at"""
_POSSIBLY = _STAY.format(ended=">=", verified="<=")
_CERTAINLY = _STAY.format(ended=">", verified="<")
# Whether a hand-over was at the client's home as it was at that moment: who moved afterwards was dosed at home all the
# same, on the day of the move too. Of the moment of the move itself either was.
_HOME = """EXISTS (SELECT 1 FROM client_home o WHERE o.client_id = h.client_id AND o.site_id = h.site_id
    AND coalesce(o.since <= h.at, true) AND coalesce(o.until >= h.at, true))"""
_AS_IT_KNEW = f"""SELECT 1 FROM guest_stay g WHERE g.client_id = h.client_id AND g.guest_site_id = h.site_id
    AND h.day >= g.from_day AND h.day < g.until_day AND {not_known("h.site_id", "g.ended_at", "h.at")}"""

GUESTS = (
    Check(
        19,
        "supply {id} of client {client_id} gave {day} at {code}, and another site gave the doses of that day",
        f"""
        WITH h AS NOT MATERIALIZED (
            SELECT s.id, s.client_id, s.site_id, s.at, s.dose_day AS day, s.origin = 'outage' AS by_paper
            FROM supply s WHERE s.origin <> 'import'
            UNION ALL
            SELECT s.id, s.client_id, s.site_id, s.at, d.dose_day, false FROM supply s JOIN dose d ON d.supply_id = s.id
            WHERE s.origin <> 'import' AND d.voided_at IS NULL
        ), astray AS (
            SELECT h.* FROM h WHERE EXISTS ({_CERTAINLY} AND g.guest_site_id <> h.site_id)
                AND NOT (h.by_paper AND {_HOME})
            UNION ALL
            SELECT h.* FROM h WHERE NOT {_HOME} AND NOT EXISTS ({_POSSIBLY} AND g.guest_site_id = h.site_id)
                AND NOT EXISTS ({_AS_IT_KNEW})
        )
        SELECT DISTINCT astray.id, astray.client_id, astray.day, site.code FROM astray
        JOIN site ON site.id = astray.site_id
        ORDER BY 1, 3
        """,
    ),
    Check(
        19,
        "bottle dose {id} of client {client_id} for {day} was given to a guest whom home allowed none",
        """
        SELECT d.id, d.client_id, d.dose_day AS day FROM dose d JOIN supply s ON s.id = d.supply_id
        JOIN guest_stay g ON g.client_id = d.client_id AND g.guest_site_id = s.site_id AND g.verified_at <= s.at
            AND d.dose_day >= g.from_day AND NOT g.bottles
            AND d.dose_day < CASE WHEN g.ended_at <= s.at THEN g.ended_on ELSE g.until_day END
        WHERE d.kind = 'take_home' AND d.voided_at IS NULL AND s.origin <> 'import' ORDER BY 1
        """,
    ),
    Check(
        19,
        "stays {one} and {other} of client {client_id} overlap",
        """
        SELECT a.id AS one, b.id AS other, a.client_id FROM guest_stay a
        JOIN guest_stay b ON b.client_id = a.client_id AND b.id > a.id AND b.days && a.days
        WHERE a.refused_at IS NULL AND b.refused_at IS NULL ORDER BY 3, 1, 2
        """,
    ),
    Check(
        19,
        "stay {id} names a home that is not the home of client {client_id}",
        """
        SELECT g.id, g.client_id FROM guest_stay g WHERE NOT EXISTS (SELECT 1 FROM client_home o
            WHERE o.client_id = g.client_id AND o.site_id = g.home_site_id
            AND coalesce(o.since <= g.asked_at, true) AND coalesce(o.until >= g.asked_at, true)) ORDER BY 1
        """,
    ),
    Check(
        6,
        "{dose_day} is closed at site {site_id}, and portion {portion} of its guest {client_id} has no outcome",
        """
        SELECT c.dose_day, c.site_id, part.portion, o.client_id FROM guest_stay g
        JOIN day_close c ON c.site_id = g.guest_site_id AND g.days @> c.dose_day
        JOIN episode e ON e.client_id = g.client_id AND e.began_on <= c.dose_day
            AND (e.ended_on IS NULL OR e.ended_on > c.dose_day)
        JOIN dose_order o ON o.episode_id = e.id AND o.voided_at IS NULL AND c.dose_day >= lower(o.days)
            AND (upper_inf(o.days) OR c.dose_day < upper(o.days)) AND o.ordered_at <= c.closed_at
        CROSS JOIN LATERAL generate_subscripts(o.portions, 1) AS part (portion)
        LEFT JOIN day_outcome f ON f.client_id = o.client_id AND f.dose_day = c.dose_day
            AND (f.portion = part.portion OR f.portions <> cardinality(o.portions))
        WHERE g.verified_at IS NOT NULL AND f.client_id IS NULL ORDER BY 1, 2, 4, 3
        """,
    ),
)
