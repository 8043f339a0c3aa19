"""What other medicines and substances do with methadone, when they start and when they stop. Pure.

A name that the table does not have is said to be unknown, never to be safe.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import msgspec
from rapidfuzz import process
from rapidfuzz.distance import OSA

from dispensary.documents import Status
from dispensary.monitoring.findings import Finding, Severity
from dispensary.monitoring.sources import document


class Effect(StrEnum):
    DOWN = "down"
    """Less methadone."""
    UP = "up"
    OTHER_UP = "other_up"
    """More of the other medicine."""
    OTHER_DOWN = "other_down"
    SEDATION = "cns"
    """Both slow the breathing."""
    QT = "qt"
    ANTAGONIST = "antagonist"
    SEROTONIN = "serotonin"
    NONE = "none"


class Moment(StrEnum):
    START = "start"
    STOP = "stop"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the table. Sizes are percent of methadone's exposure, unless `size_of` says of what."""

    key: str
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    direction: Effect
    also: tuple[Effect, ...] = ()
    size: tuple[int, int] | None = None
    size_of: str = "methadone"
    size_status: Status = Status.ACTIVE
    """A draft's size is not told."""
    size_confidence: str = ""
    onset_days: tuple[int, int] | None = None
    offset_days: int | None = None
    look_every_days: int | None = None
    start: str
    stop: str = ""
    contraindicated_within_days: int | None = None
    mild: bool = False
    source: str
    confidence: str

    @property
    def effects(self) -> tuple[Effect, ...]:
        return (self.direction, *self.also)

    @property
    def severity(self) -> Severity:
        if self.direction is Effect.ANTAGONIST or self.contraindicated_within_days is not None:
            return Severity.URGENT
        if self.direction is Effect.NONE:
            return Severity.NONE
        weak = self.mild or self.direction in (Effect.OTHER_UP, Effect.OTHER_DOWN)
        return Severity.INFO if weak and not self.also else Severity.WARNING


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    row: tuple[Row, ...]
    classes: dict[str, tuple[str, ...]]
    brands: dict[str, str]


@lru_cache(maxsize=1)
def _table() -> _Table:
    return msgspec.convert(document("interactions"), _Table)


def rows() -> Sequence[Row]:
    """The whole table."""
    return _table().row


@lru_cache(maxsize=1)
def _by_name() -> Mapping[str, tuple[Row, ...]]:
    table = _table()
    found: dict[str, list[Row]] = {}
    for row in table.row:
        members = (name for each in row.classes for name in (each, *table.classes[each]))
        for name in dict.fromkeys((*row.names, *members)):
            found.setdefault(name, []).append(row)
    return MappingProxyType({name: tuple(each) for name, each in found.items()})


def plain_name(typed: str) -> str:
    """A substance's name as the table has it: lower case, without marks, straight apostrophe, single blanks."""
    folded = unicodedata.normalize("NFKD", typed).casefold().replace("’", "'")
    return " ".join("".join(c for c in folded if not unicodedata.combining(c)).split())


def substance_of(typed: str) -> str:
    """The plain name of what is meant: of a brand that is known the substance in it, of anything else its own."""
    name = plain_name(typed)
    return _table().brands.get(name, name)


def known_as(typed: str) -> tuple[Row, ...]:
    """The rows that speak of a substance, by its own name, a brand's or its class; none when it is unknown."""
    name = substance_of(typed)
    names = _by_name()
    return names.get(name) or names.get(name.removesuffix("s"), ())


def meant(typed: str) -> str | None:
    """The known name of two letters' difference at most that was perhaps meant; a question, never an answer."""
    names = [*_by_name(), *_table().brands]
    close = process.extractOne(plain_name(typed), names, scorer=OSA.distance, score_cutoff=2)
    return str(close[0]) if close and len(plain_name(typed)) > 4 else None


@dataclass(frozen=True)
class Look:
    """A day on which somebody looks at the client, because an effect comes or goes."""

    on: date
    why: str


def interaction(typed: str, moment: Moment) -> list[Finding]:
    """What the table says of a substance that starts or stops; one finding that it is unknown, when it has none.

    Of a stop it speaks where something changes back: the medicine moved methadone, down or up.
    """
    matching = known_as(typed)
    if not matching:
        perhaps = meant(typed)
        return [
            Finding(
                "interaction",
                Severity.WARNING,
                "unknown",
                f"Nothing is known here about “{typed.strip()}” and methadone. That is not to say that it is safe.",
                "Not in the table",
                "",
                f"Did you mean {perhaps}? Else ask a pharmacist." if perhaps else "Ask a pharmacist.",
                {"substance": typed.strip()},
            )
        ]
    return [_of_row(row, typed, moment) for row in matching if moment is Moment.START or _moves(row)]


def _moves(row: Row) -> bool:
    return row.direction in (Effect.DOWN, Effect.UP)


