"""When a place can be booked: the slots of a day, derived from hours and closures, and how this house says no."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

from scheduling.shares import Held, fault_in_held

MOST_PEOPLE = 10_000
"""More than this in one slot, or behind one counter, is a typing error."""

_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(9000, 1, 1)  # so that no moment runs off the calendar's ends


class Declined(Exception):
    """Something was not done, and nothing of it was kept: a stable word for programs, and a sentence for a person."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class NotFound(Declined):
    """No such place (`no-place`), visit (`no-visit`) or closure (`no-closure`)."""


class BadHours(Declined):
    """The hours, the closure or the place as it was described cannot be (`bad-hours`, `bad-closure`, `bad-place`).

    A closure that is over cannot be opened again (`closure-over`).
    """


class Code(StrEnum):
    """Why a booking was not made, moved or dropped."""

    FULL = "slot-full"
    HELD = "slot-held"
    """The places that are left are held for others."""
    FREE = "slot-free"
    """There is a place: nobody needs to wait for one."""
    LIMIT = "too-many-open"
    OFFER_OVER = "offer-over"
    CLOSED = "closed"
    PAST = "past"
    OUTSIDE_HOURS = "outside-hours"
    TOO_FAR = "too-far"
    ALREADY_BOOKED = "already-booked"
    NOT_LIVE = "not-live"


class NotBooked(Declined):
    """A booking was not made, moved or dropped. What stood before still stands."""

    def __init__(
        self, code: Code, sentence: str, alternatives: Sequence[datetime] = (), standing: UUID | None = None
    ) -> None:
        super().__init__(code, sentence)
        self.alternatives = tuple(alternatives)
        """The starts of the nearest free slots, earliest first."""
        self.standing = standing
        """The booking that the holder has on that day, when that is the reason."""


@dataclass(frozen=True)
class Hours:
    """One stretch of one weekday (0 is Monday), in wall-clock time, and how it is cut into slots."""

    weekday: int
    opens: time
    closes: time
    slot_minutes: int
    capacity: int
    """People a slot takes."""
    windows: int = 1
    """Counters that serve at once."""
    held: Held = ()
    """Places of a slot that are held, and for whom; the others are open to all."""


@dataclass(frozen=True)
class InForce:
    """Hours, and the days on which they count: from one day until, not including, another."""

    hours: Hours
    from_day: date
    until_day: date | None = None

    def on(self, day: date) -> bool:
        begun = self.hours.weekday == day.weekday() and self.from_day <= day
        return begun and (self.until_day is None or day < self.until_day)


@dataclass(frozen=True)
class Shut:
    """Days, from the first to the last inclusive, without opening hours. The id is that of the closure."""

    first_day: date
    last_day: date
    reason: str
    id: UUID | None = None


@dataclass(frozen=True)
class SlotTime:
    """A slot as the hours have it: from one moment to another (UTC), on a local day, for so many people."""

    starts_at: datetime
    ends_at: datetime
    day: date
    capacity: int
    held: Held = ()


@dataclass(frozen=True)
class BookingRules:
    """What a place has set for bookings."""

    most_open: int | None = None
    """Bookings of a holder that may be open at once, standing ones not counted; nothing for no limit."""
    offer_minutes: int = 30
    """How long an offered place is kept."""
    offers_from: time = time(7)
    offers_until: time = time(21)
    """Between these times of day places are offered; at other times a place that is given up is simply free."""

    def fault(self) -> str | None:
        """What is wrong with them, in a sentence."""
        if self.most_open is not None and not 1 <= self.most_open <= 400:
            return "The limit of open bookings is 1 to 400, or none."
        if not 5 <= self.offer_minutes <= 1440:
            return "An offer stands for 5 to 1440 minutes."
        if self.offers_until <= self.offers_from:
            return "Places are offered from a time of day until a later one."
        return None


@dataclass(frozen=True)
class Refusal:
    """Why a slot cannot be booked."""

    code: Code
    sentence: str


