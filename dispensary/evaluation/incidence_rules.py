"""Competing exits: the share that has left for each cause, by Aalen and Johansen's estimate. Pure.

Who died can drop out no longer, so that one less the Kaplan-Meier estimate of a cause says too much: it is never used
for a cause. The shares of all causes and the share still in treatment add up to one at every time. Times are whole days
(or calendar months and days), and what happens on the same day is taken together, exactly, without breaking ties.

Variance by the delta method (Dinse and Larson 1986; Marubini and Valsecchi 1995): without censoring it is the binomial
variance, and of a single cause it is Greenwood's. 95 % limits on the log-log scale. The arithmetic is decimal with 50
digits, and results are given to 28.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from dispensary.evaluation.rules import MARKS, Scale, limits

_DIGITS, _GIVEN = 50, 28


@dataclass(frozen=True, slots=True)
class Step:
    """The estimate of a cause from a time at which somebody left for it up to the next."""

    time: int
    at_risk: int
    exits: int
    """Stays that ended for the cause at this time."""
    incidence: Decimal
    variance: Decimal
    lower: Decimal | None
    upper: Decimal | None
    """95 % limits; nothing where everybody left for the cause."""


@dataclass(frozen=True)
class Incidence:
    """What share had left for a cause, as it grew."""

    cause: str
    n: int
    exits: int
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class IncidenceAtMark:
    """What the table says of a cause after a number of months."""

    cause: str
    months: int
    at_risk: int
    exits: int
    """For the cause, up to and including this moment."""
    incidence: Decimal | None
    """Nothing where nobody was observed that long."""
    variance: Decimal | None
    lower: Decimal | None
    upper: Decimal | None


@dataclass(frozen=True)
class Incidences:
    """The estimates of all causes over the same stays."""

    of: tuple[Incidence, ...]
    times: tuple[int, ...]
    """The times at which a stay ended or was last observed."""
    at_risk: tuple[int, ...]
    """Stays that were observed up to each of these times."""
    all_left: bool
    """Whether the last to be observed left, so that nothing is open at any later time."""

    def at_marks(self, scale: Scale, months: Sequence[int] = MARKS) -> tuple[IncidenceAtMark, ...]:
        """The table at these months, cause by cause. Who leaves on the day on which a month is over has left."""
        return tuple(self._at(each, scale.mark(month), month) for each in self.of for month in months)

    def _at(self, found: Incidence, mark: int, months: int) -> IncidenceAtMark:
        before = bisect_right(self.times, mark - 1)
        at_risk = self.at_risk[before] if before < len(self.times) else 0
        so_far = found.steps[: bisect_right([step.time for step in found.steps], mark)]
        exits = sum(step.exits for step in so_far)
        if not at_risk and not self.all_left:
            return IncidenceAtMark(found.cause, months, at_risk, exits, None, None, None, None)
        if not so_far:
            return IncidenceAtMark(found.cause, months, at_risk, exits, Decimal(0), Decimal(0), None, None)
        last = so_far[-1]
        return IncidenceAtMark(
            found.cause, months, at_risk, exits, last.incidence, last.variance, last.lower, last.upper
        )


def aalen_johansen(
    observed: Iterable[tuple[int, str | None]], *, together: Mapping[str, Collection[str]] | None = None
) -> Incidences:
    """The estimate for each cause over times and why the stay ended, which is nothing where it was censored.

    At equal times exits come before censoring. `together` names causes that are estimated as one as well.
    """
    causes = defaultdict[int, Counter[str | None]](Counter)
    for time, cause in observed:
        causes[time][cause] += 1
    times = tuple(sorted(causes))
    at_risk, left = [], sum(each.total() for each in causes.values())
    for time in times:
        at_risk.append(left)
        left -= causes[time].total()
    seen = sorted({cause for each in causes.values() for cause in each if cause is not None})
    asked = {cause: frozenset([cause]) for cause in seen} | {
        name: frozenset(of) for name, of in (together or {}).items() if not frozenset(of).isdisjoint(seen)
    }
    table = [(time, n, causes[time]) for time, n in zip(times, at_risk, strict=True)]
    return Incidences(
        tuple(_incidence(cause, counted, table) for cause, counted in asked.items()),
        times,
        tuple(at_risk),
        all_left=bool(times) and causes[times[-1]][None] == 0,
    )


def _incidence(
    cause: str, counted: Collection[str], table: Sequence[tuple[int, int, Counter[str | None]]]
) -> Incidence:
    """The variance is the sum over times of (I - I_i)^2 a_i + b_i - 2 (I - I_i) c_i, kept by the powers of I."""
    steps: list[Step] = []
    with localcontext() as context:
        context.prec = _DIGITS
        survival, incidence = Decimal(1), Decimal(0)
        a = ia = iia = b = c = ic = Decimal(0)
        for time, n, endings in table:
            d = endings.total() - endings[None]
            if not d:
                continue
            for_it = sum(count for ending, count in endings.items() if ending in counted)
            share = survival * for_it / n
            incidence += share
            if d < n:  # else nobody is left, and the estimate rises no more
                term = Decimal(d) / (Decimal(n) * (n - d))
                a, ia, iia = a + term, ia + incidence * term, iia + incidence * incidence * term
            if for_it:
                b += survival * survival * for_it * (n - for_it) / Decimal(n) ** 3
                once = share / n
                c, ic = c + once, ic + incidence * once
                variance = incidence * (incidence * a - 2 * ia - 2 * c) + iia + b + 2 * ic
                steps.append(_step(time, n, for_it, incidence, variance))
            survival = survival * (n - d) / n
    return Incidence(cause, table[0][1] if table else 0, sum(step.exits for step in steps), tuple(steps))


def _step(time: int, at_risk: int, exits: int, incidence: Decimal, variance: Decimal) -> Step:
    """Rounded first: where everybody left for the cause the estimate is 1, and not less by the last digit in use."""
    with localcontext() as context:
        context.prec = _GIVEN
        share = +incidence
        spread = Decimal(0) if share == 1 else max(Decimal(0), +variance)
        return Step(time, at_risk, exits, share, spread, *limits(share, spread / (share * share)))
