"""What a client has booked at the site that they leave: given up, with a text that says when and nothing else.

Weekly times follow where the new site has such a time; what does not is told too. Wishes for a place are withdrawn.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, time

import notifications.service
import scheduling.standing
from dispensary.database import WriteSession
from dispensary.phone import giving_up
from dispensary.phone.offering import tell_offers
from dispensary.phone.regulars import set_and_tell
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.units import ClientId
from scheduling.rules import NotBooked, NotFound


def take_bookings_over(
    session: WriteSession, *, actor: Actor, client_id: ClientId, old: Place, new: Place, at: datetime
) -> int:
    """Gives up what is booked at the old site, begins the weekly times at the new one; how much was given up."""
    giving_up.leave_lines(session, client_id=client_id, site=old, at=at)
    weekly: dict[time, list[int]] = defaultdict(list)
    for rule in scheduling.standing.of_holder(session, old.id, client_id, old.dose_day(at)):
        weekly[rule.at].append(rule.weekday)
    dropped = 0
    if weekly:
        ended, given_up = giving_up.end_weekly(session, client_id=client_id, site=old, at=at)
        dropped += len(given_up)
        followed = [_set_there(session, client_id, new, weekdays, clock, at) for clock, weekdays in weekly.items()]
        if not all(followed):
            giving_up.tell_weekly_ended(session, ended=ended, site=old, at=at)
    dropped += len(giving_up.drop_bookings(session, client_id=client_id, site=old, tell=True, at=at))
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
