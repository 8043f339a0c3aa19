"""Whole records that an evaluator takes away: dose days and FHIR, written beside the work while one looks on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import File, Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession
from dispensary.desks.evaluation_asked import Asked, read, site_choices, sites_of_evaluator, typed_on_page
from dispensary.evaluation.exports import export_dose_days
from dispensary.evaluation.fhir import export_fhir
from dispensary.evaluation.taken import note_taken
from dispensary.monitoring.analytes import analytes
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.reporting.beside import Exports, State
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.words import _

TABLES = {"csv": "CSV", "xlsx": "XLSX", "parquet": "Parquet"}


def _kinds() -> dict[str, str]:
    """What can be had, and how it is written."""
    tables = {f"dose-days.{kind}": _("Dose days as %(format)s", format=name) for kind, name in TABLES.items()}
    return {**tables, "fhir.ndjson": _("Records as FHIR R4 (NDJSON)")}


def _exports(request: Request[Any, Any, Any]) -> Exports:
    exports: Exports = request.app.state.exports
    return exports


@get("/evaluation/files", sync_to_thread=True, guards=[requires_evaluator])
def files(
    request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """What can be written, and the files of the last hour."""
    return _page(request, database, actor, site, read({}, site=site, seen=[site], now=clock()))


def _page(
    request: Request[Any, Any, Any],
    database: Database,
    actor: Actor,
    site: Place,
    frame: Asked,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        seen = sites_of_evaluator(session, actor)
    mine = _exports(request).of(actor.account_id)
    return page(
        "evaluation/files.html",
        refused=refused,
        typed=typed,
        frame=frame,
        sites=site_choices(seen),
        kinds=list(_kinds().items()),
        mine=mine,
        names=_kinds(),
        under_way=any(each.state in (State.WAITING, State.WRITING) for each in mine),
        megabytes=lambda size: f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB",
    )


@post("/evaluation/files", sync_to_thread=True, guards=[requires_evaluator])
def order_file(
    request: Request[Any, Any, Any],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any] | Template:
    """Begins to write; the page that follows says how far it is."""
    now = clock()
    try:
        with database.reading() as session:
            asked = read(data, site=site, seen=sites_of_evaluator(session, actor), now=now)
        kind = one(data, "kind")
        if kind not in _kinds():
            raise Refused(Refusal("no-choice", "Nothing was chosen here.", "Choose one.", field="kind"))

        def write(session: ReadSession, folder: Path) -> None:
            given = {"places": asked.places, "period": asked.period, "as_of": asked.as_of, "now": now}
            if kind == "fhir.ndjson":
                export_fhir(session, **given, tests=analytes(), path=folder / kind)  # type: ignore[arg-type]
            else:
                export_dose_days(session, **given, path=folder / kind)  # type: ignore[arg-type]

        assert actor.account_id is not None  # the guard lets nobody else in
        _exports(request).order(
            owner=actor.account_id,
            name=kind.partition(".")[0],
            asked={**asked.as_json(), "format": kind.partition(".")[2]},
            write=write,
        )
    except Refused as refused:
        frame = read({}, site=site, seen=[site], now=now)
        return _page(request, database, actor, site, frame, refused=refused, typed=typed_on_page(data, site))
    return Redirect("/evaluation/files", status_code=303)


@get("/evaluation/files/{number:uuid}", sync_to_thread=True, guards=[requires_evaluator])
def take_file(
    number: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> File:
    """A file that is ready, read from the disk as it goes; that it was taken is put on record first."""
    ordered = _exports(request).find(number, owner=actor.account_id)
    if ordered.state is not State.READY:
        raise NotThere(Refusal("not-ready", "This file is not ready.", "Go back and wait until it says so."))
    with database.writing() as session:
        note_taken(session, actor=actor, name=ordered.name, at=clock(), asked=ordered.asked)
    return File(ordered.packed, filename=f"{ordered.name}.zip", media_type="application/zip")


HANDLERS: list[ControllerRouterHandler] = [files, order_file, take_file]
