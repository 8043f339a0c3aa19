"""A unit of work as services are given one: to read, or to write. Their types differ, so that a read cannot write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, LiteralString

from sqlalchemy.orm import Session

from dispensary.client_keys import UnitVault
from dispensary.straight import Rows, Straight


class ReadSession(Session):
    """A unit that reads: PostgreSQL itself refuses a write in it."""

    @property
    def vault(self) -> UnitVault:
        """The keys that open this database's sealed fields, with those of its clients as this unit sees them."""
        if self._vault is None:
            self._vault = UnitVault(self.info["vault"], self._ask)
        return self._vault

    _vault: UnitVault | None = None

    def _ask(self, statement: LiteralString, values: Mapping[str, Any]) -> Rows:
        """Without `run`'s flush: keys are asked for while objects are being made."""
        return Straight(self.connection()).run(statement, values)

    def run(self, statement: LiteralString, values: Mapping[str, Any]) -> Rows:
        """Executes one statement in this unit as `Straight.run` does."""
        return self.straight.run(statement, values)

    @property
    def straight(self) -> Straight:
        """Past SQLAlchemy, on this unit's own connection. In a unit that writes, what objects changed goes first.

        The connection is asked for each time, since that is what begins a savepoint.
        """
        if self.autoflush:
            self.flush()
        connection = self.connection()
        if self._straight is None or self._straight.connection is not connection:
            self._straight = Straight(connection)
        return self._straight

    _straight: Straight | None = None


class WriteSession(ReadSession):
    """A unit that may write. Services take one first and never commit it."""

    def last(self, work: Callable[[], object]) -> None:
        """Does this when all else of the unit is done: what takes the last lock, in the middle of a procedure."""
        self._last.append(work)

    def aside(self) -> AbstractContextManager[WriteSession]:
        """A unit beside this one, which is kept whatever becomes of this one: the count of a guess, and little else.

        It has a connection of its own from a small pool of its own, and must touch no row that this unit has changed:
        it would wait for it.
        """
        beside: Callable[[], AbstractContextManager[WriteSession]] = self.info["aside"]
        return beside()

    def finish(self) -> None:
        """What was left for the last, in the order in which it was asked for. Whoever opened the unit calls it."""
        while self._last:
            self._last.pop(0)()
        if self._vault is not None:
            self._vault.must_be_kept()

    @cached_property
    def _last(self) -> list[Callable[[], object]]:
        return []

    def must_be_whole(self) -> None:
        """Raises RuntimeError when a statement failed and whoever ran it went on.

        PostgreSQL would answer the commit by undoing all of it, without an error, and what a person was told is
        recorded would be nowhere.
        """
        if self.in_transaction() and Straight(self.connection()).failed:
            raise RuntimeError("a statement failed and was passed over: nothing of this unit is kept")
