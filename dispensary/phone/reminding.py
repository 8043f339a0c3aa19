"""Texts about what lies ahead: a reminder of each booking and each agreed session, and a word before a review."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

import notifications.service
import scheduling.queries
from dispensary.clients.models import Episode
from dispensary.clients.wish_rules import DEFAULTS, reminder_at
from dispensary.clients.wishes import review_days, wishes_of_all
from dispensary.database import ReadSession, WriteSession
from dispensary.monitoring.queries import visits_that_take_longer
from dispensary.staff.queries import Place, sites
from dispensary.units import ClientId
from notifications.places import rules_of, rules_of_all
from notifications.waiting import DEFAULTS as HOUSE_RULES

REMIND_AHEAD: Final = timedelta(hours=36)
"""No reminder goes out longer before its booking than this."""
MIDDAY: Final = time(12, 0)
"""Until when a session without a time can be reminded of on its day."""
DAYTIME: Final = (time(10, 0), time(18, 0))
"""When the word about a review goes out, on the site's clock. The house's own figures."""

_REVIEWS = text("""
SELECT DISTINCT t.client_id, t.due_on FROM task t
JOIN text_wish w ON w.client_id = t.client_id AND w.word = 'reviews' AND w.wanted
WHERE t.site_id = :site AND t.kind = 'review' AND t.done_at IS NULL AND t.due_on > :today AND t.due_on <= :last
    AND EXISTS (SELECT FROM episode e WHERE e.client_id = t.client_id AND e.ended_on IS NULL)
ORDER BY 2, 1
""")


_SESSIONS = text("""
SELECT s.id, s.client_id, s.on_day, s.at_time, p.begun_at FROM client c JOIN plan_session s ON s.client_id = c.id
JOIN session_plan p ON p.id = s.plan_id
WHERE c.site_id = :site AND s.state = 'planned' AND s.on_day BETWEEN :today AND :last
    AND p.ended_at IS NULL AND NOT has_died(s.client_id)
ORDER BY s.on_day, s.id
""")


def queue_reminders(session: WriteSession, *, now: datetime) -> int:
    """Queues a reminder for each booking whose time for it has come; once for each booking and start.

    The evening before, or so many hours before as the client wished. None for a booking that was made after that
    moment: its confirmation is fresh; and none to who is not in treatment any more, whatever is still booked. Where a
    test is due by then, it asks for ten more minutes and does not say why.
    """
    due = scheduling.queries.due_for_reminder(session, from_moment=now, to_moment=now + REMIND_AHEAD)
    here = _in_treatment(session, {ClientId(booking.holder_id) for booking in due})
    due = [booking for booking in due if booking.holder_id in here]
    places: dict[UUID, Place] = {site.id: site for site in sites(session)}
    wishes = wishes_of_all(session, [ClientId(booking.holder_id) for booking in due])
    rules = rules_of_all(session, list(places))
    longer = visits_that_take_longer(session, {ClientId(booking.holder_id): booking.day for booking in due})
    queued = 0
    for booking in due:
        site = places.get(booking.place_id)
        if site is None:
            continue
        zone = ZoneInfo(site.zone)
        goes = reminder_at(
            booking.starts_at,
            wishes.get(ClientId(booking.holder_id), DEFAULTS),
            zone=zone,
            quiet=rules.get(site.id, HOUSE_RULES).quiet,
        )
        if goes is None or not goes <= now or booking.made_at >= goes:
            continue
        message = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=booking.holder_id,
            kind="booking_reminder_longer" if booking.holder_id in longer else "booking_reminder",
            reason_key=f"reminder:{booking.id}:{booking.starts_at.isoformat()}",
            fields={"at": booking.starts_at},
            zone=zone,
            now=now,
            valid_until=booking.starts_at,
        )
        queued += message is not None
    return queued


def _in_treatment(session: ReadSession, clients: Collection[ClientId]) -> set[ClientId]:
    """Those of these clients whose stay runs."""
    running = select(Episode.client_id).where(Episode.client_id.in_(clients), Episode.ended_on.is_(None))
    return set(session.scalars(running))


def tell_reviews(session: WriteSession, *, site: Place, now: datetime) -> int:
    """Tells those who want it that a review of theirs lies ahead, once for each day on which one is due.

    It says by when to ask for it, and not what is reviewed.
    """
    zone = ZoneInfo(site.zone)
    if not DAYTIME[0] <= now.astimezone(zone).time() < DAYTIME[1]:
        return 0
    today = site.dose_day(now)
    asked = {"site": site.id, "today": today, "last": today + timedelta(days=review_days(session, site.id))}
    rows = session.execute(_REVIEWS, asked).all()
    return sum(_tell_review(session, site, client_id, due_on, now) for client_id, due_on in rows)


def _tell_review(session: WriteSession, site: Place, client_id: UUID, due_on: date, now: datetime) -> bool:
    message = notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind="review_due",
        reason_key=f"review:{client_id}:{due_on}",
        fields={"day": due_on},
        zone=ZoneInfo(site.zone),
        now=now,
        valid_until=site.window_of(due_on)[1],
    )
    return message is not None


def remind_of_sessions(session: WriteSession, *, site: Place, now: datetime) -> int:
    """Queues a reminder of each agreed session, when one of a booking would go out; once for each day and time.

    It says that we meet, and not what for. A session without a time is one of the whole day: its reminder goes the
    evening before. None for sessions that were agreed after that moment, and none to who wants no reminders. A plan may
    go on after the stay in treatment; nothing is told of one that has ended, or to who has died.
    """
    zone, today = ZoneInfo(site.zone), site.dose_day(now)
    asked = {"site": site.id, "today": today, "last": today + REMIND_AHEAD}
    rows = session.execute(_SESSIONS, asked).all()
    wishes = wishes_of_all(session, [ClientId(row.client_id) for row in rows])
    quiet = rules_of(session, site.id).quiet
    queued = 0
    for row in rows:
        wanted = wishes.get(ClientId(row.client_id), DEFAULTS)
        starts = datetime.combine(row.on_day, row.at_time or MIDDAY, tzinfo=zone)
        goes = reminder_at(
            starts, wanted if row.at_time is not None else replace(wanted, hours=None), zone=zone, quiet=quiet
        )
        if goes is None or not goes <= now < starts or row.begun_at >= goes:
            continue
        message = notifications.service.queue(
            session,
            vault=session.vault,
            recipient_id=row.client_id,
            kind="meeting_reminder_day" if row.at_time is None else "meeting_reminder",
            reason_key=f"session:{row.id}:{starts.isoformat()}",
            fields={"day": row.on_day} if row.at_time is None else {"at": starts},
            zone=zone,
            now=now,
            valid_until=starts,
        )
        queued += message is not None
    return queued
