"""Other people's programs on the same cohorts: lifelines, scikit-survival, and R with its survival package.

Cohorts are drawn at random, with many ties. Estimates, variances, limits and the log-rank test agree to 1e-9, Cox
regression to 1e-6. Each is skipped where its program is not installed: pip install '.[oracles]', and the packages
r-base-core and r-cran-survival of Debian. What always runs are the tables by hand in test_incidence_rules and
test_evaluation_rules.
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from dispensary.evaluation.cox import cox
from dispensary.evaluation.incidence_rules import aalen_johansen
from dispensary.evaluation.log_rank_rules import LogRank, log_rank
from dispensary.evaluation.rules import Curve, kaplan_meier
from tests.dispensary.survived import Ending, by_groups, drawn

CLOSE = 1e-9
COHORTS = [(1, 40, 12), (2, 300, 30), (3, 1500, 365), (4, 120, 5)]
"""Seed, people, and the longest time."""
CAUSES = ("died", "dropped_out", "ended_by_programme", "imprisoned")
EVENTS = ("dropped_out", "ended_by_programme")

cohorts = pytest.mark.parametrize(("seed", "n", "longest"), COHORTS)
Observed = list[tuple[int, Ending]]


def events_of(observed: Observed) -> list[tuple[int, bool]]:
    return [(time, ending in EVENTS) for time, ending in observed]


def our_test(observed: Observed, groups: list[tuple[str, str]]) -> LogRank:
    found = log_rank(
        {
            (arm,): [pair for pair, of in zip(events_of(observed), groups, strict=True) if of[0] == arm]
            for arm in sorted({arm for arm, _ in groups})
        }
    )
    assert found is not None
    return found


def near(one: object, other: float, within: float = CLOSE) -> bool:
    return abs(float(str(one)) - other) <= within


def steps(curve: Curve) -> Iterator[tuple[int, float, float | None, float | None]]:
    """Where the curve falls, and what its limits are there."""
    for point in curve.points:
        if point.events:
            limits = (None if limit is None else float(limit) for limit in (point.lower, point.upper))
            yield point.time, float(point.survival), *limits  # type: ignore[misc]


@cohorts
def test_lifelines(seed: int, n: int, longest: int) -> None:
    lifelines = pytest.importorskip("lifelines", reason="lifelines is not installed")
    statistics = pytest.importorskip("lifelines.statistics")
    observed, groups = drawn(seed, n=n, longest=longest)
    pairs = events_of(observed)
    fitted = lifelines.KaplanMeierFitter().fit([time for time, _ in pairs], [event for _, event in pairs])
    limits = fitted.confidence_interval_
    for time, survival, lower, upper in steps(kaplan_meier(pairs)):
        assert near(fitted.survival_function_.loc[time].iloc[0], survival)
        if lower is not None and upper is not None:
            assert near(limits.loc[time].iloc[0], lower, 1e-9)
            assert near(limits.loc[time].iloc[1], upper, 1e-9)
    test = statistics.multivariate_logrank_test(
        [time for time, _ in pairs], [arm for arm, _ in groups], [event for _, event in pairs]
    )
    ours = our_test(observed, groups)
    assert near(ours.chi_square, test.test_statistic, 1e-9 * max(1.0, test.test_statistic))
    assert near(ours.p, test.p_value)


@cohorts
def test_scikit_survival(seed: int, n: int, longest: int) -> None:
    nonparametric = pytest.importorskip("sksurv.nonparametric", reason="scikit-survival is not installed")
    import numpy as np

    compare = pytest.importorskip("sksurv.compare")
    util = pytest.importorskip("sksurv.util")
    observed, groups = drawn(seed, n=n, longest=longest)
    pairs = events_of(observed)
    event, time = np.array([e for _, e in pairs]), np.array([float(t) for t, _ in pairs])
    at, survival, limits = nonparametric.kaplan_meier_estimator(event, time, conf_type="log-log")
    found = {t: (s, low, high) for t, s, low, high in zip(at, survival, limits[0], limits[1], strict=True)}
    for t, ours, lower, upper in steps(kaplan_meier(pairs)):
        assert near(found[t][0], ours)
        if lower is not None and upper is not None:
            assert near(found[t][1], lower)
            assert near(found[t][2], upper)
    codes = np.array([CAUSES.index(ending) + 1 if ending else 0 for _, ending in observed])
    at, incidence = nonparametric.cumulative_incidence_competing_risks(codes, time)
    of = {t: k for k, t in enumerate(at)}
    for each in aalen_johansen(observed).of:
        for step in each.steps:
            assert near(step.incidence, incidence[CAUSES.index(each.cause) + 1][of[step.time]])
    arms = np.array([arm for arm, _ in groups])
    chi_square, p = compare.compare_survival(util.Surv.from_arrays(event, time), arms)
    ours_all = our_test(observed, groups)
    assert near(ours_all.chi_square, chi_square, 1e-9 * max(1.0, chi_square))
    assert near(ours_all.p, p)


R = """
suppressMessages(library(survival)); options(digits = 17)
d <- read.csv(file("stdin"), stringsAsFactors = FALSE)
say <- function(...) cat(..., sep = ",", fill = FALSE, labels = NULL, "\\n")
num <- function(x) format(x, digits = 17, scientific = TRUE)
km <- survfit(Surv(time, event) ~ 1, data = d, conf.type = "log-log")
for (i in seq_along(km$time)) say("km", km$time[i], num(km$surv[i]), num((km$surv[i] * km$std.err[i])^2),
    num(km$lower[i]), num(km$upper[i]), km$n.risk[i])
