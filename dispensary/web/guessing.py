"""Whoever tries addresses that lead nowhere, one after the other, is not looked up for any more, for a while. Pure."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

MOST_WRONG = 30
"""So many from one network address, behind which a whole quarter may stand, within the window."""
WINDOW = timedelta(minutes=10)
MOST_REMEMBERED = 10_000


@dataclass
class Guesses:
    """Counts what led nowhere, by where it came from. It forgets, and holds no more than so many at once."""

    most: int = MOST_WRONG
    _since: OrderedDict[str, tuple[datetime, int]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def too_many(self, address: str, at: datetime) -> bool:
        """Whether this address has tried too often lately."""
        began, wrong = self._since.get(address, (at, 0))
        return wrong >= self.most and at - began < WINDOW

    def wrong(self, address: str, at: datetime) -> None:
        """Counts one that led nowhere."""
        with self._lock:
            began, wrong = self._since.pop(address, (at, 0))
            self._since[address] = (began, wrong + 1) if at - began < WINDOW else (at, 1)
            while len(self._since) > MOST_REMEMBERED:
                self._since.popitem(last=False)
