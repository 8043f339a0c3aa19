"""A unit of work as services are given one: to read, or to write. Their types differ, so that a read cannot write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property, wraps
from typing import Any, Concatenate, LiteralString, ParamSpec, TypeVar
from uuid import UUID

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from dispensary.client_keys import UnitVault
from dispensary.straight import Rows, Straight
from dispensary.wall import STAND, Door, standing

Asked = ParamSpec("Asked")
Done = TypeVar("Done")
AnySession = TypeVar("AnySession", bound="ReadSession")


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

    def look_across(self, sites: Iterable[UUID]) -> None:
        """Has these sites in view from here to the end of this unit, for somebody who works at each of them.

        Before the wall, where all are in view, nothing changes.
        """
        if self.info.get("sites") is not None:
            self.info["sites"] = tuple(sites)
            self._stand(self.info["sites"])

    @contextmanager
    def before_the_wall(self, door: Door) -> Iterator[None]:
        """Steps in front of the second wall for this block: all sites are in view in it.

        Each door is one of `dispensary/wall.py`, which says why it is there. What was changed until here is written
        behind the wall, and what the block changes before it.
        """
        sites = self.info.get("sites")
        if sites is None:
            yield
            return
        self._stand(None)
        try:
            yield
        finally:
            # After a failure nothing more can be said in this transaction; PostgreSQL takes the role back with it.
            if self.is_active and not Straight(self.connection()).failed:
                self._stand(sites)

    def _stand(self, sites: Iterable[UUID] | None) -> None:
        self.straight.run(STAND, standing(sites))


@event.listens_for(ReadSession, "after_begin", propagate=True)
def _stands_behind_the_wall(session: ReadSession, unit: SessionTransaction, connection: Connection) -> None:
    """The first statement of a unit that somebody signed in asked for: PostgreSQL is told which sites are in view."""
    if not unit.nested and (sites := session.info.get("sites")) is not None:
        Straight(connection).run(STAND, standing(sites))


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


def through(
    door: Door,
) -> Callable[[Callable[Concatenate[AnySession, Asked], Done]], Callable[Concatenate[AnySession, Asked], Done]]:
    """The whole of a use case, or of a read, stands before the wall by this door."""

    def opened(act: Callable[Concatenate[AnySession, Asked], Done]) -> Callable[Concatenate[AnySession, Asked], Done]:
        @wraps(act)
        def acted(session: AnySession, /, *args: Asked.args, **kwargs: Asked.kwargs) -> Done:
            with session.before_the_wall(door):
                return act(session, *args, **kwargs)

        return acted

    return opened
