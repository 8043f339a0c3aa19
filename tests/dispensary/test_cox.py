"""Cox regression: the textbooks' ratio, what is left out, and what allows no estimate. It needs the extra `cox`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from dispensary.evaluation.cox import cox
from dispensary.refusals import BadInput
from tests.dispensary.survived import by_groups
from tests.dispensary.test_evaluation_rules import FREIREICH
from tests.dispensary.test_incidence_rules import PLACEBO

pytest.importorskip("statsmodels", reason="the extra cox is not installed")

Stays = list[tuple[int, str | None]]


def remissions() -> tuple[Stays, list[tuple[str, ...]]]:
    arms = {"6-MP": FREIREICH, "placebo": PLACEBO}
    observed = [(time, "dropped_out" if event else None) for of in arms.values() for time, event in of]
    return observed, [(arm,) for arm, of in arms.items() for _ in of]


def test_the_published_ratio_of_the_remission_times() -> None:
    """As packages print it with Efron's ties: 1.5721 (error 0.4124), 4.817 times (2.147 to 10.81), score 16.35."""
    observed, arms = remissions()
    found = cox(by_groups(observed, arms, "arm"), least=5)
    reference, placebo = found.effects
    assert (reference.level, reference.n, reference.events, reference.ratio, reference.p) == ("6-MP", 21, 9, 1, None)
    assert (placebo.level, placebo.n, placebo.events) == ("placebo", 21, 21)
    assert [f"{value:.4f}" for value in (placebo.log_ratio, placebo.error)] == ["1.5721", "0.4124"]
    assert [f"{value:.2f}" for value in (placebo.ratio, placebo.lower, placebo.upper)] == ["4.82", "2.15", "10.81"]
    assert f"{placebo.p:.6f}" == "0.000138"
    assert (f"{found.chi_square:.2f}", found.degrees, found.n, found.events) == ("16.35", 1, 42, 30)


def test_two_people_are_left_out_with_those_who_would_give_them_back() -> None:
    observed, arms = remissions()
    found = cox(by_groups([*observed, (5, None), (7, "dropped_out")], [*arms, ("x",), ("x",)], "arm"), least=1)
    assert {each.level for each in found.effects} == {"6-MP", "placebo", "x"}
    with pytest.raises(BadInput, match="nothing to compare"):
        cox(by_groups([*observed, (5, None), (7, "dropped_out")], [*arms, ("x",), ("x",)], "arm"), least=5)


def test_a_group_that_nobody_left_is_named() -> None:
    observed: Stays = [(n, "dropped_out") for n in range(1, 9)] + [(20, None)] * 8
    with pytest.raises(BadInput, match="Nobody left of those whose arm is b"):
        cox(by_groups(observed, [("a",)] * 8 + [("b",)] * 8, "arm"), least=5)


def test_strata_that_say_the_same_twice_allow_no_estimate() -> None:
    observed: Stays = [(n, "dropped_out") for n in range(1, 21)]
    twice = [("a", "A") if n % 2 else ("b", "B") for n in range(20)]
    with pytest.raises(BadInput, match="say the same twice"):
        cox(by_groups(observed, twice, "one", "other"), least=5)


def test_a_ratio_that_would_grow_for_ever_is_no_estimate() -> None:
    """Each of the one group leaves before anybody of the other."""
    observed: Stays = [(n, "dropped_out") for n in range(1, 17)]
    with pytest.raises(BadInput, match="No hazard ratio can be estimated"):
        cox(by_groups(observed, [("a",)] * 8 + [("b",)] * 8, "arm"), least=5)


def test_strata_are_estimated_together_so_that_one_is_not_taken_for_another() -> None:
    """Men live far, and who lives far leaves sooner; of one place men and women leave alike."""
    observed: Stays = []
    groups: list[tuple[str, ...]] = []
    for place, sex, count in (("near", "f", 40), ("near", "m", 20), ("far", "f", 20), ("far", "m", 40)):
        pace = 3 if place == "far" else 1
        observed += [(3 + (n * 97 // count) // pace, "dropped_out") for n in range(count)]
        groups += [(place, sex)] * count
    alone = cox(by_groups(observed, [(sex,) for _, sex in groups], "sex"), least=5)
    together = {each.level: each for each in cox(by_groups(observed, groups, "place", "sex"), least=5).effects}
    assert alone.effects[1].level == "m"
    assert alone.effects[1].p is not None
    assert (alone.effects[1].ratio > Decimal("1.4"), alone.effects[1].p < Decimal("0.05")) == (True, True)
    assert abs(together["m"].log_ratio) < Decimal("0.1")
    assert together["near"].ratio < Decimal("0.4")