def _of_row(row: Row, typed: str, moment: Moment) -> Finding:
    told: dict[str, object] = {
        "substance": typed.strip(),
        "row": row.key,
        "direction": row.direction.value,
        "effects": [effect.value for effect in row.effects],
        "onset_days": list(row.onset_days) if row.onset_days else None,
        "offset_days": row.offset_days,
    }
    if row.size is not None and row.size_status is Status.ACTIVE:
        told |= {"size_percent": list(row.size), "size_of": row.size_of}
    if moment is Moment.STOP:
        word, after = ("up", "rises") if row.direction is Effect.DOWN else ("down", "falls")
        over = f" over about {row.offset_days} days" if row.offset_days else ""
        sentence = f"{row.key} has stopped: methadone {after} again{over}."
        advice = row.stop or ("Look for sedation." if word == "up" else "Look for withdrawal.")
        severity = max(row.severity, Severity.WARNING) if not row.mild else Severity.INFO
        return Finding("interaction", severity, f"methadone_{word}", sentence, row.source, row.confidence, advice, told)
    return Finding(
        "interaction", row.severity, _WORDS[row.direction], _started(row), row.source, row.confidence, row.start, told
    )


_WORDS = {
    Effect.DOWN: "methadone_down",
    Effect.UP: "methadone_up",
    Effect.OTHER_UP: "other_up",
    Effect.OTHER_DOWN: "other_down",
    Effect.SEDATION: "sedation",
    Effect.QT: "qt",
    Effect.ANTAGONIST: "contraindicated",
    Effect.SEROTONIN: "serotonin",
    Effect.NONE: "no_effect",
}

_SAID = {
    Effect.DOWN: "methadone falls",
    Effect.UP: "methadone rises",
    Effect.OTHER_UP: "the other medicine rises",
    Effect.OTHER_DOWN: "the other medicine falls",
    Effect.SEDATION: "both slow the breathing",
    Effect.QT: "both lengthen the QT time",
    Effect.ANTAGONIST: "withdrawal at once",
    Effect.SEROTONIN: "danger of serotonin syndrome",
    Effect.NONE: "no effect on methadone that matters",
}


def _started(row: Row) -> str:
    effects = ", ".join(_SAID[effect] for effect in row.effects)
    size = ""
    if row.size is not None and row.size_status is Status.ACTIVE:
        low, high = row.size
        of = "" if row.size_of == "methadone" else f" ({row.size_of})"
        size = f" by {low} %{of}" if low == high else f" by {low} to {high} %{of}"
    when = f", from day {row.onset_days[0]} to {row.onset_days[1]}" if row.onset_days else ""
    return f"{row.key}: {effects}{size}{when}."


def looks(typed: str, moment: Moment, on: date) -> list[Look]:
    """The days on which to look while an effect comes or goes, as far as the source names days; the nearest first."""
    found: dict[date, str] = {}
    for row in known_as(typed):
        if not _moves(row):
            continue
        if moment is Moment.START and row.onset_days:
            last, every = row.onset_days[1], row.look_every_days
            days = [*range(every, last, every), last] if every else list(row.onset_days)
            for day in days:
                found.setdefault(on + timedelta(days=day), f"{row.key} started on {on}: look for {_sign(row, moment)}")
        elif moment is Moment.STOP and row.offset_days:
            every = row.look_every_days or row.offset_days
            for day in [*range(every, row.offset_days, every), row.offset_days]:
                found.setdefault(on + timedelta(days=day), f"{row.key} stopped on {on}: look for {_sign(row, moment)}")
    return [Look(day, found[day]) for day in sorted(found)]


def _sign(row: Row, moment: Moment) -> str:
    falls = (row.direction is Effect.DOWN) == (moment is Moment.START)
    return "withdrawal" if falls else "sedation"


@dataclass(frozen=True)
class Burden:
    """What a whole list of medicines adds up to, and which of its names are not known."""

    sedating: tuple[str, ...]
    lengthening_qt: tuple[str, ...]
    serotonergic: tuple[str, ...]
    unknown: tuple[str, ...]

    @property
    def says_something(self) -> bool:
        return bool(self.sedating or self.lengthening_qt or self.serotonergic or self.unknown)


def burden(names: Iterable[str]) -> Burden:
    """Counts what adds up over the list: sedation, QT, serotonin; a substance under two names is one.

    Unknown names stand apart, for nobody knows.
    """
    listed = {substance_of(name): name.strip() for name in names}
    by_effect: dict[Effect, list[str]] = {}
    unknown = []
    for name in listed.values():
        matching = known_as(name)
        if not matching:
            unknown.append(name)
        for effect in dict.fromkeys(effect for row in matching for effect in row.effects):
            by_effect.setdefault(effect, []).append(name)
    return Burden(
        tuple(by_effect.get(Effect.SEDATION, ())),
        tuple(by_effect.get(Effect.QT, ())),
        tuple(by_effect.get(Effect.SEROTONIN, ())),
        tuple(unknown),
    )
