"""No small group of people can be told apart from a table: not by subtracting from totals, not from another table."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispensary.evaluation.small_cells import LEAST, Cell, Count, Levels, hidden_cells


def lattice(base: dict[tuple[str, ...], int]) -> dict[Levels, int]:
    """Every margin of a table."""
    sums: dict[Levels, int] = {}
    for levels, amount in base.items():
        for kept in product((True, False), repeat=len(levels)):
            at = tuple(level if keep else None for level, keep in zip(levels, kept, strict=True))
            sums[at] = sums.get(at, 0) + amount
    return sums


def counted(name: str, base: dict[tuple[str, ...], int], *, published: bool = True) -> dict[Cell, Count]:
    return {(name, levels): Count(n, n, published) for levels, n in lattice(base).items()}


def recovered(cells: dict[Cell, Count], hidden: frozenset[Cell], relations: list[dict[str, int]]) -> set[Cell]:
    """What an attacker works out with fractions, from everything that is shown and what must add up."""
    dark = sorted({*hidden, *(cell for cell, count in cells.items() if not count.published)}, key=repr)
    place = {cell: n for n, cell in enumerate(dark)}
    rows = []
    for name, levels in cells:
        for n, level in enumerate(levels):
            if level is None:
                parts = [
                    c for c in cells
                    if c[0] == name and c[1][n] is not None and (*c[1][:n], None, *c[1][n + 1 :]) == levels
                ]  # fmt: skip
                rows.append({(name, levels): 1, **dict.fromkeys(parts, -1)})
    rows += [
        {(name, levels): sign for name, sign in relation.items() if (name, levels) in cells}
        for relation in relations
        for levels in {levels for _, levels in cells}
    ]
    matrix = []
    for row in rows:
        line = [Fraction(0)] * len(dark)
        for cell, sign in row.items():
            if cell in place:
                line[place[cell]] += sign
        matrix.append(line)
    rank = 0
    for column in range(len(dark)):
        pivot = next((r for r in range(rank, len(matrix)) if matrix[r][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        matrix[rank] = [value / matrix[rank][column] for value in matrix[rank]]
        for r in range(len(matrix)):
            if r != rank and matrix[r][column]:
                factor = matrix[r][column]
                matrix[r] = [a - factor * b for a, b in zip(matrix[r], matrix[rank], strict=True)]
        rank += 1
    return {dark[next(n for n, v in enumerate(row) if v)] for row in matrix if sum(bool(v) for v in row) == 1}


def small(cells: dict[Cell, Count]) -> set[Cell]:
    return {cell for cell, count in cells.items() if 0 < count.people < LEAST}


amounts = st.integers(0, 12) | st.just(0)


def tables(*strata: str) -> st.SearchStrategy[dict[tuple[str, ...], int]]:
    keys = list(product(*strata))
    return st.lists(amounts, min_size=len(keys), max_size=len(keys)).map(
        lambda found: dict(zip(keys, found, strict=True))
    )


def test_a_small_cell_is_hidden_with_another_so_that_the_total_does_not_give_it_back() -> None:
    cells = counted("n", {("female",): 3, ("male",): 40, ("other",): 9})
    assert hidden_cells(cells) == {("n", ("female",)), ("n", ("other",))}


def test_exactly_five_are_shown_and_a_zero_is() -> None:
    cells = counted("n", {("female",): 5, ("male",): 40, ("other",): 0})
    assert hidden_cells(cells) == frozenset()


def test_two_small_cells_that_together_are_fewer_than_five_take_a_third_with_them() -> None:
    cells = counted("n", {("a",): 1, ("b",): 1, ("c",): 30, ("d",): 8})
    assert hidden_cells(cells) == {("n", ("a",)), ("n", ("b",)), ("n", ("d",))}


def test_who_is_not_counted_is_a_group_too() -> None:
    base = {("n", ()): Count(48, 48), ("of", ()): Count(50, 50), ("rest", ()): Count(2, 2, published=False)}
    assert hidden_cells(base, [{"of": 1, "n": -1, "rest": -1}]) == {("n", ())}


@given(tables("ab", "xyz"))
@settings(max_examples=150)
def test_no_small_cell_of_two_strata_follows_from_what_is_shown(base: dict[tuple[str, ...], int]) -> None:
    cells = counted("n", base)
    hidden = hidden_cells(cells)
    assert small(cells) <= hidden
    assert not recovered(cells, hidden, []) & small(cells)


@given(tables("ab", "xy"), tables("ab", "xy"))
@settings(max_examples=100)
def test_neither_those_counted_nor_the_rest_follow(
    yes: dict[tuple[str, ...], int], rest: dict[tuple[str, ...], int]
) -> None:
    whole = {levels: yes[levels] + rest[levels] for levels in yes}
    cells = {**counted("n", yes), **counted("of", whole), **counted("rest", rest, published=False)}
    relations = [{"of": 1, "n": -1, "rest": -1}]
    hidden = hidden_cells(cells, relations)
    assert not recovered(cells, hidden, relations) & small(cells)


@given(tables("ab", "xyz"))
@settings(max_examples=60)
def test_a_table_and_the_same_by_one_stratum_say_the_same_of_its_margins(base: dict[tuple[str, ...], int]) -> None:
    """Whoever lays the coarser export beside the finer one learns nothing that either hides."""
    both = hidden_cells(counted("n", base))
    coarse = {(a,): sum(n for (b, _), n in base.items() if b == a) for a in "ab"}
    alone = hidden_cells(counted("n", coarse))
    assert {levels[0] for _, levels in alone if levels[0]} == {a for _, (a, x) in both if a and x is None}


@given(st.lists(st.integers(0, 9), min_size=2, max_size=5))
@settings(max_examples=150)
def test_a_hidden_cell_has_more_than_one_value_that_fits_the_total(amounts: list[int]) -> None:
    """The attacker knows that each hidden cell has at least one person in it, and the total where it is shown."""
    cells = counted("n", {(f"{n}",): amount for n, amount in enumerate(amounts)})
    hidden = hidden_cells(cells)
    if ("n", (None,)) in hidden or not hidden:
        return
    together = sum(cells[cell].amount for cell in hidden)
    assert len(hidden) >= 2
    assert together >= LEAST
    assert together > len([cell for cell in hidden if cells[cell].amount])


def equations_of(cells: dict[Cell, Count], hidden: frozenset[Cell]) -> list[tuple[dict[Cell, int], int]]:
    """Every total as the sum of its parts: factors of what is hidden, and what the rest comes to."""
    found = []
    for name, levels in cells:
        for n, level in enumerate(levels):
            if level is None:
                parts = [
                    c for c in cells
                    if c[0] == name and c[1][n] is not None and (*c[1][:n], None, *c[1][n + 1 :]) == levels
                ]  # fmt: skip
                row = {(name, levels): 1, **dict.fromkeys(parts, -1)}
                shown = sum(sign * cells[cell].amount for cell, sign in row.items() if cell not in hidden)
                found.append(({cell: sign for cell, sign in row.items() if cell in hidden}, -shown))
    return [each for each in found if each[0]]


def fits(equations: list[tuple[dict[Cell, int], int]], known: dict[Cell, int]) -> bool:
    """Whether there are whole numbers, none below zero, that fulfil every total; searched for one after another."""
    known = dict(known)
    while True:
        found = False
        for row, total in equations:
            open_ = [cell for cell in row if cell not in known]
            left = total - sum(sign * known[cell] for cell, sign in row.items() if cell in known)
            if not open_ and left:
                return False
            if len(open_) == 1:
                known[open_[0]] = left * row[open_[0]]
                if known[open_[0]] < 0:
                    return False
                found = True
            elif open_ and len({row[cell] for cell in open_}) == 1 and left * row[open_[0]] < 0:
                return False
        if not found:
            break
    waiting = [(row, total) for row, total in equations if any(cell not in known for cell in row)]
    if not waiting:
        return True
    closed = [each for each in waiting if len({each[0][cell] for cell in each[0] if cell not in known}) == 1]
    row, total = min(closed or waiting, key=lambda each: sum(cell not in known for cell in each[0]))
    cell = next(cell for cell in row if cell not in known)
    left = abs(total - sum(sign * known[one] for one, sign in row.items() if one in known))
    most = left if closed else left + 40
    return any(fits(equations, {**known, cell: value}) for value in range(most + 1))


@pytest.mark.parametrize(
    ("shape", "width"), [(("ab", "xy"), LEAST), (("abc", "xyz"), LEAST), (("ab", "xy", "12"), 3)], ids=str
)
@given(data=st.data())
@settings(max_examples=60)
def test_no_small_cell_is_held_between_narrow_bounds(shape: tuple[str, ...], width: int, data: st.DataObject) -> None:
    """Whoever tries all tables that fit what is shown finds five values at least, one of them five or more.

    Of three strata the bounds are looked for with two totals at a time: what more totals together say may be closer.
    """
    cells = counted("n", data.draw(tables(*shape)))
    hidden = hidden_cells(cells)
    equations = equations_of(cells, hidden)
    for cell in small(cells):
        values = [value for value in range(2 * LEAST) if fits(equations, {cell: value})]
        assert cells[cell].amount in values, "the attacker must not lose the truth"
        assert len(values) >= width
        assert width < LEAST or max(values) >= LEAST
