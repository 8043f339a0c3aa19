"""Somebody is asked by text to see reception before they queue: what stops them there is settled without the wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select, text

import notifications.service
import scheduling.queries
from dispensary.clients.wish_rules import EVENING
from dispensary.database import WriteSession
from dispensary.monitoring.models import Alert
from dispensary.phone import tasks
from dispensary.phone.front_desk import client_here
from dispensary.phone.reminding import REMIND_AHEAD
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.queries import Place, sites
from dispensary.staff.rules import Actor
from dispensary.supplies.forewarning import coming_day
from dispensary.units import ClientId
from scheduling.models import Booking

LONGEST_NOTE = 200

# Only what withholds the dose itself: with bottles stopped, the queue is where the day's dose is taken.
_STOPS = text("""
SELECT f.client_id, lower(f.days) AS first, upper(f.days) AS after, f.set_at AS said FROM stop_flag f
WHERE f.cleared_at IS NULL AND f.kind = 'stop_dose' AND f.client_id = ANY (:clients)
UNION ALL
SELECT h.client_id, lower(h.days), upper(h.days), h.placed_at FROM hold h
WHERE h.released_at IS NULL AND h.client_id = ANY (:clients)
""")


def ask_to_see_first(
    session: WriteSession, *, actor: Actor, site: Place, client_id: ClientId, note: str, at: datetime
) -> None:
    """Puts what reception must settle with a client, before they queue, on its list; until it is done they are told.

    Raises NotThere, and BadInput without a note.
    """
    client_here(session, client_id, site)
    if not 0 < len(note.strip()) <= LONGEST_NOTE:
        sentence = f"Say in up to {LONGEST_NOTE} characters what is to be settled."
        raise BadInput(Refusal("see-first", sentence, "It stands on reception's list.", field="note"))
    tasks.leave_task(session, cause=tasks.SEE_FIRST, client_id=client_id, site_id=site.id, at=at, sentence=note.strip())
    audit.record(
        session, actor=actor, act="asked to see reception first", subject="client", subject_id=client_id, at=at
    )
    ask_before_queue(session, now=at)


def ask_before_queue(session: WriteSession, *, now: datetime) -> int:
    """Queues a text to whoever is booked for a day on which they are to see reception first; says how many.

    That is while reception has something to settle with them, and on the later days of a hold or a stop of the dose:
    before its first coming day they are asked to call. Once for a client and day, from the evening before on; and
    reception finds it on its list, without the reason. None for who has no booking, since nobody knows that they come.
    """
    places: dict[UUID, Place] = {site.id: site for site in sites(session)}
    soon = scheduling.queries.due_for_reminder(session, from_moment=now, to_moment=now + REMIND_AHEAD)
    ahead = [
        (booking, places[booking.place_id])
        for booking in soon
        if booking.place_id in places and now >= _evening_before(booking.day, places[booking.place_id])
    ]
    clients = [booking.holder_id for booking, _ in ahead]
    to_settle = set(
        session.scalars(
            select(Alert.client_id).where(
                Alert.client_id.in_(clients), Alert.cause == tasks.SEE_FIRST, Alert.resolved_at.is_(None)
            )
        )
    )
    stops: dict[UUID, list[_Stop]] = {}
    for client_id, *stop in session.execute(_STOPS, {"clients": clients}) if clients else ():
        stops.setdefault(client_id, []).append(_Stop(*stop))
    queued = 0
    for booking, site in ahead:
        if booking.holder_id in to_settle:
            queued += _tell(session, site, booking, now)
        elif any(stop.goes_on(booking.day, site) for stop in stops.get(booking.holder_id, ())):
            told = _tell(session, site, booking, now)
            if told:
                client_id = ClientId(booking.holder_id)
                tasks.leave_task(session, cause=tasks.SENT_FIRST, client_id=client_id, site_id=site.id, at=now)
            queued += told
    return queued


@dataclass(frozen=True)
class _Stop:
    first: date
    after: date | None
    said: datetime

    def goes_on(self, day: date, site: Place) -> bool:
        """Whether it stands on this day, and not for the first time since its client could hear of it."""
        begins = coming_day(self.first, self.after, said_on=site.dose_day(self.said))
        return begins is not None and begins < day and (self.after is None or day < self.after)


def _evening_before(day: date, site: Place) -> datetime:
    return datetime.combine(day - timedelta(days=1), EVENING, tzinfo=ZoneInfo(site.zone))


def _tell(session: WriteSession, site: Place, booking: Booking, now: datetime) -> bool:
    message = notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=booking.holder_id,
        kind="before_queue",
        reason_key=f"before queue:{booking.holder_id}:{booking.day}",
        fields={"day": booking.day},
        zone=ZoneInfo(site.zone),
        now=now,
        valid_until=booking.starts_at,
    )
    return message is not None
