"""Which groups of a split hide: no fewer than five clients are told of, first stays and all stays hide together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from dispensary.evaluation.cohorts import split
from dispensary.evaluation.small_cells import Count, hidden_cells
from tests.dispensary.survived import DAYS, by_groups, seen

groups = st.lists(st.tuples(st.sampled_from("fm"), st.sampled_from("abc")), min_size=1, max_size=60)


@given(groups=groups)
def test_where_nobody_came_back_what_hides_is_what_hides_of_one_table(groups: list[tuple[str, str]]) -> None:
    found = by_groups([(n + 1, "dropped_out") for n in range(len(groups))], groups, "sex", "age")
    cells = Counter[tuple[str, tuple[str | None, ...]]]()
    for sex, age in groups:
        for kept in product((True, False), repeat=2):
            cells["n", (sex if kept[0] else None, age if kept[1] else None)] += 1
    hides = hidden_cells({cell: Count(n, n) for cell, n in cells.items()})
    assert set(found.hidden) == {levels for _, levels in hides if all(levels)}


@given(groups=groups, again=st.lists(st.integers(0, 59), max_size=40))
def test_no_group_of_few_is_shown_and_no_total_gives_one_back(groups: list[tuple[str, str]], again: list[int]) -> None:
    """Some come back, perhaps in another group than at first."""
    pairs = seen([(n + 1, "dropped_out") for n in range(len(groups) + len(again))])
    stays, levels, numbers = [], {}, Counter[int]()
    for n, (stay, observed) in enumerate(pairs):
        who = n if n < len(groups) else again[n - len(groups)] % len(groups)
        numbers[who] += 1
        stays.append((replace(stay, client_id=UUID(int=who + 1), number=numbers[who]), observed))
        levels[UUID(int=who + 1), numbers[who]] = groups[n % len(groups)]
    found = split(stays, levels, by=("sex", "age"), scale=DAYS, months=(0,), least=5)
    for kind in ("first", "all"):
        for group in found.shown:
            assert group.cohort(kind).clients == 0 or group.cohort(kind).clients >= 5
        hidden = [group.cohort(kind) for group in found.groups if not group.shown and group.cohort(kind).curve.n]
        together = {stay.client_id for each in hidden for stay, _ in each.observed}
        if any(each.clients < 5 for each in hidden):
            assert len(hidden) > 1 or len(stays) == len(hidden[0].observed) or len(groups) < 5
            assert len(together) >= min(5, len({stay.client_id for stay, _ in stays}))
