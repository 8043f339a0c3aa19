"""Exports for evaluators: tables with their definition, reproducible to the byte, and without anybody's identity.

A client is a pseudonym made with a key for this export alone, so that two exports cannot be laid over each other. Days
are counted from entry, and no text that a person wrote is in a table. The program alone, with its key, can say whom a
pseudonym means.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from dispensary.database import ReadSession
from dispensary.evaluation import queries
from dispensary.evaluation.answering import Answer, Asked, answer
from dispensary.evaluation.dhis2 import Names, value_sets
from dispensary.evaluation.files import Export
from dispensary.evaluation.measure_reports import measure_reports
from dispensary.evaluation.queries import DoseDayRow, Period
from dispensary.evaluation.retention import Cohort, Question, Retention, check_moment, retention
from dispensary.evaluation.stating import pseudonym, purpose_of, statement
from dispensary.evaluation.tables import Column, Columns, amount, figure, whole
from dispensary.keys import Vault
from dispensary.staff.queries import Place

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
RETENTION: Columns = {
    "stays": Column("first: each client's first stay; all: every stay"),
    "months": whole("months since the stay began"),
    "at_risk": whole("stays that were observed until then"),
    "events": whole("exits that count as events, up to and including then"),
    "censored": whole("stays whose observation ended otherwise, up to and including then"),
    "retention": figure("Kaplan-Meier estimate; empty where nobody was observed that long"),
    "variance": figure("Greenwood's variance of it"),
    "lower_95": figure("95 % limits on the log-log scale; empty where the estimate is 1 or 0"),
    "upper_95": figure("see lower_95"),
}
CURVE: Columns = {
    "stays": Column("as in the table"),
    "months": figure("months since the stay began, a day past them as a part of a month"),
    "at_risk": whole("stays that were observed until then"),
    "events": whole("exits at this time that count as events"),
    "censored": whole("stays whose observation ended at this time otherwise"),
    "retention": figure("Kaplan-Meier estimate from this time to the next"),
    "lower_95": figure("as in the table"),
    "upper_95": figure("as in the table"),
}
STAYS: Columns = {
    "client": Column("pseudonym of the client, in this export alone"),
    "stay": whole("the client's first, second, ... stay"),
    "days": whole("days from the first day of the stay to its end or the as-of day"),
    "months": figure("the same in months, as the curve counts them"),
    "event": whole("1 when it ended in an event"),
    "ending": Column("the reason of the exit, or in_treatment"),
    "role": Column("what that reason counts as"),
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


def export_dose_days(
    session: ReadSession, *, places: Sequence[Place], period: Period, as_of: datetime, now: datetime, path: Path
) -> DoseDayFigures:
    """Writes each closed dose day of the sites' clients in the period to `path`, with the manifest beside it.

    The rows come from the server as they are written, so that memory does not grow with them. Raises BadInput.
    """
    check_moment(period, as_of, now)
    purpose = purpose_of("dose-days", places, period, as_of)
    known = sorted(
        (pseudonym(session.vault, purpose, client), client)
        for client in queries.clients(session, places=places, as_of=as_of)
    )
    count = _Count()
    with Export(path) as out:
        rows = queries.dose_days(session, client_ids=[client for _, client in known], period=period, as_of=as_of)
        table = out.table("", DOSE_DAYS, _dose_day_rows(count.over(rows), [name for name, _ in known]))
        not_closed = queries.doses_on_open_days(session, places=places, period=period, as_of=as_of)
        figures = DoseDayFigures(count.clients, count.ordered, count.covered, count.held, not_closed)
        out.manifest(_dose_days_statement(figures, places, period, as_of), [table])
    return figures


def export_retention(
    session: ReadSession, *, places: Sequence[Place], question: Question, now: datetime, path: Path
) -> Retention:
    """Writes the table of retention to `path`, beside it the curve, the stays behind both, and the manifest.

    Every figure of the table can be traced to rows of the stays. Raises BadInput.
    """
    answer = retention(session, places=places, question=question, now=now)
    purpose = purpose_of("retention", places, question.period, question.as_of)
    kinds = (("first", answer.first), ("all", answer.all))
    with Export(path) as out:
        tables = [
            out.table("", RETENTION, (row for kind, cohort in kinds for row in _mark_rows(kind, cohort))),
            out.table("-curve", CURVE, (row for kind, cohort in kinds for row in _curve_rows(kind, cohort, question))),
            out.table("-stays", STAYS, _stay_rows(answer, session.vault, purpose)),
        ]
        out.manifest(_retention_statement(answer), tables)
    return answer


def export_measure(session: ReadSession, *, asked: Asked, path: Path, names: Names | None = None) -> Answer:
    """Writes the figures of a measure to `path`, small cells hidden, with the manifest beside it.

    The suffix says how: `.ndjson` is FHIR's MeasureReport, `.json` the data value sets of DHIS2 by these names, and any
    other a table. What may be asked was settled by `ask`. Raises BadInput.
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
        out.manifest(said, tables)
    return found


