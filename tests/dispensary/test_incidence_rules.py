"""Competing exits and the log-rank test by hand: small cohorts in exact fractions, and what must hold of any cohort."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.evaluation.incidence_rules import Incidences, aalen_johansen
from dispensary.evaluation.log_rank_rules import MOST_GROUPS, log_rank, upper_tail
from dispensary.evaluation.rules import Scale, kaplan_meier
from tests.dispensary.test_evaluation_rules import FREIREICH

DAYS = Scale(Decimal(30))
CLOSE = Fraction(1, 10**26)


def exact(value: Decimal | None) -> Fraction:
    assert value is not None
    return Fraction(value)


def close(value: Decimal | None, fraction: str | Fraction) -> bool:
    return abs(exact(value) - Fraction(fraction)) < CLOSE


# Ten stays: two drop out and one dies on day 5, one is censored there; on day 8 one dies; on day 12 one drops out and
# one is censored; on day 20 one is imprisoned and one drops out; the last is going on at day 30.
TEN: list[tuple[int, str | None]] = [
    (5, "dropped_out"), (5, "dropped_out"), (5, "died"), (5, None), (8, "died"),
    (12, "dropped_out"), (12, None), (20, "imprisoned"), (20, "dropped_out"), (30, None),
]  # fmt: skip
# All-cause survival: 7/10 ; *5/6 = 7/12 ; *4/5 = 7/15 ; *1/3 = 7/45.
BY_HAND = {
    "died": [(5, 10, 1, "1/10"), (8, 6, 1, "13/60")],
    "dropped_out": [(5, 10, 2, "1/5"), (12, 5, 1, "19/60"), (20, 3, 1, "17/36")],
    "imprisoned": [(20, 3, 1, "7/45")],
}


def test_a_table_of_three_causes_computed_by_hand() -> None:
    found = {each.cause: each for each in aalen_johansen(TEN).of}
    assert found.keys() == BY_HAND.keys()
    for cause, steps in BY_HAND.items():
        assert [(step.time, step.at_risk, step.exits) for step in found[cause].steps] == [row[:3] for row in steps]
        assert all(close(step.incidence, row[3]) for step, row in zip(found[cause].steps, steps, strict=True))
    left = sum(exact(each.steps[-1].incidence) for each in found.values())
    assert abs(left + Fraction(7, 45) - 1) < CLOSE, "all causes and who is still in treatment make one"


def test_one_less_kaplan_meier_says_too_much_of_a_cause() -> None:
    """It takes the dead and the imprisoned for people who could still drop out: 1 - 4/5 * 4/5 * 2/3 = 43/75."""
    curve = kaplan_meier((time, cause == "dropped_out") for time, cause in TEN)
    assert abs(1 - exact(curve.points[-1].survival) - Fraction(43, 75)) < CLOSE
    assert Fraction(43, 75) > Fraction(17, 36)


def variance_in_fractions(observed: list[tuple[int, str | None]], cause: str) -> list[Fraction]:
    """The delta method as Dinse and Larson have it, term by term and without rounding, at each exit for the cause."""
    survival, incidence = Fraction(1), Fraction(0)
    terms: list[tuple[Fraction, Fraction | None, Fraction, Fraction]] = []
    found = []
    for time in sorted({time for time, _ in observed}):
        n = sum(1 for t, _ in observed if t >= time)
        d = sum(1 for t, c in observed if t == time and c is not None)
        k = sum(1 for t, c in observed if t == time and c == cause)
        incidence += survival * k / n
        all_causes = Fraction(d, n * (n - d)) if d < n else None
        terms.append((incidence, all_causes, survival**2 * Fraction(k * (n - k), n**3), survival * Fraction(k, n**2)))
        survival *= 1 - Fraction(d, n)
        if k:
            found.append(
                sum(
                    ((incidence - i) ** 2 * a if a is not None else Fraction(0)) + b - 2 * (incidence - i) * c
                    for i, a, b, c in terms
                )
            )
    return found


cohorts = st.lists(st.tuples(st.integers(0, 12), st.sampled_from([None, "a", "b", "c"])), max_size=40)


@given(observed=cohorts)
def test_estimate_and_variance_are_the_definition_in_fractions(observed: list[tuple[int, str | None]]) -> None:
    curve = kaplan_meier((time, cause is not None) for time, cause in observed)
    estimates = aalen_johansen(observed)
    at_end = Fraction(0)
    for each in estimates.of:
        right = variance_in_fractions(observed, each.cause)
        for step, variance in zip(each.steps, right, strict=True):
            assert abs(exact(step.variance) - variance) < CLOSE
            if step.lower is not None and step.upper is not None:
                assert 0 <= step.lower <= step.incidence <= step.upper <= 1
        at_end += exact(each.steps[-1].incidence)
    still = exact(curve.points[-1].survival) if curve.points else Fraction(1)
    assert abs(at_end + still - 1) < CLOSE


@given(observed=cohorts)
def test_causes_together_add_up_and_a_single_one_is_what_kaplan_and_meier_say(
    observed: list[tuple[int, str | None]],
) -> None:
    found = {each.cause: each for each in aalen_johansen(observed, together={"any": ("a", "b", "c")}).of}
    if "any" not in found:
        return
    curve = {point.time: point for point in kaplan_meier((t, c is not None) for t, c in observed).points}
    for step in found["any"].steps:
        assert abs(exact(step.incidence) + exact(curve[step.time].survival) - 1) < CLOSE
        if curve[step.time].variance is not None:
            assert abs(exact(step.variance) - exact(curve[step.time].variance)) < CLOSE, "Greenwood's"
    assert found["any"].exits == sum(found[cause].exits for cause in found if cause != "any")


@given(n=st.integers(2, 30), a=st.integers(0, 30), b=st.integers(0, 30))
def test_without_censoring_the_variance_is_the_binomial(n: int, a: int, b: int) -> None:
    a = min(a, n)
    b = min(b, n - a)
    observed = [(k % 4, "a") for k in range(a)] + [(k % 5, "b") for k in range(b)] + [(9, None)] * (n - a - b)
    for each in aalen_johansen(observed).of:
        share = Fraction(a if each.cause == "a" else b, n)
        assert abs(exact(each.steps[-1].incidence) - share) < CLOSE
        assert abs(exact(each.steps[-1].variance) - share * (1 - share) / n) < CLOSE


def test_the_table_at_marks_ends_where_nobody_is_observed() -> None:
    found = aalen_johansen([(10, "a"), (40, None), (70, "b"), (100, None)])
    marks = {(mark.cause, mark.months): mark for mark in found.at_marks(DAYS, (0, 1, 2, 3, 6))}
    assert [(m, marks["a", m].at_risk, marks["a", m].exits) for m in (0, 1, 2, 3, 6)] == [
        (0, 4, 0), (1, 3, 1), (2, 2, 1), (3, 1, 1), (6, 0, 1),
    ]  # fmt: skip
    assert [str(marks["a", m].incidence) for m in (0, 1, 3, 6)] == ["0", "0.25", "0.25", "None"]
    assert close(marks["b", 3].incidence, "3/8")
    everybody = aalen_johansen([(10, "a"), (20, "b")]).at_marks(DAYS, (6,))
    assert [(mark.cause, mark.incidence) for mark in everybody] == [("a", Decimal(".5")), ("b", Decimal(".5"))]


def test_nobody_is_no_estimate() -> None:
    assert aalen_johansen([]) == Incidences((), (), (), all_left=False)


# Freireich's children on placebo, in weeks; on 6-mercaptopurine they are in test_evaluation_rules.
PLACEBO = [(t, True) for t in (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)]


def test_the_published_log_rank_test_of_the_remission_times() -> None:
    """As textbooks and packages print it: chi-square 16.79, 19.25 and 10.75 expected of 9 and 21."""
    found = log_rank({("6-MP",): FREIREICH, ("placebo",): PLACEBO})
    assert found is not None
    assert [(each.n, each.observed, round(each.expected, 2)) for each in found.groups] == [
        (21, 9, Decimal("19.25")),
        (21, 21, Decimal("10.75")),
    ]
    assert (round(found.chi_square, 2), found.degrees) == (Decimal("16.79"), 1)
    assert f"{found.p:.7f}" == "0.0000417"


def test_a_log_rank_test_computed_by_hand() -> None:
    """A leaves at 1 and 3, B at 2 and is seen to 3. Expected of A: 2/4 + 1/3 + 1/2; variance 1/4 + 2/9 + 1/4."""
    found = log_rank({("A",): [(1, True), (3, True)], ("B",): [(2, True), (3, False)]})
    assert found is not None
    assert abs(exact(found.groups[0].expected) - Fraction(4, 3)) < Fraction(1, 10**11)
    assert abs(exact(found.chi_square) - Fraction(2, 3) ** 2 / Fraction(13, 18)) < Fraction(1, 10**11)


groups = st.dictionaries(
    st.sampled_from([("a",), ("b",), ("c",), ("d",)]),
    st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=20),
    min_size=2,
)


def in_fractions(groups: dict[tuple[str, ...], list[tuple[int, bool]]]) -> tuple[Fraction, int] | None:
    """The test without rounding, the first group left out, by Gauss's elimination in fractions."""
    names = list(groups)
    expected = dict.fromkeys(names, Fraction(0))
    variance = {(g, h): Fraction(0) for g in names for h in names}
    for time in sorted({t for of in groups.values() for t, event in of if event}):
        at_risk = {g: sum(1 for t, _ in groups[g] if t >= time) for g in names}
        n = sum(at_risk.values())
        d = sum(1 for of in groups.values() for t, event in of if event and t == time)
        for g in names:
            expected[g] += Fraction(d * at_risk[g], n)
            for h in names:
                if n > 1:
                    share = Fraction(at_risk[g], n) * ((g == h) - Fraction(at_risk[h], n))
                    variance[g, h] += d * share * Fraction(n - d, n - 1)
    compared = [g for g in names if expected[g]]
    if len(compared) < 2:
        return None
    rows = [
        [*(variance[g, h] for h in compared[1:]), sum(event for _, event in groups[g]) - expected[g]]
        for g in compared[1:]
    ]
    chi_square = Fraction(0)
    for k, row in enumerate(rows):
        if row[k]:
            chi_square += row[-1] ** 2 / row[k]
            for other in rows[k + 1 :]:
                factor = other[k] / row[k]
                other[:] = [value - factor * own for value, own in zip(other, row, strict=True)]
    return chi_square, len(compared) - 1


