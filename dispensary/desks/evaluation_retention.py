"""The evaluator's page of retention: the curve with its band, who is at risk, the table and the definition."""

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
from dispensary.desks.evaluation_asked import (
    Asked,
    form_of,
    on_page,
    read,
    site_choices,
    sites_of_evaluator,
    typed_on_page,
)
from dispensary.desks.evaluation_taken import note_looked, taken
from dispensary.evaluation.exports import export_retention
from dispensary.evaluation.retention import DEFAULT_GAP, Question, retention
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.reporting.pens import as_svg
from dispensary.reporting.retained import drawn
from dispensary.staff.queries import Place
from dispensary.web.forms import one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.web.typed import Typed


@dataclass(frozen=True)
class _Question:
    asked: Asked
    question: Question

    def query(self, **more: object) -> str:
        return self.asked.query(gap=self.question.gap_days, **more)

    def as_json(self) -> dict[str, object]:
        return {**self.asked.as_json(), "gap_days": self.question.gap_days}


def _question(form: Mapping[str, Any], *, site: Place, seen: list[Place], now: datetime) -> _Question:
    faults: list[Refusal] = []
    gap = DEFAULT_GAP
    asked = None
    try:
        asked = read(form, site=site, seen=seen, now=now)
    except BadInput as refused:
        faults += refused.refusals
    try:
        with Typed(form) as typed:
            if one(form, "gap"):
                gap = typed.whole("gap", 1, 366)
    except BadInput as refused:
        faults += refused.refusals
    if faults or asked is None:
        raise on_page(BadInput(*faults))
    return _Question(asked, Question(asked.period, asked.as_of, gap_days=gap))


@get("/evaluation/retention", sync_to_thread=True, guards=[requires_evaluator])
def retention_page(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Retention of those who began in a period. A question with a fault comes back as it was typed."""
    now, form = clock(), form_of(request)
    refused: Refused | None = None
    asked, answer = None, None
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
        try:
            asked = _question(form, site=site, seen=seen, now=now)
            answer = retention(session, places=asked.asked.places, question=asked.question, now=now)
        except BadInput as reason:
            refused = on_page(reason)
    if asked:
        with database.writing() as session:
            note_looked(session, actor, "retention", now, asked.as_json())
    return page(
        "evaluation/retention.html",
        refused=refused,
        typed=typed_on_page(form, site),
        sites=site_choices(seen),
        asked=asked,
        frame=asked.asked if asked else read({}, site=site, seen=seen, now=now),
        gap=asked.question.gap_days if asked else DEFAULT_GAP,
        answer=answer,
        chart=as_svg(drawn(answer)) if answer else "",
        definition=answer.definition() if answer else {},
    )


@get("/evaluation/retention.zip", sync_to_thread=True, guards=[requires_evaluator])
def retention_files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The table, the curve, the stays behind them and the manifest, de-identified."""
    now, form = clock(), form_of(request)
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    asked = _question(form, site=site, seen=seen, now=now)

    def write(session: ReadSession, folder: Path) -> None:
        path = folder / "retention.csv"
        export_retention(session, places=asked.asked.places, question=asked.question, now=now, path=path)

    return taken(database, actor, "retention", write, now, asked.as_json())


HANDLERS: list[ControllerRouterHandler] = [retention_page, retention_files]
