"""The evaluator's page of what people said after a visit: counts by month, and the wait as they felt it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from litestar import get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.phone.feedback import BANDS, LEAST_SHOWN, Told, told
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.supplies.printing.told_us import SaidInMonth, told_us_pdf
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page

SHOWN_TO_ALL = 6
"""The newest months that stand on the sheet for the waiting room."""


@get("/evaluation/feedback", sync_to_thread=True, guards=[requires_evaluator])
def feedback(database: TheDatabase, site: TheSite) -> Template:
    """Both questions, month by month, and what was said of the wait against how long it was."""
    with database.reading() as session:
        found = told(session, site=site)
    return page("evaluation/feedback.html", told=found, least=LEAST_SHOWN, bands=BANDS)


@get("/evaluation/feedback.csv", sync_to_thread=True, guards=[requires_evaluator])
def feedback_file(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[str]:
    """The same as a table to take away; that somebody took it is written down."""
    with database.reading() as session:
        found = told(session, site=site)
    with database.writing() as session:
        audit.record(
            session, actor=actor, act="exported feedback", subject="site", subject_id=site.id, at=clock(), details={}
        )
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\r\n")
    table.writerow(["site", "month", "waited_from_minutes", "question", "answer", "people"])
    table.writerows([site.code, *row] for row in _rows(found))
    headers = {"content-disposition": f'attachment; filename="feedback-{site.code}.csv"'}
    return Response(written.getvalue(), media_type="text/csv", headers=headers)


@get("/evaluation/feedback.pdf", sync_to_thread=True, guards=[requires_evaluator])
def feedback_poster(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The same for the waiting room, on one sheet: who was asked hears what came of it."""
    now = clock()
    with database.writing() as session:
        months = [
            SaidInMonth(each.month, each.answered, each.visit, each.wait)
            for each in told(session, site=site).months
            if each.visit
        ]
        content = told_us_pdf(months[:SHOWN_TO_ALL], site=session.get_one(Site, site.id), printed_at=now)
        audit.record(
            session, actor=actor, act="printed feedback", subject="site", subject_id=site.id, at=now, details={}
        )
    headers = {"content-disposition": f'inline; filename="told-us-{site.code}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _rows(found: Told) -> Iterator[Sequence[object]]:
    for each in found.months:
        month = f"{each.month:%Y-%m}"
        yield [month, "", "asked", "", each.asked]
        if not each.visit:
            yield [month, "", "answered", "", f"fewer than {LEAST_SHOWN}"]
            continue
        yield [month, "", "answered", "", each.answered]
        for answer, people in zip(("good", "fair", "poor"), each.visit, strict=True):
            yield [month, "", "visit", answer, people]
        for answer, people in zip(("short", "fair", "too long"), each.wait, strict=True):
            yield [month, "", "wait", answer, people]
    for band, said in found.said_of.items():
        for answer, people in zip(("short", "fair", "too long"), said, strict=True):
            yield ["", band, "wait", answer, people]


HANDLERS: list[ControllerRouterHandler] = [feedback, feedback_file, feedback_poster]
