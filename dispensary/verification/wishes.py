"""Texts that nobody asked for, that came too often, and answers after a visit that cannot be."""

from __future__ import annotations

from dispensary.verification.safe import Check

WISHES = (
    Check(
        10,
        "text {id} of kind {kind} was queued for client {client_id}, who had not asked for such texts",
        """
        SELECT m.id, m.kind, m.recipient_id AS client_id FROM message m
        LEFT JOIN text_wish w ON w.client_id = m.recipient_id AND w.word = text_group(m.kind)
        WHERE NOT m.is_reply AND m.recipient_id IS NOT NULL AND text_group(m.kind) IS NOT NULL
            AND CASE WHEN w.client_id IS NULL THEN text_group(m.kind) NOT IN ('bookings', 'reminder')
                ELSE NOT w.wanted AND m.created_at > w.set_at END ORDER BY 1
        """,
    ),
    Check(
        10,
        "client {client_id} was asked about a visit {times} times within thirty days before {until}",
        """
        SELECT client_id, until, times FROM (
            SELECT recipient_id AS client_id, created_at AS until, count(*) OVER (
                PARTITION BY recipient_id ORDER BY created_at
                RANGE BETWEEN interval '29 days 23 hours' PRECEDING AND CURRENT ROW) AS times
            FROM message WHERE kind = 'feedback_visit' AND recipient_id IS NOT NULL) AS asked
        WHERE times > 1 ORDER BY 1, 2
        """,
    ),
    Check(
        10,
        "client {client_id} was told {times} times that they were missed on {day}",
        """
        SELECT recipient_id AS client_id, (created_at AT TIME ZONE zone)::date AS day, count(*) AS times FROM message
        WHERE kind = 'missed_today' AND recipient_id IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
        """,
    ),
    Check(
        10,
        "text {message_id} carried news {news_id}, and is none of that kind",
        """
        SELECT t.message_id, t.news_id FROM news_text t LEFT JOIN message m ON m.id = t.message_id
        WHERE m.kind IS DISTINCT FROM 'news' ORDER BY 1
        """,
    ),
)
