"""Whose work it was: one person in front of a browser at a time, and nobody signed in for longer than twelve hours."""

from __future__ import annotations

from dispensary.verification.safe import Check

SHIFT = (
    Check(
        12,
        "{people} people are in front of browser {station_id} at once",
        """
        SELECT station_id, count(*) AS people FROM sign_in WHERE station_id IS NOT NULL AND locked_at IS NULL
        GROUP BY station_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        12,
        "account {account_id} is signed in until {ends_at}, more than 12 hours after {began_at}",
        """
        SELECT account_id, began_at, ends_at FROM sign_in WHERE ends_at > began_at + interval '12 hours' ORDER BY 1, 2
        """,
    ),
)
