"""How often somebody asks within a while, counted in this process, before the database is asked. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

MOST_REMEMBERED = 10_000


@dataclass
class Pace:
    """Counts who asks within each while, and holds no more than those of the last one, and no more than so many."""

    most: int
    within: timedelta
    _since: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, who: str, at: datetime) -> bool:
        """Counts one; whether it is one too many."""
        with self._lock:
            began, asked = self._since.get(who, (at, 0))
            if not timedelta(0) <= at - began < self.within:
                began, asked = at, 0
            if who not in self._since and len(self._since) >= MOST_REMEMBERED:
                self._since = {one: each for one, each in self._since.items() if at - each[0] < self.within}
                while len(self._since) >= MOST_REMEMBERED:
                    del self._since[next(iter(self._since))]
            self._since[who] = (began, asked + 1)
            return asked >= self.most
