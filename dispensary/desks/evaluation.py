"""The evaluator's desk: any measure for any sites, period and moment, with its table, definition and exclusions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import ReadSession
from dispensary.desks.evaluation_asked import (
    Asked,
    form_of,
    on_page,
    read,
    site_choices,
    sites_of_evaluator,
    typed_on_page,
)
from dispensary.desks.evaluation_taken import taken
from dispensary.evaluation import answering
from dispensary.evaluation.answering import ALL, Answer, answer, ask
from dispensary.evaluation.exports import export_measure
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.measure import Choice, Measure
from dispensary.evaluation.measures import measure, measures
from dispensary.evaluation.strata import MOST_STRATA, STRATA
from dispensary.evaluation.taken import note_looked
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.reporting import told
from dispensary.reporting.compared import comparable
from dispensary.reporting.pens import as_png, as_svg
from dispensary.staff.queries import Place
from dispensary.web.forms import one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.words import _

FIRST = "programme"
"""The measure that the desk opens with."""
RETENTION = "retention"
FORMATS = {"csv": "csv", "xlsx": "xlsx", "parquet": "parquet", "fhir": "ndjson", "svg": "csv", "png": "csv"}
"""What can be taken, and how the table is written; a figure comes with the table that it was drawn from."""
_FRAME = ("measure", "of", "first", "last", "as_of", "site", "by", "draw", "format")
MOST_ROWS = 120
"""Rows that a page shows; the file has all."""


@dataclass(frozen=True)
class Question:
    """What the page was asked, as far as it could be read."""

    measure: Measure
    asked: Asked
    question: answering.Asked
    draw: str

    def query(self, **more: object) -> str:
        """The address's part that asks the same again."""
        chosen = {key: f"{value}" for key, value in self.question.parameters.items()}
        by = list(self.question.by) or ""
        return self.asked.query(measure=self.measure.key, **chosen, by=by, draw=self.draw, **more)

    def as_json(self) -> dict[str, object]:
        """The same for the audit trail."""
        parameters = {key: f"{value}" for key, value in self.question.parameters.items()}
        return {**self.asked.as_json(), "by": list(self.question.by), "parameters": parameters}


def _measure_of(form: Mapping[str, Any]) -> Measure:
    return measure(one(form, "measure") or FIRST)


def _question(form: Mapping[str, Any], *, site: Place, seen: list[Place], now: datetime) -> Question:
    """What is asked. What was typed for another measure than the one that is chosen now is left out. Raises Refused."""
    chosen = _measure_of(form)
    own = one(form, "of") in ("", chosen.key)
    faults: list[Refusal] = []
    asked: Asked | None = None
    try:
        asked = read(form, site=site, seen=seen, now=now)
    except BadInput as refused:
        faults += refused.refusals
    draw = one(form, "draw") if own else ""
    if draw and draw not in {each.key for each in chosen.indicators}:
        faults.append(Refusal("no-figure", f"{chosen.key} has no figure “{draw[:40]}”.", "Choose one.", field="draw"))
    frame = asked or read({}, site=site, seen=seen, now=now)
    by = [key for key in several(form, "by") if key] if own else []
    given = {key: one(form, key) for key in form if key not in _FRAME and one(form, key)} if own else {}
    try:
        question = ask(chosen, places=frame.places, period=frame.period, as_of=frame.as_of, now=now, by=by, typed=given)
    except BadInput as refused:
        faults += refused.refusals
    if faults or asked is None:
        raise on_page(BadInput(*faults))
    return Question(chosen, asked, question, draw)


