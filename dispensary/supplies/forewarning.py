"""Before somebody travels for nothing: a text that asks to call first, on the evening before a dose or bottles wait."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

import notifications.service
import scheduling.queries
from dispensary.database import ReadSession, WriteSession
from dispensary.staff.queries import Place, sites
from notifications.waiting import ON_THE_WAY
from scheduling.rules import moment_of

EVENING: Final = time(18, 0)
"""When such a text goes out on the day before, at this local time, as reminders do."""
MORNING: Final = time(7, 0)
NIGHT: Final = time(21, 0)
"""What is set later than that waits for the morning (the house's own figures)."""

_STOPS = text("""
SELECT f.id, f.client_id, f.site_id, lower(f.days) AS first, upper(f.days) AS after, f.set_at AS said FROM stop_flag f
WHERE f.cleared_at IS NULL AND f.kind IN ('stop_dose', 'stop_bottles')
  AND lower(f.days) <= :last AND (lower(f.days) >= :first OR f.set_at >= :lately)
  AND EXISTS (SELECT 1 FROM episode e WHERE e.client_id = f.client_id AND e.site_id = f.site_id AND e.ended_on IS NULL)
UNION ALL
SELECT h.id, h.client_id, e.site_id, lower(h.days), upper(h.days), h.placed_at
FROM hold h JOIN episode e ON e.id = h.episode_id
WHERE h.released_at IS NULL AND e.ended_on IS NULL
  AND lower(h.days) <= :last AND (lower(h.days) >= :first OR h.placed_at >= :lately)
ORDER BY first, id
""")
_LATELY = timedelta(days=2)


def coming_day(first: date, after: date | None, *, said_on: date) -> date | None:
    """The first coming day on which something is withheld, seen from the day on which it was said; perhaps none."""
    coming = max(first, said_on + timedelta(days=1))
    return coming if after is None or coming < after else None


def is_time(day: date, *, zone: ZoneInfo, now: datetime, opens: datetime | None = None) -> bool:
    """Whether the text about a day goes out now: from the evening before on, and at night only if the morning is late.

    It is late when the doors open so early (`opens`) that somebody has set out before the first text of a morning.
    """
    if now < datetime.combine(day - timedelta(days=1), EVENING, zone):
        return False
    if MORNING <= now.astimezone(zone).time() < NIGHT:
        return True
    return opens is not None and opens - ON_THE_WAY < datetime.combine(day, MORNING, zone)


def _opens(session: ReadSession, site: Place, day: date) -> datetime | None:
    """When the doors open on a day; nothing where nobody has set hours, or on a closed day."""
    if not scheduling.queries.is_place(session, site.id):
        return None
    hours = scheduling.queries.opening_times(session, site.id, day)
    return moment_of(datetime.combine(day, hours[0].opens), ZoneInfo(site.zone)) if hours else None


def ask_to_call_first(session: WriteSession, *, now: datetime) -> int:
    """Queues one text for each stop or hold before the first coming day that it is about; says how many were queued.

    It names that day and nothing else, and goes out once, on the evening before; when the stop was set later than
    that, at once, or in the morning where that is early enough. None goes out for what was cleared or released
    before, for what is over within the day on which it was set, for a client who left, or to one who has no number or
    wants no texts.
    """
    places = {site.id: site for site in sites(session)}
    around = {
        "first": (now - timedelta(days=1)).date(),
        "last": (now + timedelta(days=2)).date(),
        "lately": now - _LATELY,
    }
    queued = 0
    for stop_id, client_id, site_id, first, after, said in session.execute(_STOPS, around).all():
        site = places.get(site_id)
        day = coming_day(first, after, said_on=site.dose_day(said)) if site else None
        if site and day and is_time(day, zone=ZoneInfo(site.zone), now=now, opens=_opens(session, site, day)):
            queued += _queue(session, site, stop_id, client_id, day, now)
    return queued


def _queue(session: WriteSession, site: Place, stop_id: UUID, client_id: UUID, day: date, now: datetime) -> bool:
    over = site.window_of(day)[1]
    if now >= over:
        return False
    message = notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="call_first",
        reason_key=f"call first:{stop_id}",
        fields={"day": day},
        zone=ZoneInfo(site.zone),
        now=now,
        valid_until=over,
    )
    return message is not None
