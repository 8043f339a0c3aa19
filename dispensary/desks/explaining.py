"""A page for the client, to take along: what was agreed about take-home, why, and what comes next."""

from __future__ import annotations

from uuid import UUID

from litestar import get
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.queries import face_at
from dispensary.database import Database
from dispensary.desks.consulting import Consultation
from dispensary.staff.models import Site
from dispensary.supplies.printing.explained import Explained, explained, explained_pdf
from dispensary.units import ClientId
from dispensary.web import consultation
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_reader
from dispensary.web.templating import page

_BELOW = "/consulting/clients/{client_id:uuid}/take-home/explained"


def _explained(here: Consultation) -> Explained:
    """The page of this client, once it is written down that somebody read it. Raises NotThere."""
    database: Database = here.database
    with database.writing() as session:
        face_at(session, site_id=here.site.id, client_id=here.client_id)
        found = explained(session, site=session.get_one(Site, here.site.id), client_id=here.client_id, today=here.today)
        consultation.looked_at(session, actor=here.actor, client_id=here.client_id, at=here.now, page="explained")
    return found


@get(_BELOW, sync_to_thread=True, guards=[requires_client_reader])
def on_screen(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The page as it is read together, in the client's language; the browser prints it as it stands."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return page("consulting/explained.html", told=_explained(here), back=f"/consulting/clients/{client_id}/take-home")


@get(f"{_BELOW}.pdf", sync_to_thread=True, guards=[requires_client_reader])
def on_paper(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[bytes]:
    """The same page as a PDF, whose name says nothing either."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return Response(
        explained_pdf(_explained(here)),
        media_type="application/pdf",
        headers={"content-disposition": 'inline; filename="page.pdf"'},
    )


HANDLERS: list[ControllerRouterHandler] = [on_screen, on_paper]
