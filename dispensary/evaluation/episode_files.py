"""Reading episodes that were kept elsewhere from a CSV file: every fault named with its line and column. Pure.

A line is a stay in treatment: whose, from when, until when, why it ended. Further columns are strata by which the stays
can be split. What would name a person is not let in: a column with nearly as many values as lines is no stratum.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from hashlib import file_digest
from itertools import pairwise
from pathlib import Path

from dispensary.evaluation.rules import IN_TREATMENT
from dispensary.refusals import BadInput, Refusal
from dispensary.units import BadAmount, Milligrams, milligrams

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "client": ("client", "clientid", "clientnumber", "id", "who", "number"),
    "site": ("site", "clinic", "facility", "centre", "center"),
    "started": ("started", "start", "startdate", "startedon", "began", "entry", "entrydate", "enrolled"),
    "ended": ("ended", "end", "enddate", "endedon", "exit", "exitdate", "left"),
    "exit_reason": ("exitreason", "reason", "reasonofexit", "ending", "outcome"),
    "dose": ("dose", "dosemg", "mg", "dailydose", "dailydosemg"),
}
"""What is read, and the headers by which it is guessed, the surest first; compared without case, spaces and signs."""
NEEDED = ("client", "started", "ended", "exit_reason")
SITE, DOSE = "site", "dose"
UNKNOWN = "unknown"
MOST_VALUES = 50
"""Of a column of strata, and of reasons of exit: with more it would tell people apart, not groups."""
FEW_VALUES = 8
"""So many may be in any file; more are at most half as many as there are clients."""
MOST_COLUMNS = 20
LONGEST = 60
FIRST_DAY = date(1960, 1, 1)
"""No methadone programme is older (Dole and Nyswander began in 1964): an earlier day is a slip."""
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_KEY = re.compile(r"[^\W\d_]\w{0,39}")
_TAKEN = frozenset(
    (
        *("all", "any_event", "at_risk", "cause", "censored", "chi_square", "days", "degrees", "ending", "event"),
        *("events", "exits", "expected", "hidden", "incidence", "lower_95", "months", "observed", "of", "p"),
        *("retention", "role", "stay", "stays", "upper_95", "variance"),
    )
)
"""Names of the tables' own columns and rows."""


@dataclass(frozen=True, slots=True)
class EpisodeLine:
    """One line that can be meant."""

    line: int
    client: str
    started: date
    ended: date | None
    """The first day on which the client was in treatment no longer."""
    exit_reason: str | None
    strata: Mapping[str, str]


@dataclass(frozen=True)
class EpisodeFile:
    """What a file says."""

    lines: tuple[EpisodeLine, ...]
    strata: tuple[str, ...]
    """The columns by which the episodes can be split."""
    seen_to: date
    """The last day that the records know: an episode without an end was going on then."""
    sha256: bytes


def read_episodes(path: Path, *, headers: Mapping[str, str] | None = None, seen_to: date | None = None) -> EpisodeFile:
    """Reads a table of episodes with a header line, in UTF-8, parted by commas, semicolons or tabs.

    `headers` names the header of a column where the guess would be wrong. Without `seen_to` it is the latest day in the
    file. Raises BadInput with every fault.
    """
    try:
        with path.open("rb") as raw:
            digest = file_digest(raw, "sha256").digest()
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except UnicodeError:
        raise _unreadable(f"{path.name} is not text in UTF-8.", "Save it as “CSV UTF-8”.") from None
    except csv.Error as reason:
        raise _unreadable(f"{path.name} is not a CSV table: {reason}.", "Save it again as CSV.") from None
    except OSError as reason:
        raise _unreadable(f"{path.name} cannot be read: {reason.strerror or reason}.", "Check the path.") from None
    if len(rows) < 2:
        raise _unreadable(f"{path.name} has no episodes.", "The first line names the columns.")
    return _Reading(rows[0][1], headers or {}, rows[0][0]).read(rows[1:], seen_to, digest)


