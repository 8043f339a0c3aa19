"""What never breaks of bottles between two pairs of hands: into their own safe alone, reported once they left.

Each query finds the rows that break one rule, and finds nothing when all is well.
"""

from __future__ import annotations

from dispensary.verification.safe import Check

HANDS = (
    Check(
        17,
        "bottle {serial} of client {client_id}, filled from the safe of {filled}, went into that of {site}",
        """
        SELECT b.serial, b.client_id, home.code AS filled, there.code AS site
        FROM bottle b JOIN bottle_return r ON r.bottle_id = b.id JOIN lot l ON l.id = b.lot_id
        JOIN site home ON home.id = l.site_id JOIN site there ON there.id = r.site_id
        WHERE b.state = 'back_in_stock' AND r.site_id <> l.site_id ORDER BY 1
        """,
    ),
    Check(
        17,
        "bottle {serial} of client {client_id} is reported lost, and had never left the counter",
        """
        SELECT b.serial, b.client_id FROM reported_bottle r JOIN bottle b ON b.id = r.bottle_id
        WHERE NOT EXISTS (SELECT 1 FROM bottle_event e WHERE e.bottle_id = b.id AND e.state IN ('out', 'handed_over'))
        ORDER BY 1
        """,
    ),
    Check(
        17,
        "bottle {serial} of client {client_id} was lost on its way, and no line of the register says so",
        """
        SELECT b.serial, b.client_id FROM reported_bottle r JOIN bottle b ON b.id = r.bottle_id AND b.dose_id IS NULL
        WHERE b.state = 'lost' AND NOT EXISTS (SELECT 1 FROM register_line l WHERE l.lot_id = b.lot_id
            AND l.kind = 'lost' AND l.ml = -b.ml AND position(b.serial IN l.reason) > 0)
        ORDER BY 1
        """,
    ),
)
