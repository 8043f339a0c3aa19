"""Whom naloxone is to be offered to because they carry doses home, until they have it or have said no."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Row, text

from dispensary.care.naloxone_rules import Standing, proposes
from dispensary.database import ReadSession
from dispensary.units import ClientId, SiteId

# What continues another decision after a one-off or a suspension starts nothing: its first one says what was answered.
# A site that keeps no kits, or had none when it was decided, gives none at the counter. (CASE and not coalesce: behind
# the second wall PostgreSQL takes a coalesce for something that could leak, and would read every decision for it.)
_CARRIES = """
SELECT d.client_id, (begun.decided_at AT TIME ZONE s.zone)::date AS since, begun.naloxone,
    (SELECT max(l.expires_on) FROM naloxone_kit k JOIN naloxone_lot l ON l.id = k.lot_id
        WHERE k.client_id = d.client_id AND k.to_whom = 'client' AND k.voided_at IS NULL
            AND NOT EXISTS (SELECT FROM naloxone_use u WHERE u.client_id = d.client_id AND u.voided_at IS NULL
                AND u.noted_at >= k.given_at)) AS kit_until,
    (SELECT (max(u.noted_at) AT TIME ZONE s.zone)::date FROM naloxone_use u
        WHERE u.client_id = d.client_id AND u.voided_at IS NULL) AS used_on,
    (SELECT max(a.said_on) FROM naloxone_answer a WHERE a.client_id = d.client_id) AS answered_on
FROM decision d
JOIN client c ON c.id = d.client_id
JOIN site s ON s.id = c.site_id
JOIN decision begun ON begun.id = CASE WHEN d.continues_id IS NULL THEN d.id ELSE d.continues_id END
WHERE {whose} AND d.voided_at IS NULL AND d.days @> CAST(:today AS date) AND d.per_supply > 0
    AND begun.decided_at >= (SELECT min(received_at) FROM naloxone_lot l WHERE l.site_id = c.site_id)
"""
_OF_CLIENT = text(_CARRIES.format(whose="d.client_id = :client"))
_OF_SITE = text(
    _CARRIES.format(whose="d.client_id IN (SELECT id FROM client WHERE site_id = :site)")
    + " ORDER BY since, d.client_id"
)


def offers_naloxone(session: ReadSession, *, client_id: ClientId, today: date) -> bool:
    """Whether a kit is to be offered to this client now."""
    row = session.execute(_OF_CLIENT, {"client": client_id, "today": today}).first()
    return row is not None and _proposes(row, today)


def to_offer(session: ReadSession, *, site_id: SiteId, today: date) -> list[ClientId]:
    """Everybody at the site to whom a kit is to be offered, who has waited longest first."""
    rows = session.execute(_OF_SITE, {"site": site_id, "today": today})
    return [ClientId(row.client_id) for row in rows if _proposes(row, today)]


def _proposes(row: Row[Any], today: date) -> bool:
    standing = Standing(
        since=row.since,
        answered_then=row.naloxone in ("declined", "has_one"),
        kit_until=row.kit_until,
        answered_on=row.answered_on,
        used_on=row.used_on,
    )
    return proposes(standing, today)
