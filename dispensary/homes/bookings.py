"""What a client has booked at the site that they leave: given up, with a text that says when and nothing else.

Weekly times follow where the new site has such a time; what does not is told too. Wishes for a place are withdrawn.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select

import notifications.service
import scheduling.queries
import scheduling.service
import scheduling.standing
import scheduling.waitlist
from dispensary.database import WriteSession
from dispensary.phone.offering import tell_offers
from dispensary.phone.regulars import set_and_tell
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from scheduling.rules import NotBooked, NotFound
from scheduling.waiting_models import Wait, WaitState


def take_bookings_over(
    session: WriteSession, *, actor: Actor, client_id: ClientId, old: Place, new: Place, at: datetime
) -> int:
    """Gives up what is booked at the old site, begins the weekly times at the new one; how much was given up."""
    waits = select(Wait.id).where(Wait.place_id == old.id, Wait.holder_id == client_id, Wait.state == WaitState.WAITING)
    for wait_id in session.scalars(waits.order_by(Wait.id)).all():
        scheduling.waitlist.withdraw(session, wait_id=wait_id, now=at)
    weekly: dict[time, list[int]] = defaultdict(list)
    for rule in scheduling.standing.of_holder(session, old.id, client_id, old.dose_day(at)):
        weekly[rule.at].append(rule.weekday)
    dropped = 0
    if weekly:
        ended, given_up = scheduling.standing.end(
            session, place_id=old.id, holder_id=client_id, from_day=old.dose_day(at), now=at
        )
        dropped += len(given_up)
        followed = [_set_there(session, client_id, new, weekdays, clock, at) for clock, weekdays in weekly.items()]
        if not all(followed):
            _text(session, old, client_id, "regular_ended", f"regular-ended:{ended[0].id}", {}, at, None)
    for booking in scheduling.queries.bookings_of(session, client_id, at):
        if booking.place_id != old.id:
            continue
        scheduling.service.drop(session, booking_id=booking.id, now=at)
        until = max(booking.starts_at, at + timedelta(hours=1))
        _text(session, old, client_id, "booking_dropped", f"dropped:{booking.id}", {"at": booking.starts_at}, at, until)
        dropped += 1
    tell_offers(session, site=old, at=at)
    notifications.service.go_over(session, recipient_id=client_id, place_id=new.id, now=at)
    return dropped


def _set_there(
    session: WriteSession, client_id: ClientId, new: Place, weekdays: list[int], clock: time, at: datetime
) -> bool:
    try:
        with session.begin_nested():
            set_and_tell(session, site=new, client_id=client_id, weekdays=weekdays, clock=clock, at=at)
    except (NotBooked, NotFound):
        return False
    return True


def _text(
    session: WriteSession,
    site: Place,
    client_id: ClientId,
    kind: str,
    reason_key: str,
    fields: dict[str, object],
    at: datetime,
    until: datetime | None,
) -> None:
    notifications.service.queue(
        session,
        vault=session.vault,
        recipient_id=client_id,
        kind=kind,
        reason_key=reason_key,
        fields=fields,
        zone=ZoneInfo(site.zone),
        now=at,
        valid_until=until or at + timedelta(days=2),
    )
