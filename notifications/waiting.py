"""When a text waits: in the hours in which nobody wants to be woken, and on a day whose money is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

QUIET_HOURS = "quiet-hours"
PRICE_CAP = "price-cap"
"""The error codes of a text that waits for this reason, or would have come too late after waiting for it."""

CAN_WAIT = frozenset(
    (
        *("welcome", "booking_confirmed", "booking_moved", "booking_dropped", "booking_reminder"),
        *("booking_reminder_longer", "meeting_reminder", "meeting_reminder_day"),
        *("missed_today", "caring", "review_due", "news", "feedback_visit"),
    ),
)
"""The kinds that wait for the next day once a day's money is spent.

Any other kind goes: whoever travels to a closed door, or whose pickup somebody else has collected, cannot wait. An
answer to somebody who has just written goes too, whatever its kind.
"""

AT_ANY_HOUR = frozenset(("pickup_ready", "call_first"))
"""The kinds that go in quiet hours too: somebody has just made it ready for whoever is on their way; and whoever asks
to be called first looks at the clock, and at when the doors open, before the text is queued."""

BEFORE_THE_WAY = frozenset(
    (
        *("closure", "closure_days", "closure_moved", "before_queue"),
        *("open_after_all", "open_after_all_booked", "open_after_all_moved"),
    )
)
"""The kinds that are of use only until somebody sets out for the time that they are valid until."""

ON_THE_WAY = timedelta(hours=2)
"""So long before that time somebody may have left home: many travel an hour and more. The house's own figure."""


@dataclass(frozen=True)
class Quiet:
    """The hours of the day in which no text is sent but an answer: from one local time until another."""

    begins: time
    ends: time

    def until(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that this moment is in; nothing outside of them."""
        local = at.astimezone(zone)
        clock, day = local.time(), local.date()
        if self.begins < self.ends:
            inside = self.begins <= clock < self.ends
        else:
            inside = self.begins != self.ends and (clock >= self.begins or clock < self.ends)
            day += timedelta(days=1) if clock >= self.begins else timedelta()
        if not inside:
            return None
        ends = datetime.combine(day, self.ends, tzinfo=zone).astimezone(UTC)
        return ends if ends > at else None  # the clock was put forward over the end


@dataclass(frozen=True)
class TextRules:
    """What a place has set for its texts."""

    quiet: Quiet | None = Quiet(time(21), time(7))
    """The house's own hours where a place has set none."""
    price: Decimal | None = None
    """What one segment costs, in `currency`; nothing when it is not known."""
    currency: str = ""
    cap: Decimal | None = None
    """The most that a day's texts may cost before those that can wait do so; nothing for no bound."""
    keep_days: int = 90
    """For how many days a text's number and words are kept. The house's own figure."""


DEFAULTS = TextRules()
LEAST_KEEP_DAYS, MOST_KEEP_DAYS = 7, 3650
"""A week at least: for so long reception is told of a lost text, and a gateway reports on one that it took."""

RulesOf = Mapping[UUID, TextRules]


def sleeps_until(
    rules: TextRules, at: datetime, zone: ZoneInfo, *, kind: str, reply: bool, valid_until: datetime
) -> datetime | None:
    """When a text that is due now may go, when that is later.

    An answer goes at any hour, and so does what would reach somebody on their way to a closed door if it waited.
    """
    if reply or kind in AT_ANY_HOUR or rules.quiet is None:
        return None
    ends = rules.quiet.until(at, zone)
    if ends is not None and kind in BEFORE_THE_WAY and valid_until - ON_THE_WAY < ends:
        return None
    return ends


def day_after(rules: TextRules, at: datetime, zone: ZoneInfo) -> datetime:
    """When the next local day's texts begin to go: at its first moment, or after the quiet hours that that is in."""
    tomorrow = at.astimezone(zone).date() + timedelta(days=1)
    begins = datetime.combine(tomorrow, time(), tzinfo=zone).astimezone(UTC)
    return (rules.quiet.until(begins, zone) if rules.quiet else None) or begins


def has_to_wait(rules: TextRules, kind: str, *, reply: bool, spent: Decimal, charge: Decimal) -> bool:
    """Whether a text waits for another day because of what this one has cost so far."""
    return rules.cap is not None and not reply and kind in CAN_WAIT and spent + charge > rules.cap
