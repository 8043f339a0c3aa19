"""Who has stopped coming to a site, by what they last came to or were expected at: a dose, or anything else.

Whoever is on methadone stopped coming with their dose. Whoever was ordered one and never had it is away from the day
it was ordered for. Whoever has nothing ordered is away from the first session, visit or appointment that they missed
and came to nothing after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from sqlalchemy import text

from dispensary.database import ReadSession
from dispensary.supplies.stopped import WithoutDose, without_dose
from dispensary.units import ClientId, SiteId


class Missed(StrEnum):
    """What somebody who is away was expected at."""

    DOSE = "dose"
    """The next dose, after others."""
    FIRST_DOSE = "first_dose"
    """The first dose of this stay: it was ordered, and they never had it."""
    SESSION = "session"
    VISIT = "visit"
    """A visit at their home that was agreed: nobody was met."""
    APPOINTMENT = "appointment"


@dataclass(frozen=True)
class Away:
    """Somebody in treatment who does not come."""

    client_id: ClientId
    missed: Missed
    last_day: date
    """The day before the first on which they were expected and did not come: of a dose, the last that had one."""
    days: int
    """Whole days since; today is not over and does not count."""
    dose: WithoutDose | None
    """Their days without a dose; nothing of whoever has had none in this stay."""
    ordered: bool
    """Whether a dose is ordered for today."""
    held: bool
    """Whether a prescriber withholds doses today: then they did not stop coming."""

    @property
    def first_missed(self) -> date:
        """The first day on which they were expected and did not come."""
        return self.last_day + timedelta(days=1)


# Who has had a dose in this stay is found by `without_dose`. A first dose is waited for whatever else they come to; of
# whoever has no dose ordered, the first day counts on which they missed something and after which they came to nothing.
_EXPECTED = text("""
SELECT e.client_id, expected.day, expected.missed, ordered.first IS NOT NULL
        AND EXISTS (SELECT FROM dose_order o WHERE o.episode_id = e.id AND o.voided_at IS NULL
            AND o.days @> CAST(:today AS date)) AS ordered,
    EXISTS (SELECT FROM hold h WHERE h.client_id = e.client_id AND h.released_at IS NULL
        AND h.days @> CAST(:today AS date)) AS held
FROM episode e
CROSS JOIN LATERAL (SELECT min(lower(o.days)) AS first FROM dose_order o
    WHERE o.episode_id = e.id AND o.voided_at IS NULL) ordered
CROSS JOIN LATERAL (SELECT max(came.day) AS day FROM (
    SELECT s.on_day AS day FROM plan_session s WHERE s.client_id = e.client_id AND s.state = 'attended'
    UNION ALL SELECT g.on_day FROM group_attendance g JOIN group_meeting m ON m.id = g.meeting_id
        WHERE g.client_id = e.client_id AND g.voided_at IS NULL AND m.voided_at IS NULL
    UNION ALL SELECT h.on_day FROM home_visit h WHERE h.client_id = e.client_id AND h.state = 'done'
    UNION ALL SELECT v.day FROM visit v WHERE v.holder_id = e.client_id AND v.place_id = e.site_id
    UNION ALL SELECT t.taken_on FROM screening t WHERE t.client_id = e.client_id AND t.voided_at IS NULL
) came WHERE came.day <= :today) latest
CROSS JOIN LATERAL (
    SELECT ordered.first AS day, 'first_dose' AS missed WHERE ordered.first IS NOT NULL
    UNION ALL SELECT each.day, each.missed FROM (
        SELECT s.on_day AS day, 'session' AS missed FROM plan_session s
            WHERE s.client_id = e.client_id AND s.state = 'not_attended'
        UNION ALL SELECT h.on_day, 'visit' FROM home_visit h WHERE h.client_id = e.client_id AND h.state = 'not_met'
        UNION ALL SELECT b.day, 'appointment' FROM booking b
            WHERE b.holder_id = e.client_id AND b.place_id = e.site_id AND b.state = 'missed'
    ) each WHERE ordered.first IS NULL AND each.day >= e.began_on AND (latest.day IS NULL OR each.day > latest.day)
    ORDER BY day, missed LIMIT 1
) expected
WHERE e.site_id = :site AND e.began_on <= :today AND (e.ended_on IS NULL OR e.ended_on > :today)
    AND NOT EXISTS (SELECT FROM dose d WHERE d.client_id = e.client_id AND d.voided_at IS NULL
        AND d.dose_day BETWEEN e.began_on AND CAST(:today AS date))
ORDER BY expected.day DESC, e.client_id
""")


def who_is_away(session: ReadSession, *, site_id: SiteId, today: date, least: int) -> Sequence[Away]:
    """Everybody in treatment at the site who has not come for so many whole days or more, the shortest absence first.

    Of whoever came back and was ordered a dose that they never had, the days count from that day, and not from the
    last dose of an earlier stay. Who misses a session or an appointment and comes for their dose is not away.
    """
    expected = {
        ClientId(row.client_id): Away(
            client_id=ClientId(row.client_id),
            missed=Missed(row.missed),
            last_day=row.day - timedelta(days=1),
            days=(today - row.day).days,
            dose=None,
            ordered=row.ordered,
            held=row.held,
        )
        for row in session.execute(_EXPECTED, {"site": site_id, "today": today})
    }
    dosed = [
        Away(each.client_id, Missed.DOSE, each.last_day, each.days, each, each.mg is not None, each.held)
        for each in without_dose(session, site_id=site_id, today=today, least=least)
        if each.client_id not in expected
    ]
    away = [*(each for each in expected.values() if each.days >= least), *dosed]
    return sorted(away, key=lambda each: (each.days, each.client_id))
