"""Who was booked and did not come is told that their place stands, and can say that they would like to talk."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

import notifications.service
import scheduling.queries
from dispensary.database import WriteSession
from dispensary.staff.queries import Place
from scheduling.models import Booking
from scheduling.rules import moment_of

# Who has the day's dose, was seen, is withheld a dose, or is another site's on that day was not missed.
_MISSED = text("""
SELECT DISTINCT b.holder_id FROM booking b
JOIN text_wish w ON w.client_id = b.holder_id AND w.word = 'missed' AND w.wanted
JOIN episode e ON e.client_id = b.holder_id AND e.began_on <= :day AND e.ended_on IS NULL
WHERE b.place_id = :place AND b.day = :day AND b.state IN ('booked', 'missed')
    AND NOT EXISTS (SELECT FROM visit v WHERE v.holder_id = b.holder_id AND v.day = :day)
    AND NOT EXISTS (SELECT FROM dose d WHERE d.client_id = b.holder_id AND d.dose_day = :day AND d.voided_at IS NULL)
    AND NOT EXISTS (SELECT FROM dose_exception x WHERE x.client_id = b.holder_id AND x.dose_day = :day)
    AND NOT EXISTS (SELECT FROM hold h WHERE h.client_id = b.holder_id AND h.released_at IS NULL
        AND h.days @> CAST(:day AS date))
    AND NOT EXISTS (SELECT FROM stop_flag f WHERE f.client_id = b.holder_id AND f.cleared_at IS NULL
        AND f.kind = 'stop_dose' AND f.days @> CAST(:day AS date))
    AND NOT EXISTS (SELECT FROM guest_stay g WHERE g.client_id = b.holder_id AND g.verified_at IS NOT NULL
        AND g.days @> CAST(:day AS date))
ORDER BY 1
""")


def tell_missed(session: WriteSession, *, site: Place, now: datetime) -> int:
    """Once the site has closed for the day, texts whoever was booked and did not come that their next place is kept.

    Once a day to a client, to those who want it, and only to who has a next booking to be told. Never about a day on
    which the site did not open, or to somebody who had the day's dose at home.
    """
    day = scheduling.queries.day_at(session, site.id, now)
    hours = scheduling.queries.opening_times(session, site.id, day)
    closes = moment_of(datetime.combine(day, hours[-1].closes), ZoneInfo(site.zone)) if hours else None
    if closes is None or now < closes:
        return 0
    missed = session.scalars(_MISSED, {"place": site.id, "day": day}).all()
    return sum(_tell(session, site, holder_id, day, now) for holder_id in missed)


def _tell(session: WriteSession, site: Place, holder_id: UUID, day: date, now: datetime) -> bool:
    ahead = _next_booking(session, holder_id, day, now)
    if ahead is None:
        return False
    message = notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=holder_id,
        kind="missed_today",
        reason_key=f"missed:{holder_id}:{day}",
        fields={"day": ahead.day},
        zone=ZoneInfo(site.zone),
        now=now,
        valid_until=site.window_of(day)[1],
    )
    return message is not None


def _next_booking(session: WriteSession, holder_id: UUID, day: date, now: datetime) -> Booking | None:
    ahead = scheduling.queries.bookings_of(session, holder_id, now)
    return next(
        (each for each in ahead if each.day > day and scheduling.queries.is_open(session, each.place_id, each.day)),
        None,
    )
