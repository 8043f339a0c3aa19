"""Hiding small cells: which figures of a table stay unsaid so that no small group of people is told apart. Pure.

A cell of fewer than five people is hidden, and so are as many others as it takes that no total gives it back: whatever
can be computed from the figures that are shown, by adding and subtracting, is not one of the small cells. Nor do they
hold one between narrow bounds: no figure is below zero, and what any two totals together say leaves a small cell at
least five values, one of them five or more. A table that is split by several strata is held against all its margins,
which somebody may have asked for before: what was shown there is taken as known. A zero is shown: there is nobody whom
it could name.

What this cannot see is another question: the same table for a period that is a day longer differs by whoever came on
that day. Exports of overlapping periods are for people who may know that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

LEAST = 5
"""The fewest people of whom a figure is shown."""
_PRIME = (1 << 61) - 1  # arithmetic by a prime keeps numbers small; the coefficients are 1 and -1
_FACTOR = 100
"""Beyond this a factor is a fraction by the prime, of which no bound follows."""
_UNBOUNDED = 10**12
_ROUNDS = 50
_FEW = 60

Levels = tuple[str | None, ...]
"""A value of each stratum; nothing stands for all of them."""
Cell = tuple[str, Levels]
"""Which figure, and of whom."""
Equation = Mapping[Cell, int]
"""Cells that add up to nothing with these signs."""


@dataclass(frozen=True, slots=True)
class Count:
    """What stands in a cell."""

    amount: int
    """What adds up over strata."""
    people: int
    """How many people it is about."""
    published: bool = True
    """Whether it would be shown; a rest that only follows from others is not."""

    def is_small(self, least: int) -> bool:
        return 0 < self.people < least


def hidden_cells(
    counts: Mapping[Cell, Count], relations: Sequence[Mapping[str, int]] = (), *, least: int = LEAST
) -> frozenset[Cell]:
    """The cells that are not shown. `relations` add up to nothing among the figures of any one group of people.

    Margins are decided first and by themselves, so that a table says the same of them however finely another is split.
    """
    hidden: set[Cell] = set()
    dimensions = len(next(iter(counts))[1]) if counts else 0
    for size in range(dimensions + 1):
        for kept in combinations(range(dimensions), size):
            scope = {cell: count for cell, count in counts.items() if set(_split_by(cell)) <= set(kept)}
            finest = {cell for cell in scope if _split_by(cell) == kept}
            hidden |= _covered(
                scope, [*_margins(scope), *_within(scope, relations)], hidden & scope.keys(), finest, least
            )
    return frozenset(hidden)


def _split_by(cell: Cell) -> tuple[int, ...]:
    return tuple(n for n, level in enumerate(cell[1]) if level is not None)


def _margins(scope: Collection[Cell]) -> Iterable[Equation]:
    """Each total is the sum of the levels of one stratum."""
    parts = defaultdict[Cell, list[Cell]](list)
    for name, levels in scope:
        for n, level in enumerate(levels):
            if level is not None:
                parts[name, (*levels[:n], None, *levels[n + 1 :])].append((name, levels))
    for (name, levels), cells in parts.items():
        if (name, levels) in scope:
            for n in {_where(levels, each[1]) for each in cells}:
                one = [each for each in cells if _where(levels, each[1]) == n]
                yield {(name, levels): 1, **dict.fromkeys(one, -1)}


def _where(total: Levels, part: Levels) -> int:
    return next(n for n, level in enumerate(total) if level is None and part[n] is not None)


def _within(scope: Collection[Cell], relations: Sequence[Mapping[str, int]]) -> Iterable[Equation]:
    for relation in relations:
        for levels in {levels for _, levels in scope}:
            terms = {(name, levels): sign for name, sign in relation.items() if (name, levels) in scope}
            if terms:
                yield terms


def _covered(
    counts: Mapping[Cell, Count], equations: Sequence[Equation], before: set[Cell], finest: set[Cell], least: int
) -> set[Cell]:
    small = {cell for cell, count in counts.items() if count.is_small(least)}
    silent = {cell for cell, count in counts.items() if not count.published}
    unknown = small | silent | before
    of = defaultdict[Cell, list[Equation]](list)
    for equation in equations:
        for cell in equation:
            of[cell].append(equation)
    while lost := _lost(counts, equations, unknown, small, least):
        for cell in sorted(lost, key=_order):
            more = _next(cell, counts, of, unknown, finest)
            if more is None:
                return unknown - silent
            unknown.add(more)
            if len(lost) > 1:
                break  # what was hidden for one often serves the others
    return unknown - silent


def _lost(
    counts: Mapping[Cell, Count], equations: Sequence[Equation], unknown: set[Cell], small: set[Cell], least: int
) -> set[Cell]:
    """Small cells of which the figures that are shown tell too much."""
    reduced = _eliminated(unknown, equations)
    computed = {next(iter(row)) for row in reduced if len(row) == 1}
    return (small & computed) | _bounded(counts, equations, unknown, small, least) or _narrow(
        _with_pairs(
            [*reduced, *({cell: sign for cell, sign in each.items() if cell in unknown} for each in equations)]
        ),
        counts,
        small & unknown,
        least,
    )


def _next(
    cell: Cell,
    counts: Mapping[Cell, Count],
    of: Mapping[Cell, Sequence[Equation]],
    unknown: set[Cell],
    finest: set[Cell],
) -> Cell | None:
    """What to hide for a cell: the smallest known one that it adds up with, or the nearest; a margin only as a last."""
    seen, edge, margins = {cell}, {cell}, set[Cell]()
    while edge:
        beside = {other for each in edge for equation in of.get(each, ()) for other in equation} - seen
        known = (beside - unknown) & finest
        if known:
            return min(known, key=lambda c: (counts[c].amount == 0, counts[c].amount, _order(c)))
        margins |= beside - unknown
        seen |= beside
        edge = beside
    return min(margins, key=lambda c: (counts[c].amount, _order(c)), default=None)


def _order(cell: Cell) -> tuple[str, list[str], list[str]]:
    """The same whichever stratum is named first, as far as the levels tell."""
    levels = [level or "" for level in cell[1]]
    return cell[0], sorted(levels), levels


def _bounded(
    counts: Mapping[Cell, Count], equations: Sequence[Equation], unknown: set[Cell], small: set[Cell], least: int
) -> set[Cell]:
    """Small cells of which a shown total says that all together are fewer than so many, or one in each."""
    found = set()
    for equation in equations:
        open_ = [cell for cell in equation if cell in unknown and counts[cell].amount]
        together = sum(counts[cell].amount for cell in open_)
        if len({equation[cell] for cell in open_}) == 1 and together < max(least, len(open_) + 1):
            found |= small.intersection(open_)
    return found


def _with_pairs(rows: Sequence[Equation]) -> list[Equation]:
    """The equations and what two of them say together, where something of both falls away."""
    known = {frozenset(row.items()) for row in rows if row}
    if len(known) <= _FEW:
        for one, other in combinations([dict(row) for row in known], 2):
            for sign in (1, -1):
                if any(one[cell] == -sign * other[cell] for cell in one.keys() & other.keys()):
                    both = {cell: one.get(cell, 0) + sign * other.get(cell, 0) for cell in {**one, **other}}
                    known.add(frozenset((cell, n) for cell, n in both.items() if n))
    return [dict(row) for row in sorted(known, key=lambda row: sorted((repr(c), n) for c, n in row)) if row]


def _narrow(rows: Sequence[Equation], counts: Mapping[Cell, Count], small: set[Cell], least: int) -> set[Cell]:
    """Small cells of which the figures that are shown leave fewer than so many values, or none that is so high.

    No figure is below zero, so that each equation bounds each of its cells by the bounds of the others, over and over.
    """
    low, high = defaultdict[Cell, int](int), defaultdict[Cell, int](lambda: _UNBOUNDED)
    waiting = dict.fromkeys(range(len(rows)))
    of = defaultdict[Cell, list[int]](list)
    for n, row in enumerate(rows):
        for cell in row:
            of[cell].append(n)
    for _ in range(_ROUNDS * len(rows)):
        if not waiting:
            break
        n = next(iter(waiting))
        del waiting[n]
        row = rows[n]
        total = sum(each * counts[cell].amount for cell, each in row.items())
        least_sum = sum(each * (low if each > 0 else high)[cell] for cell, each in row.items())
        most_sum = sum(each * (high if each > 0 else low)[cell] for cell, each in row.items())
        for cell, each in row.items():
            first, last = (low[cell], high[cell]) if each > 0 else (high[cell], low[cell])
            room = (total - most_sum + each * last, total - least_sum + each * first)
            lower = -(-room[0] // each) if each > 0 else -(-room[1] // each)
            upper = room[1] // each if each > 0 else room[0] // each
            if lower > low[cell] or upper < high[cell]:
                waiting |= dict.fromkeys(of[cell])
                low[cell], high[cell] = max(lower, low[cell]), min(upper, high[cell])
                break  # the sums are of before
    return {cell for cell in small if high[cell] < least or high[cell] - low[cell] < least - 1}


def _eliminated(unknown: Collection[Cell], equations: Sequence[Equation]) -> list[dict[Cell, int]]:
    """What the equations say of the unknown cells, each solved for another one, where the factors are small."""
    rows: dict[Cell, dict[Cell, int]] = {}
    using = defaultdict[Cell, set[Cell]](set)
    for equation in equations:
        row = {cell: sign % _PRIME for cell, sign in equation.items() if cell in unknown}
        for pivot in [cell for cell in row if cell in rows]:
            if pivot in row:
                _subtract(row, rows[pivot], row[pivot])
        if not row:
            continue
        pivot = min(row, key=lambda cell: (len(using[cell]), cell[0], _order(cell)))
        inverse = pow(row[pivot], -1, _PRIME)
        row = {cell: factor * inverse % _PRIME for cell, factor in row.items()}
        for other in list(using[pivot]):
            before = set(rows[other])
            _subtract(rows[other], row, rows[other][pivot])
            for cell in before - rows[other].keys():
                using[cell].discard(other)
            for cell in rows[other].keys() - before:
                using[cell].add(other)
        rows[pivot] = row
        for cell in row:
            using[cell].add(pivot)
    signed = ({cell: n if n <= _PRIME // 2 else n - _PRIME for cell, n in row.items()} for row in rows.values())
    return [row for row in signed if all(-_FACTOR <= n <= _FACTOR for n in row.values())]


def _subtract(row: dict[Cell, int], other: Mapping[Cell, int], factor: int) -> None:
    for cell, value in other.items():
        left = (row.get(cell, 0) - factor * value) % _PRIME
        if left:
            row[cell] = left
        else:
            row.pop(cell, None)
