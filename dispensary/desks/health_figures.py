"""How many alerts of health there are, how soon somebody answers, and which rules are closed as not worth it."""

from __future__ import annotations

from datetime import timedelta

from litestar import get
from litestar.params import FromQuery
from litestar.response import Template
from litestar.types import ControllerRouterHandler

from dispensary.desks.consulting import acts_of, near_day
from dispensary.desks.health_words import said_of
from dispensary.monitoring.alert_load import alert_load
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_health_watcher
from dispensary.web.templating import page
from dispensary.words import ngettext

PERIODS = (28, 91, 365)
"""Days that can be looked back: four weeks, a quarter, a year."""
MOST_DAYS = 14
"""Single days that are shown."""


def waited(time: timedelta | None) -> str:
    """A time that somebody waited, in the unit that a person would use; a dash where nobody did."""
    if time is None:
        return "–"
    minutes = round(time.total_seconds() / 60)
    if minutes < 120:
        return ngettext("%(num)s minute", "%(num)s minutes", minutes) % {"num": minutes}
    hours = round(minutes / 60)
    if hours < 72:
        return ngettext("%(num)s hour", "%(num)s hours", hours) % {"num": hours}
    days = round(hours / 24)
    return ngettext("%(num)s day", "%(num)s days", days) % {"num": days}


@get("/consulting/health/alerts", sync_to_thread=True, guards=[requires_health_watcher])
def figures(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, days: FromQuery[int] = PERIODS[0]
) -> Template:
    """The figures of the last weeks. They name no client."""
    period = days if days in PERIODS else PERIODS[0]
    with database.reading() as session:
        load = alert_load(session, site_id=site.id, zone=site.zone, at=clock(), days=period)
    return page(
        "consulting/health_alerts.html",
        load=load,
        shown_days=load.days[:MOST_DAYS],
        doctors=next((each.people for each in load.roles if each.role == "doctor"), 0),
        days=period,
        periods=PERIODS,
        waited=waited,
        can=acts_of(actor),
        said=said_of(),
        near_day=near_day,
    )


HANDLERS: list[ControllerRouterHandler] = [figures]
