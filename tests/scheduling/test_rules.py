"""The slots of a day follow from hours, closures and the zone's clock, and from nothing else."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduling.rules import (
    BadHours,
    Code,
    Hours,
    InForce,
    Refusal,
    Shut,
    SlotTime,
    Timetable,
    fault_in,
    local_day,
    moment_of,
    nearest,
    zone_named,
)

BERLIN = ZoneInfo("Europe/Berlin")
TUESDAY = date(2026, 11, 24)
ZONES = [
    "Asia/Kuala_Lumpur",
    "Asia/Shanghai",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",  # skips midnight in spring
    "America/St_Johns",
    "Australia/Lord_Howe",  # shifts by half an hour
    "Africa/Casablanca",  # shifts back for Ramadan
    "Pacific/Apia",  # skipped 30 December 2011 whole
]


def all_day(day: date, minutes: int = 30, *, zone: ZoneInfo = BERLIN) -> Timetable:
    return Timetable(zone, (InForce(Hours(day.weekday(), time(0), time(6), minutes, 3), date(2000, 1, 1)),))


def walls(table: Timetable, day: date) -> list[str]:
    return [f"{slot.starts_at.astimezone(table.zone):%H:%M}" for slot in table.slots_on(day)]


class TestSlotsOfADay:
    @pytest.mark.parametrize(
        ("opens", "closes", "minutes", "expected"),
        [
            (time(7), time(8), 15, ["07:00", "07:15", "07:30", "07:45"]),
            (time(7), time(8), 25, ["07:00", "07:25"]),
            (time(7), time(8), 60, ["07:00"]),
            (time(7, 5), time(7, 59), 20, ["07:05", "07:25"]),
            (time(23), time(23, 59), 30, ["23:00"]),
        ],
    )
    def test_they_fill_the_hours_and_the_last_ends_before_closing(self, opens, closes, minutes, expected):
        table = Timetable(BERLIN, (InForce(Hours(1, opens, closes, minutes, 4), TUESDAY),))
        assert walls(table, TUESDAY) == expected
        assert {slot.capacity for slot in table.slots_on(TUESDAY)} == {4}
        assert {slot.ends_at - slot.starts_at for slot in table.slots_on(TUESDAY)} == {timedelta(minutes=minutes)}

    def test_two_stretches_of_a_day_both_have_slots_earliest_first(self):
        evening, morning = Hours(1, time(17), time(18), 30, 2), Hours(1, time(7), time(8), 30, 5)
        table = Timetable(BERLIN, (InForce(evening, TUESDAY), InForce(morning, TUESDAY)))
        assert walls(table, TUESDAY) == ["07:00", "07:30", "17:00", "17:30"]
        assert [slot.capacity for slot in table.slots_on(TUESDAY)] == [5, 5, 2, 2]

    def test_hours_count_from_their_first_day_until_not_including_their_end(self):
        table = Timetable(BERLIN, (InForce(Hours(1, time(7), time(8), 60, 1), TUESDAY, TUESDAY + timedelta(days=14)),))
        weeks = [TUESDAY + timedelta(weeks=number) for number in (-1, 0, 1, 2)]
        assert [bool(table.slots_on(day)) for day in weeks] == [False, True, True, False]
        assert not table.slots_on(TUESDAY + timedelta(days=1))

    def test_a_closure_takes_its_first_and_its_last_day(self):
        table = Timetable(
            BERLIN,
            tuple(InForce(Hours(weekday, time(7), time(8), 60, 1), TUESDAY) for weekday in range(7)),
            (Shut(TUESDAY + timedelta(days=1), TUESDAY + timedelta(days=2), "holiday"),),
        )
        assert [len(table.slots_on(TUESDAY + timedelta(days=number))) for number in range(4)] == [1, 0, 0, 1]

    def test_an_hour_that_the_clock_skips_has_no_slots(self):
        assert walls(all_day(date(2026, 3, 29)), date(2026, 3, 29)) == [
            "00:00", "00:30", "01:00", "01:30", "03:00", "03:30", "04:00", "04:30", "05:00", "05:30",
        ]  # fmt: skip

    def test_an_hour_that_the_clock_shows_twice_has_its_slots_once(self):
        day = date(2026, 10, 25)
        assert walls(all_day(day), day) == [f"{hour:02}:{minute:02}" for hour in range(6) for minute in (0, 30)]
        two = next(slot for slot in all_day(day).slots_on(day) if slot.starts_at.astimezone(BERLIN).hour == 2)
        assert two.starts_at == datetime(2026, 10, 25, 0, 0, tzinfo=UTC), "the first of the two"

    def test_a_slot_that_the_skipped_hour_would_push_into_the_next_ends_where_that_starts(self):
        day = date(2026, 3, 29)
        slots = all_day(day, 45).slots_on(day)
        assert all(slot.ends_at <= later.starts_at for slot, later in pairwise(slots))
        assert {slot.ends_at - slot.starts_at for slot in slots} == {timedelta(minutes=30), timedelta(minutes=45)}

    def test_a_date_that_a_zone_skipped_has_no_slots(self):
        day = date(2011, 12, 30)
        assert all_day(day, zone=ZoneInfo("Pacific/Apia")).slots_on(day) == []

    @pytest.mark.parametrize("day", [date.min, date.max])
    def test_the_ends_of_the_calendar_have_none(self, day):
        assert all_day(day).slots_on(day) == []


days = st.dates(date(2005, 1, 1), date(2036, 12, 31))


@st.composite
def hours_of_a_day(draw: st.DrawFn, weekday: int) -> list[Hours]:
    edges = sorted(draw(st.lists(st.integers(0, 24 * 60 - 1), min_size=2, max_size=6, unique=True)))
    stretches = []
    for opens, closes in zip(edges[::2], edges[1::2], strict=False):
        minutes = draw(st.integers(1, closes - opens).filter(lambda n: n > 4) | st.just(closes - opens))
        stretches.append(Hours(weekday, time(*divmod(opens, 60)), time(*divmod(closes, 60)), minutes, 3))
    return stretches


class TestSlotsInAnyZone:
    @given(st.sampled_from(ZONES), days, st.data())
    def test_slots_are_in_order_never_overlap_and_start_on_their_day_within_the_hours(self, name, day, data):
        zone = ZoneInfo(name)
        stretches = data.draw(hours_of_a_day(day.weekday()))
        assert fault_in(stretches) is None
        slots = Timetable(zone, tuple(InForce(hours, day) for hours in stretches)).slots_on(day)
        for slot, later in pairwise(slots):
            assert slot.starts_at < slot.ends_at <= later.starts_at
        for slot in slots:
            local = slot.starts_at.astimezone(zone)
            assert slot.day == day == local.date()
            assert local.fold == 0
            assert any(hours.opens <= local.time() < hours.closes for hours in stretches)

    @given(st.sampled_from(ZONES), days, st.integers(5, 120))
    def test_every_wall_time_that_the_clock_shows_has_exactly_one_slot_and_no_other_has(self, name, day, minutes):
        zone = ZoneInfo(name)
        hours = Hours(day.weekday(), time(0), time(23, 59), minutes, 1)
        slots = Timetable(zone, (InForce(hours, day),)).slots_on(day)
        walls = [slot.starts_at.astimezone(zone).replace(tzinfo=None) for slot in slots]
        minutes_shown = {  # the clock of that day, minute by minute, as it really ran
            moment.astimezone(zone).replace(tzinfo=None, fold=0)
            for moment in (
                datetime.combine(day, time(12), UTC) + timedelta(minutes=number) for number in range(-2200, 2200)
            )
        }
        start = datetime.combine(day, time(0))
        candidates = [start + timedelta(minutes=minutes * number) for number in range((23 * 60 + 59) // minutes)]
        assert walls == [wall for wall in candidates if wall in minutes_shown]

    @given(st.sampled_from(ZONES), days, st.times())
    def test_a_wall_time_turned_into_a_moment_is_that_wall_time(self, name, day, clock):
        wall = datetime.combine(day, clock)
        moment = moment_of(wall, ZoneInfo(name))
        assert moment is None or moment.astimezone(ZoneInfo(name)).replace(tzinfo=None, fold=0) == wall

    @given(st.sampled_from(ZONES), days, st.integers(5, 120))
    def test_looking_is_pure(self, name, day, minutes):
        table = all_day(day, minutes, zone=ZoneInfo(name))
        assert table.slots_on(day) == table.slots_on(day)


class TestWhatCanBeBooked:
    now = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)  # seven in Berlin

    def table(self, **settings) -> Timetable:
        openings = tuple(InForce(Hours(weekday, time(7), time(9), 30, 2), date(2026, 1, 1)) for weekday in range(5))
        return Timetable(BERLIN, openings, (Shut(date(2026, 11, 26), date(2026, 11, 26), "holiday"),), **settings)

    @pytest.mark.parametrize(
        ("starts_at", "lead", "expected"),
        [
            (datetime(2026, 11, 24, 6, 0, tzinfo=UTC), 0, None),
            (datetime(2026, 11, 24, 6, 30, tzinfo=UTC), 30, None),
            (datetime(2026, 11, 24, 6, 30, tzinfo=UTC), 31, Code.PAST),
            (datetime(2026, 11, 24, 5, 59, tzinfo=UTC), 0, Code.PAST),
            (datetime.min.replace(tzinfo=UTC), 0, Code.PAST),
            (datetime(2026, 11, 24, 6, 10, tzinfo=UTC), 0, Code.OUTSIDE_HOURS),
            (datetime(2026, 11, 24, 8, 0, tzinfo=UTC), 0, Code.OUTSIDE_HOURS),
            (datetime(2026, 11, 28, 6, 0, tzinfo=UTC), 0, Code.OUTSIDE_HOURS),
            (datetime(2026, 11, 26, 6, 0, tzinfo=UTC), 0, Code.CLOSED),
            (datetime(2026, 12, 8, 6, 0, tzinfo=UTC), 0, None),
            (datetime(2026, 12, 9, 6, 0, tzinfo=UTC), 0, Code.TOO_FAR),
            (datetime.max.replace(tzinfo=UTC), 0, Code.TOO_FAR),
        ],
    )
    def test_by_hours_closures_lead_and_horizon(self, starts_at, lead, expected):
        answer = self.table(lead=timedelta(minutes=lead), horizon_days=14).bookable(starts_at, self.now)
        if expected is None:
            assert isinstance(answer, SlotTime)
            assert answer.starts_at == starts_at
        else:
            assert isinstance(answer, Refusal)
            assert answer.code is expected
            assert answer.sentence

    @given(st.integers(-3000, 30_000))
    def test_what_can_be_booked_is_a_slot_of_its_day(self, minutes):
        starts_at = self.now + timedelta(minutes=minutes)
        table = self.table(horizon_days=14)
        answer = table.bookable(starts_at, self.now)
        offered = answer in table.slots_on(local_day(starts_at, BERLIN))
        assert offered == isinstance(answer, SlotTime)


class TestNearest:
    @pytest.mark.parametrize(
        ("wanted", "limit", "expected"),
        [(8, 3, [7, 9, 10]), (8, 1, [7]), (7, 2, [7, 9]), (20, 2, [10, 12]), (0, 9, [7, 9, 10, 12]), (8, 0, [])],
    )
    def test_are_around_the_wanted_start_in_order(self, wanted, limit, expected):
        hour = {number: datetime(2026, 11, 24, number, tzinfo=UTC) for number in range(24)}
        free = [hour[number] for number in (12, 7, 10, 9)]
        assert nearest(free, hour[wanted], limit) == [hour[number] for number in expected]


class TestFaults:
    good = Hours(1, time(7), time(10), 15, 2)

    @pytest.mark.parametrize(
        "bad",
        [
            Hours(7, time(7), time(10), 15, 2),
            Hours(-1, time(7), time(10), 15, 2),
            Hours(1, time(10), time(7), 15, 2),
            Hours(1, time(7), time(7), 15, 2),
            Hours(1, time(7, 0, 1), time(10), 15, 2),
            Hours(1, time(7, tzinfo=UTC), time(10), 15, 2),
            Hours(1, time(7), time(10), 0, 2),
            Hours(1, time(7), time(10), 181, 2),
            Hours(1, time(7), time(10), 15, 0),
            Hours(1, time(7), time(10), 15, 10_001),
            Hours(1, time(7), time(10), 15, 2, windows=0),
        ],
    )
    def test_hours_that_cannot_be_are_named(self, bad):
        assert fault_in([bad])
        assert fault_in([self.good]) is None

    def test_stretches_of_one_day_may_touch_and_not_overlap(self):
        touching, overlapping = Hours(1, time(10), time(12), 15, 2), Hours(1, time(9, 59), time(12), 15, 2)
        assert fault_in([touching, self.good]) is None
        assert fault_in([overlapping, self.good])
        assert fault_in([Hours(2, time(9, 59), time(12), 15, 2), self.good]) is None

    @pytest.mark.parametrize("name", ["", "Mars/Olympus", "../etc/passwd", "/etc", "Asia", "Asia/Kuala Lumpur", "\0"])
    def test_a_zone_that_is_none_is_named(self, name):
        with pytest.raises(BadHours) as refused:
            zone_named(name)
        assert refused.value.code == "bad-place"

    def test_a_moment_without_a_zone_has_no_day(self):
        with pytest.raises(ValueError, match="ambiguous"):
            local_day(datetime(2026, 11, 24, 7), BERLIN)  # noqa: DTZ001 - the fault under test
