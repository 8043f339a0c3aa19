"""A branch of the programme in figures: what is added up, what stays unsaid of few people, and who is silent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from dispensary.evaluation.small_cells import Cell, Count, hidden_cells

SILENT_HOURS = 24
"""After so many hours without a sign of life a site that has not closed its day is off-line: the house's own figure."""
FIGURES = ("active", "began", "ended", "doses")
"""Those that count people, or what few people had."""


class Voice(StrEnum):
    """What is heard of a site."""

    REPORTS = "reports"
    """Its last day is closed that should be."""
    LATE = "late"
    """It is not, and somebody works there."""
    OFF_LINE = "off-line"
    """It is not, and nothing was heard for long."""
    APART = "apart"
    """It has not come: the site runs on a server of its own, and closes its days there."""
    NEW = "new"
    """No day of it has closed yet."""


SILENT = (Voice.LATE, Voice.OFF_LINE, Voice.APART)
"""What is heard of a site whose last day is not closed here."""


@dataclass(frozen=True)
class SiteFigures:
    """A site of the branch: its last closed day, and the 28 days up to the last one that should be closed."""

    site_id: UUID
    code: str
    name: str
    last_day: date | None = None
    active: int = 0
    began: int = 0
    ended: int = 0
    doses: int = 0
    waits: int = 0
    wait_seconds: int = 0
    alerts_late: int = 0
    stock_days: Decimal | None = None
    """Of the product that runs out first; nothing where nothing goes out."""
    voice: Voice = Voice.NEW
    lat: Decimal | None = None
    lon: Decimal | None = None
    apart_since: datetime | None = None
    """Since when it is written on a server of its own; nothing while it is written here."""
    heard_at: datetime | None = None
    """The moment of the last entry of its trail that came from there."""


def voice_of(
    *,
    last_day: date | None,
    due: date,
    seen_at: datetime | None,
    now: datetime,
    silent_hours: int = SILENT_HOURS,
    apart: bool = False,
) -> Voice:
    """What is heard of a site whose day `due` should be closed by now. `apart`: it has a server of its own."""
    if last_day is not None and last_day >= due:
        return Voice.REPORTS
    if apart:
        return Voice.APART
    if seen_at is not None and now - seen_at <= timedelta(hours=silent_hours):
        return Voice.LATE if last_day is not None else Voice.NEW
    return Voice.OFF_LINE if last_day is not None else Voice.NEW


@dataclass(frozen=True)
class Row:
    """One line of a branch's table: a site, or an area with all its sites."""

    code: str
    name: str
    sites: int
    figures: dict[str, int | None]
    """By FIGURES; nothing where it is not said, since it is about few people."""
    wait: timedelta | None
    """Mean, from arrival to call."""
    alerts_late: int
    stock_days: Decimal | None
    """Of the site that runs out first."""
    silent: int
    """Sites that do not report."""
    voices: dict[Voice, int] = field(default_factory=dict)
    is_area: bool = True

    @property
    def hides(self) -> bool:
        return None in self.figures.values()


@dataclass(frozen=True)
class Rollup:
    """A branch: its lines and their sum."""

    rows: Sequence[Row]
    total: Row


def rolled_up(
    groups: Sequence[tuple[str, str, bool, Sequence[SiteFigures]]], *, name: str, code: str, shielded: bool, least: int
) -> Rollup:
    """Adds up the sites of each group: (code, name, whether it is an area, its sites).

    With `shielded` a figure of fewer than `least` people is not said, nor what would give it back by subtraction.
    """
    rows = [_row(group_code, group_name, sites, area) for group_code, group_name, area, sites in groups]
    every = [site for _, _, _, sites in groups for site in sites]
    total = _row(code, name, every, True)
    if shielded:
        people = {row.code: _people(sites) for row, (_, _, _, sites) in zip(rows, groups, strict=True)}
        hidden = _hidden(rows, total, people, _people(every), least)
        rows = [_shielded(row, row.code, hidden, least) for row in rows]
        total = _shielded(total, None, hidden, least)
    return Rollup(rows, total)


def _people(sites: Sequence[SiteFigures]) -> int:
    return sum(site.active for site in sites)


def _hidden(rows: Sequence[Row], total: Row, people: dict[str, int], all_people: int, least: int) -> frozenset[Cell]:
    """A stay that began or ended is about one person each; doses are about whoever is in treatment, or was."""
    hidden: set[Cell] = set()
    for figure in FIGURES:
        counts: dict[Cell, Count] = {}
        for row in rows:
            amount = row.figures[figure] or 0
            counts[(figure, (row.code,))] = Count(amount, people[row.code] if figure == "doses" else amount)
        amount = total.figures[figure] or 0
        counts[(figure, (None,))] = Count(amount, all_people if figure == "doses" else amount)
        hidden |= hidden_cells(counts, least=least)
    return frozenset(hidden)


def _shielded(row: Row, level: str | None, hidden: frozenset[Cell], least: int) -> Row:
    figures = {name: None if (name, (level,)) in hidden else value for name, value in row.figures.items()}
    return replace(row, figures=figures, wait=row.wait if row.figures["doses"] is not None else None)


def _row(code: str, name: str, sites: Sequence[SiteFigures], area: bool) -> Row:
    waits = sum(site.waits for site in sites)
    seconds = sum(site.wait_seconds for site in sites)
    lasts = [site.stock_days for site in sites if site.stock_days is not None]
    return Row(
        code=code,
        name=name,
        sites=len(sites),
        figures={figure: sum(getattr(site, figure) for site in sites) for figure in FIGURES},
        wait=timedelta(seconds=seconds // waits) if waits else None,
        alerts_late=sum(site.alerts_late for site in sites),
        stock_days=min(lasts, default=None),
        silent=sum(site.voice in SILENT for site in sites),
        voices=_voices(sites),
        is_area=area,
    )


def _voices(sites: Iterable[SiteFigures]) -> dict[Voice, int]:
    counted = dict.fromkeys(Voice, 0)
    for site in sites:
        counted[site.voice] += 1
    return counted