md <- quantile(km, 0.5); say("median", md$quantile, md$lower, md$upper)
aj <- survfit(Surv(time, factor(cause, levels = c("none", sort(setdiff(unique(cause), "none"))))) ~ 1, data = d)
for (k in 2:length(aj$states)) for (i in seq_along(aj$time)) say("aj", aj$states[k], aj$time[i], num(aj$pstate[i, k]),
    num(aj$std.err[i, k]^2))
lr <- survdiff(Surv(time, event) ~ arm, data = d)
say("lr", num(lr$chisq), length(lr$n) - 1, num(pchisq(lr$chisq, length(lr$n) - 1, lower.tail = FALSE)))
for (k in seq_along(lr$n)) say("exp", num(lr$obs[k]), num(lr$exp[k]))
for (name in c("arm", "sex")) d[[name]] <- relevel(factor(d[[name]]), names(which.max(table(d[[name]]))))
cx <- coxph(Surv(time, event) ~ arm + sex, data = d, ties = "efron", control = coxph.control(eps = 1e-14))
for (k in seq_along(cx$coefficients)) say("cox", names(cx$coefficients)[k], num(cx$coefficients[k]),
    num(sqrt(cx$var[k, k])))
say("fit", num(cx$loglik[2]), num(2 * (cx$loglik[2] - cx$loglik[1])))
"""


@cache
def _r_is_here() -> bool:
    found = shutil.which("Rscript")
    asked = [found or "", "-e", "library(survival)"]
    return found is not None and subprocess.run(asked, capture_output=True, check=False).returncode == 0


def by_r(observed: Observed, groups: list[tuple[str, str]], folder: Path) -> dict[str, list[list[str]]]:
    """What R says of the cohort, by kind of line."""
    if not _r_is_here():
        pytest.skip("R with its survival package is not installed")
    script = folder / "asked.R"
    script.write_text(R)
    table = io.StringIO()
    csv.writer(table).writerows(
        [
            ("time", "event", "cause", "arm", "sex"),
            *(
                (time, int(ending in EVENTS), ending or "none", arm, sex)
                for (time, ending), (arm, sex) in zip(observed, groups, strict=True)
            ),
        ]
    )
    asked = ["Rscript", str(script)]
    told = subprocess.run(asked, input=table.getvalue(), capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    found: dict[str, list[list[str]]] = {}
    for line in told.stdout.splitlines():
        kind, *values = [value.strip() for value in line.rstrip(",").split(",")]
        found.setdefault(kind, []).append(values)
    return found


@cohorts
def test_r_s_survival_package(seed: int, n: int, longest: int, tmp_path: Path) -> None:
    observed, groups = drawn(seed, n=n, longest=longest)
    found = by_r(observed, groups, tmp_path)
    curve = {point.time: point for point in kaplan_meier(events_of(observed)).points}
    assert len(found["km"]) == len(curve)
    for time, survival, variance, lower, upper, at_risk in found["km"]:
        point = curve[int(time)]
        assert (near(point.survival, float(survival)), point.at_risk) == (True, int(at_risk))
        if point.variance is not None:
            assert near(point.variance, float(variance))
        if point.lower is not None and point.upper is not None:
            assert near(point.lower, float(lower))
            assert near(point.upper, float(upper))
    median = kaplan_meier(events_of(observed)).median
    assert [["NA" if time is None else f"{time}" for time in (median.time, median.lower, median.upper)]] == found[
        "median"
    ]
    stepped = {(each.cause, step.time): step for each in aalen_johansen(observed).of for step in each.steps}
    told = {(cause, int(time)): (float(i), float(v)) for cause, time, i, v in found["aj"]}
    assert len(stepped) > len(CAUSES)
    for key, step in stepped.items():
        assert near(step.incidence, told[key][0])
        assert near(step.variance, told[key][1]), "R's infinitesimal jackknife is the delta method here"
    test = our_test(observed, groups)
    ((chi_square, degrees, p),) = found["lr"]
    assert near(test.chi_square, float(chi_square), 1e-9 * max(1.0, float(chi_square)))
    assert (test.degrees, near(test.p, float(p))) == (int(degrees), True)
    for each, (had, expected) in zip(test.groups, found["exp"], strict=True):
        assert (each.observed, near(each.expected, float(expected))) == (int(float(had)), True)


@cohorts
def test_r_s_cox_regression(seed: int, n: int, longest: int, tmp_path: Path) -> None:
    pytest.importorskip("statsmodels", reason="the extra cox is not installed")
    observed, groups = drawn(seed, n=n, longest=longest)
    found = by_r(observed, groups, tmp_path)
    model: Any = cox(by_groups(observed, groups, "arm", "sex"), least=5)
    ours = {f"{each.stratum}{each.level}": each for each in model.effects if each.error is not None}
    assert ours.keys() == {name for name, _, _ in found["cox"]}
    for name, at, error in found["cox"]:
        assert near(ours[name].log_ratio, float(at), 1e-6)
        assert near(ours[name].error, float(error), 1e-6)
    ((log_likelihood, chi_square),) = found["fit"]
    assert near(model.log_likelihood, float(log_likelihood), 1e-6)
    assert near(model.chi_square, float(chi_square), 2e-6)
