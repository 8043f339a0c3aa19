"""Exports for evaluators: tables with their definition, reproducible to the byte, and without anybody's identity.

A client is a pseudonym made with a key for this export alone, so that two exports cannot be laid over each other. Days
are counted from entry, and no text that a person wrote is in a table. The program alone, with its key, can say whom a
pseudonym means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from dispensary.database import ReadSession, through
from dispensary.evaluation import queries
from dispensary.evaluation.answering import Answer, Asked, answer
from dispensary.evaluation.cox import cox
from dispensary.evaluation.crowds import OPEN, SHIELDED, Shield
from dispensary.evaluation.dhis2 import Names, value_sets
from dispensary.evaluation.episode_models import EpisodeSet
from dispensary.evaluation.episode_sets import retention_of
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.identified import Named
from dispensary.evaluation.measure_reports import measure_reports
from dispensary.evaluation.queries import DoseDayRow, Period
from dispensary.evaluation.retention import Question, Retention, check_moment, retention
from dispensary.evaluation.retention_tables import retention_statement, write_tables
from dispensary.evaluation.stating import purpose_of, statement
from dispensary.evaluation.tables import Column, Columns, amount, whole
from dispensary.evaluation.whom import CLIENTS, shown, windows_of
from dispensary.staff.queries import Place
from dispensary.staff.vault_keys import signer_at
from dispensary.wall import Door

DOSE_DAYS: Columns = {
    "client": Column("pseudonym of the client, in this export alone"),
    "episode": whole("the client's first, second, ... episode"),
    "day": whole("days since the episode began; 0 is its first day"),
    "portion": whole("which portion of the day's dose"),
    "portions": whole("into how many portions the day's dose was split; 1 is a whole dose"),
    "ordered_mg": amount("mg that the order in force gave this portion when the day closed"),
    "given_mg": amount("mg that the client had for it when the day closed"),
    "outcome": Column("observed, take_home, missed or held, frozen when the day closed"),
    "covered": whole("1 when the client had it by the as-of moment; 0 also for a bottle that came back full"),
}


@dataclass(frozen=True)
class DoseDayFigures:
    """What an export of dose days counts over its rows."""

    clients: int
    days: int
    """Client days with an order in force, none of its portions held."""
    covered: int
    """Those of them of which every portion was covered."""
    held: int
    not_closed: int
    outside: int
    """Client days of the period that are outside their client's window: not in the rows, nor in the figures."""


@through(Door.FIGURES)
def export_dose_days(
    session: ReadSession,
    *,
    places: Sequence[Place],
    period: Period,
    as_of: datetime,
    now: datetime,
    path: Path,
    shield: Shield = SHIELDED,
    named: Named | None = None,
) -> DoseDayFigures:
    """Writes each closed dose day of the sites' clients in the period to `path`, with the manifest beside it.

    The rows come from the server as they are written, so that memory does not grow with them. `named` is of an
    identified export: nothing is hidden then, and a table more says who each client is. Raises BadInput.
    """
    check_moment(period, as_of, now)
    purpose = purpose_of("dose-days", places, period, as_of)
    clients = queries.clients(session, places=places, period=period, as_of=as_of)
    if named is not None:
        clients, shield = named.among(clients), OPEN
    who = shown(session, clients=clients, places=places, period=period, as_of=as_of, purpose=purpose, shield=shield)
    windows = windows_of(session, purpose, who.names, places=places, period=period, as_of=as_of, shield=shield)
    count = _Count()
    with Export(path) as out:
        rows = queries.dose_days(session, windows=windows, period=period, as_of=as_of)
        tables = [
            out.table("", DOSE_DAYS, _dose_day_rows(count.over(rows), list(who.names.values()))),
            out.table("-clients", CLIENTS, who.table()),
        ]
        if named is not None:
            tables.append(out.table("-who", named.columns, named.rows(session, who.names)))
        not_closed = queries.doses_on_open_days(session, places=places, period=period, as_of=as_of)
        figures = DoseDayFigures(count.clients, count.ordered, count.covered, count.held, not_closed, count.outside)
        said = _dose_days_statement(figures, places, period, as_of)
        said["exclusions"] = [*said["exclusions"], who.excluded(shield)]
        said |= {"hidden": who.hidden(shield)} if named is None else {"deidentification": named.said()}
        out.manifest(said, tables)
    return figures


def export_retention(
    session: ReadSession,
    *,
    places: Sequence[Place],
    question: Question,
    now: datetime,
    path: Path,
    shield: Shield = SHIELDED,
    beside: Callable[[Export, Retention], list[Table]] = lambda out, answer: [],
) -> Retention:
    """Writes the table of retention to `path`, beside it the curve, the incidence of each cause, the stays behind all.

    What `beside` writes, such as a figure, is in the manifest too.

    Split by strata there is the log-rank test too. Clients have other pseudonyms when a question is split otherwise, so
    that groups that are shown by themselves cannot be crossed. Raises BadInput.
    """
    answer = retention(session, places=places, question=question, now=now)
    purpose = purpose_of("retention", places, question.period, question.as_of)
    _write_retention(session, answer, purpose, path, shield, beside)
    return answer


