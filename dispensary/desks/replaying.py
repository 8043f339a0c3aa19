"""The page of a kept assessment: what it was judged by, and whether that still gives the same answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Template
from litestar.types import ControllerRouterHandler

from dispensary.desks.consulting import Consultation, about
from dispensary.takehome.history import COVERED, HELD, MISSED, NO_ORDER, OPEN, PARTLY
from dispensary.units import ClientId
from dispensary.web import take_home_acts
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader
from dispensary.web.templating import page
from dispensary.words import _, weekday_names

_SHOWN_BY_ITSELF = ("record", "record_from", "judged")


@dataclass(frozen=True)
class Run:
    """Days in a row of which the same became."""

    letter: str
    first: date
    days: int

    @property
    def last(self) -> date:
        return self.first + timedelta(days=self.days - 1)


def runs_of(record: str, record_from: date) -> Iterator[Run]:
    """A record as runs of days, the newest first: what is looked for is near its end."""
    first, runs = record_from, []
    for letter, same in groupby(record):
        runs.append(Run(letter, first, len(list(same))))
        first = runs[-1].last + timedelta(days=1)
    return reversed(runs)


@get(
    "/consulting/clients/{client_id:uuid}/take-home/assessments/{assessment_id:uuid}",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def assessment(
    client_id: FromPath[UUID],
    assessment_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Template:
    """An assessment as it was kept, and what its kept inputs give when the kept policy judges them again."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    record = here.opened(seen_on="assessment")
    with database.reading() as session:
        again = take_home_acts.replayed(session, client_id=here.client_id, assessment_id=assessment_id)
    history = again.assessment.inputs["history"]
    record_from = date.fromisoformat(history["record_from"])
    return page(
        "consulting/assessment.html",
        again=again,
        kept=again.assessment,
        said=again.assessment.result,
        known={name: value for name, value in history.items() if name not in _SHOWN_BY_ITSELF},
        judged=history["judged"],
        record_from=record_from,
        runs=list(runs_of(history["record"], record_from)),
        letters={
            COVERED: _("with a dose"),
            PARTLY: _("a part of the dose"),
            MISSED: _("missed"),
            HELD: _("held"),
            OPEN: _("not closed yet"),
            NO_ORDER: _("no order"),
        },
        decided=[each for each in record.decisions if each.assessment_id == assessment_id],
        weekday_names=weekday_names(),
        **about(actor, record),
    )


HANDLERS: list[ControllerRouterHandler] = [assessment]
