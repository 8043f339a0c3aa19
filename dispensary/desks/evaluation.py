"""The evaluator's desk: retention with its curve, table and definition side by side, and exports to take away."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from litestar import get
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import Database, ReadSession
from dispensary.desks.curve import drawn
from dispensary.evaluation.exports import export_dose_days, export_retention
from dispensary.evaluation.queries import Period
from dispensary.evaluation.retention import DEFAULT_GAP, Question, retention
from dispensary.refusals import Refused
from dispensary.staff import audit
from dispensary.staff.queries import Place
from dispensary.staff.rules import Actor
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.web.typed import Typed

Clock = Callable[[], datetime]


def _asked(site: Place, now: datetime, first: str, last: str, gap: str) -> Question:
    """The question that the address asks; a year to yesterday where it says nothing. Raises BadInput."""
    yesterday = site.dose_day(now) - timedelta(days=1)
    with Typed({"first": first, "last": last}) as typed:
        begins = typed.day_or_none("first") or yesterday - timedelta(days=365)
        ends = typed.day_or_none("last") or yesterday
        if gap and not gap.isdecimal():
            typed.fault("gap", "gap", "A gap is a number of days.", "Programmes use 2 to 30.")
    period = Period(begins, ends + timedelta(days=1))
    return Question(period, now, gap_days=int(gap[:4]) if gap else DEFAULT_GAP)


@get("/evaluation", sync_to_thread=True, guards=[requires_evaluator])
def evaluation(
    database: TheDatabase,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[str] = "",
    last: FromQuery[str] = "",
    gap: FromQuery[str] = "",
) -> Template:
    """Retention of those who began in a period. A question without an answer comes back with what is wrong."""
    now = clock()
    typed = {"first": first, "last": last, "gap": gap}
    refused: Refused | None = None
    try:
        question = _asked(site, now, first, last, gap)
        with database.reading() as session:
            answer = retention(session, places=[site], question=question, now=now)
    except Refused as reason:
        refused, question = reason, _asked(site, now, "", "", "")
        with database.reading() as session:
            answer = retention(session, places=[site], question=question, now=now)
    return page(
        "evaluation/retention.html",
        refused=refused,
        typed={name: text for name, text in typed.items() if text},
        question=question,
        answer=answer,
        curve=drawn(answer.first.curve, question.scale, answer.first.marks),
        definition=answer.definition(),
        last_day=question.period.until_day - timedelta(days=1),
    )


@get("/evaluation/retention.zip", sync_to_thread=True, guards=[requires_evaluator])
def retention_files(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[str] = "",
    last: FromQuery[str] = "",
    gap: FromQuery[str] = "",
) -> Response[bytes]:
    """The table, the curve, the stays behind them and the manifest, de-identified."""
    now = clock()
    question = _asked(site, now, first, last, gap)

    def write(session: ReadSession, path: Path) -> None:
        export_retention(session, places=[site], question=question, now=now, path=path)

    return _taken(database, actor, "retention", write, now, {"first": first, "last": last, "gap": question.gap_days})


@get("/evaluation/dose-days.zip", sync_to_thread=True, guards=[requires_evaluator])
def dose_day_files(
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    first: FromQuery[str] = "",
    last: FromQuery[str] = "",
) -> Response[bytes]:
    """Every closed dose day of the period with the manifest, de-identified."""
    now = clock()
    question = _asked(site, now, first, last, "")

    def write(session: ReadSession, path: Path) -> None:
        export_dose_days(session, places=[site], period=question.period, as_of=question.as_of, now=now, path=path)

    return _taken(database, actor, "dose-days", write, now, {"first": first, "last": last})


def _taken(
    database: Database,
    actor: Actor,
    name: str,
    write: Callable[[ReadSession, Path], None],
    now: datetime,
    asked: Mapping[str, Any],
) -> Response[bytes]:
    """Writes the files, notes who took them, and packs them. The same files give the same bytes."""
    with TemporaryDirectory() as folder:
        with database.reading() as session:
            write(session, Path(folder) / f"{name}.csv")
        with database.writing() as session:
            audit.record(
                session,
                actor=actor,
                act=f"exported {name}",
                subject="site",
                subject_id=actor.site_id,
                at=now,
                details=asked,
            )
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(Path(folder).iterdir()):
                entry = zipfile.ZipInfo(file.name)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())
    headers = {"content-disposition": f'attachment; filename="{name}.zip"'}
    return Response(packed.getvalue(), media_type="application/zip", headers=headers)


HANDLERS: list[ControllerRouterHandler] = [evaluation, retention_files, dose_day_files]
