from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.texts import KINDS
from notifications.waiting import (
    AT_ANY_HOUR,
    BEFORE_THE_WAY,
    CAN_WAIT,
    DEFAULTS,
    Quiet,
    TextRules,
    day_after,
    sleeps_until,
)

KL, BERLIN = ZoneInfo("Asia/Kuala_Lumpur"), ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(0, 2 * 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
NIGHT = Quiet(time(21), time(7))


@pytest.mark.parametrize(
    ("quiet", "at", "until"),
    [
        (NIGHT, "2026-11-24 20:59", None),
        (NIGHT, "2026-11-24 21:00", "2026-11-25 07:00"),
        (NIGHT, "2026-11-25 00:00", "2026-11-25 07:00"),
        (NIGHT, "2026-11-25 06:59", "2026-11-25 07:00"),
        (NIGHT, "2026-11-25 07:00", None),
        (Quiet(time(12), time(14)), "2026-11-24 12:30", "2026-11-24 14:00"),
        (Quiet(time(12), time(14)), "2026-11-24 23:00", None),
        (Quiet(time(0), time(6)), "2026-11-24 00:00", "2026-11-24 06:00"),
        (Quiet(time(22), time(0)), "2026-11-24 23:00", "2026-11-25 00:00"),
        (Quiet(time(9), time(9)), "2026-11-24 09:00", None),
    ],
)
def test_quiet_hours_end_at_their_local_time(quiet, at, until):
    asked = datetime.fromisoformat(at).replace(tzinfo=KL)
    ends = quiet.until(asked.astimezone(UTC), KL)
    assert ends == (until and datetime.fromisoformat(until).replace(tzinfo=KL))


@given(
    MOMENTS,
    st.times(),
    st.times(),
    st.sampled_from(["Asia/Kuala_Lumpur", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_they_always_end_later_and_within_a_day_also_when_clocks_change(moment, begins, ends, zone):
    until = Quiet(begins, ends).until(moment, ZoneInfo(zone))
    if until is not None:
        assert moment < until <= moment + timedelta(hours=25, minutes=1)


@given(MOMENTS)
def test_the_next_day_begins_after_this_one_and_outside_of_its_quiet_hours(moment):
    begins = day_after(TextRules(quiet=NIGHT), moment, BERLIN)
    assert begins.astimezone(BERLIN).date() == moment.astimezone(BERLIN).date() + timedelta(days=1)
    assert NIGHT.until(begins, BERLIN) is None
    assert day_after(TextRules(quiet=None), moment, BERLIN).astimezone(BERLIN).time() == time(0)


def test_the_house_has_quiet_hours_and_no_cap_of_its_own():
    assert (DEFAULTS.quiet, DEFAULTS.cap) == (NIGHT, None)


def test_only_texts_that_there_are_can_wait_and_none_that_tells_of_a_closed_door():
    assert set(KINDS) >= CAN_WAIT
    assert not {"closure", "closure_days", "call_first", "come_by", "collected", "pickup_ready"} & CAN_WAIT


def at(day, hour, minute=0):
    return datetime(2026, 11, day, hour, minute, tzinfo=KL)


@pytest.mark.parametrize(
    ("kind", "now", "valid_until", "until"),
    [
        ("closure", at(24, 22), at(25, 7, 30), None),
        ("closure", at(24, 22), at(25, 8, 59), None),
        ("closure", at(24, 22), at(25, 9), at(25, 7)),
        ("closure_days", at(25, 5), at(25, 7), None),
        ("before_queue", at(25, 6), at(25, 7, 15), None),
        ("before_queue", at(24, 22), at(25, 16), at(25, 7)),
        ("open_after_all", at(24, 23), at(25, 7), None),
        ("call_first", at(25, 3), at(26, 0), None),
        ("pickup_ready", at(25, 3), at(26, 0), None),
        ("booking_reminder", at(24, 22), at(25, 7, 30), at(25, 7)),
        ("news", at(24, 22), at(25, 7, 30), at(25, 7)),
        ("closure", at(24, 12), at(25, 7, 30), None),
    ],
)
def test_what_would_reach_somebody_on_their_way_does_not_wait_for_the_morning(kind, now, valid_until, until):
    rules = TextRules(quiet=NIGHT)
    assert sleeps_until(rules, now, KL, kind=kind, reply=False, valid_until=valid_until) == until
    assert sleeps_until(rules, now, KL, kind=kind, reply=True, valid_until=valid_until) is None


def test_the_kinds_that_do_not_wait_are_texts_that_there_are():
    assert set(KINDS) >= AT_ANY_HOUR | BEFORE_THE_WAY
