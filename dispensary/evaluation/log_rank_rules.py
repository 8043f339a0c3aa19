"""Whether groups leave at different rates: the log-rank test, with its p from the chi-square distribution. Pure.

Mantel 1966 and Peto 1972: at each time with exits, what each group would have had of them by its share of those at
risk; the variance is that of the hypergeometric distribution, exact where several leave on the same day. The arithmetic
is decimal with 50 digits; chi-square and p are given to 12 places, and p is exact to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

MOST_GROUPS = 50
"""More are not compared: so many groups differ somewhere, and nobody learns where."""
_DIGITS = 50
_PLACES = Decimal("1E-12")
_EXPANDED_BELOW = 40
"""Up to here the series of the error function is summed; above, its continued fraction converges fast."""

Levels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A group in the test."""

    levels: Levels
    n: int
    observed: int
    """Events that it had."""
    expected: Decimal
    """Events that it would have had, did all groups leave at one rate."""


@dataclass(frozen=True)
class LogRank:
    """The test over all groups at once."""

    groups: tuple[Compared, ...]
    chi_square: Decimal
    degrees: int
    """Groups that were at risk at all when somebody left, less one."""
    p: Decimal


def log_rank(groups: Mapping[Levels, Iterable[tuple[int, bool]]]) -> LogRank | None:
    """The test over times and whether the event happened, group by group.

    Nothing where there is nothing to compare: fewer than two groups that were at risk of an event, or more than fifty.
    """
    names = list(groups)
    if not 2 <= len(names) <= MOST_GROUPS:
        return None
    ends, events = [Counter[int]() for _ in names], [Counter[int]() for _ in names]
    for g, name in enumerate(names):
        for time, event in groups[name]:
            ends[g][time] += 1
            events[g][time] += event
    sizes = [each.total() for each in ends]
    with localcontext() as context:
        context.prec = _DIGITS
        expected = [Decimal(0)] * len(names)
        variance = [[Decimal(0)] * len(names) for _ in names]
        left = list(sizes)
        for time in sorted(set().union(*ends)):
            d, n = sum(each[time] for each in events), sum(left)
            if d:
                _add(expected, variance, left, d, n)
            left = [at_risk - each[time] for at_risk, each in zip(left, ends, strict=True)]
        observed = [each.total() for each in events]
        compared = [g for g in range(len(names)) if expected[g] > 0]
        if len(compared) < 2:
            return None
        chi_square = _quadratic(
            [observed[g] - expected[g] for g in compared[1:]],
            [[variance[max(g, h)][min(g, h)] for h in compared[1:]] for g in compared[1:]],
        )
        p = upper_tail(chi_square, len(compared) - 1)
        return LogRank(
            tuple(Compared(names[g], sizes[g], observed[g], expected[g].quantize(_PLACES)) for g in range(len(names))),
            chi_square.quantize(_PLACES),
            len(compared) - 1,
            p.quantize(_PLACES),
        )


def _add(expected: list[Decimal], variance: list[list[Decimal]], left: list[int], d: int, n: int) -> None:
    """What a time with `d` events among `n` at risk adds; of the variance only the lower half, as it is symmetric."""
    weight = Decimal(d * (n - d)) / (Decimal(n) * n * (n - 1)) if n > 1 else Decimal(0)
    for g, of in enumerate(left):
        if not of:
            continue
        expected[g] += Decimal(d * of) / n
        weighted, row = weight * of, variance[g]
        for h in range(g):
            row[h] -= weighted * left[h]
        row[g] += weighted * (n - of)


def _quadratic(difference: list[Decimal], variance: list[list[Decimal]]) -> Decimal:
    """The difference, times the inverse of its variance, times itself: by elimination.

    A row without variance of its own is left out: each of its events befell all who were at risk at once.
    """
    rows = [[*row, value] for row, value in zip(variance, difference, strict=True)]
    chi_square = Decimal(0)
    for k, row in enumerate(rows):
        if row[k] <= Decimal("1E-30"):
            continue
        chi_square += row[-1] * row[-1] / row[k]
        for other in rows[k + 1 :]:
            factor = other[k] / row[k]
            other[k:] = [value - factor * own for value, own in zip(other[k:], row[k:], strict=True)]
    return chi_square


def upper_tail(chi_square: Decimal, degrees: int) -> Decimal:
    """The chance of so much or more under the chi-square distribution: the regularised upper gamma function.

    For whole degrees of freedom it is a finite sum that starts from an exponential, or from the error function, and to
    which only positive terms are added.
    """
    if degrees < 1:
        raise ValueError("a chi-square has at least one degree of freedom")
    if chi_square <= 0:
        return Decimal(1)
    with localcontext() as context:
        context.prec = _DIGITS
        x = chi_square / 2
        if degrees % 2:
            tail, term, a = _erfc_of_root(x), (-x).exp() * 2 * (x / _pi()).sqrt(), Decimal("1.5")
        else:
            tail, term, a = (-x).exp(), x * (-x).exp(), Decimal(2)
        for _ in range((degrees - 1) // 2):
            tail, term, a = tail + term, term * x / a, a + 1
        return min(Decimal(1), tail)


def _erfc_of_root(x: Decimal) -> Decimal:
    """The complementary error function of the root of `x`."""
    front = (-x).exp() * (x / _pi()).sqrt()
    if x < _EXPANDED_BELOW:
        with localcontext() as context:
            context.prec = _DIGITS + 20  # one less nearly one
            term = total = 2 * (-x).exp() * (x / _pi()).sqrt()
            k = 1
            while term > total.scaleb(-_DIGITS - 20):
                term = term * x / (k + Decimal("0.5"))
                total += term
                k += 1
            return 1 - total
    fraction = Decimal(0)
    for k in range(200, 0, -1):
        fraction = k * (k - Decimal("0.5")) / (x + 2 * k + Decimal("0.5") - fraction)
    return front / (x + Decimal("0.5") - fraction)


def _pi() -> Decimal:
    """Machin's formula, to the digits in use."""
    with localcontext() as context:
        context.prec += 5

        def arctan_of_one_over(n: int) -> Decimal:
            term = total = Decimal(1) / n
            k = 1
            while abs(term) > Decimal(10) ** -context.prec:
                term = -term / (n * n)
                total += term / (2 * k + 1)
                k += 1
            return total

        return 4 * (4 * arctan_of_one_over(5) - arctan_of_one_over(239))
