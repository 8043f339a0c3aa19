"""How much medicine of another treatment goes with a hand-over, so that both run out on one day. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from uuid import UUID

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class WithIt:
    """A medicine that is handed over together with methadone: for so many days, or one dose that is swallowed here."""

    medication_id: UUID
    days: int = 1
    observed: bool = False


class Meets(StrEnum):
    """How the end of a medicine stands to the next time that the client comes."""

    SAME_DAY = "same day"
    BEFORE = "before"
    """It runs out before they come again."""
    AFTER = "after"
    """It lasts beyond that day."""
    UNKNOWN = "unknown"
    """A medicine has no refill on record, or they come again tomorrow: then no day is to be met."""


@dataclass(frozen=True)
class Supplied:
    """How long the medicine of a treatment lasts, as the counter needs it."""

    today: date
    runs_out: date | None
    """The first day without all of it; nothing where no refill is on record."""
    next_day: date
    """The next day on which the client comes for methadone."""
    last_days: int | None = None
    """For how many days it was handed over the last time."""
    observed: bool = False
    """Whether today's dose of it is swallowed here."""
    never: tuple[str, ...] = ()
    """Medicines of which none was handed over yet, while others of the treatment were."""

    @property
    def late_days(self) -> int:
        """For how many days before today there was none."""
        return max((self.today - self.runs_out).days, 0) if self.runs_out else 0

    @property
    def is_out(self) -> bool:
        """Whether there is none for today, and none is swallowed here today."""
        return self.runs_out is not None and self.runs_out <= self.today - _DAY * self.observed

    @property
    def comes_daily(self) -> bool:
        """Whether the client comes again tomorrow: then a refill need not last until a day that is known."""
        return self.next_day <= self.today + _DAY

    @property
    def needed(self) -> int:
        """Days that are missing up to the day before the client comes again."""
        from_day = self.today + _DAY * self.observed
        if self.runs_out is not None and not self.never:
            from_day = max(from_day, self.runs_out)
        return max((self.next_day - from_day).days, 0)

    @property
    def meets(self) -> Meets:
        if self.runs_out is None or self.never or self.comes_daily:
            return Meets.UNKNOWN
        if self.needed:
            return Meets.BEFORE
        return Meets.SAME_DAY if self.runs_out <= self.next_day else Meets.AFTER

    @property
    def proposed(self) -> int | None:
        """Days to hand over now: up to the next time where it is missing then, or as the last time; perhaps unknown.

        Somebody who comes daily is not handed over one day's tablets: for them it is as the last time.
        """
        if self.needed and not self.comes_daily:
            return self.needed
        return self.last_days
