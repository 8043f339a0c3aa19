"""Limits round the share of all sites: those of the binomial distribution, against arithmetic that is exact."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.reporting.drawing import Mark, Words
from dispensary.reporting.funnel import TAILS, Site, funnel, limits, placed


def exact_lower(people: int, share: Fraction, chance: Fraction) -> Fraction:
    """The same by fractions: no logarithm, no rounding, each chance summed for itself."""

    def at_most(r: int) -> Fraction:
        return sum((comb(people, k) * share**k * (1 - share) ** (people - k) for k in range(r + 1)), start=Fraction(0))

    r = next(r for r in range(people + 1) if at_most(r) > chance)
    of_r = comb(people, r) * share**r * (1 - share) ** (people - r)
    return min(Fraction(1), max(Fraction(0), (r - (at_most(r) - chance) / of_r) / people))


@given(
    people=st.integers(1, 120),
    share=st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=200),
    tail=st.sampled_from([Fraction(1, 40), Fraction(1, 1000)]),
)
def test_they_are_what_exact_arithmetic_says(people: int, share: Fraction, tail: Fraction) -> None:
    low, high = limits(people, float(share), float(tail))
    assert low == pytest.approx(float(exact_lower(people, share, tail)), abs=1e-9)
    assert high == pytest.approx(1 - float(exact_lower(people, 1 - share, tail)), abs=1e-9)


def test_a_lot_of_people_need_no_more_than_the_logarithms() -> None:
    low, high = limits(50_000, 0.7, 0.025)
    spread = 1.959964 * (0.7 * 0.3 / 50_000) ** 0.5
    assert low == pytest.approx(0.7 - spread, abs=2e-5)
    assert high == pytest.approx(0.7 + spread, abs=2e-5)


@pytest.mark.parametrize("share", [Fraction(1, 2), Fraction(7, 10), Fraction(1, 20)])
def test_neither_line_is_crossed_more_often_than_it_says(share: Fraction) -> None:
    for name, tail in TAILS.items():
        low, high = limits(40, float(share), tail)
        chances = [comb(40, k) * share**k * (1 - share) ** (40 - k) for k in range(41)]
        assert sum(each for k, each in enumerate(chances) if k / 40 < low) <= tail, name
        assert sum(each for k, each in enumerate(chances) if k / 40 > high) <= tail, name


def test_sites_stand_by_size_and_a_point_outside_is_told_apart_without_colour() -> None:
    sites = [Site("A", 30, 80), Site("B", 7, 10), Site("C", 140, 200)]
    found = placed(sites, 0.68)
    assert [each.site.code for each in found] == ["B", "A", "C"]
    assert [each.outside for each in found] == ["", "99.8", ""]
    words = {"people": "people", "overall": "all", "95": "95 %", "99.8": "99.8 %"}
    drawing = funnel("By site", found, 0.68, says="", words=words, foot=[])
    marks = [shape for shape in drawing.shapes if isinstance(shape, Mark)]
    assert [(mark.filled, mark.form.value) for mark in marks] == [
        (False, "circle"),
        (True, "diamond"),
        (False, "circle"),
    ]
    assert {"A", "B", "C", "95 %", "99.8 %"} <= {shape.text for shape in drawing.shapes if isinstance(shape, Words)}
