"""Cox regression: how much faster one group leaves than another, all strata taken together.

The fit is of statsmodels, which comes with the extra `cox` and is loaded when it is asked for. Ties are Efron's (1977).
It is floating-point arithmetic: figures are good to six places, and the same on one machine and version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

from dispensary.evaluation.cohorts import Seen, Split, hidden_levels
from dispensary.evaluation.log_rank_rules import Levels, upper_tail
from dispensary.evaluation.rules import Z95
from dispensary.refusals import BadInput, Refusal, Refused

_PLACES = Decimal("0.000001")
_CONVERGED = 1e-9
"""A search that moves less has ended."""
_ROUNDING = 1e-12
_MOST_STEPS = 50
_BEYOND = 10.0
"""A log hazard ratio or its error above this is no estimate: it would go on growing."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A value of a stratum against the one that most stays have."""

    stratum: str
    level: str
    n: int
    events: int
    log_ratio: Decimal
    """0 for the one that the others are compared with."""
    error: Decimal | None
    ratio: Decimal
    lower: Decimal | None
    upper: Decimal | None
    p: Decimal | None
    """Wald's test of one hazard for both; nothing for the one that the others are compared with."""


@dataclass(frozen=True)
class Model:
    """A fitted model of first stays."""

    effects: tuple[Effect, ...]
    n: int
    events: int
    left_out: int
    """Stays with a value of too few people, or with one that would give it back."""
    log_likelihood: Decimal
    chi_square: Decimal
    """Of the likelihood ratio against a model in which all leave at one rate."""
    degrees: int
    p: Decimal


def cox(split: Split, *, least: int) -> Model:
    """Fits the hazard of an event over first stays to the strata, each by its main effect.

    Raises Refused where statsmodels is not installed, and BadInput where the stays allow no estimate.
    """
    if find_spec("statsmodels") is None:
        raise Refused(
            Refusal(
                "no-cox",
                "Cox regression needs statsmodels, which is not installed here.",
                "Install it beside the program: pip install 'takehome[cox]'.",
            )
        )
    hidden = hidden_levels(split, least=least)
    stays = [(group.levels, pair) for group in split.groups for pair in group.first.observed]
    taken = [
        (levels, pair)
        for levels, pair in stays
        if not any((key, level) in hidden for key, level in zip(split.by, levels, strict=True))
    ]
    columns = _columns(split.by, taken)
    return _fitted(split.by, taken, columns, left_out=len(stays) - len(taken))


_Stays = Sequence[tuple[Levels, Seen]]


def _columns(by: Sequence[str], stays: _Stays) -> list[tuple[int, str]]:
    """Which stratum and value each coefficient is of: all but the commonest value of each. Raises BadInput."""
    columns, faults = [], []
    for n, key in enumerate(by):
        sizes = _sizes(n, stays)
        reference = _reference(sizes)
        columns += [(n, level) for level in sizes if level != reference]
        faults += [
            Refusal(
                "no-events",
                f"Nobody left of those whose {key} is {level}: no hazard ratio can be estimated of them.",
                "Leave the stratum out, or choose a longer period.",
                field="by",
            )
            for level, (_, events) in sizes.items()
            if not events
        ]
    if faults:
        raise BadInput(*faults)
    if not columns:
        sentence = "There is nothing to compare: fewer than two groups of five clients or more."
        raise BadInput(
            Refusal("no-groups", sentence, "Split by something else, or choose a longer period.", field="by")
        )
    return columns


def _sizes(n: int, stays: _Stays) -> dict[str, tuple[int, int]]:
    """Stays and events of each value of a stratum, by name."""
    found: dict[str, tuple[int, int]] = {}
    for levels, (_, seen) in sorted(stays, key=lambda each: each[0][n]):
        count, events = found.get(levels[n], (0, 0))
        found[levels[n]] = (count + 1, events + seen.event)
    return found


def _reference(sizes: dict[str, tuple[int, int]]) -> str:
    return max(sizes, key=lambda level: sizes[level][0], default="")


def _fitted(by: Sequence[str], stays: _Stays, columns: Sequence[tuple[int, str]], *, left_out: int) -> Model:
    import numpy as np
    from statsmodels.duration.hazard_regression import PHReg

    times = np.array([float(seen.time) for _, (_, seen) in stays])
    events = np.array([float(seen.event) for _, (_, seen) in stays])
    exposed = np.array([[float(levels[n] == level) for n, level in columns] for levels, _ in stays])
    model = PHReg(times, exposed, status=events, ties="efron")
    at, errors = _newton(np, model, len(columns))
    log_likelihood, alone = float(model.loglike(at)), float(model.loglike(np.zeros(len(columns))))
    chi_square = max(_plain(2 * (log_likelihood - alone)), Decimal(0))
    found = dict(zip(columns, zip(at.tolist(), errors.tolist(), strict=True), strict=True))
    effects = []
    for n, key in enumerate(by):
        for level, (count, left) in _sizes(n, stays).items():
            effects.append(_effect(key, level, count, left, found.get((n, level))))
    return Model(
        tuple(effects),
        len(stays),
        int(events.sum()),
        left_out,
        _plain(log_likelihood),
        chi_square,
        len(columns),
        upper_tail(chi_square, len(columns)).quantize(_PLACES),
    )


def _newton(np: Any, model: Any, width: int) -> tuple[Any, Any]:
    """Where the log-likelihood is highest, and the standard errors there. Raises BadInput where it has no top."""
    at, errors, moves = np.zeros(width), np.full(width, np.nan), math.inf
    with np.errstate(all="ignore"), suppress(np.linalg.LinAlgError):
        for _ in range(_MOST_STEPS):
            step = np.linalg.solve(model.hessian(at), model.score(at))
            least = model.loglike(at) - _ROUNDING * abs(model.loglike(at))
            while not model.loglike(at - step) >= least and np.abs(step).max() > _CONVERGED:
                step = step / 2  # too far: the likelihood is lower there, or no number
            at, moves = at - step, float(np.abs(step).max())
            if not np.abs(at).max() < _BEYOND or moves < _CONVERGED:
                break
        errors = np.sqrt(np.diag(np.linalg.inv(-model.hessian(at))))
    good = moves < _CONVERGED and np.isfinite(errors).all() and errors.max() < _BEYOND
    if not good:
        sentence = "No hazard ratio can be estimated: the groups say the same twice, or nearly nobody of one left."
        raise BadInput(Refusal("no-estimate", sentence, "Leave a stratum out, or choose a longer period.", field="by"))
    return at, errors


def _effect(stratum: str, level: str, n: int, events: int, fitted: tuple[float, float] | None) -> Effect:
    if fitted is None:
        return Effect(stratum, level, n, events, Decimal(0), None, Decimal(1), None, None, None)
    at, error = fitted
    width = float(Z95) * error
    ratio, lower, upper = (_plain(math.exp(value)) for value in (at, at - width, at + width))
    p = _plain(math.erfc(abs(at / error) / math.sqrt(2)))
    return Effect(stratum, level, n, events, _plain(at), _plain(error), ratio, lower, upper, p)


def _plain(value: float) -> Decimal:
    return Decimal(value).quantize(_PLACES)
