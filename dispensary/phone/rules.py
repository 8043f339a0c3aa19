"""How a text fits a place's day: which moment a time means, what is offered, whose card was named. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dispensary.units import ClientId
from notifications.texts import MOST_CHOICES
from scheduling.rules import moment_of, nearest

LATE = timedelta(hours=2)
"""For so long after it began a booking can still be moved or dropped by text: somebody is late and says so."""

NOON = time(12)
_HALF_DAY = timedelta(hours=12)
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(9000, 1, 1)  # so that no moment runs off the calendar's ends


def named(text: str, numbers: Mapping[str, ClientId]) -> tuple[str, ClientId | None]:
    """The text without the one client number that it names, and whose it is.

    Only numbers that cannot be meant as a day, a time or a choice are looked for: those with a letter and a digit, or
    with five digits and more.
    """
    found = [number for number in numbers if _nameable(number) and _as_word(number).search(text)]
    if len(found) != 1:
        return text, None
    return _as_word(found[0]).sub(" ", text), numbers[found[0]]


def _nameable(number: str) -> bool:
    digits = sum(sign.isdigit() for sign in number)
    return digits >= 5 or (digits > 0 and any(sign.isalpha() for sign in number))


def _as_word(number: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(number)}(?!\w)", re.IGNORECASE)


def moment_at(day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    """The moment of this time on this day, or none when the calendar does not reach there."""
    if not _FIRST_DAY <= day <= _LAST_DAY:
        return None
    wall = datetime.combine(day, clock)
    return moment_of(wall, zone) or wall.replace(tzinfo=zone).astimezone(UTC)


def meant(clock: time, starts: Iterable[datetime], zone: ZoneInfo, *, either_half: bool) -> time:
    """The time of day that was meant, given when the day's slots start.

    “2” is two in the morning as it stands; where slots start at two in the afternoon alone, it is that.
    """
    shown = {start.astimezone(zone).time() for start in starts}
    other = time((clock.hour + 12) % 24, clock.minute)
    return other if either_half and clock not in shown and other in shown else clock


def shows(start: datetime, clock: time, zone: ZoneInfo, *, either_half: bool) -> bool:
    """Whether a moment is at this time of day on the place's clock, in either half of the day where that is open."""
    return meant(clock, [start], zone, either_half=either_half) == start.astimezone(zone).time()


def offered(free: Sequence[datetime], *, near: datetime | None = None) -> list[datetime]:
    """At most five of the free starts: those nearest to a moment, else from the first to the last, evenly apart."""
    if near is not None:
        return nearest(free, near, MOST_CHOICES)
    starts = sorted(free)
    if len(starts) <= MOST_CHOICES:
        return starts
    step = (len(starts) - 1) / (MOST_CHOICES - 1)
    return [starts[round(number * step)] for number in range(MOST_CHOICES)]


def first_days(free: Sequence[datetime], zone: ZoneInfo) -> list[datetime]:
    """The free starts of the first day, and of the days after it until there are five: nobody is offered one alone."""
    found: list[datetime] = []
    last: date | None = None
    for start in sorted(free):
        day = start.astimezone(zone).date()
        if day != last and len(found) >= MOST_CHOICES:
            break
        found.append(start)
        last = day
    return found
