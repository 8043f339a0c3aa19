from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.desks.evidence import MOST_DAYS, evidence
from dispensary.desks.strip import CELL, DAYS, Became, became, strip

FIRST = date(2026, 8, 27)


class TestWhatBecameOfADay:
    @pytest.mark.parametrize(
        ("outcomes", "given_doses", "portions", "ordered", "passed", "expected"),
        [
            (["observed"], ["observed"], 1, True, True, Became.OBSERVED),
            (["take_home"], ["take_home"], 1, True, True, Became.TAKE_HOME),
            (["observed", "take_home"], ["observed", "take_home"], 2, True, True, Became.OBSERVED),
            (["missed"], [], 1, True, True, Became.MISSED),
            (["observed", "missed"], ["observed"], 2, True, True, Became.PARTLY),
            (["missed", "missed"], [], 2, True, True, Became.MISSED),
            (["held"], [], 1, True, True, Became.HELD),
            (["observed", "held"], ["observed"], 2, True, True, Became.OBSERVED),
            ([], ["observed"], 1, True, False, Became.OBSERVED),
            ([], ["take_home"], 1, True, False, Became.TAKE_HOME),
            ([], ["observed"], 2, True, False, Became.OBSERVED),
            ([], ["observed"], 2, True, True, Became.PARTLY),
            ([], [], 1, True, False, Became.OPEN),
            ([], [], 1, True, True, Became.OPEN),
            ([], [], 1, False, True, Became.NO_ORDER),
        ],
    )
    def test_it_is_read_from_what_was_frozen_and_before_that_from_what_was_given(
        self,
        outcomes: list[str],
        given_doses: list[str],
        portions: int,
        ordered: bool,
        passed: bool,
        expected: Became,
    ) -> None:
        assert became(outcomes, given_doses, portions, ordered=ordered, passed=passed) is expected

    def test_a_day_that_was_frozen_as_missed_stays_missed_whatever_was_given_later(self) -> None:
        assert became(["missed"], ["observed"], 1, ordered=True, passed=True) is Became.MISSED


class TestTheDrawing:
    @given(
        states=st.lists(st.sampled_from(list(Became)), min_size=DAYS, max_size=DAYS),
        doses=st.lists(
            st.one_of(st.none(), st.decimals(min_value="1", max_value="300", places=2)), min_size=DAYS, max_size=DAYS
        ),
    )
    def test_every_day_has_its_own_place_and_nothing_leaves_the_frame(
        self, states: list[Became], doses: list[Decimal | None]
    ) -> None:
        days = [FIRST + timedelta(days=n) for n in range(DAYS)]
        drawn = strip(
            FIRST,
            dict(zip(days, states, strict=True)),
            {day: mg for day, mg in zip(days, doses, strict=True) if mg is not None},
        )

        assert [mark.day for mark in drawn.marks] == days
        places = [mark.x for mark in drawn.marks]
        assert all(later - earlier == CELL for earlier, later in itertools.pairwise(places))
        assert places[0] > 0
        assert places[-1] < drawn.width
        assert sum(drawn.counts.values()) == DAYS
        assert sum(stretch.days for stretch in drawn.stretches) == DAYS
        assert all(0 < step.y <= 54 and 0 < step.x1 < step.x2 < drawn.width for step in drawn.steps)
        assert sum(step.x2 - step.x1 for step in drawn.steps) == CELL * sum(mg is not None for mg in doses)

    def test_a_higher_dose_is_drawn_higher(self) -> None:
        days = [FIRST + timedelta(days=n) for n in range(DAYS)]
        drawn = strip(FIRST, {}, {day: Decimal(40 if n < 30 else 80) for n, day in enumerate(days)})

        low, high = drawn.steps
        assert (low.mg, high.mg) == (Decimal(40), Decimal(80))
        assert high.y < low.y

    def test_figures_that_would_lie_on_each_other_are_left_out_but_for_the_first(self) -> None:
        days = [FIRST + timedelta(days=n) for n in range(DAYS)]
        drawn = strip(FIRST, {}, {day: Decimal(40 + n) for n, day in enumerate(days)})

        written = [step.figure_at for step in drawn.steps if step.figure_at is not None]
        assert written[0] == drawn.steps[0].x1
        assert all(b - a >= 52 for a, b in itertools.pairwise(written))

    def test_the_figure_of_a_dose_that_began_today_is_written_within_the_frame(self) -> None:
        today = FIRST + timedelta(days=DAYS - 1)

        (step,) = strip(FIRST, {}, {today: Decimal(30)}).steps

        assert step.figure_at is not None
        assert step.figure_at + 52 <= step.x2

    def test_the_table_has_a_row_for_each_stretch_the_newest_first(self) -> None:
        became_of = {FIRST + timedelta(days=n): Became.OBSERVED for n in range(DAYS)}
        became_of[FIRST + timedelta(days=10)] = Became.MISSED

        rows = [(row.first, row.days, row.became) for row in strip(FIRST, became_of, {}).stretches]

        assert rows == [
            (FIRST + timedelta(days=11), DAYS - 11, Became.OBSERVED),
            (FIRST + timedelta(days=10), 1, Became.MISSED),
            (FIRST, 10, Became.OBSERVED),
        ]


class TestEvidence:
    def test_it_is_named_in_words_and_days_are_written_as_days(self) -> None:
        found = {
            "adherence_percent": "96.4",
            "adherence_percent_needed": "95",
            "missed_days": ["2026-11-02", "2026-11-03"],
            "lockbox": None,
            "judged": False,
            "open_alerts": [["ecg", "warning", "2026-11-20"]],
        }

        assert list(evidence(found)) == [
            ("Per cent of days with a dose", "96.4"),
            ("Per cent of days with a dose, needed", "95"),
            ("Days missed", "2 Nov 2026, 3 Nov 2026"),
            ("Lockbox", "not known"),
            ("A practitioner answered", "no"),
            ("Open alerts", "ecg warning 20 Nov 2026"),
        ]

    def test_a_long_list_of_days_says_how_many_more_there_are(self) -> None:
        days = [(FIRST + timedelta(days=n)).isoformat() for n in range(MOST_DAYS + 3)]

        (_, said), *_ = evidence({"missed_days": days})

        assert said.endswith("+ 3")
        assert said.count(",") == MOST_DAYS - 1

    def test_no_day_is_said_as_none(self) -> None:
        assert list(evidence({"missed_days": []})) == [("Days missed", "none")]
