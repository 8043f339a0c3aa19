"""What stop flags must hold: nothing left while one stood against it, and each message was answered at its own client.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.apart import not_known
from dispensary.verification.safe import Check

STOPS = (
    Check(
        5,
        "dose {id} of client {client_id} for {dose_day} left against a flag ({kind})",
        f"""
        SELECT d.id, d.client_id, d.dose_day, f.kind FROM stop_flag f
        JOIN dose d ON d.client_id = f.client_id AND d.voided_at IS NULL
            AND (f.kind = 'stop_dose' OR (f.kind = 'stop_bottles' AND d.kind = 'take_home'))
        JOIN supply s ON s.id = d.supply_id AND s.origin <> 'import' AND s.at > f.set_at
            AND NOT (f.kind = 'stop_bottles' AND EXISTS (SELECT 1 FROM late_entry e WHERE e.supply_id = s.id
                AND e.beyond_decision))
            AND (f.cleared_at IS NULL OR s.at < f.cleared_at)
        WHERE (f.days @> d.dose_day OR f.days @> s.dose_day) AND NOT {not_known("d.site_id", "f.set_at", "s.at")}
        ORDER BY 1, 4
        """,
    ),
    Check(
        5,
        "flag {id} of client {client_id} {wrong}",
        """
        SELECT id, client_id, wrong FROM (
            SELECT f.id, f.client_id, CASE
                WHEN NOT EXISTS (SELECT 1 FROM client_home h WHERE h.client_id = f.client_id AND h.site_id = f.site_id)
                    THEN 'is of another site than its client'
                WHEN f.kind = 'stop_dose' AND f.owner_role <> 'doctor' THEN 'stops a dose, and no prescriber owns it'
                WHEN f.cleared_at < f.set_at THEN 'was cleared before it was set'
                WHEN f.owner_id IS NULL AND f.owner_role IS NULL THEN 'has no owner'
            END AS wrong FROM stop_flag f) AS judged
        WHERE wrong IS NOT NULL ORDER BY 1
        """,
    ),
    Check(
        2,
        "answer {id} to flag {flag_id} stands in a supply of another client",
        """
        SELECT a.id, a.flag_id FROM flag_answer a JOIN stop_flag f ON f.id = a.flag_id
        JOIN supply s ON s.id = a.supply_id AND s.client_id <> f.client_id ORDER BY 1
        """,
    ),
)