@dataclass
class _Count:
    """Counts client days while their rows pass."""

    clients: int = 0
    ordered: int = 0
    covered: int = 0
    held: int = 0
    _last: int = 0

    def over(self, rows: Iterable[DoseDayRow]) -> Iterator[DoseDayRow]:
        for (place, _, _), portions in groupby(rows, key=lambda row: (row.place, row.episode, row.day)):
            day = list(portions)
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


def _figure(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(Decimal("0.00000001"))


def _mark_rows(kind: str, cohort: Cohort) -> Iterator[tuple[object, ...]]:
    for mark in cohort.marks:
        figures = (mark.retention, mark.variance, mark.lower, mark.upper)
        yield kind, mark.months, mark.at_risk, mark.events, mark.censored, *map(_figure, figures)


def _curve_rows(kind: str, cohort: Cohort, question: Question) -> Iterator[tuple[object, ...]]:
    for point in cohort.curve.points:
        figures = (point.survival, point.lower, point.upper)
        months = question.scale.months(point.time)
        yield kind, months, point.at_risk, point.events, point.censored, *map(_figure, figures)


def _stay_rows(answer: Retention, vault: Vault, purpose: str) -> Iterator[tuple[object, ...]]:
    scale = answer.question.scale
    named = sorted(
        ((pseudonym(vault, purpose, stay.client_id), stay, seen) for stay, seen in answer.all.observed),
        key=lambda row: (row[0], row[1].number),
    )
    for name, stay, seen in named:
        yield name, stay.number, seen.days, scale.months(seen.time), int(seen.event), seen.ending, seen.role.value


def _dose_days_statement(
    figures: DoseDayFigures, places: Sequence[Place], period: Period, as_of: datetime
) -> dict[str, object]:
    definition = {
        "name": "dose-days",
        "version": "1",
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
        ],
        "parameters": {},
    }


def _retention_statement(answer: Retention) -> dict[str, object]:
    question = answer.question
    kinds = {"first": answer.first, "all": answer.all}
    return statement("retention", answer.places, question.period, question.as_of, answer.definition()) | {
        "figures": {
            kind: {
                "stays": cohort.curve.n,
                "clients": cohort.clients,
                "events": cohort.curve.events,
                "endings": cohort.endings,
            }
            for kind, cohort in kinds.items()
        },
        "exclusions": [
            {"what": "clients who began an episode in the period and never had a dose", "count": answer.never_dosed},
            {"what": "stays that began outside the period", "count": answer.outside_period},
        ],
        "going_on_without_a_dose_for_a_day_or_more": answer.in_gap,
        "parameters": {
            "gap_days": question.gap_days,
            "months": list(question.months),
            "month_days": question.scale.month_days,
            "roles": {reason: role.value for reason, role in sorted(question.roles.items())},
        },
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
