"""How many bottles may leave together: the rule that the counter asks before the database has the last word."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.takehome.carrying import DecisionLimits, take_home_allowed

MONDAY = date(2026, 11, 23)


def days(*numbers: int) -> list[date]:
    return [MONDAY + timedelta(days=n) for n in numbers]


class TestAtTheCounter:
    @pytest.mark.parametrize(
        ("limits", "wanted", "carried", "closed", "refused"),
        [
            (DecisionLimits(6, 6, True), days(1, 2, 3, 4, 5, 6), [], [], []),
            (
                DecisionLimits(6, 6, True),
                days(0, 1, 2, 3, 4, 5, 6),
                [],
                [],
                ["take-home-per-supply", "take-home-per-week"],
            ),
            (DecisionLimits(6, 6, True), days(0, 1, 2, 3, 4, 5, 6), [], days(6), []),
            (
                DecisionLimits(6, 6, False),
                days(0, 1, 2, 3, 4, 5, 6),
                [],
                days(6),
                ["take-home-per-supply", "take-home-per-week"],
            ),
            (DecisionLimits(0, None, True), days(6), [], days(6), []),  # only the closed Sunday
            (DecisionLimits(0, None, True), days(5), [], days(6), ["take-home-per-supply"]),
            (DecisionLimits(6, 2, True), days(4, 7), days(2), [], []),  # Friday, and Monday of the next week
            (DecisionLimits(6, 2, True), days(4, 5), days(2), [], ["take-home-per-week"]),
            (DecisionLimits(6, 2, True), days(2, 4), days(2), [], []),  # the evening portion of a carried day
            (DecisionLimits(6, 1, True), days(6), days(1, 2), days(6), ["take-home-per-week"]),
            (DecisionLimits(6, 2, True), [], days(1, 2, 3), [], []),
            (DecisionLimits(28, None, True), days(*range(28)), days(0), [], []),
            (DecisionLimits(6, None, True), days(4, 5), days(0, 1, 2, 3), [], []),  # six in hand, all told
            (DecisionLimits(6, None, True), days(4, 5, 6), days(0, 1, 2, 3), [], ["take-home-per-supply"]),
        ],
    )
    def test_days_are_counted_as_the_database_counts_them(
        self,
        limits: DecisionLimits,
        wanted: list[date],
        carried: list[date],
        closed: list[date],
        refused: list[str],
    ) -> None:
        assert [refusal.code for refusal in take_home_allowed(limits, wanted, carried, closed, today=MONDAY)] == refused

    @given(
        st.builds(DecisionLimits, st.integers(0, 28), st.none() | st.integers(0, 7), st.booleans()),
        st.sets(st.integers(0, 40)),
        st.sets(st.integers(0, 40)),
        st.sets(st.integers(0, 40)),
    )
    def test_what_is_allowed_never_exceeds_the_decision(
        self, limits: DecisionLimits, wanted: set[int], carried: set[int], closed: set[int]
    ) -> None:
        allowed = not take_home_allowed(limits, days(*wanted), days(*carried), days(*closed), today=MONDAY)
        apart = closed if limits.closed_days_apart else set()
        counted, in_hand = wanted - apart, carried - apart
        weeks = [{n for n in counted | in_hand if n // 7 == week} for week in {n // 7 for n in wanted}]
        within = (not counted or len(counted | in_hand) <= limits.per_supply) and all(
            limits.per_week is None or len(week) <= limits.per_week for week in weeks
        )
        assert allowed == within
