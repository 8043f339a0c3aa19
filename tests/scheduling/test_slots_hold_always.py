"""What holds of slots whatever the zone, the day, the hours and their changes: lengths, minutes, days, wall times.

At the gap in spring and the fold in autumn: a start that the clock skips does not exist, one that it shows twice is the
first of the two, and a slot that would run into the next ends where that begins. So a day has the minutes of its rule,
less the slots whose starts were skipped, less what a slot across the gap gives up to the next.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispensary.clients.wish_rules import EVENING
from scheduling import queries, service, standing
from scheduling.holidays import public_holidays
from scheduling.rules import Hours, InForce, Shut, Timetable, fault_in, moment_of

ZONES = ("Australia/Sydney", "Europe/London", "America/New_York", "Asia/Kuala_Lumpur", "Australia/Lord_Howe")
MINUTE = timedelta(minutes=1)
FIRST, LAST = date(2025, 1, 1), date(2028, 12, 31)
CHANGES = [
    date(2026, 4, 5),
    date(2026, 10, 4),  # Sydney and Lord Howe, whose clock goes by half an hour
    date(2026, 3, 29),
    date(2026, 10, 25),  # London
    date(2026, 3, 8),
    date(2026, 11, 1),  # New York
]


def week_of(stretches: list[tuple[int, int, int, int]]) -> list[Hours]:
    """Of these stretches of a day (begin, minutes, break after it, length of slots) as many as fit, on all weekdays."""
    week, begins = [], 0
    for gap, minutes, windows, length in stretches:
        opens = begins + gap
        closes = opens + minutes
        if closes > 24 * 60 - 1:
            break
        for weekday in range(7):
            edges = (time(opens // 60, opens % 60), time(closes // 60, closes % 60))
            week.append(Hours(weekday, *edges, min(length, minutes), 3, windows))
        begins = closes
    return week


weeks = st.lists(
    st.tuples(st.integers(0, 240), st.integers(5, 400), st.integers(1, 4), st.sampled_from([5, 7, 15, 20, 45, 60])),
    min_size=1,
    max_size=4,
).map(week_of)
zones = st.sampled_from(ZONES).map(ZoneInfo)
days = st.one_of(st.sampled_from(CHANGES), st.dates(FIRST, LAST))
ALL_NIGHT = week_of([(0, 400, 1, 15)])


def known(zone: ZoneInfo, week: list[Hours], **more: object) -> Timetable:
    assert fault_in(week) is None
    return Timetable(zone, tuple(InForce(hours, FIRST - timedelta(days=1)) for hours in week), **more)  # type: ignore[arg-type]


def wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


@given(zones, weeks, days)
@example(ZoneInfo("Australia/Lord_Howe"), ALL_NIGHT, date(2026, 10, 4))
@example(ZoneInfo("Australia/Lord_Howe"), ALL_NIGHT, date(2026, 4, 5))
@example(ZoneInfo("Europe/London"), ALL_NIGHT, date(2026, 3, 29))
@example(ZoneInfo("America/New_York"), ALL_NIGHT, date(2026, 11, 1))
@settings(max_examples=300)
def test_every_slot_has_a_length_none_overlap_and_each_starts_on_its_day(
    zone: ZoneInfo, week: list[Hours], day: date
) -> None:
    slots = known(zone, week).slots_on(day)
    assert all(slot.starts_at < slot.ends_at for slot in slots)
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(slots))
    assert all(slot.starts_at.astimezone(zone).date() == day == slot.day for slot in slots)
    assert len({slot.starts_at for slot in slots}) == len(slots)


@given(zones, weeks, days)
@example(ZoneInfo("Australia/Lord_Howe"), ALL_NIGHT, date(2026, 10, 4))
@example(ZoneInfo("Australia/Sydney"), ALL_NIGHT, date(2026, 10, 4))
@example(ZoneInfo("Europe/London"), ALL_NIGHT, date(2026, 10, 25))
@settings(max_examples=300)
def test_the_minutes_of_a_day_are_those_of_its_rule_less_what_the_clock_skips(
    zone: ZoneInfo, week: list[Hours], day: date
) -> None:
    found = known(zone, week).slots_on(day)
    expected, skipped = timedelta(), 0
    walls: list[datetime] = []
    for hours in (each for each in week if each.weekday == day.weekday()):
        opens, closes = datetime.combine(day, hours.opens), datetime.combine(day, hours.closes)
        for number in range((closes - opens) // (hours.slot_minutes * MINUTE)):
            start = opens + number * hours.slot_minutes * MINUTE
            if moment_of(start, zone) is None:
                skipped += 1
            else:
                expected += hours.slot_minutes * MINUTE
                walls.append(start)
    given_up = expected - sum((slot.ends_at - slot.starts_at for slot in found), timedelta())
    assert [wall(slot.starts_at, zone) for slot in found] == walls, "each at its wall time, breaks left out"
    midnight = datetime.combine(day, time(), tzinfo=zone)
    length = (midnight + timedelta(days=1)).astimezone(UTC) - midnight.astimezone(UTC)
    gap = max(timedelta(), timedelta(days=1) - length)
    assert timedelta() <= given_up <= gap
    if not gap:
        assert (given_up, skipped) == (timedelta(), 0)


@given(zones, weeks, weeks, days, st.integers(-400, 400), st.integers(1, 30))
@settings(max_examples=150)
def test_hours_that_change_from_a_day_leave_the_days_before_as_they_were(
    zone: ZoneInfo, week: list[Hours], other: list[Hours], change: date, off: int, span: int
) -> None:
    before = known(zone, week)
    after = Timetable(
        zone,
        tuple(InForce(hours, FIRST - timedelta(days=1), change) for hours in week)
        + tuple(InForce(hours, change) for hours in other),
    )
    afterwards = Timetable(zone, tuple(InForce(hours, change) for hours in other))
    for number in range(span):
        day = change + timedelta(days=off + number)
        if day < change and day >= FIRST:
            assert after.slots_on(day) == before.slots_on(day)
        elif day >= change:
            assert after.slots_on(day) == afterwards.slots_on(day)


@given(zones, weeks, st.sampled_from(["GB", "AU", "US", "MY"]), st.integers(2026, 2028))
@settings(max_examples=40)
def test_a_holiday_that_is_closed_has_no_slots_and_its_neighbours_have_all_of_theirs(
    zone: ZoneInfo, week: list[Hours], country: str, year: int
) -> None:
    holidays = public_holidays(country, "", first=date(year, 1, 1), last=date(year, 12, 31), language="en")
    shut = {holiday.day: Shut(holiday.day, holiday.day, holiday.name) for holiday in holidays}
    open_all, closed = known(zone, week), known(zone, week, closures=tuple(shut.values()))
    for day in list(shut)[:6]:
        assert closed.slots_on(day) == []
        for neighbour in (day - timedelta(days=1), day + timedelta(days=1)):
            if neighbour not in shut:
                assert closed.slots_on(neighbour) == open_all.slots_on(neighbour)


@given(zones, weeks, days)
@settings(max_examples=100)
def test_the_same_wall_time_of_the_next_weeks_is_the_same_slot_and_is_reminded_at_six_the_evening_before(
    zone: ZoneInfo, week: list[Hours], day: date
) -> None:
    table = known(zone, week)
    for slot in table.slots_on(day)[:3]:
        wanted = wall(slot.starts_at, zone).time()
        for weeks_later in (1, 4, 26):
            later = day + timedelta(weeks=weeks_later)
            start = moment_of(datetime.combine(later, wanted), zone)
            if start is None:
                assert wanted not in {wall(each.starts_at, zone).time() for each in table.slots_on(later)}
                continue
            assert wanted in {wall(each.starts_at, zone).time() for each in table.slots_on(later)}
            evening = datetime.combine(later - timedelta(days=1), EVENING, tzinfo=zone)
            assert wall(evening.astimezone(UTC), zone) == datetime.combine(later - timedelta(days=1), time(18))
            assert evening.astimezone(UTC) < start


@pytest.mark.parametrize("name", ZONES, ids=lambda name: name.split("/")[1])
def test_weekly_bookings_keep_their_wall_time_over_both_changes_of_the_clock(database, name: str) -> None:
    zone, place_id, holder = ZoneInfo(name), uuid4(), uuid4()
    now = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
    with database.writing() as session:
        service.add_place(session, place_id=place_id, zone=name, horizon_days=300)
        hours = [Hours(weekday, time(6), time(9), 15, 5, 2) for weekday in range(7)]
        service.set_hours(session, place_id=place_id, hours=hours, from_day=date(2026, 1, 1))
        made = standing.set_weekly(
            session, place_id=place_id, holder_id=holder, weekdays=range(7), at=time(6, 45), now=now, channel="desk"
        )
    assert len(made.bookings) >= 300
    assert {wall(each.starts_at, zone).time() for each in made.bookings} == {time(6, 45)}
    offsets = {each.starts_at.astimezone(zone).utcoffset() for each in made.bookings}
    assert len(offsets) == (1 if name == "Asia/Kuala_Lumpur" else 2)
    later = [Hours(weekday, time(6), time(9), 30, 5, 2) for weekday in range(7)]
    with database.writing() as session:
        displaced = service.set_hours(session, place_id=place_id, hours=later, from_day=date(2026, 6, 1))
        bookings = queries.bookings_of(session, holder, now)
    assert {wall(each.starts_at, zone).time() for each in bookings} == {time(6, 45)}, "they stay as they were booked"
    assert {each.day >= date(2026, 6, 1) for each in displaced} == {True}
