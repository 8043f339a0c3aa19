"""What the night left undone is tried at once, by an administrator."""

from __future__ import annotations

from litestar import post
from litestar.response import Redirect
from litestar.types import ControllerRouterHandler

from dispensary.jobs import run_night
from dispensary.wall import Door, before
from dispensary.web.given import TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_administrator
from dispensary.web.signed_in import forget_night


@post("/office/night", sync_to_thread=True, guards=[requires_administrator])
def try_now(database: TheDatabase, site: TheSite, settings: TheSettings, clock: TheClock) -> Redirect:
    """Runs every job of this site that greets when it is undone, whenever it was tried last."""
    with before(Door.NIGHT):
        run_night(database, clock, site=site, data=settings.data, reports=settings.reports, anchors=settings.anchors)
    forget_night(site.id)
    return Redirect("/office", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [try_now]
