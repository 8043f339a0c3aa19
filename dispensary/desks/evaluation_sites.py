"""The evaluator's page that compares sites by a share of people: a funnel with its limits, and no ranking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import ReadSession
from dispensary.desks.evaluation_asked import EVERY_SITE, Asked, form_of, read, sites_of_evaluator, typed_on_page
from dispensary.desks.evaluation_taken import taken
from dispensary.evaluation import answering
from dispensary.evaluation.answering import Answer, answer, ask
from dispensary.evaluation.exports import export_measure
from dispensary.evaluation.files import Export, Table
from dispensary.evaluation.measure import Indicator
from dispensary.evaluation.measures import measures
from dispensary.evaluation.taken import note_looked
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.reporting import told
from dispensary.reporting.compared import (
    LIMITS,
    Compared,
    comparable,
    compared,
    drawn,
    limit_rows,
    meaning,
    position,
)
from dispensary.reporting.pens import as_png, as_svg
from dispensary.staff.queries import Place
from dispensary.web.forms import one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.words import _

FIRST = "prv-14/minimum"
MOST_ROWS = 120


@dataclass(frozen=True)
class _Question:
    asked: Asked
    question: answering.Asked
    indicator: Indicator

    @property
    def figure(self) -> str:
        return f"{self.question.measure.key}/{self.indicator.key}"

    def query(self, **more: object) -> str:
        return self.asked.query(figure=self.figure, **more)

    def as_json(self) -> dict[str, object]:
        return {**self.asked.as_json(), "figure": self.figure, "by": ["site"]}


def _figures() -> dict[str, tuple[str, Indicator]]:
    """Every figure by which sites can be compared, under its measure's title."""
    return {
        f"{key}/{each.key}": (f"{_(found.title)}: {_(each.says)}", each)
        for key, found in measures().items()
        for each in comparable(found)
    }


def _question(form: Mapping[str, Any], *, site: Place, seen: list[Place], now: datetime) -> _Question:
    faults: list[Refusal] = []
    asked = None
    try:
        asked = read({**form, "site": EVERY_SITE}, site=site, seen=seen, now=now)
    except BadInput as refused:
        faults += refused.refusals
    chosen = one(form, "figure") or FIRST
    figures = _figures()
    if chosen not in figures:
        sentence = f"Sites are not compared by “{chosen[:40]}”."
        faults.append(Refusal("no-figure", sentence, "Choose one of the list.", field="figure"))
    if faults or asked is None:
        raise BadInput(*faults)
    measure = measures()[chosen.partition("/")[0]]
    question = ask(measure, places=asked.places, period=asked.period, as_of=asked.as_of, now=now, by=["site"])
    return _Question(asked, question, figures[chosen][1])


@get("/evaluation/sites", sync_to_thread=True, guards=[requires_evaluator])
def compare_sites(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The sites that this person evaluates, as points over their size."""
    now, form = clock(), form_of(request)
    refused: Refused | None = None
    asked, of = None, None
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
        try:
            asked = _question(form, site=site, seen=seen, now=now)
            of = compared(answer(session, asked.question), asked.indicator)
        except BadInput as reason:
            refused = reason
    if asked:
        with database.writing() as session:
            note_looked(session, actor, asked.figure, now, asked.as_json())
    return page(
        "evaluation/sites.html",
        refused=refused,
        typed=typed_on_page(form, site),
        figures=[(key, says) for key, (says, _indicator) in _figures().items()],
        asked=asked,
        frame=asked.asked if asked else read({}, site=site, seen=seen, now=now),
        seen=seen,
        of=of,
        rows=of.sites[:MOST_ROWS] if of else (),
        chart=as_svg(drawn(of)) if of and of.says_something else "",
        meaning=meaning(of) if of and of.says_something else [],
        position=position,
        told=told,
    )


@get("/evaluation/sites.zip", sync_to_thread=True, guards=[requires_evaluator])
def compare_files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The figures by site, the limits, and the funnel as SVG and PNG, with the manifest."""
    now, form = clock(), form_of(request)
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    asked = _question(form, site=site, seen=seen, now=now)
    name = f"{asked.question.measure.key}-sites"

    def beside(out: Export, found: Answer) -> list[Table]:
        of: Compared = compared(found, asked.indicator)
        tables = [out.table("-limits", LIMITS, limit_rows(of))]
        if of.says_something:
            funnel = drawn(of)
            says = "the sites with their limits, drawn"
            tables += [out.picture("svg", says, as_svg(funnel).encode()), out.picture("png", says, as_png(funnel))]
        return tables

    def write(session: ReadSession, folder: Path) -> None:
        export_measure(session, asked=asked.question, path=folder / f"{name}.csv", beside=beside)

    return taken(database, actor, name, write, now, asked.as_json())


HANDLERS: list[ControllerRouterHandler] = [compare_sites, compare_files]
