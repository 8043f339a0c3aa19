"""What left the programme with a name, to whom and why: the register of the site."""

from __future__ import annotations

from litestar import get
from litestar.response import Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.disclosing import register_of
from dispensary.web.given import TheDatabase, TheSite
from dispensary.web.guards import requires_record_keeper
from dispensary.web.templating import page


@get("/disclosure", sync_to_thread=True, guards=[requires_record_keeper])
def disclosures(database: TheDatabase, site: TheSite) -> Template:
    """The register of disclosures: what left the programme with names, to whom and why; it names no client."""
    with database.reading() as session:
        return page("disclosure/register.html", register=register_of(session, site_id=site.id))


HANDLERS: list[ControllerRouterHandler] = [disclosures]
