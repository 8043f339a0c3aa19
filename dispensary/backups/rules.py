"""Which backups are kept, and when the last one is too old. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

DAYS, WEEKS, MONTHS = 7, 5, 12
"""Of how many of the last days, weeks and months that have a backup the newest one is kept."""
TOO_OLD = timedelta(hours=26)
"""A backup a day, with two hours for a long night. The most that may be lost is a day."""


def kept(moments: Iterable[datetime]) -> frozenset[datetime]:
    """The moments whose backups are kept: the newest of each of the last days, weeks (from Monday) and months, in UTC.

    Counted are days, weeks and months that have a backup, so that after a year without any none is lost.
    """
    newest_first = sorted(moments, reverse=True)
    return frozenset(
        moment
        for name, so_many in (("%Y-%m-%d", DAYS), ("%G-W%V", WEEKS), ("%Y-%m", MONTHS))
        for moment in _newest_of_each(newest_first, name, so_many)
    )


def _newest_of_each(newest_first: Sequence[datetime], name: str, so_many: int) -> list[datetime]:
    found: dict[str, datetime] = {}
    for moment in newest_first:
        found.setdefault(moment.strftime(name), moment)
    return list(found.values())[:so_many]
