"""Cox regression: how much faster one group leaves than another, all strata taken together.

The fit is of statsmodels, which comes with the extra `cox` and is loaded when it is asked for. Ties are Efron's (1977).
It is floating-point arithmetic: figures are good to six places, and the same on one machine and version.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    n: int | None
    events: int | None
    log_ratio: Decimal | None
    """0 for the one that the others are compared with; nothing for one that nobody left: it has no estimate."""
    error: Decimal | None
    ratio: Decimal | None
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
    without_events: int
    """Stays with a value that nobody left: they are in no estimate, and change no other."""
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
    sizes = {key: _sizes(n, taken) for n, key in enumerate(split.by)}
    fitted = [
        (levels, pair)
        for levels, pair in taken
        if all(sizes[key][level].events for key, level in zip(split.by, levels, strict=True))
    ]
    return _fitted(sizes, fitted, left_out=len(stays) - len(taken), without_events=len(taken) - len(fitted))


_Stays = Sequence[tuple[Levels, Seen]]


@dataclass(frozen=True, slots=True)
class _Size:
    stays: int
    events: int


_Sizes = Mapping[str, Mapping[str, _Size]]
"""Of each value of each stratum."""


def _columns(sizes: _Sizes) -> list[tuple[int, str]]:
    """Which stratum and value each coefficient is of: all but the commonest that anybody left. Raises BadInput."""
    columns = []
    for n, of in enumerate(sizes.values()):
        left = [level for level in of if of[level].events]
        reference = max(left, key=lambda level: of[level].stays, default="")
        columns += [(n, level) for level in left if level != reference]
    if not columns:
        sentence = "There is nothing to compare: fewer than two groups of five clients or more that anybody left."
        raise BadInput(
            Refusal("no-groups", sentence, "Split by something else, or choose a longer period.", field="by")
        )
    return columns


def _sizes(n: int, stays: _Stays) -> dict[str, _Size]:
    """Stays and events of each value of a stratum, by name."""
    found: dict[str, _Size] = {}
    for levels, (_, seen) in sorted(stays, key=lambda each: each[0][n]):
        before = found.get(levels[n], _Size(0, 0))
        found[levels[n]] = _Size(before.stays + 1, before.events + seen.event)
    return found


def _fitted(sizes: _Sizes, stays: _Stays, *, left_out: int, without_events: int) -> Model:
    columns = _columns(sizes)
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
    return Model(
        tuple(
            _effect(key, level, size, found.get((n, level)))
            for n, (key, of) in enumerate(sizes.items())
            for level, size in of.items()
        ),
        len(stays),
        int(events.sum()),
        left_out,
        without_events,
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


def _effect(stratum: str, level: str, size: _Size, fitted: tuple[float, float] | None) -> Effect:
    n, events = size.stays, size.events
    if not events:
        return Effect(stratum, level, n, events, None, None, None, None, None, None)
    if fitted is None:
        return Effect(stratum, level, n, events, Decimal(0), None, Decimal(1), None, None, None)
    at, error = fitted
    width = float(Z95) * error
    ratio, lower, upper = (_plain(math.exp(value)) for value in (at, at - width, at + width))
    p = _plain(math.erfc(abs(at / error) / math.sqrt(2)))
    return Effect(stratum, level, n, events, _plain(at), _plain(error), ratio, lower, upper, p)


def _plain(value: float) -> Decimal:
    return Decimal(value).quantize(_PLACES)