@given(groups=groups)
def test_the_test_is_the_definition_in_fractions(groups: dict[tuple[str, ...], list[tuple[int, bool]]]) -> None:
    found, right = log_rank(groups), in_fractions(groups)
    assert (found is None) == (right is None)
    if found is not None and right is not None:
        assert abs(exact(found.chi_square) - right[0]) < Fraction(1, 10**11)
        assert found.degrees == right[1]
        assert sum(each.observed for each in found.groups) == sum(e for of in groups.values() for _, e in of)
        assert 0 <= found.p <= 1


@given(groups=groups, seed=st.randoms())
def test_which_group_is_named_first_does_not_matter(
    groups: dict[tuple[str, ...], list[tuple[int, bool]]], seed: object
) -> None:
    names = list(groups)
    seed.shuffle(names)  # type: ignore[attr-defined]
    one, other = log_rank(groups), log_rank({name: groups[name] for name in names})
    assert (one and (one.chi_square, one.p)) == (other and (other.chi_square, other.p))


def test_where_there_is_nothing_to_compare_there_is_no_test() -> None:
    assert log_rank({}) is None
    assert log_rank({("a",): [(1, True)]}) is None
    assert log_rank({("a",): [(1, True)], ("b",): []}) is None
    assert log_rank({("a",): [(1, False)], ("b",): [(1, False)]}) is None
    assert log_rank({(f"{n}",): [(1, True), (2, False)] for n in range(MOST_GROUPS + 1)}) is None