def headers_of(typed: Sequence[str]) -> Mapping[str, str]:
    """The headers that were typed as COLUMN=HEADER. Raises BadInput."""
    found: dict[str, str] = {}
    for one in typed:
        what, sign, header = (part.strip() for part in one.partition("="))
        if what not in COLUMNS or not sign or not _folded(header):
            remedy = f"Write COLUMN=HEADER, where the column is {', '.join(COLUMNS)}."
            raise BadInput(Refusal("column", f"“{one[:60]}” names no header.", remedy, field="column"))
        found[what] = header
    return found


def dose_band(mg: Decimal | None) -> str:
    """The band of a dose as the strata of the clinic's own records have it."""
    if mg is None:
        return UNKNOWN
    return "below 60 mg" if mg < 60 else "60-79 mg" if mg < 80 else "80 mg and more"


def _unreadable(sentence: str, remedy: str) -> BadInput:
    return BadInput(Refusal("file-unreadable", sentence, remedy, field="file"))


def _folded(header: str) -> str:
    return "".join(sign for sign in header.casefold() if sign.isalnum())


class _Reading:
    """A file while it is read: where its columns stand, and what is wrong with it."""

    def __init__(self, header: Sequence[str], named: Mapping[str, str], line: int) -> None:
        self.faults: list[Refusal] = []
        self.header = header
        self.at: dict[str, int] = {}
        self.further: dict[str, int] = {}
        folded = [_folded(name) for name in header]
        for what, guesses in COLUMNS.items():
            names = (_folded(named[what]),) if what in named else guesses
            at = next((folded.index(name) for name in names if name in folded), None)
            if at is not None:
                self.at[what] = at
            elif what in NEEDED or what in named:
                asked = f"“{named[what]}”" if what in named else f"for {what}"
                there = f"Columns here: {', '.join(name for name in header if name)}."
                self.faults.append(Refusal("no-column", f"There is no column {asked}.", there, field=what))
        for n, name in enumerate(header):
            if n not in self.at.values():
                self.further[self._key(name, line)] = n
        if len(self.further) > MOST_COLUMNS:
            sentence = f"There are {len(self.further)} further columns."
            self.faults.append(Refusal("columns", sentence, f"Leave at most {MOST_COLUMNS} that are strata."))
        if len(set(self.at.values())) < len(self.at):
            self.faults.append(Refusal("same-column", "Two columns would be read from one.", "Name each header."))
        if self.faults:
            raise BadInput(*self.faults)

    def _key(self, name: str, line: int) -> str:
        key = "_".join(re.findall(r"[^\W_]+", name.casefold()))
        if not _KEY.fullmatch(key) or key in {*COLUMNS, *self.further, *_TAKEN}:
            remedy = "Begin with a letter, use letters, digits and _, and no name that the tables have already."
            self.faults.append(Refusal("column", f"line {line}: “{name[:40]}” cannot name a stratum.", remedy))
        return key

    def read(self, rows: Sequence[tuple[int, list[str]]], seen_to: date | None, digest: bytes) -> EpisodeFile:
        lines = [line for number, row in rows if (line := self._line(number, row)) is not None]
        days = [day for line in lines for day in (line.started, line.ended) if day is not None]
        last = seen_to or max(days, default=FIRST_DAY)
        for line in lines:
            for what, day in (("started", line.started), ("ended", line.ended)):
                if day is not None and day > last:
                    self._fault(line.line, what, f"{day} is after {last}, the last day that the records know")
        self._one_after_another(lines)
        self._few_values(lines)
        if self.faults:
            raise BadInput(*self.faults)
        strata = [*(key for key in (SITE, DOSE) if key in self.at), *self.further]
        return EpisodeFile(tuple(lines), tuple(strata), last, digest)

    def _line(self, number: int, row: list[str]) -> EpisodeLine | None:
        before = len(self.faults)
        if len(row) != len(self.header):
            sentence = f"line {number} has {len(row)} cells, and the header has {len(self.header)}."
            self.faults.append(Refusal("line", sentence, "Is a comma or a quote missing?"))
            return None

        def cell(what: str) -> str:
            return row[self.at[what]] if what in self.at else ""

        if not 0 < len(cell("client")) <= LONGEST:
            self._fault(number, "client", f"a client has 1 to {LONGEST} characters")
        started, ended = self._day(number, "started", cell("started")), self._day(number, "ended", cell("ended"))
        if not cell("started"):
            self._fault(number, "started", "the day is missing")
        reason = "_".join(cell("exit_reason").casefold().split())
        if started and ended and ended < started:
            self._fault(number, "ended", f"{ended} is before {started}, when it started")
        if bool(cell("ended")) != bool(reason):
            missing = "ended" if reason else "exit_reason"
            self._fault(number, missing, "an end has a day and a reason, and an episode that is going on has neither")
        if len(reason) > LONGEST or reason == IN_TREATMENT or not reason.isprintable():
            self._fault(number, "exit_reason", f"“{reason[:LONGEST]}” cannot be a reason")
        strata = {SITE: cell("site") or UNKNOWN} if SITE in self.at else {}
        strata |= {DOSE: dose_band(self._mg(number, cell("dose")))} if DOSE in self.at else {}
        strata |= {key: row[n] or UNKNOWN for key, n in self.further.items()}
        for key, value in strata.items():
            if len(value) > LONGEST or not value.isprintable() or value in ("all", "hidden"):
                self._fault(number, key, f"“{value[:LONGEST]}” cannot be the value of a stratum")
        if len(self.faults) > before or started is None:
            return None
        return EpisodeLine(number, cell("client"), started, ended, reason or None, strata)

    def _day(self, number: int, what: str, typed: str) -> date | None:
        if not typed:
            return None
        try:
            day = date.fromisoformat(typed) if _DAY.fullmatch(typed) else None
        except ValueError:
            day = None
        if day is None or not FIRST_DAY <= day <= date(2199, 12, 31):
            self._fault(number, what, f"“{typed[:20]}” is not a day like 2026-01-31")
            return None
        return day

    def _mg(self, number: int, typed: str) -> Milligrams | None:
        try:
            return milligrams(typed, zero=True) if typed else None
        except BadAmount as reason:
            self._fault(number, "dose", str(reason).removesuffix("."))
            return None

    def _one_after_another(self, lines: Sequence[EpisodeLine]) -> None:
        for of in _by_client(lines):
            for earlier, later in pairwise(of):
                if earlier.ended is None or later.started < earlier.ended:
                    until = f"ended on {earlier.ended}" if earlier.ended else "has no end"
                    sentence = f"{later.started} is within the episode of line {earlier.line}, which {until}"
                    self._fault(later.line, "started", sentence)

    def _few_values(self, lines: Sequence[EpisodeLine]) -> None:
        values = defaultdict[str, set[str]](set)
        for line in lines:
            values["exit_reason"].add(line.exit_reason or "")
            for key, value in line.strata.items():
                values[key].add(value)
        clients = len({line.client.casefold() for line in lines})
        most = min(MOST_VALUES, max(FEW_VALUES, clients // 2))
        for key, found in values.items():
            if len(found) > most and key != SITE:
                sentence = f"Column “{key}” has {len(found)} different values: it would tell people apart."
                self.faults.append(Refusal("values", sentence, f"Leave it out, or make at most {most} of them."))

    def _fault(self, line: int, what: str, says: str) -> None:
        at = self.at.get(what, self.further.get(what))
        name = what if at is None else self.header[at]
        self.faults.append(Refusal("line", f"line {line}, column “{name}”: {says}.", "", field=what))


def _by_client(lines: Sequence[EpisodeLine]) -> Iterator[list[EpisodeLine]]:
    """The episodes of each client in their order."""
    of = defaultdict[str, list[EpisodeLine]](list)
    for line in lines:
        of[line.client.casefold()].append(line)
    for episodes in of.values():
        yield sorted(episodes, key=lambda line: (line.started, line.ended or date.max, line.line))
