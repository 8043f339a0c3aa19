"""The next day on which a client comes, and why that day: bottles are packed for it, it is booked, or a dose is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import scheduling.queries
from dispensary.database import ReadSession
from dispensary.staff.queries import Place
from dispensary.supplies.queries import Waiting
from dispensary.units import ClientId


@dataclass(frozen=True)
class NextTime:
    """The day, and why: `packed`, `booked`, or `first-free`, the first without a dose."""

    day: date
    why: str
    at: datetime | None = None


def next_time(
    session: ReadSession,
    *,
    place: Place,
    client_id: ClientId,
    waiting: Sequence[Waiting],
    first_free: date,
    earliest: date,
    now: datetime,
) -> NextTime:
    """The next time from a day on: what is packed comes before what is booked, and that before the first free day."""
    packed = [each.pickup.collect_on for each in waiting if each.pickup.collect_on >= earliest]
    if packed:
        return NextTime(min(packed), "packed")
    for booking in scheduling.queries.bookings_of(session, client_id, now):
        day = booking.starts_at.astimezone(ZoneInfo(place.zone)).date()
        if day >= earliest:
            return NextTime(day, "booked", booking.starts_at)
    return NextTime(first_free, "first-free")
