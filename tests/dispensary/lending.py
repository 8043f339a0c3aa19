"""One application for many tests: to draw up its three hundred routes takes longer than most tests do.

What an application is made of stands behind a door: each test that borrows one puts its own database, settings and
clock there, and nothing else of a test stays in it. Two applications in one test are two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from litestar import Litestar

from dispensary.api.hooks import Paces
from dispensary.app import create_app
from dispensary.database import Database
from dispensary.desks.kiosk import MOST_WRONG
from dispensary.reporting.beside import Exports
from dispensary.settings import Settings
from dispensary.web.apart import apart_of
from dispensary.web.board import Board
from dispensary.web.guessing import Guesses


class _Door:
    """Stands for whatever the borrowing test has: its attributes, and its class to who asks."""

    def __init__(self, of: object) -> None:
        self.put(of)

    def put(self, of: object) -> None:
        object.__setattr__(self, "_of", of)

    def __getattribute__(self, name: str) -> Any:
        if name == "put":
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_of"), name)

    def __call__(self) -> Any:
        return object.__getattribute__(self, "_of")()


class _Lent:
    """An application with its three doors."""

    def __init__(self, settings: Settings, database: Database, clock: Callable[[], datetime]) -> None:
        self.doors: tuple[Any, Any, Any] = (_Door(settings), _Door(database), _Door(clock))
        self.app = create_app(*self.doors)

    def to(self, *whose: object) -> Litestar:
        for door, of in zip(self.doors, whose, strict=True):
            door.put(of)
        self.app.state.guesses = Guesses()
        self.app.state.kiosk_guesses = Guesses(MOST_WRONG)
        self.app.state.hook_paces = Paces()
        self.app.state.board = Board(*self.doors[1:])  # that of a server that was stopped is closed
        self.app.state.exports = Exports(*self.doors)
        pages: Any = self.app.template_engine
        pages.engine.globals["apart"] = apart_of(*self.doors[1:])  # what it was told of another's sites is forgotten
        return self.app


_drawn_up: dict[object, list[_Lent]] = {}
_lent: dict[object, tuple[Database, int]] = {}
"""By what is added to them: the database of the test that borrows now, and how many it has."""


def lent_app(
    settings: Settings, database: Database, clock: Callable[[], datetime], *, more: Sequence[Any] = ()
) -> Litestar:
    """An application of this test's own, as far as the test can see, with `more` handlers."""
    kind = (tuple(map(id, more)), settings.production, database.vault.sign("kind", b""))
    at_hand = _drawn_up.setdefault(kind, [])
    whose, so_many = _lent.get(kind, (None, 0))
    nth = so_many if whose is database else 0
    if nth == len(at_hand):
        at_hand.append(_Lent(settings, database, clock))
        for handler in more:
            at_hand[nth].app.register(handler)
    _lent[kind] = (database, nth + 1)
    return at_hand[nth].to(settings, database, clock)
