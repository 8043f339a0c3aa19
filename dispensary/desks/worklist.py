"""Who waits for a doctor or a nurse at a site, and why: read for everybody at once, one statement a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import text

from dispensary.clients.queries import Face, faces
from dispensary.database import ReadSession
from dispensary.monitoring.queries import open_alerts
from dispensary.units import ClientId, SiteId

ENDS_WITHIN = timedelta(days=7)
"""An order whose last day is this near is on the list: a site that opens once a week still sees it in time."""


class Kind(StrEnum):
    """The kinds of reasons, in the order in which the page offers them."""

    ALERT = "alert"
    ABSENT = "absent"
    ORDER = "order"
    TAKE_HOME = "take-home"


@dataclass(frozen=True)
class Reason:
    """One reason why a client is on the list; which of the figures it has depends on its kind."""

    kind: Kind
    weight: int
    """The smaller, the sooner somebody must act."""
    severity: str = ""
    sentence: str = ""
    """Of an alert: what it says."""
    role: str = ""
    """Of an alert: who must act on it."""
    day: date | None = None
    """Of an absence the last day with a dose; of an order its last day, nothing when there never was one."""
    days: int = 0
    """Of an absence: whole days without a dose."""
    ordered_since: bool = False
    """Of an absence: the prescriber has ordered again, knowing of it."""
    proposed: tuple[int, int | None] = (0, None)
    """Of a take-home proposal: what the newest assessment says, days at once and days a week."""
    decided: tuple[int, int | None] | None = None
    """Of a take-home proposal: what is in force."""


@dataclass(frozen=True)
class Waits:
    """A client on the list with every reason, the gravest first."""

    face: Face
    reasons: tuple[Reason, ...]


# Everybody in treatment at the site today; what follows reads along with it.
_HERE = "e.site_id = :site AND e.began_on <= :today AND (e.ended_on IS NULL OR e.ended_on > :today)"

_ABSENT = text(f"""
SELECT e.client_id, latest.dose_day AS day, CAST(:today AS date) - latest.dose_day - 1 AS days,
    lower(o.days) > latest.dose_day + s.missed_days_ask AS ordered_since
FROM episode e
JOIN site s ON s.id = e.site_id
JOIN dose_order o ON o.episode_id = e.id AND o.voided_at IS NULL AND o.days @> CAST(:today AS date)
CROSS JOIN LATERAL (SELECT d.dose_day FROM dose d
    WHERE d.client_id = e.client_id AND d.voided_at IS NULL AND d.dose_day <= :today
    ORDER BY d.dose_day DESC LIMIT 1) latest
WHERE {_HERE} AND CAST(:today AS date) - latest.dose_day - 1 >= s.missed_days_ask
""")

# An order that somebody stopped is a gap that somebody chose, and nobody's task.
_ORDERS = text(f"""
SELECT e.client_id, upper(last.days) - 1 AS day
FROM episode e
LEFT JOIN LATERAL (SELECT o.days, o.end_reason FROM dose_order o
    WHERE o.episode_id = e.id AND o.voided_at IS NULL ORDER BY lower(o.days) DESC LIMIT 1) last ON true
WHERE {_HERE} AND (last.days IS NULL OR (last.end_reason = 'as_written' AND upper(last.days) - 1 <= :soon))
""")

# What a doctor has decided on the newest assessment is no proposal any more, whatever was decided.
_TAKE_HOME = text(f"""
SELECT e.client_id, said.per_supply, said.per_week, d.id AS decision, d.per_supply AS has, d.per_week AS has_a_week
FROM episode e
CROSS JOIN LATERAL (SELECT * FROM assessment WHERE assessment.client_id = e.client_id
    ORDER BY made_at DESC, id DESC LIMIT 1) a
CROSS JOIN LATERAL (SELECT CAST(a.result -> 'allowance' ->> 'per_supply' AS int) AS per_supply,
    CAST(a.result -> 'allowance' ->> 'per_week' AS int) AS per_week) said
LEFT JOIN decision d ON d.episode_id = e.id AND d.voided_at IS NULL AND d.days @> CAST(:today AS date)
WHERE {_HERE} AND a.episode_id = e.id AND said.per_supply IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM decision about WHERE about.assessment_id = a.id)
    AND CASE WHEN d.id IS NULL THEN said.per_supply > 0
        ELSE (said.per_supply, said.per_week) IS DISTINCT FROM (d.per_supply, d.per_week) END
""")

_ALERT_WEIGHT = {"urgent": 0, "warning": 2}


def waiting(session: ReadSession, *, site_id: SiteId, today: date) -> list[Waits]:
    """Everybody who waits for somebody, each once with every reason; the gravest first, then by client number."""
    found: dict[ClientId, list[Reason]] = defaultdict(list)
    for client_id, reason in _reasons(session, site_id, today):
        found[client_id].append(reason)
    known = faces(session, list(found))
    listed = [
        Waits(known[client_id], tuple(sorted(reasons, key=lambda reason: reason.weight)))
        for client_id, reasons in found.items()
    ]
    return sorted(listed, key=lambda waits: (waits.reasons[0].weight, waits.face.number))


def _reasons(session: ReadSession, site_id: SiteId, today: date) -> Iterator[tuple[ClientId, Reason]]:
    for alert in open_alerts(session, site_id=site_id):
        weight = _ALERT_WEIGHT.get(alert.severity, 5)
        yield (
            ClientId(alert.client_id),
            Reason(Kind.ALERT, weight, severity=alert.severity, sentence=alert.sentence, role=alert.role),
        )
    asked = {"site": site_id, "today": today}
    for row in session.execute(_ABSENT, asked):
        yield (
            ClientId(row.client_id),
            Reason(Kind.ABSENT, 1, day=row.day, days=row.days, ordered_since=row.ordered_since),
        )
    for row in session.execute(_ORDERS, {**asked, "soon": today + ENDS_WITHIN}):
        ends_now = row.day is None or row.day <= today
        yield ClientId(row.client_id), Reason(Kind.ORDER, 1 if ends_now else 3, day=row.day)
    for row in session.execute(_TAKE_HOME, asked):
        decided = (row.has, row.has_a_week) if row.decision else None
        yield (
            ClientId(row.client_id),
            Reason(Kind.TAKE_HOME, 4, proposed=(row.per_supply, row.per_week), decided=decided),
        )
