"""Who has a dose for days on which they cannot come, in how many bottles, and who would be without one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.supplies.bottle_rules import WITH_CLIENT
from dispensary.units import ClientId

_COVER = text("""
SELECT c.client_id, day::date AS day, o.id IS NOT NULL AS due,
    coalesce(d.has >= cardinality(o.portions), false) AS has, coalesce(b.bottles, 0) AS bottles
FROM unnest(CAST(:clients AS uuid[])) AS c (client_id)
CROSS JOIN generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') AS day
LEFT JOIN LATERAL (SELECT o.id, o.portions FROM dose_order o JOIN episode e ON e.id = o.episode_id
    AND (e.ended_on IS NULL OR e.ended_on > day::date)
    WHERE o.client_id = c.client_id AND o.voided_at IS NULL AND o.days @> day::date LIMIT 1) o ON true
LEFT JOIN LATERAL (SELECT count(*) AS has FROM dose d
    WHERE d.client_id = c.client_id AND d.dose_day = day::date AND d.voided_at IS NULL) d ON true
LEFT JOIN LATERAL (SELECT count(*) AS bottles FROM bottle b
    WHERE b.client_id = c.client_id AND b.dose_day = day::date AND b.state = ANY(:with_client)) b ON true
ORDER BY 1, 2
""")


@dataclass(frozen=True)
class Cover:
    """What a client has for some days."""

    bottles: int = 0
    """Bottles in their hands for these days."""
    without: tuple[date, ...] = ()
    """The days on which a dose is ordered and they have not got all of it."""


def covers(
    session: ReadSession, *, clients: Collection[ClientId], first_day: date, last_day: date
) -> dict[ClientId, Cover]:
    """What each of these clients has for the days from the first to the last inclusive, in one read."""
    values = {
        "clients": list(clients),
        "first": first_day,
        "last": last_day,
        "with_client": [state.value for state in WITH_CLIENT],
    }
    found: dict[ClientId, Cover] = dict.fromkeys(clients, Cover())
    for row in session.execute(_COVER, values) if clients else ():
        before = found[ClientId(row.client_id)]
        without = (*before.without, row.day) if row.due and not row.has else before.without
        found[ClientId(row.client_id)] = Cover(before.bottles + row.bottles, without)
    return found
