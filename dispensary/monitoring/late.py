"""Whose medicine of another treatment has run out: of a whole site in one statement, the longest without it first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.units import ClientId, SiteId

# What a medicine lasts to when each refill is used up before the next (`adherence.runs_out_on`): of all refills, the
# latest of its day plus the days of itself and of those after it. A dose that is swallowed here is due today, not late.
_LATE = """
SELECT m.client_id, t.kind, min(ends.runs_out) AS runs_out FROM (
    SELECT medication_id, max(lasts) AS runs_out FROM (
        SELECT r.medication_id, r.on_day + CAST(sum(r.days) OVER (
            PARTITION BY r.medication_id ORDER BY r.on_day DESC, r.id DESC) AS integer) AS lasts
        FROM refill r JOIN medication of ON of.id = r.medication_id
        WHERE of.site_id = :site AND (of.stopped_on IS NULL OR of.stopped_on > :on) AND of.treatment_id IS NOT NULL
            AND r.voided_at IS NULL AND r.on_day <= :on
    ) AS filled GROUP BY medication_id
) AS ends
JOIN medication m ON m.id = ends.medication_id
JOIN treatment t ON t.id = m.treatment_id AND (t.stopped_on IS NULL OR t.stopped_on > :on)
WHERE EXISTS (SELECT FROM episode e WHERE e.client_id = m.client_id AND e.began_on <= :on
    AND (e.ended_on IS NULL OR e.ended_on > :on))
GROUP BY m.client_id, t.id, t.kind, t.observed
HAVING min(ends.runs_out) <= CAST(:on AS date) - CASE WHEN t.observed THEN 1 ELSE 0 END
ORDER BY 3, 1, 2
"""


@dataclass(frozen=True)
class Late:
    """A treatment of which a client has not all medicines for today. It leads to an offer of a refill alone."""

    client_id: ClientId
    kind: str
    runs_out: date
    """The first day without one of them."""


def late_today(session: ReadSession, *, site_id: SiteId, today: date) -> Sequence[Late]:
    """Everybody in treatment at a site whose medicine has run out, the longest without it first.

    A medicine of which no refill is on record here counts for nothing: it comes from elsewhere.
    """
    rows = session.execute(text(_LATE), {"site": site_id, "on": today})
    return [Late(ClientId(row.client_id), row.kind, row.runs_out) for row in rows]
