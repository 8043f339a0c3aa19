from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.staff.rules import (
    Act,
    Role,
    day_begins,
    dose_day,
    may,
    password_fits,
    plain_username,
    too_many_guesses,
    username_fits,
)


class TestDoseDay:
    @pytest.mark.parametrize(
        ("zone", "starts", "moment", "day"),
        [
            ("Asia/Kuala_Lumpur", time(0, 0), "2026-11-23T23:00:00+00:00", date(2026, 11, 24)),
            ("Asia/Kuala_Lumpur", time(0, 0), "2026-11-23T15:59:59+00:00", date(2026, 11, 23)),
            ("Asia/Kuala_Lumpur", time(0, 0), "2026-11-23T16:00:00+00:00", date(2026, 11, 24)),
            ("Asia/Kuala_Lumpur", time(4, 0), "2026-11-23T19:59:59+00:00", date(2026, 11, 23)),
            ("Asia/Kuala_Lumpur", time(4, 0), "2026-11-23T20:00:00+00:00", date(2026, 11, 24)),
            ("Asia/Ho_Chi_Minh", time(0, 0), "2026-02-28T17:00:00+00:00", date(2026, 3, 1)),
            ("Asia/Kathmandu", time(0, 0), "2026-01-01T18:14:59+00:00", date(2026, 1, 1)),
            ("Asia/Kathmandu", time(0, 0), "2026-01-01T18:15:00+00:00", date(2026, 1, 2)),
            # New York leaps from 02:00 to 03:00 on 8 March 2026: the day of 02:30 begins at the leap.
            ("America/New_York", time(2, 30), "2026-03-08T06:59:59+00:00", date(2026, 3, 7)),
            ("America/New_York", time(2, 30), "2026-03-08T07:00:00+00:00", date(2026, 3, 8)),
            # It goes back from 02:00 to 01:00 on 1 November: the day of 01:30 begins at the first half past one.
            ("America/New_York", time(1, 30), "2026-11-01T05:29:59+00:00", date(2026, 10, 31)),
            ("America/New_York", time(1, 30), "2026-11-01T05:30:00+00:00", date(2026, 11, 1)),
            ("America/New_York", time(1, 30), "2026-11-01T06:10:00+00:00", date(2026, 11, 1)),
            # St John's went back from 00:01 to 23:01 of the day before: the new day stays.
            ("America/St_Johns", time(0, 0), "2006-10-29T02:30:30+00:00", date(2006, 10, 29)),
            ("America/St_Johns", time(0, 0), "2006-10-29T02:40:00+00:00", date(2006, 10, 29)),
        ],
    )
    def test_a_moment_belongs_to_the_day_of_the_sites_own_clock(
        self, zone: str, starts: time, moment: str, day: date
    ) -> None:
        assert dose_day(zone, starts, datetime.fromisoformat(moment)) == day

    zones = st.sampled_from(
        [
            "Asia/Kuala_Lumpur",
            "Asia/Kathmandu",
            "America/New_York",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Asia/Tehran",
        ]
    )
    boundaries = st.times(max_value=time(12, 0)).map(lambda at: at.replace(second=0, microsecond=0))
    moments = st.integers(0, 2_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))

    @given(zones, boundaries, moments, st.timedeltas(timedelta(0), timedelta(hours=36)))
    def test_days_never_go_back(self, zone: str, starts: time, moment: datetime, later: timedelta) -> None:
        assert dose_day(zone, starts, moment) <= dose_day(zone, starts, moment + later)

    @given(zones, boundaries, st.dates(date(1990, 1, 1), date(2035, 1, 1)))
    def test_every_day_begins_once_and_follows_the_one_before(self, zone: str, starts: time, day: date) -> None:
        begins = day_begins(zone, starts, day)
        assert dose_day(zone, starts, begins) == day
        assert dose_day(zone, starts, begins - timedelta(seconds=1)) == day - timedelta(days=1)
        assert timedelta(hours=20) < day_begins(zone, starts, day + timedelta(days=1)) - begins < timedelta(hours=28)


class TestRoles:
    @pytest.mark.parametrize(
        ("role", "act", "allowed"),
        [
            (Role.PHARMACIST, Act.DISPENSE, True),
            (Role.PHARMACIST, Act.ORDER, False),
            (Role.DOCTOR, Act.ORDER, True),
            (Role.DOCTOR, Act.DISPENSE, False),
            (Role.RECEPTION, Act.LOOK_AT_CLIENT, False),
            (Role.EVALUATOR, Act.LOOK_AT_CLIENT, False),
            (Role.EVALUATOR, Act.EXPORT, True),
            (Role.ADMINISTRATOR, Act.LOOK_AT_CLIENT, False),
        ],
    )
    def test_a_role_may_what_its_work_is(self, role: Role, act: Act, allowed: bool) -> None:
        assert may({role}, act) is allowed

    def test_every_act_is_allowed_to_somebody(self) -> None:
        assert [act for act in Act if not may(Role, act)] == []

    @given(st.sets(st.sampled_from(Role)), st.sets(st.sampled_from(Role)), st.sampled_from(Act))
    def test_another_role_never_takes_a_right_away(self, held: set[Role], added: set[Role], act: Act) -> None:
        assert may(held | added, act) >= may(held, act)


class TestPasswords:
    @pytest.mark.parametrize(
        ("password", "code"),
        [
            ("eleven sign", "short-password"),
            ("x" * 129, "long-password"),
            ("aaaaaaaaaaaaaaaa", "guessable-password"),
            ("my name is SITI", "guessable-password"),
            ("leavemealone", "common-password"),
            ("1qaz2wsx3edc", "common-password"),
            ("P@ssw0rd1234", "common-password"),
            ("iloveyou 2026", "common-password"),
            ("123456789012", "common-password"),
            ("methadone harapan", "common-password"),
            ("Harapan2026!!", "common-password"),
            ("siew 16 november", "common-password"),
            ("a walk to the river", None),
            ("seven oranges at harapan", None),
            ("x7Qp-mm29-Trz", None),
            ("河边散步每天早上都很安静啊", None),
        ],
    )
    def test_length_counts_and_what_everybody_has_or_knows_does_not(self, password: str, code: str | None) -> None:
        refusal = password_fits(password, username="siti", around=("Siew Ling", "Klinik Harapan"))
        assert (refusal.code if refusal else None) == code

    @pytest.mark.parametrize(("typed", "kept"), [(" Siti.R ", "siti.r"), ("ＳＩＴＩ", "siti")])
    def test_an_account_name_is_kept_in_one_form(self, typed: str, kept: str) -> None:
        assert plain_username(typed) == kept
        assert username_fits(kept) is None

    @pytest.mark.parametrize("name", ["", "s", "siti rahman", "-siti", "s" * 41, "si\x00ti"])
    def test_an_account_name_is_short_and_plain(self, name: str) -> None:
        assert username_fits(name) is not None


class TestGuessing:
    @pytest.mark.parametrize(
        ("for_name", "from_address", "refused"),
        [(0, 0, False), (4, 19, False), (5, 0, True), (0, 20, True), (5, 20, True)],
    )
    def test_five_failures_of_a_name_or_twenty_of_an_address_close_the_door(
        self, for_name: int, from_address: int, refused: bool
    ) -> None:
        assert too_many_guesses(for_name=for_name, from_address=from_address) is refused
