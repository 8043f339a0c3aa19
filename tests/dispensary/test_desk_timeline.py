from __future__ import annotations

import itertools
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.desks.evidence import MOST_DAYS, evidence
from dispensary.desks.timeline import (
    DAYS_WIDE,
    LEFT,
    PERIODS,
    WIDTH,
    Allowed,
    Became,
    Happening,
    Known,
    Lane,
    Timeline,
    became,
    timeline,
)

TODAY = date(2026, 11, 24)
FIRST = TODAY - timedelta(days=PERIODS[3] - 1)
EDGE = LEFT + DAYS_WIDE


def back(days: int) -> date:
    """So many days before today."""
    return TODAY - timedelta(days=days)


def chart(
    states: dict[date, Became] | None = None,
    ordered: dict[date, Decimal] | None = None,
    *,
    given: dict[date, Decimal] | None = None,
    allowed: tuple[Allowed, ...] = (),
    happened: tuple[Happening, ...] = (),
    months: int = 3,
) -> Timeline:
    known = Known(states or {}, ordered or {}, given or {}, allowed, happened)
    return timeline(known, today=TODAY, months=months)


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
    @pytest.mark.parametrize("months", list(PERIODS))
    @given(data=st.data())
    def test_every_day_is_drawn_once_in_its_place_and_nothing_leaves_the_frame(
        self, data: st.DataObject, months: int
    ) -> None:
        many = PERIODS[months]
        days = [back(n) for n in range(many - 1, -1, -1)]
        states = data.draw(st.lists(st.sampled_from(list(Became)), min_size=many, max_size=many))
        mg = st.sampled_from([None, *(Decimal(n) for n in (20, 40, 60, 100))])
        doses = data.draw(st.lists(mg, min_size=many, max_size=many))
        drawn = chart(
            dict(zip(days, states, strict=True)),
            {day: mg for day, mg in zip(days, doses, strict=True) if mg is not None},
            months=months,
        )

        assert (drawn.first, drawn.last) == (days[0], TODAY)
        wide = DAYS_WIDE / many
        placed = {mark.day: mark for lane in drawn.attendance for mark in lane.marks}
        for lane in drawn.attendance:
            assert drawn.band_y < lane.y < drawn.height
            for bar in lane.bars:
                assert (bar.x, bar.width) == pytest.approx(
                    (LEFT + (bar.first - days[0]).days * wide, ((bar.last - bar.first).days + 1) * wide), abs=0.02
                )
                placed.update({bar.first + timedelta(days=n): bar for n in range((bar.last - bar.first).days + 1)})  # type: ignore[misc]
        for day, state in zip(days, states, strict=True):
            if state is not Became.NO_ORDER:
                assert placed[day].became is state
        assert all(LEFT <= mark.x <= EDGE for lane in drawn.attendance for mark in lane.marks)
        assert sum(drawn.counts.values()) == many
        assert sum(stretch.days for stretch in drawn.stretches) == many
        assert all(0 < step.y <= 64 and LEFT <= step.x1 < step.x2 <= EDGE + 0.01 for step in drawn.steps)
        length = sum(step.x2 - step.x1 for step in drawn.steps)
        assert length == pytest.approx(wide * sum(mg is not None for mg in doses), abs=0.02 * many)
        assert all(0 < tick.x < EDGE for tick in drawn.ticks)

    def test_a_higher_dose_is_drawn_higher_and_joined_to_the_lower_one(self) -> None:
        doses = {back(n): Decimal(40 if n >= 30 else 80) for n in range(91)}

        low, high = chart(ordered=doses).steps

        assert (low.mg, high.mg) == (Decimal(40), Decimal(80))
        assert high.y < low.y
        assert (low.riser, high.riser) == (None, low.y)

    def test_doses_with_days_between_them_are_not_joined(self) -> None:
        doses = {back(n): Decimal(40) for n in range(91) if n not in (30, 31)}

        assert [step.riser for step in chart(ordered=doses).steps] == [None, None]

    def test_figures_that_would_lie_on_each_other_are_left_out_but_for_the_first(self) -> None:
        drawn = chart(ordered={FIRST + timedelta(days=n): Decimal(40 + n) for n in range(91)})

        written = [step.figure_at for step in drawn.steps if step.figure_at is not None]
        assert written[0] == drawn.steps[0].x1
        assert all(b - a >= 56 for a, b in itertools.pairwise(written))

    def test_the_figure_of_a_dose_that_began_today_is_written_within_the_frame(self) -> None:
        (step,) = chart(ordered={TODAY: Decimal(30)}).steps

        assert step.figure_at is not None
        assert step.figure_at + 56 <= EDGE

    def test_what_was_given_above_the_order_is_drawn_above_its_line_within_the_frame(self) -> None:
        drawn = chart(ordered={back(n): Decimal(40) for n in range(91)}, given={back(3): Decimal(400)})

        (given,) = drawn.given
        assert (given.mg, given.ordered) == (Decimal(400), Decimal(40))
        assert 0 < given.y < drawn.steps[0].y

    def test_a_lane_without_anything_in_it_is_left_out(self) -> None:
        drawn = chart({back(n): Became.OBSERVED for n in range(91)})

        assert [lane.became for lane in drawn.attendance] == [Became.OBSERVED]
        assert (drawn.events, drawn.bands, drawn.given) == ((), (), ())

    def test_no_two_lanes_lie_on_each_other(self) -> None:
        states = {back(n): list(Became)[n % 5] for n in range(91)}
        happened = tuple(Happening(lane, "x", back(5), back(5)) for lane in Lane)

        drawn = chart(states, happened=happened, allowed=(Allowed(back(50), None, "grant", 6, 6),))

        heights = [drawn.band_y, *(lane.y for lane in drawn.attendance), *(lane.y for lane in drawn.events)]
        assert len(heights) == 1 + 5 + len(Lane)
        assert all(b - a >= 14 for a, b in itertools.pairwise(heights))
        assert drawn.height > heights[-1] + 8

    @pytest.mark.parametrize(
        ("first", "last", "x", "width"),
        [
            (back(90), TODAY, LEFT, DAYS_WIDE),
            (back(400), None, LEFT, DAYS_WIDE),
            (back(9), back(0), EDGE - 120, 120),
            (back(9), TODAY + timedelta(days=40), EDGE - 120, 120),
        ],
    )
    def test_a_decision_is_drawn_as_far_as_it_reaches_into_these_days(
        self, first: date, last: date | None, x: float, width: float
    ) -> None:
        (band,) = chart(allowed=(Allowed(first, last, "grant", 6, 6),)).bands

        assert (band.x, band.width) == pytest.approx((x, width))

    def test_what_was_over_before_these_days_is_neither_drawn_nor_told(self) -> None:
        over = Happening(Lane.HOLD, "held", back(200), back(91))
        lasting = Happening(Lane.HOLD, "held", back(200), back(90))

        drawn = chart(happened=(over, lasting), allowed=(Allowed(back(200), back(91), "grant", 6, 6),))

        assert drawn.happened == (lasting,)
        assert drawn.bands == ()

    def test_what_took_one_day_is_a_mark_and_what_lasted_is_a_bar(self) -> None:
        mark = Happening(Lane.MISHAP, "vomited", back(3), back(3))
        bar = Happening(Lane.MISHAP, "vomited", back(9), back(5))
        open_still = Happening(Lane.ALERT, "urgent", back(2), None)

        drawn = chart(happened=(mark, bar, open_still))

        widths = {piece.happening: piece.width for lane in drawn.events for piece in lane.pieces}
        assert widths == {mark: 0, bar: pytest.approx(60), open_still: pytest.approx(36)}

    def test_the_tables_have_the_newest_first(self) -> None:
        states = {back(n): Became.OBSERVED for n in range(91)}
        states[back(80)] = Became.MISSED
        happened = tuple(Happening(Lane.ORDER, "ordered", back(n), back(n)) for n in (50, 3, 20))

        drawn = chart(states, happened=happened)

        rows = [(row.first, row.days, row.became) for row in drawn.stretches]
        assert rows == [
            (back(79), 80, Became.OBSERVED),
            (back(80), 1, Became.MISSED),
            (FIRST, 10, Became.OBSERVED),
        ]
        assert [one.first for one in drawn.happened] == [back(3), back(20), back(50)]

    def test_its_names_have_room_beside_the_days(self) -> None:
        assert WIDTH - EDGE >= 100


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
