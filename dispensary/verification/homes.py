"""What never breaks when a client moves: one home at a moment, without a gap, and the record says the same."""

from __future__ import annotations

from dispensary.verification.safe import Check

HOMES = (
    Check(
        25,
        "client {id} is of another site, or has another number, than the last of their homes says",
        """
        SELECT c.id FROM client c LEFT JOIN client_home h ON h.client_id = c.id AND h.until IS NULL
        WHERE (h.site_id, h.number) IS DISTINCT FROM (c.site_id, c.number) ORDER BY 1
        """,
    ),
    Check(
        25,
        "home {no} of client {client_id} does not follow the one before it without a gap",
        """
        SELECT h.client_id, h.no FROM client_home h
        LEFT JOIN client_home last ON last.client_id = h.client_id AND last.no = h.no - 1
        WHERE h.no > 1 AND (last.until IS DISTINCT FROM h.since OR h.from_day < last.from_day) ORDER BY 1, 2
        """,
    ),
    Check(
        25,
        "episode {id} is of another site than client {client_id}",
        """
        SELECT e.id, e.client_id FROM episode e JOIN client c ON c.id = e.client_id
        WHERE e.site_id <> c.site_id ORDER BY 1
        """,
    ),
)
