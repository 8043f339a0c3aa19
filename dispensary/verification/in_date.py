"""What never breaks of a lot's expiry: nothing is taken from it on a later day.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.safe import Check

IN_DATE = (
    Check(
        3,
        "dose {id} of client {client_id} for {day} was poured from lot {batch}, which expired on {expires_on}",
        """
        SELECT given.id, given.client_id, greatest(given.dose_day, s.dose_day) AS day, lot.batch, lot.expires_on
        FROM (
            SELECT d.id, d.client_id, d.supply_id, d.dose_day, coalesce(p.lot_id, d.lot_id) AS lot_id
            FROM dose d LEFT JOIN dose_part p ON p.dose_id = d.id
            UNION ALL
            SELECT id, client_id, supply_id, dose_day, lot_id FROM extra_dose WHERE kind <> 'in_error'
        ) AS given JOIN supply s ON s.id = given.supply_id AND s.origin = 'counter'
        JOIN lot ON lot.id = given.lot_id AND lot.expires_on < greatest(given.dose_day, s.dose_day)
        ORDER BY 4, 3, 1
        """,
    ),
    Check(
        3,
        "bottle {serial} stands prepared for {dose_day} from lot {batch}, which expires on {expires_on}",
        """
        SELECT b.serial, b.dose_day, lot.batch, lot.expires_on FROM bottle b
        JOIN lot ON lot.id = b.lot_id AND lot.expires_on < b.dose_day
        WHERE b.state IN ('prepared', 'checked', 'out') ORDER BY 1
        """,
    ),
)
