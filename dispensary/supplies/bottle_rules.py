"""What can become of a bottle, and what its states mean. Pure."""

from __future__ import annotations

from enum import StrEnum


class BottleState(StrEnum):
    """Where a bottle is, from the moment it is packed."""

    PREPARED = "prepared"
    CHECKED = "checked"
    """A second person has looked at what was prepared."""
    OUT = "out"
    """With a carrier on the way to the client. It still belongs to the safe's balance."""
    HANDED_OVER = "handed_over"
    RECALLED = "recalled"
    """At home, and called back to be counted."""
    RETURNED_EMPTY = "returned_empty"
    RETURNED_FULL = "returned_full"
    """Back, full, apart from the stock, until it is destroyed or, by the site's rule, goes back into the safe."""
    LOST = "lost"
    """Lost, stolen or damaged, as somebody reported. Nothing is replaced by itself."""
    DESTROYED = "destroyed"
    BACK_IN_STOCK = "back_in_stock"
    VOID = "void"
    """Its supply was entered in error: there never was such a bottle outside of the counter."""


IN_THE_SAFE = frozenset({BottleState.PREPARED, BottleState.CHECKED, BottleState.OUT})
"""What is in such a bottle belongs to its lot's balance, and is promised to somebody."""
WITH_CLIENT = frozenset({BottleState.HANDED_OVER, BottleState.RECALLED})
"""What the client was given and has neither brought back nor lost, as far as anybody knows."""

_AT_HOME = frozenset(
    {
        BottleState.RETURNED_EMPTY,
        BottleState.RETURNED_FULL,
        BottleState.LOST,
        BottleState.PREPARED,
        BottleState.VOID,
    }
)
MOVES: dict[BottleState, frozenset[BottleState]] = {
    BottleState.PREPARED: frozenset(
        {
            BottleState.CHECKED,
            BottleState.OUT,
            BottleState.HANDED_OVER,
            BottleState.BACK_IN_STOCK,
            BottleState.LOST,
        }
    ),
    BottleState.CHECKED: frozenset(
        {BottleState.OUT, BottleState.HANDED_OVER, BottleState.BACK_IN_STOCK, BottleState.LOST}
    ),
    BottleState.OUT: frozenset(
        {BottleState.HANDED_OVER, BottleState.PREPARED, BottleState.BACK_IN_STOCK, BottleState.LOST}
    ),
    BottleState.HANDED_OVER: _AT_HOME | {BottleState.RECALLED},
    BottleState.RECALLED: _AT_HOME | {BottleState.HANDED_OVER},
    BottleState.RETURNED_FULL: frozenset({BottleState.DESTROYED, BottleState.BACK_IN_STOCK}),
    BottleState.LOST: frozenset({BottleState.RETURNED_EMPTY, BottleState.RETURNED_FULL}),
    BottleState.RETURNED_EMPTY: frozenset(),
    BottleState.DESTROYED: frozenset(),
    BottleState.BACK_IN_STOCK: frozenset(),
    BottleState.VOID: frozenset(),
}
"""From which state a bottle may come into which. PostgreSQL refuses every other (migrations/bottle_guards.py)."""


def may_become(state: BottleState, following: BottleState) -> bool:
    """Whether a bottle in `state` can come into the `following` one."""
    return following in MOVES[state]
