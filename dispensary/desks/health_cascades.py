"""Cascades of the site: how many reach each step of HIV, hepatitis C, tuberculosis and liver care, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from litestar import get
from litestar.response import Template
from litestar.types import ControllerRouterHandler

from dispensary.evaluation.answering import Answer, Row, answer, ask
from dispensary.evaluation.measure import Figure, Indicator
from dispensary.evaluation.measures import measure
from dispensary.evaluation.queries import Period
from dispensary.web.consultation import looked_at_lists
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page

CASCADES = ("art-cascade", "hcv-cascade", "liver", "tb-cascade")
SPAN = timedelta(days=365)


@dataclass(frozen=True)
class Step:
    """How many reached a step, of how many, and how long its bar is beside that of the first step."""

    indicator: Indicator
    reached: int
    of: int | None
    percent: int | None
    """Of the step before, rounded half up; nothing for the first, and where nobody was there."""
    bar: int
    """Per cent of the longest bar of the cascade."""


@dataclass(frozen=True)
class Cascade:
    """A measure and its steps, in their order."""

    answer: Answer
    steps: Sequence[Step]


def cascade(found: Answer) -> Cascade:
    """The steps of a measure whose figures are shown wholly."""
    rows = {row.indicator: row for row in found.rows}
    longest = max((int(row.numerator or 0) for row in rows.values()), default=0) or 1
    return Cascade(found, [_step(each, rows[each.key], longest) for each in found.asked.measure.indicators])


def _step(indicator: Indicator, row: Row, longest: int) -> Step:
    reached = int(row.numerator or 0)
    of = int(row.denominator) if indicator.figure is Figure.SHARE and row.denominator is not None else None
    percent = (200 * reached + of) // (2 * of) if of else None
    return Step(indicator, reached, of, percent, 100 * reached // longest)


@get("/consulting/health/cascades", sync_to_thread=True, guards=[requires_health_watcher])
def cascades(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """The cascades over the year up to today. Nobody is named, and the look is written down all the same.

    At a small site a figure may be one person's: whoever may not see health may not see this.
    """
    now = clock()
    today = site.dose_day(now)
    period = Period(today - SPAN, today + timedelta(days=1))
    with database.writing() as session:
        looked_at_lists(session, actor=actor, at=now, which="cascades")
        found = [
            cascade(
                answer(session, ask(measure(key), places=[site], period=period, as_of=now, now=now, least=1)),
            )
            for key in CASCADES
        ]
    return page("consulting/health_cascades.html", cascades=found, first=period.from_day, today=today)


HANDLERS: list[ControllerRouterHandler] = [cascades]
"""Mounted at /."""
