"""How well a single client is hidden among others in an export of rows: what may be told of them. Pure.

What somebody outside may know of a person is the year in which they came, the site, their sex and their age. So no row
tells a combination of these that fewer than five clients of the export share: the last of them is left untold first.
The year follows from the days themselves, as does the very day of entry of whoever was in treatment when the period
began or ended. So a year in which fewer than five came is left out, and each client's rows are of a window of their own
within the period, which begins up to 27 days late, by the key: their day of entry is known to four weeks at best.

k-anonymity: Sweeney, Int. J. Uncertain. Fuzz. 10(5):557-570 (2002), by suppression within a hierarchy.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TypeVar

from dispensary.evaluation.queries import Period
from dispensary.evaluation.small_cells import LEAST

UNTOLD = "untold"
_KEPT_LONGEST = ("site", "sex", "age")
_SLIDE = 27
_Who = TypeVar("_Who")


@dataclass(frozen=True, slots=True)
class Traits:
    """What somebody may know of a client without the program."""

    year: str
    """In which they came first."""
    site: str = ""
    sex: str = ""
    age: str = ""
    """In bands."""


@dataclass(frozen=True)
class Shield:
    """How much an export of rows hides."""

    least: int = LEAST
    """How many clients share whatever is told of one."""
    slide: int = _SLIDE
    """Up to how many days late a client's window begins."""

    def among(self, people: Mapping[_Who, Traits]) -> dict[_Who, Traits]:
        """What is told of whom; who is not in it is left out. The same whatever order the people come in."""
        told: dict[_Who, Traits] = {}
        for group in _by(people, people, "year").values():
            if len(group) >= self.least:
                told.update(self._split(people, group, _KEPT_LONGEST))
        return told

    def _split(
        self, people: Mapping[_Who, Traits], group: list[_Who], columns: tuple[str, ...]
    ) -> Iterator[tuple[_Who, Traits]]:
        if not columns:
            yield from ((who, people[who]) for who in group)
            return
        parts = _by(people, group, columns[0])
        large = sorted((value for value in parts if len(parts[value]) >= self.least), key=lambda v: (len(parts[v]), v))
        together = [who for value, part in parts.items() if value not in large for who in part]
        while 0 < len(together) < self.least and large:
            together += parts[large.pop(0)]  # or it would be told of the few who are left that they are the rest
        for value in large:
            yield from self._split(people, parts[value], columns[1:])
        yield from ((who, replace(people[who], **dict.fromkeys(columns, UNTOLD))) for who in together)

    def window(self, period: Period, *, as_of_day: date, drawn: bytes) -> Period:
        """The days of the period that one client's rows are of, by bytes that are drawn for them.

        All windows are as long. In a period of less than 16 weeks they slide by a quarter of it, and hide less.
        """
        until = min(period.until_day, as_of_day + timedelta(days=1))
        slide = max(0, min(self.slide, (until - period.from_day).days // 4))
        late = int.from_bytes(drawn[:8]) % (slide + 1)
        return Period(period.from_day + timedelta(days=late), until - timedelta(days=slide - late))

    def rounded(self, days: int) -> int:
        """Days up to the as-of moment, from which entry could be counted back: whole times four weeks."""
        return days - days % (self.slide + 1)

    def said(self) -> str:
        """What it hides, for the manifest."""
        if self.least <= 1:
            return "Nothing is hidden: every client of the sites is in the rows, with every day of the period."
        return (
            f"No row tells a year of entry, site, sex and age that fewer than {self.least} clients of the export share;"
            f" what would is “{UNTOLD}”, and years in which fewer came are left out. Each client's rows are of a window"
            f" of the period that begins up to {self.slide} days late, or a quarter of a short period."
        )


SHIELDED = Shield()
OPEN = Shield(least=1, slide=0)
"""For those who may read the records anyway."""


def told_of(count: int, least: int) -> str:
    """How many, where it is not so few that they are somebody."""
    return f"fewer than {least}" if 0 < count < least else f"{count}"


def untold(told: Mapping[_Who, Traits]) -> Mapping[str, int]:
    """Of how many clients each trait is not told."""
    return Counter(column for traits in told.values() for column in _KEPT_LONGEST if getattr(traits, column) == UNTOLD)


def _by(people: Mapping[_Who, Traits], group: Iterable[_Who], column: str) -> dict[str, list[_Who]]:
    parts = defaultdict[str, list[_Who]](list)
    for who in group:
        parts[getattr(people[who], column)].append(who)
    return parts