# Points of the chi-square distribution as tables print them, and the tail where a table has none any more.
@pytest.mark.parametrize(
    ("chi_square", "degrees", "p"),
    [
        ("3.841458820694124", 1, "0.05"),
        ("6.634896601021214", 1, "0.01"),
        ("10.827566170662733", 1, "0.001"),
        ("5.991464547107979", 2, "0.05"),
        ("7.814727903251179", 3, "0.05"),
        ("16.918977604620448", 9, "0.05"),
        ("43.77297182574219", 30, "0.05"),
        ("0.0039321400000195", 1, "0.95"),
        ("0", 4, "1"),
    ],
)
def test_points_of_the_chi_square_distribution(chi_square: str, degrees: int, p: str) -> None:
    assert abs(upper_tail(Decimal(chi_square), degrees) - Decimal(p)) < Decimal("1e-12")


@given(half=st.fractions(1, 60, max_denominator=100), degrees=st.integers(1, 20))
def test_two_more_degrees_add_one_term_and_the_tail_falls_with_more(half: Fraction, degrees: int) -> None:
    """Also across 80, where the sum for the error function gives way to a continued fraction."""
    x = Decimal(half.numerator) / Decimal(half.denominator)
    here, farther = upper_tail(2 * x, degrees), upper_tail(2 * x + Decimal("0.001"), degrees)
    assert 0 < farther < here < upper_tail(2 * x, degrees + 2) <= 1


def test_both_ways_to_the_error_function_meet() -> None:
    below, above = upper_tail(Decimal("79.99999999999999999999"), 1), upper_tail(Decimal(80), 1)
    assert abs(below / above - 1) < Decimal("1e-18")
