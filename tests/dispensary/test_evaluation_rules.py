"""Retention by hand: when a stay ends, and the Kaplan-Meier estimate against published and computed tables."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.evaluation.rules import (
    DEFAULT_ROLES,
    IN_TREATMENT,
    Observed,
    Role,
    Scale,
    Stay,
    at_marks,
    kaplan_meier,
    observe,
)
from dispensary.units import months_after

CALENDAR = Scale()
DAYS = Scale(Decimal("30.4375"))
BEGAN = date(2026, 1, 10)


def rounded(value: Decimal | None, places: str) -> str:
    assert value is not None
    return str(value.quantize(Decimal(places)))


# Remission of 21 children on 6-mercaptopurine in weeks (Freireich 1963; Cox and Oakes 1984, table 1.1), with the
# estimate, Greenwood's standard error and log-log limits as the textbooks and statistical packages print them.
FREIREICH = [(t, True) for t in (6, 6, 6, 7, 10, 13, 16, 22, 23)] + [
    (t, False) for t in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)
]
PUBLISHED = [
    (6, 21, 3, ".8571", ".0764", ".6197", ".9516"),
    (7, 17, 1, ".8067", ".0869", ".5631", ".9228"),
    (10, 15, 1, ".7529", ".0963", ".5032", ".8894"),
    (13, 12, 1, ".6902", ".1068", ".4316", ".8491"),
    (16, 11, 1, ".6275", ".1141", ".3675", ".8049"),
    (22, 7, 1, ".5378", ".1282", ".2678", ".7468"),
    (23, 6, 1, ".4482", ".1346", ".1881", ".6801"),
]


def test_the_published_remission_times_are_reproduced_with_ties_and_limits() -> None:
    curve = kaplan_meier(FREIREICH)
    found = [
        (
            point.time,
            point.at_risk,
            point.events,
            rounded(point.survival, "0.0001").lstrip("0"),
            rounded((point.variance or Decimal(0)).sqrt(), "0.0001").lstrip("0"),
            rounded(point.lower, "0.0001").lstrip("0"),
            rounded(point.upper, "0.0001").lstrip("0"),
        )
        for point in curve.points
        if point.events
    ]
    assert (curve.n, curve.events) == (21, 9)
    assert found == PUBLISHED


def test_the_median_is_where_curve_and_limits_come_down_to_a_half() -> None:
    """As packages print it: 23 weeks from 13 on, of the children on placebo 8 from 4 to 11."""
    median = kaplan_meier(FREIREICH).median
    assert (median.time, median.lower, median.upper) == (23, 13, None)
    placebo = kaplan_meier(
        [(t, True) for t in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)]
    ).median
    assert (placebo.time, placebo.lower, placebo.upper) == (8, 4, 11)
    assert kaplan_meier([(5, False)]).median.time is None


def test_a_table_computed_by_hand() -> None:
    """Five stays end at 2 (two of them), 3 (censored), 5 and 5 (one censored): S = 3/5, 3/5, 3/10."""
    curve = kaplan_meier([(2, True), (2, True), (3, False), (5, True), (5, False)])
    assert [(p.time, p.at_risk, p.events, p.censored, p.survival) for p in curve.points] == [
        (2, 5, 2, 0, Decimal("0.6")),
        (3, 3, 0, 1, Decimal("0.6")),
        (5, 2, 1, 1, Decimal("0.3")),
    ]
    # Greenwood: .6^2 * 2/(5*3) = .048 ; .3^2 * (2/15 + 1/(2*1)) = .057
    assert [rounded(p.variance, "0.000001") for p in curve.points] == ["0.048000", "0.048000", "0.057000"]


def test_nobody_is_no_estimate() -> None:
    curve = kaplan_meier([])
    assert (curve.n, curve.events, curve.points) == (0, 0, ())
    assert [(m.at_risk, m.retention) for m in at_marks(curve, DAYS, (0, 6))] == [(0, None), (0, None)]


def test_when_nobody_leaves_retention_is_whole_as_long_as_somebody_is_watched() -> None:
    curve = kaplan_meier([(100, False), (200, False)])
    marks = at_marks(curve, DAYS, (0, 3, 6, 12))
    assert [(m.at_risk, m.events, m.censored, m.retention) for m in marks] == [
        (2, 0, 0, 1),
        (2, 0, 0, 1),
        (1, 0, 1, 1),
        (0, 0, 2, None),
    ]
    assert {(m.lower, m.upper) for m in marks} == {(None, None)}


def test_when_everybody_leaves_retention_is_nothing_ever_after() -> None:
    curve = kaplan_meier([(10, True), (20, True)])
    last = curve.points[-1]
    assert (last.survival, last.variance, last.lower, last.upper) == (0, None, None, None)
    assert at_marks(curve, DAYS, (36,))[0].retention == 0


times = st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60)


@given(observed=times)
def test_the_estimate_is_the_product_of_what_is_left(observed: list[tuple[int, bool]]) -> None:
    """The definition, in exact fractions: over event times, 1 - leaving / watched until then."""
    curve = kaplan_meier(observed)
    exact = Fraction(1)
    for point in curve.points:
        watched = sum(1 for time, _ in observed if time >= point.time)
        left = sum(1 for time, event in observed if time == point.time and event)
        exact *= 1 - Fraction(left, watched)
        assert point.at_risk == watched
        assert abs(Fraction(point.survival) - exact) < Fraction(1, 10**20)
        if point.lower is not None and point.upper is not None:
            assert 0 <= point.lower <= point.survival <= point.upper <= 1
    assert sum(p.events + p.censored for p in curve.points) == curve.n == len(observed)


@given(observed=times, seed=st.randoms())
def test_the_order_of_the_stays_does_not_matter(observed: list[tuple[int, bool]], seed: object) -> None:
    shuffled = list(observed)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert kaplan_meier(shuffled) == kaplan_meier(observed)


@given(n=st.integers(1, 40), events=st.integers(0, 40))
def test_without_censoring_greenwood_is_the_binomial_variance(n: int, events: int) -> None:
    gone = min(n, events)
    curve = kaplan_meier([(1 + k % 5, True) for k in range(gone)] + [(9, False)] * (n - gone))
    last = curve.points[-1]
    share = Fraction(n - gone, n)
    assert abs(Fraction(last.survival) - share) < Fraction(1, 10**20)
    if last.variance is not None:
        assert abs(Fraction(last.variance) - share * (1 - share) / n) < Fraction(1, 10**20)


@pytest.mark.parametrize(
    ("first", "months", "expected"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2026-01-31", 2, "2026-03-31"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2026-12-15", 1, "2027-01-15"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-05-05", 0, "2026-05-05"),
    ],
)
def test_a_calendar_month_later(first: str, months: int, expected: str) -> None:
    assert months_after(date.fromisoformat(first), months) == date.fromisoformat(expected)


@given(first=st.dates(date(1990, 1, 1), date(2090, 1, 1)), days=st.integers(0, 1500), months=st.integers(0, 48))
def test_time_by_the_calendar_grows_with_every_day_and_meets_its_marks(first: date, days: int, months: int) -> None:
    on = first + timedelta(days=days)
    assert CALENDAR.time(first, on) < CALENDAR.time(first, on + timedelta(days=1))
    assert CALENDAR.time(first, months_after(first, months)) == CALENDAR.mark(months)


def test_months_of_days_round_up_to_a_whole_day() -> None:
    assert [Scale(Decimal(d)).mark(6) for d in ("30", "30.4", "30.4375")] == [180, 183, 183]
    assert DAYS.months(365) == Decimal("11.9918")


def stay(
    days: int = 100,
    *,
    without: int = 0,
    came_back: bool = False,
    ended_after: int | None = None,
    reason: str | None = None,
) -> Stay:
    """A stay of so many dose days, seen so many whole days after the last."""
    last = BEGAN + timedelta(days=days - 1)
    ended_on = None if ended_after is None else BEGAN + timedelta(days=ended_after)
    return Stay(UUID(int=1), 1, BEGAN, last, came_back, ended_on, reason, last + timedelta(days=without + 1))


@pytest.mark.parametrize(
    ("given_stay", "days", "event", "ending"),
    [
        (stay(without=0), 100, False, IN_TREATMENT),
        (stay(without=30), 130, False, IN_TREATMENT),
        (stay(without=31), 100, True, "dropped_out"),
        (stay(without=400), 100, True, "dropped_out"),
        (stay(came_back=True), 100, True, "dropped_out"),
        (stay(without=5, ended_after=100, reason="transferred"), 100, False, "transferred"),
        (stay(without=90, ended_after=140, reason="imprisoned"), 100, False, "imprisoned"),
        (stay(without=90, ended_after=140, reason="ended_by_programme"), 100, True, "ended_by_programme"),
        (stay(without=5, ended_after=95, reason="died"), 95, False, "died"),
        (stay(1, without=5, ended_after=0, reason="dropped_out"), 1, True, "dropped_out"),
        (stay(without=5, ended_after=100, reason="something else"), 100, True, "something else"),
    ],
)
def test_when_and_how_a_stay_ends(given_stay: Stay, days: int, event: bool, ending: str) -> None:
    seen = observe(given_stay, gap_days=30, roles=DEFAULT_ROLES, scale=DAYS)
    assert (seen.days, seen.time, seen.event, seen.ending) == (days, days, event, ending)


@pytest.mark.parametrize("gap", [2, 5, 7, 14, 28, 30])
def test_a_client_dropped_out_once_more_days_than_the_rule_allows_are_over(gap: int) -> None:
    def seen(without: int) -> Observed:
        return observe(stay(without=without), gap_days=gap, roles=DEFAULT_ROLES, scale=DAYS)

    assert not seen(gap).event
    assert seen(gap + 1).event


def test_the_evaluator_can_change_what_an_exit_counts_as() -> None:
    roles = {**DEFAULT_ROLES, "transferred": Role.EVENT}
    seen = observe(stay(ended_after=100, reason="transferred"), gap_days=30, roles=roles, scale=DAYS)
    assert (seen.event, seen.role) == (True, Role.EVENT)
