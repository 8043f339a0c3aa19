"""How old the last backup is, for every page of the office."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dispensary.backups.rules import TOO_OLD
from dispensary.database import Database
from dispensary.settings import Settings
from dispensary.staff.queries import last_backup


@dataclass(frozen=True)
class BackedUp:
    """What an administrator is told of backups."""

    at: datetime | None
    """When the last one was made."""
    worrying: bool
    """Whether there is none, or one that is too old; never in a demonstration that makes none."""


def backed_up(settings: Settings, database: Database, clock: Callable[[], datetime]) -> Callable[[], BackedUp]:
    """Asks when the last backup was made."""

    def ask() -> BackedUp:
        with database.reading() as session:
            at = last_backup(session)
        expected = settings.production or settings.backups is not None
        return BackedUp(at, worrying=expected and (at is None or clock() - at > TOO_OLD))

    return ask
