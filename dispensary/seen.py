"""What a request saw of people: whose names were opened within it, and of what an entry of the trail was written.

Whoever opens a sealed name does so by the vault of a unit of work, and whoever writes an entry does so by one function.
Both note it here, so that a page that shows a name and writes nothing down is known as such, whoever wrote the page.
Outside of a request nothing is noted.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

OF_PEOPLE = ("client.", "agent.", "contact.")
"""Sealed fields that say who somebody is begin so."""


@dataclass
class Seen:
    """Of one request. Its handler works in a thread of its own and shares this very object."""

    clients: set[UUID] = field(default_factory=set)
    """Whose name or photo was opened."""
    anybody: bool = False
    """Whether anything was opened that says who somebody is: an agent's photo, a number."""
    written: set[UUID | None] = field(default_factory=set)
    """About what an entry of the trail was written."""


_seen: ContextVar[Seen | None] = ContextVar("seen", default=None)


def anew() -> Seen:
    """What this request sees from now on."""
    seen = Seen()
    _seen.set(seen)
    return seen


def of_this_request() -> Seen | None:
    return _seen.get()


def opened(field_name: str, row: UUID) -> None:
    """A sealed field was opened."""
    seen = _seen.get()
    if seen is not None and field_name.startswith(OF_PEOPLE):
        seen.anybody = True
        if field_name in ("client.name", "client.photo"):
            seen.clients.add(row)


def written(subject_id: UUID | None) -> None:
    """An entry of the trail was written."""
    seen = _seen.get()
    if seen is not None:
        seen.written.add(subject_id)
