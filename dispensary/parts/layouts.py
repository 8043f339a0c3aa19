"""How a table is laid out: into how many parts, what lies in each, and what each is called. Pure.

Each part lies in a schema of its own, under the table's own name. So its keys have the names that the program knows a
refusal by, and whoever sees to the tables of `public` sees none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from dispensary.parts.tables import BY, BY_MONTH

AHEAD = 2
"""Months after the running one that are there before their first row comes."""
FURTHEST = 240
"""Months back for which there is a part; what is older lies in the rest, of which it is as good a part."""
REST = "month_rest"
"""Where what is of no month of its own lies."""
OURS = "^(part_[0-9]{2}|month_([0-9]{6}|rest))$"
"""The schemas of parts, as PostgreSQL's expressions say it."""


@dataclass(frozen=True)
class Part:
    schema: str
    of: str
    """Which rows lie in it, as PostgreSQL says it."""


@dataclass(frozen=True)
class Layout:
    column: str
    method: str
    parts: Sequence[Part]

    def __str__(self) -> str:
        months = len(self.parts) - 1
        return f"{months} months and the rest" if self.method == "RANGE" else f"{len(self.parts)} parts"


def by_digest(table: str, parts: int) -> Layout:
    """So many parts, by a digest of the table's column."""
    every = [Part(f"part_{no:02}", f"FOR VALUES WITH (MODULUS {parts}, REMAINDER {no})") for no in range(parts)]
    return Layout(BY[table], "HASH", every)


def by_month(table: str, months: Iterable[date]) -> Layout:
    """A part for each of these months, and one for the rest."""
    return Layout(BY_MONTH[table], "RANGE", [*(part_of(table, month) for month in months), Part(REST, "DEFAULT")])


def part_of(table: str, month: date) -> Part:
    """The part of the month that begins on this day: of a table of moments, by UTC."""
    midnight = " 00:00:00+00" if BY_MONTH[table] == "at" else ""
    bounds = (f"'{day.isoformat()}{midnight}'" for day in (month, following(month)))
    return Part(f"month_{month:%Y%m}", "FOR VALUES FROM ({}) TO ({})".format(*bounds))


def month_in(schema: str) -> date | None:
    """The month of a part, by its schema."""
    found = re.fullmatch(r"month_(\d{4})(\d{2})", schema)
    return date(int(found[1]), int(found[2]), 1) if found else None


def following(month: date, by: int = 1) -> date:
    """The first day of the month so many months later, or earlier."""
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


def through(first: date, last: date) -> list[date]:
    """Every month from that of the first day to that of the last."""
    month, months = first.replace(day=1), []
    while month <= last:
        months.append(month)
        month = following(month)
    return months


def to_begin_with(oldest: date | None, today: date) -> list[date]:
    """The months of a table that is divided today, of which this is the oldest row's day."""
    first = max(oldest or today, following(today, -FURTHEST))
    return through(min(first, today), following(today, AHEAD))


def lacking(there: Iterable[date], strays: Iterable[date], today: date) -> list[date]:
    """The months to be made: those until two ahead, and those of rows that lie in the rest, such as an old history's.

    A row of a later day, as a clock that was wrong would write it, waits in the rest until its month comes near.
    """
    last = following(today, AHEAD)
    wanted = {*through(today, last), *(month for month in strays if following(today, -FURTHEST) <= month <= last)}
    return sorted(wanted - set(there))
