"""The queue: each call counted with its time, nobody skipped more often than called, a visit with its own booking."""

from __future__ import annotations

from dispensary.verification.safe import Check

QUEUE = (
    Check(
        20,
        "ticket {ticket} of {day} at {place_id} was called {calls} times, was not there {skips} times, first {called}",
        """
        SELECT ticket, day, place_id, calls, skips, coalesce(called_at::text, 'never') AS called FROM visit
        WHERE skips > calls OR (calls > 0) <> (called_at IS NOT NULL) OR last_called_at < called_at ORDER BY 3, 2, 1
        """,
    ),
    Check(
        20,
        "ticket {ticket} of {day} at {place_id} has the booking of somebody else, or of another day",
        """
        SELECT v.ticket, v.day, v.place_id FROM visit v JOIN booking b ON b.id = v.booking_id
        WHERE (b.holder_id, b.place_id, b.day) <> (v.holder_id, v.place_id, v.day) ORDER BY 3, 2, 1
        """,
    ),
)
