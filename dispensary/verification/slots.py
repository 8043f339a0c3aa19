"""Places of a slot: offers that wait for an answer, held places that were given, bookings that a rule made."""

from __future__ import annotations

from dispensary.verification.safe import Check

SLOTS = (
    Check(
        8,
        "{offers} places are kept at once for holder {holder_id}",
        """
        SELECT holder_id, count(*) AS offers FROM offer WHERE state = 'open'
        GROUP BY holder_id HAVING count(*) > 1 ORDER BY 1
        """,
    ),
    Check(
        8,
        "offer {id} was taken, and booking {booking_id} is not of that place, holder and share",
        """
        SELECT o.id, o.booking_id FROM offer o LEFT JOIN booking b ON b.id = o.booking_id
        WHERE o.state = 'taken' AND (b.place_id, b.starts_at, b.holder_id, b.share)
            IS DISTINCT FROM (o.place_id, o.starts_at, o.holder_id, o.share) ORDER BY 1
        """,
    ),
    Check(
        8,
        "offer {id} is about another place, holder or day than wish {wait_id}",
        """
        SELECT o.id, o.wait_id FROM offer o LEFT JOIN wait w ON w.id = o.wait_id
        LEFT JOIN slot s ON s.place_id = o.place_id AND s.starts_at = o.starts_at
        WHERE (w.place_id, w.holder_id, w.day) IS DISTINCT FROM (o.place_id, o.holder_id, s.day) ORDER BY 1
        """,
    ),
    Check(
        8,
        "holder {holder_id} stands in line {times} times for {day}",
        """
        SELECT holder_id, day, count(*) AS times FROM wait WHERE state = 'waiting'
        GROUP BY holder_id, place_id, day HAVING count(*) > 1 ORDER BY 1, 2
        """,
    ),
    Check(
        8,
        "booking {id} was given a place held for {share}, and nobody is written down as having given it",
        """
        SELECT b.id, b.share FROM booking b WHERE b.given AND b.moved_from IS NULL AND NOT EXISTS (
            SELECT FROM audit_entry a WHERE a.act = 'gave held place' AND a.subject_id = b.holder_id
            AND a.details::text LIKE '%' || b.id::text || '%') ORDER BY 1
        """,
    ),
    Check(
        8,
        "booking {id} on {day} was made from a weekly time that does not say so",
        """
        SELECT b.id, b.day FROM booking b JOIN place p ON p.id = b.place_id LEFT JOIN standing r ON r.id = b.standing_id
        WHERE b.standing_id IS NOT NULL AND b.moved_from IS NULL AND (
            (r.holder_id, r.place_id, r.weekday, r.at) IS DISTINCT FROM (b.holder_id, b.place_id,
                (extract(isodow FROM b.day) - 1)::smallint, (b.starts_at AT TIME ZONE p.zone)::time)
            OR b.day < r.from_day OR (b.state = 'booked' AND b.day >= r.until_day)
            OR (b.state = 'booked' AND (r.id, b.day) IN (SELECT standing_id, day FROM standing_skip))
        ) ORDER BY 1
        """,
    ),
    Check(
        8,
        "weekly times {one} and {other} of holder {holder_id} are on the same weekday",
        """
        SELECT a.id AS one, b.id AS other, a.holder_id FROM standing a JOIN standing b ON b.holder_id = a.holder_id
            AND b.place_id = a.place_id AND b.weekday = a.weekday AND b.id > a.id
            AND daterange(a.from_day, a.until_day) && daterange(b.from_day, b.until_day) ORDER BY 1, 2
        """,
    ),
    Check(
        8,
        "booking {id} stands on {day}, which is closed, and nobody sees to where it goes",
        """
        SELECT b.id, b.day FROM booking b
        JOIN closure c ON c.place_id = b.place_id AND b.day BETWEEN c.first_day AND c.last_day
        WHERE b.state = 'booked' AND NOT EXISTS (
            SELECT FROM closure_case o WHERE o.closure_id = c.id AND o.booking_id = b.id) ORDER BY 1
        """,
    ),
    Check(
        8,
        "booking {booking_id} was moved because its day was closed, and {moved_to} is not where it went",
        """
        SELECT o.booking_id, o.moved_to FROM closure_case o LEFT JOIN booking m ON m.id = o.moved_to
        WHERE o.state = 'moved' AND m.moved_from IS DISTINCT FROM o.booking_id ORDER BY 1
        """,
    ),
    # The words and reasons of a text are kept for seven days at least: of what is older nobody can tell any more.
    Check(
        8,
        "booking {booking_id} was of a closed day, and its holder has neither a text nor somebody who calls them",
        """
        SELECT o.booking_id FROM closure_case o JOIN booking b ON b.id = o.booking_id
        WHERE o.state IN ('moved', 'beside', 'asked')
        AND o.settled_at > (SELECT max(created_at) FROM message) - interval '7 days'
        AND NOT EXISTS (SELECT FROM message m WHERE m.recipient_id = b.holder_id
            AND m.reason_key IN ('closure:' || o.closure_id || ':' || b.holder_id,
                'closure:' || o.closure_id || ':' || b.holder_id || ':' || b.id))
        AND NOT EXISTS (SELECT FROM alert a WHERE a.client_id = b.holder_id AND a.cause IN ('text: closure not told',
            'text: moved, not told', 'text: closed, no other time', 'text: their day is open again'))
        ORDER BY 1
        """,
    ),
)