@dataclass(frozen=True)
class Timetable:
    """What is known of a place's time over some days; it answers for those days only."""

    zone: ZoneInfo
    openings: tuple[InForce, ...] = ()
    closures: tuple[Shut, ...] = ()
    lead: timedelta = timedelta(0)
    horizon_days: int = 60

    def shut_on(self, day: date) -> Shut | None:
        """The closure that this day falls into."""
        return next((shut for shut in self.closures if shut.first_day <= day <= shut.last_day), None)

    def hours_on(self, day: date) -> list[Hours]:
        """The stretches in which the place is open that day, earliest first; none when it is shut."""
        if self.shut_on(day):
            return []
        return sorted((opening.hours for opening in self.openings if opening.on(day)), key=lambda hours: hours.opens)

    def slots_on(self, day: date) -> list[SlotTime]:
        """The slots of a day, earliest first; they never overlap and each starts on that day.

        A start that the clock skips in spring does not exist. One that it shows twice in autumn is the first of the
        two. A slot that the skipped hour would push into the next one ends where the next one starts.
        """
        if not _FIRST_DAY <= day <= _LAST_DAY:
            return []
        starts = [
            (starts_at, hours)
            for hours in self.hours_on(day)
            for wall in _wall_starts(day, hours)
            if (starts_at := moment_of(wall, self.zone)) is not None
        ]
        slots = []
        for number, (starts_at, hours) in enumerate(starts):
            ends_at = starts_at + timedelta(minutes=hours.slot_minutes)
            if number + 1 < len(starts):
                ends_at = min(ends_at, starts[number + 1][0])
            slots.append(SlotTime(starts_at, ends_at, day, hours.capacity, hours.held))
        return slots

    def bookable(self, starts_at: datetime, now: datetime) -> SlotTime | Refusal:
        """The slot that starts at this moment, when the hours and the time of day let it be booked now."""
        if starts_at < now + self.lead:
            return Refusal(Code.PAST, "It is too late to book that time.")
        today = local_day(now, self.zone)
        last = today + timedelta(days=self.horizon_days)
        if starts_at > now + timedelta(days=self.horizon_days + 2) or local_day(starts_at, self.zone) > last:
            return Refusal(Code.TOO_FAR, f"Bookings are open until {last.day} {last:%B %Y}.")
        day = local_day(starts_at, self.zone)
        if self.shut_on(day):
            return Refusal(Code.CLOSED, f"It is closed on {day.day} {day:%B}.")
        slot = next((slot for slot in self.slots_on(day) if slot.starts_at == starts_at), None)
        return slot or Refusal(Code.OUTSIDE_HOURS, f"There is no slot at {self.spoken(starts_at)}.")

    def spoken(self, moment: datetime) -> str:
        """A moment on the place's own clock, as in `09:15 on 24 November`."""
        local = moment.astimezone(self.zone)
        return f"{local:%H:%M} on {local.day} {local:%B}"


def _wall_starts(day: date, hours: Hours) -> list[datetime]:
    """The wall-clock starts of the slots that end before closing; a rest too short for a slot has none."""
    length = timedelta(minutes=hours.slot_minutes)
    opens, closes = datetime.combine(day, hours.opens), datetime.combine(day, hours.closes)
    return [opens + length * number for number in range((closes - opens) // length)]


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment (UTC) at which the zone's clock first shows this time, or none when the clock skips it."""
    moment = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment if moment.astimezone(zone).replace(tzinfo=None, fold=0) == wall else None


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The zone's calendar date at this moment. Raises ValueError for a moment without a time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is ambiguous")
    return moment.astimezone(zone).date()


def zone_named(name: str) -> ZoneInfo:
    """The IANA zone of this name. Raises BadHours (`bad-place`)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise BadHours("bad-place", f"“{name}” is not a time zone. Write one such as Asia/Kuala_Lumpur.") from None


def nearest(free: Collection[datetime], wanted: datetime, limit: int) -> list[datetime]:
    """The free starts nearest to the wanted one (the earlier of two equally near first), earliest first."""
    return sorted(sorted(sorted(free), key=lambda start: abs(start - wanted))[:limit])


def same_time(free: Collection[datetime], wanted: datetime, zone: ZoneInfo) -> datetime | None:
    """Of the free starts the one nearest to the wanted time of day on the zone's clock, the earlier of two as near."""
    asked = _minute(wanted.astimezone(zone).time())
    return min(sorted(free), key=lambda start: abs(_minute(start.astimezone(zone).time()) - asked), default=None)


def fault_in(week: Sequence[Hours]) -> str | None:
    """What is wrong with a week's hours, in a sentence; nothing when they can be kept."""
    for hours in week:
        name = f"{hours.opens:%H:%M} to {hours.closes:%H:%M} on weekday {hours.weekday}"
        if not 0 <= hours.weekday <= 6:
            return f"{name}: a weekday is 0 (Monday) to 6 (Sunday)."
        if any(edge.second or edge.microsecond or edge.tzinfo for edge in (hours.opens, hours.closes)):
            return f"{name}: hours are whole minutes of the place's own clock."
        if hours.closes <= hours.opens:
            return f"{name}: it closes before it opens."
        minutes = _minute(hours.closes) - _minute(hours.opens)
        if not 1 <= hours.slot_minutes <= minutes:
            return f"{name}: a slot of {hours.slot_minutes} minutes does not fit."
        if not (1 <= hours.capacity <= MOST_PEOPLE and 1 <= hours.windows <= MOST_PEOPLE):
            return f"{name}: capacity and windows are 1 to {MOST_PEOPLE}."
        held = fault_in_held(hours.held, hours.capacity)
        if held:
            return f"{name}: {held}"
    ordered = sorted(week, key=lambda hours: (hours.weekday, hours.opens))
    for earlier, later in pairwise(ordered):
        if earlier.weekday == later.weekday and later.opens < earlier.closes:
            return f"Weekday {later.weekday}: the hours from {later.opens:%H:%M} begin before the earlier ones end."
    return None


def _minute(edge: time) -> int:
    return edge.hour * 60 + edge.minute