def export_episodes(session: ReadSession, *, kept: EpisodeSet, question: Question, path: Path) -> Retention:
    """The same of episodes that were kept elsewhere and brought in under a name. Raises Refused.

    Evaluators have the file that they came from: every stay is told, to the day.
    """
    answer = retention_of(session, kept=kept, question=question)
    purpose = purpose_of(f"retention of {kept.id}", (), question.period, question.as_of)
    _write_retention(session, answer, purpose, path, OPEN)
    return answer


def _write_retention(
    session: ReadSession,
    answer: Retention,
    purpose: str,
    path: Path,
    shield: Shield,
    beside: Callable[[Export, Retention], list[Table]] = lambda out, answer: [],
) -> None:
    purpose = f"{purpose}:{','.join(answer.question.by)}:{answer.question.landmark_days}"
    asked = answer.question
    model = cox(answer.split, least=asked.least) if asked.cox and answer.split is not None else None
    with Export(path) as out:
        tables = write_tables(out, answer, signer_at(session, asked.as_of), purpose, shield, model)
        out.manifest(retention_statement(answer, shield, model), [*tables, *beside(out, answer)])


def export_measure(
    session: ReadSession,
    *,
    asked: Asked,
    path: Path,
    names: Names | None = None,
    beside: Callable[[Export, Answer], list[Table]] = lambda out, found: [],
) -> Answer:
    """Writes the figures of a measure to `path`, small cells hidden, with the manifest beside it.

    The suffix says how: `.ndjson` is FHIR's MeasureReport, `.json` the data value sets of DHIS2 by these names, and any
    other a table. What `beside` writes, such as a figure, is in the manifest too. What may be asked was settled by
    `ask`. Raises BadInput.
    """
    found = answer(session, asked)
    said = _measure_statement(found)
    with Export(path) as out:
        if path.suffix == ".ndjson":
            tables = [out.lines("-MeasureReport", "a report for each indicator", measure_reports(found))]
        elif path.suffix == ".json" and names is not None:
            sets = value_sets(found, names)
            said |= {"names": names.scheme, "not_sent_since_hidden": sets.hidden}
            tables = [out.document(f"-{site}", f"figures of {site}", sent) for site, sent in sets.by_site.items()]
        else:
            tables = [out.table("", found.columns(), found.table())]
        out.manifest(said, [*tables, *beside(out, found)])
    return found


@dataclass
class _Count:
    """Counts client days while their rows pass."""

    clients: int = 0
    ordered: int = 0
    covered: int = 0
    held: int = 0
    outside: int = 0
    _last: int = 0

    def over(self, rows: Iterable[DoseDayRow]) -> Iterator[DoseDayRow]:
        for (place, _, _), portions in groupby(rows, key=lambda row: (row.place, row.episode, row.day)):
            day = list(portions)
            if not day[0].in_window:
                self.outside += 1
                continue
            self.clients += place != self._last
            self._last = place
            if any(row.outcome == "held" for row in day):
                self.held += 1
            else:
                self.ordered += 1
                self.covered += all(row.covered for row in day)
            yield from day


def _dose_day_rows(rows: Iterable[DoseDayRow], names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    for row in rows:
        yield (
            names[row.place - 1],
            row.episode,
            row.day,
            row.portion,
            row.portions,
            row.ordered_mg,
            row.given_mg,
            row.outcome,
            int(row.covered),
        )


def _dose_days_statement(
    figures: DoseDayFigures, places: Sequence[Place], period: Period, as_of: datetime
) -> dict[str, Any]:
    definition = {
        "name": "dose-days",
        "version": "2",
        "says": (
            "One row for each portion of each dose day that was closed by the as-of moment, with the order that was in"
            " force then. What was recorded later is not seen."
        ),
        "numerator": "client days of which every portion was covered",
        "denominator": "client days with an order in force and no portion held",
    }
    return statement("dose-days", places, period, as_of, definition) | {
        "figures": {"numerator": figures.covered, "denominator": figures.days, "clients": figures.clients},
        "exclusions": [
            {"what": "client days with a held portion: in the rows, in neither figure", "count": figures.held},
            {
                "what": "client days with a dose that were not closed by then: not in the rows",
                "count": figures.not_closed,
            },
            {"what": "client days outside the client's own window: not in the rows", "count": figures.outside},
        ],
        "parameters": {},
    }


def _measure_statement(found: Answer) -> dict[str, object]:
    asked = found.asked
    said = statement(asked.measure.key, asked.places, asked.period, asked.as_of, asked.measure.definition())
    return said | {
        "deidentification": (
            f"Sums over groups of clients; what would speak of fewer than {asked.least} people is hidden, and so much"
            " beside it that no total gives it back."
        ),
        "by": list(asked.by),
        "parameters": dict(asked.parameters),
        "exclusions": [{"what": says, "count": count} for says, count in found.told()],
        "rows_not_wholly_shown": found.hidden,
    }
