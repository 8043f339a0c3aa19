"""The downtime pack for a program: a computer at the counter takes it along by itself while the line is there."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.supplies.outage_making import fresh_pack
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_pack_taker
from dispensary.web.paper import to_keep


@get(
    "/downtime-pack/{form:str}",
    sync_to_thread=True,
    operation_id="takeDowntimePack",
    tags=["downtime"],
    guards=[requires_pack_taker],
    media_type="application/octet-stream",
)
def take(
    form: FromPath[str], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The site's pack of this moment, sealed by its words: `html` for a browser, `pdf` for a printer."""
    now = clock()
    with database.writing() as session:
        name, content = fresh_pack(session, actor=actor, today=site.dose_day(now), form=form, at=now)
    return to_keep(content, name)


HANDLERS: list[ControllerRouterHandler] = [take]