@get("/evaluation", sync_to_thread=True, guards=[requires_evaluator])
def evaluation(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any] | Template:
    """The figures of a measure. A question with a fault comes back as it was typed, with the fault at its field."""
    now, form = clock(), form_of(request)
    if one(form, "measure") == RETENTION:
        kept = {key: one(form, key) for key in ("first", "last", "as_of", "site")}
        return Redirect("/evaluation/retention", query_params={key: text for key, text in kept.items() if text})
    refused: Refused | None = None
    found: Answer | None = None
    asked: Question | None = None
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
        try:
            asked = _question(form, site=site, seen=seen, now=now)
            found = answer(session, asked.question)
        except Refused as reason:
            refused = reason
    chosen = asked.measure if asked else _known(form)
    if asked:
        with database.writing() as session:
            note_looked(session, actor, chosen.key, now, asked.as_json())
    return page(
        "evaluation/measure.html",
        refused=refused,
        typed=_typed(form, chosen, site),
        measure=chosen,
        measures=_choices(),
        sites=site_choices(seen),
        strata=_strata(chosen),
        most_strata=MOST_STRATA,
        parameters=[
            (each, _choice(each), asked.question.parameters[each.key] if asked else each.default)
            for each in chosen.parameters
        ],
        asked=asked,
        frame=asked.asked if asked else read({}, site=site, seen=seen, now=now),
        found=found,
        rows=_rows(found) if found else [],
        more=max(0, len(found.rows) - MOST_ROWS) if found else 0,
        is_split=bool(found and found.asked.by),
        nobody=found is not None and not any(not row.shown or row.denominator or row.numerator for row in found.rows),
        too_few=found is not None and not any(row.shown for row in found.rows),
        chart=as_svg(told.drawn(found, asked.draw)) if found and asked else "",
        drawn=asked.draw or told.first_drawn(chosen).key if asked else "",
        told=told,
        compares=comparable(chosen)[0].key if len(seen) > 1 and comparable(chosen) else "",
        everybody=ALL,
    )


def _known(form: Mapping[str, Any]) -> Measure:
    try:
        return _measure_of(form)
    except NotThere:
        return measure(FIRST)


def _typed(form: Mapping[str, Any], chosen: Measure, site: Place) -> dict[str, Any]:
    typed = typed_on_page(form, site)
    if one(form, "of") in ("", chosen.key):
        return typed
    return {key: value for key, value in typed.items() if key in ("first", "last", "as_of", "site")}


def _choices() -> list[tuple[str, str]]:
    every = [(each.key, _(each.title)) for each in measures().values()]
    return sorted([*every, (RETENTION, _("Retention as a curve"))], key=lambda choice: choice[1])


def _strata(chosen: Measure) -> list[tuple[str, str, str]]:
    common = [(key, _(STRATA[key].title), _(STRATA[key].says)) for key in chosen.strata]
    return [*common, *((each.key, each.key.replace("_", " ").capitalize(), _(each.says)) for each in chosen.own_strata)]


def _choice(parameter: object) -> list[tuple[str, str]]:
    return list(parameter.choices.items()) if isinstance(parameter, Choice) else []


def _rows(found: Answer) -> list[tuple[Any, list[Any]]]:
    """The rows by indicator, as many as a page shows."""
    shown = found.rows[:MOST_ROWS]
    return [
        (each, rows)
        for each in found.asked.measure.indicators
        if (rows := [row for row in shown if row.indicator == each.key])
    ]


@get("/evaluation/measure.zip", sync_to_thread=True, guards=[requires_evaluator])
def measure_files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The table, the figure or the MeasureReports of a measure, with the manifest."""
    now, form = clock(), form_of(request)
    written = one(form, "format") or "csv"
    if written not in FORMATS:
        raise BadInput(
            Refusal("format", f"There is no format “{written[:20]}”.", f"Choose {', '.join(FORMATS)}.", field="format")
        )
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    asked = _question(form, site=site, seen=seen, now=now)

    def write(session: ReadSession, folder: Path) -> None:
        path = folder / f"{asked.measure.key}.{FORMATS[written]}"
        export_measure(session, asked=asked.question, path=path, beside=partial(_figure, written, asked.draw))

    return taken(database, actor, asked.measure.key, write, now, {**asked.as_json(), "format": written})


def _figure(written: str, draw: str, out: Export, found: Answer) -> list[Table]:
    """The figure beside the table that it is drawn from, where one was asked for."""
    if written not in ("svg", "png"):
        return []
    figure = told.drawn(found, draw)
    return [out.picture(written, figure.title, as_svg(figure).encode() if written == "svg" else as_png(figure))]


HANDLERS: list[ControllerRouterHandler] = [evaluation, measure_files]
