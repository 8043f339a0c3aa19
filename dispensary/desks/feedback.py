"""The evaluator's page of what people said after a visit: counts by month, and the wait as they felt it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from litestar import get
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.survey_rules import LEAST_SHOWN as LEAST_TOLD
from dispensary.clients.surveys import Told as TheirOwn
from dispensary.clients.surveys import told_by_surveys
from dispensary.phone.feedback import BANDS, LEAST_SHOWN, Told, told
from dispensary.staff import audit
from dispensary.staff.models import Site
from dispensary.supplies.printing.told_us import SaidInMonth, SaidOf, told_us_pdf
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_evaluator
from dispensary.web.templating import page
from dispensary.words import language

SHOWN_TO_ALL = 6
"""The newest months that stand on the sheet for the waiting room."""


@get("/evaluation/feedback", sync_to_thread=True, guards=[requires_evaluator])
def feedback(database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Both questions, month by month, the wait as it was felt against what it was, and the site's own questions."""
    with database.reading() as session:
        found = told(session, site=site)
        own = told_by_surveys(session, site_id=site.id, today=site.dose_day(clock()))
    return page("evaluation/feedback.html", told=found, own=own, least=LEAST_SHOWN, bands=BANDS, reads=language())


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
        own = told_by_surveys(session, site_id=site.id, today=site.dose_day(now))[:1]
        row = session.get_one(Site, site.id)
        content = told_us_pdf(
            months[:SHOWN_TO_ALL],
            site=row,
            printed_at=now,
            own=[line for each in own for line in _said_of(each, row.language)],
            people=sum(each.results.people for each in own),
        )
        audit.record(
            session, actor=actor, act="printed feedback", subject="site", subject_id=site.id, at=now, details={}
        )
    headers = {"content-disposition": f'inline; filename="told-us-{site.code}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _said_of(own: TheirOwn, wanted: str) -> list[SaidOf]:
    """What enough people said to each question of the newest version; nothing while too few did."""
    read_in = own.questions.language_for(wanted)
    if own.results.people < LEAST_TOLD:
        return []
    return [
        SaidOf(
            each.asked.says[read_in],
            [(choice.says[read_in], count) for choice, count in zip(each.asked.choices, each.counts, strict=False)],
        )
        for each in own.results.counted
    ]


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
