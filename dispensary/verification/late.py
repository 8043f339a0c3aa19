"""What never breaks in what was entered from paper after an outage.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.safe import Check

JUDGED = """s.origin <> 'import'
            AND NOT EXISTS (SELECT 1 FROM late_entry e WHERE e.supply_id = s.id AND e.beyond_decision)"""
"""Supplies that keep to the take-home decision: all of ours but those whose late entry says that they do not."""

RECORDED = "coalesce((SELECT own.recorded_at FROM late_entry own WHERE own.supply_id = s.id), s.at)"
"""When a supply came to be known."""

KNOWN_THEN = f"""NOT EXISTS (SELECT 1 FROM late_entry e WHERE e.supply_id = given.id
            AND e.recorded_at > {RECORDED})"""
"""What was given before, and was known when this supply was: paper that came later makes nobody's supply wrong."""

LATE = (
    Check(
        2,
        "supply {id} was written on paper, and nobody says who entered it and when",
        """
        SELECT s.id FROM supply s LEFT JOIN late_entry e ON e.supply_id = s.id
        WHERE (s.origin = 'outage') IS DISTINCT FROM (e.supply_id IS NOT NULL) OR e.site_id <> s.site_id
            OR e.recorded_at < s.at ORDER BY 1
        """,
    ),
    Check(
        6,
        "client {client_id}, portion {portion} of {dose_day} was given on paper, and the closed day is {outcome}",
        """
        SELECT d.client_id, d.portion, d.dose_day, k.outcome
        FROM dose d JOIN supply s ON s.id = d.supply_id AND s.origin = 'outage'
        JOIN day_as_known k ON k.client_id = d.client_id AND k.dose_day = d.dose_day AND k.portion = d.portion
        WHERE d.voided_at IS NULL AND (k.outcome, k.given_mg) IS DISTINCT FROM (d.kind, d.mg) ORDER BY 1, 3, 2
        """,
    ),
)
