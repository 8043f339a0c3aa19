"""What texts a client can ask for, what holds while nobody has asked them, and when a reminder goes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from notifications.waiting import Quiet


class Group(StrEnum):
    """A group of texts that is wanted or not as a whole."""

    BOOKINGS = "bookings"
    """What the desk booked, moved or dropped for them."""
    REMINDER = "reminder"
    MISSED = "missed"
    """That they were missed, and whether they would like to talk."""
    REVIEWS = "reviews"
    NEWS = "news"
    FEEDBACK = "feedback"


KINDS_OF: Final[Mapping[Group, tuple[str, ...]]] = {
    Group.BOOKINGS: (
        *("booking_confirmed", "booking_moved", "booking_dropped"),
        *("regular_set", "regular_ended", "regular_paused"),
    ),
    Group.REMINDER: ("booking_reminder", "booking_reminder_longer", "meeting_reminder", "meeting_reminder_day"),
    Group.MISSED: ("missed_today", "caring"),
    Group.REVIEWS: ("review_due",),
    Group.NEWS: ("news",),
    Group.FEEDBACK: ("feedback_visit", "feedback_wait"),
}
"""The kinds of texts of each group; the database has the same in `text_group`.

What is in none goes to whoever agreed to texts at all: it spares a way for nothing, tells that somebody collected, says
that a place is kept, or answers what they wrote.
"""

EVENING: Final = time(18, 0)
"""The evening before a booking, at this local time."""
BEFORE_QUIET: Final = timedelta(minutes=30)
"""A reminder that would fall into quiet hours goes so long before they begin. The house's own figure."""
LEAST_HOURS, MOST_HOURS = 1, 24
REVIEW_DAYS: Final = 7
"""How many days before a review is due its client is told, where the site has set nothing: the house's own figure."""


@dataclass(frozen=True)
class Wishes:
    """Which texts somebody wants, and when a reminder reaches them. As it stands here: nobody has asked them yet."""

    bookings: bool = True
    reminder: bool = True
    hours: int | None = None
    """So many hours before the time; nothing for the evening before."""
    missed: bool = False
    reviews: bool = False
    news: bool = False
    feedback: bool = False

    def wants(self, group: Group) -> bool:
        return bool(getattr(self, group.value))

    def with_(self, group: Group, *, wanted: bool, hours: int | None) -> Wishes:
        """The same with another answer about one group."""
        changed = replace(self, **{group.value: wanted})
        return replace(changed, hours=hours) if group is Group.REMINDER else changed


DEFAULTS: Final = Wishes()
"""Nothing that a client has not agreed to by agreeing to texts about bookings."""


def reminder_at(starts_at: datetime, wishes: Wishes, *, zone: ZoneInfo, quiet: Quiet | None) -> datetime | None:
    """When the reminder of a booking goes out; nothing for who wants none.

    One that would fall into quiet hours goes before they begin: later it might come after the time that it is about.
    """
    if not wishes.reminder:
        return None
    if wishes.hours is not None:
        due = starts_at - timedelta(hours=wishes.hours)
    else:
        local = starts_at.astimezone(zone)
        due = datetime.combine(local.date() - timedelta(days=1), EVENING, tzinfo=zone)
    ends = quiet.until(due, zone) if quiet is not None else None
    if quiet is None or ends is None:
        return due
    local_end = ends.astimezone(zone)
    begins = datetime.combine(local_end.date(), quiet.begins, tzinfo=zone)
    if begins > due:
        begins = datetime.combine(local_end.date() - timedelta(days=1), quiet.begins, tzinfo=zone)
    return min(due, begins) - BEFORE_QUIET
