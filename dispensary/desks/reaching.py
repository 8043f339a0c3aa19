"""How a client is reached: number, language, wording and PIN of the phone line, written down with them beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from babel import Locale
from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients import queries as clients
from dispensary.database import ReadSession, WriteSession
from dispensary.phone import reaching
from dispensary.phone.pins import has_pin
from dispensary.refusals import BadInput
from dispensary.staff.queries import Place
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.forms import Form, one, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_booker
from dispensary.web.templating import page
from notifications.queries import contact_details
from notifications.texts import CATALOGUES


@get("/reception/clients/{client_id:uuid}/phone", sync_to_thread=True, guards=[requires_booker])
def phone(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """The form as things stand. A PIN is never shown, only that there is one. The look is written down."""
    with database.writing() as session:
        shown = _shown(session, site, ClientId(client_id))
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=clock(), page="phone")
    return page("reception/phone.html", **shown)


def _shown(session: ReadSession, site: Place, client_id: ClientId) -> dict[str, Any]:
    face = clients.face_at(session, site_id=site.id, client_id=client_id)
    contact = contact_details(session, vault=session.vault, recipient_id=client_id)
    return {
        "face": face,
        "contact": contact,
        "has_pin": has_pin(session, client_id),
        "others": reaching.others_at_number(session, client_id=client_id),
        "spoken": contact.language if contact else site.language if site.language in CATALOGUES else "en",
        "languages": [(tag, Locale.parse(tag).get_display_name(tag)) for tag in CATALOGUES],
    }


def _reach(data: Mapping[str, Any]) -> reaching.Reach:
    return reaching.Reach(
        phone=one(data, "phone"),
        language=one(data, "language"),
        consented=one(data, "texts") == "yes",
        wording=one(data, "wording"),
        pin=secret(data, "pin").strip(),
        again=secret(data, "again").strip(),
        without_pin=one(data, "without_pin") == "yes",
    )


@post("/reception/clients/{client_id:uuid}/phone", sync_to_thread=True, guards=[requires_booker])
def change_phone(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps it. Refused, the form comes again with every fault beside its field and all that was typed but the PIN."""
    now, reach = clock(), _reach(data)

    def act(session: WriteSession) -> None:
        reaching.reach_at(session, actor=actor, site=site, client_id=ClientId(client_id), reach=reach, at=now)

    try:
        database.write(act)
    except BadInput as refused:
        typed = {name: value for name, value in data.items() if name not in ("pin", "again")}
        with database.reading() as session:
            shown = _shown(session, site, ClientId(client_id))
        return page("reception/phone.html", refused=refused, typed=typed, **shown)
    return Redirect(f"/reception/clients/{client_id}?done=reached", status_code=303)


HANDLERS: list[ControllerRouterHandler] = [phone, change_phone]
