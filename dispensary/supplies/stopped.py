"""Who has been without a dose since their last one, at a site: in hand or swallowed, here or as a guest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.prescribing.guideline import Guideline, Ruling
from dispensary.prescribing.missed import missed_days
from dispensary.units import ClientId, DoseDay, SiteId

_WITHOUT = text("""
SELECT e.client_id, latest.dose_day AS day, CAST(:today AS date) - latest.dose_day - 1 AS days,
    lower(o.days) > latest.dose_day + CAST(:least AS int) AS ordered_since, o.mg,
    CAST(:today AS date) + 1 - (SELECT d.dose_day FROM dose d
        WHERE d.client_id = e.client_id AND d.voided_at IS NULL AND d.dose_day >= e.began_on
        ORDER BY d.dose_day LIMIT 1) AS day_of_treatment,
    EXISTS (SELECT FROM hold h WHERE h.client_id = e.client_id AND h.released_at IS NULL
        AND h.days @> CAST(:today AS date)) AS held
FROM episode e
LEFT JOIN dose_order o ON o.episode_id = e.id AND o.voided_at IS NULL AND o.days @> CAST(:today AS date)
CROSS JOIN LATERAL (SELECT d.dose_day FROM dose d
    WHERE d.client_id = e.client_id AND d.voided_at IS NULL AND d.dose_day <= :today
    ORDER BY d.dose_day DESC LIMIT 1) latest
WHERE e.site_id = :site AND e.began_on <= :today AND (e.ended_on IS NULL OR e.ended_on > :today)
    AND CAST(:today AS date) - latest.dose_day - 1 >= :least
ORDER BY days, e.client_id
""")


@dataclass(frozen=True)
class WithoutDose:
    """Somebody in treatment who has had no dose since a day."""

    client_id: ClientId
    last_day: DoseDay
    """The last day with a dose."""
    days: int
    """Whole days without one since; today is not over and does not count."""
    mg: Decimal | None
    """What is ordered for today; nothing where no order is in force."""
    ordered_since: bool
    """Whether the prescriber has ordered again, knowing of it."""
    day_of_treatment: int | None
    held: bool
    """Whether a prescriber withholds doses today: then they did not stop coming."""

    def ruling(self, guideline: Guideline | None) -> Ruling | None:
        """What the guideline's table for missed days says of today's order; nothing without either."""
        if guideline is None or self.mg is None or self.days < 1:
            return None
        return missed_days(guideline, dose_mg=self.mg, missed=self.days, day_of_treatment=self.day_of_treatment)


def without_dose(session: ReadSession, *, site_id: SiteId, today: date, least: int) -> Sequence[WithoutDose]:
    """Everybody in treatment at the site without a dose for so many whole days or more, the shortest absence first.

    Who has never had a dose has not stopped coming, and is not among them.
    """
    return [
        WithoutDose(
            client_id=ClientId(row.client_id),
            last_day=DoseDay(row.day),
            days=row.days,
            mg=row.mg,
            ordered_since=bool(row.ordered_since),
            day_of_treatment=row.day_of_treatment,
            held=row.held,
        )
        for row in session.execute(_WITHOUT, {"site": site_id, "today": today, "least": least})
    ]
