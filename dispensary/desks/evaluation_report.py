"""The evaluator's page of the programme report: one page to print, or the page with its tables to take away."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from litestar import Request, get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession
from dispensary.desks.evaluation_asked import Asked, form_of, read, site_choices, sites_of_evaluator, typed_on_page
from dispensary.desks.evaluation_taken import taken
from dispensary.evaluation.taken import note_taken
from dispensary.refusals import BadInput, Refused
from dispensary.reporting.programme import NAME, asked_of, export_report, on_page
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.web.forms import one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.paper import pdf
from dispensary.web.templating import page


def last_month(today: date) -> tuple[date, date]:
    """The first and the last day of the month before this one."""
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def _asked(form: Mapping[str, Any], database: Database, actor: Actor, site: Place, now: datetime) -> Asked:
    """The report's frame: last month where no period is said. Raises BadInput."""
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    return read(_with_month(form, site, now), site=site, seen=seen, now=now)


def _with_month(form: Mapping[str, Any], site: Place, now: datetime) -> dict[str, Any]:
    if one(form, "first") or one(form, "last"):
        return dict(form)
    first, last = last_month(site.dose_day(now))
    return {**form, "first": first.isoformat(), "last": last.isoformat()}


@get("/evaluation/report", sync_to_thread=True, guards=[requires_evaluator])
def report_page(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """What the report will be of, and where to get it."""
    now, form = clock(), form_of(request)
    refused: Refused | None = None
    asked: Asked | None = None
    try:
        asked = _asked(form, database, actor, site, now)
    except BadInput as reason:
        refused = reason
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    return page(
        "evaluation/report.html",
        refused=refused,
        typed=typed_on_page(form, site),
        sites=site_choices(seen),
        asked=asked,
        frame=asked or read(_with_month({}, site, now), site=site, seen=seen, now=now),
    )


@get("/evaluation/report.pdf", sync_to_thread=True, guards=[requires_evaluator])
def report_pdf(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The page, as the browser shows it."""
    now = clock()
    asked = _asked(form_of(request), database, actor, site, now)
    with database.reading() as session:
        content = on_page(session, asked=asked_of(asked.places, asked.period, asked.as_of, now))
    with database.writing() as session:
        note_taken(session, actor=actor, name=NAME, at=now, asked={**asked.as_json(), "format": "pdf"})
    return pdf(content, f"{NAME}-{asked.period.from_day}-{asked.last_day}.pdf")


@get("/evaluation/report.zip", sync_to_thread=True, guards=[requires_evaluator])
def report_files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The page with the tables behind it and the manifest."""
    now = clock()
    asked = _asked(form_of(request), database, actor, site, now)

    def write(session: ReadSession, folder: Path) -> None:
        question = asked_of(asked.places, asked.period, asked.as_of, now)
        export_report(session, asked=question, path=folder / f"{NAME}.csv")

    return taken(database, actor, NAME, write, now, {**asked.as_json(), "format": "zip"})


HANDLERS: list[ControllerRouterHandler] = [report_page, report_pdf, report_files]
