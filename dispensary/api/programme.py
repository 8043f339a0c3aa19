"""The programme from above: a branch in figures, as its page shows it to whoever asks."""

from __future__ import annotations

from datetime import date

import msgspec
from litestar import get
from litestar.params import FromQuery
from litestar.types import ControllerRouterHandler

from dispensary.evaluation.rollup import SPAN, last_day
from dispensary.evaluation.rollup_rules import Row
from dispensary.web.given import TheActor, TheClock, TheDatabase
from dispensary.web.guards import requires_overseer
from dispensary.web.overseeing import oversee


class BranchAnswer(msgspec.Struct):
    """A branch or a site with all that lies in it, over the days up to `until`.

    A figure that is about fewer people than may be told is null, and so is what would give it back by subtraction.
    """

    code: str
    name: str
    is_area: bool
    sites: int
    active: int | None
    """In treatment."""
    began: int | None
    ended: int | None
    doses: int | None
    mean_wait_seconds: int | None
    """From arrival to call."""
    alerts_late: int
    stock_days: str | None
    """Of the product and the site that run out first; null where nothing goes out."""
    silent: int
    """Sites that do not report."""


class ProgrammeAnswer(msgspec.Struct):
    """A branch, what lies directly in it, and the last day and number of days that the figures are of."""

    until: date
    days: int
    total: BranchAnswer
    inside: list[BranchAnswer]


@get(
    "/programme",
    sync_to_thread=True,
    operation_id="programmeInFigures",
    tags=["programme"],
    guards=[requires_overseer],
)
def programme(database: TheDatabase, actor: TheActor, clock: TheClock, at: FromQuery[str] = "") -> ProgrammeAnswer:
    """A branch by its code; without one the smallest area in which all lies that the asker sees."""
    now = clock()
    seen = oversee(database, actor=actor, code=at, alone="", now=now)
    return ProgrammeAnswer(last_day(now), SPAN, _answer(seen.rolled.total), [_answer(row) for row in seen.rolled.rows])


def _answer(row: Row) -> BranchAnswer:
    return BranchAnswer(
        code=row.code,
        name=row.name,
        is_area=row.is_area,
        sites=row.sites,
        active=row.figures["active"],
        began=row.figures["began"],
        ended=row.figures["ended"],
        doses=row.figures["doses"],
        mean_wait_seconds=None if row.wait is None else round(row.wait.total_seconds()),
        alerts_late=row.alerts_late,
        stock_days=None if row.stock_days is None else f"{row.stock_days:f}",
        silent=row.silent,
    )


HANDLERS: list[ControllerRouterHandler] = [programme]
