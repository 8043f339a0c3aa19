"""The page on which a person is enrolled: who they are, how they are reached, how they live."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from babel import Locale
from litestar import get, post
from litestar.params import MultipartBody
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.models import Client
from dispensary.clients.rules import LONGEST_NAME, EntryRoute, Identity, Sex
from dispensary.clients.wish_rules import DEFAULTS
from dispensary.database import WriteSession
from dispensary.refusals import BadInput, Refused
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act
from dispensary.web import consultation
from dispensary.web.forms import one
from dispensary.web.given import Clock, TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.photo import portrait, sent_photo
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.web.wishing import wishes_from
from notifications.texts import CATALOGUES

_KEPT = "photo_kept"


@get("/consulting/clients/new", sync_to_thread=True, guards=[requires(Act.ENROL)])
def enrol_form(site: TheSite, clock: TheClock) -> Template:
    """The empty form."""
    return _form(site, clock)


def _form(
    site: Place,
    clock: Clock,
    *,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
    photo: bytes | None = None,
) -> Template:
    return page(
        "consulting/enrol.html",
        refused=refused,
        typed={name: value for name, value in (typed or {}).items() if name == "wish" or isinstance(value, str)},
        today=site.dose_day(clock()),
        region=site.region,
        spoken=site.language if site.language in CATALOGUES else "en",
        languages=[(tag, Locale.parse(tag).get_display_name(tag)) for tag in CATALOGUES],
        wishes=DEFAULTS,
        photo=b64encode(photo).decode() if photo else "",
    )


@post("/consulting/clients/new", sync_to_thread=True, guards=[requires(Act.ENROL)])
def enrol(
    data: MultipartBody[dict[str, Any]], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Enrols. Refused, the form comes again with every fault beside its field, all that was typed, and the photo."""
    photo, refused_photo = _photo(data)
    now = clock()

    def act(session: WriteSession) -> Client:
        with Typed(data) as typed:
            for fault in refused_photo:
                typed.fault("photo", fault.code, fault.sentence, fault.remedy)
            identity = Identity(
                name=typed.text("name", most=LONGEST_NAME),
                born=typed.day_or_none("born"),
                national_id=typed.text("national_id", most=40, required=False),
                second_identifier=typed.text("second_identifier", required=False),
                photo=photo,
                sex=typed.choice("sex", Sex),
            )
            number = typed.text("number", most=24)
            began_on = typed.day("began_on")
            route = typed.choice_or_none("route", EntryRoute)
            phone = consultation.Phone(
                number=typed.phone("phone", site.region),
                language=one(data, "language"),
                consented=one(data, "texts") == "yes",
                wishes=wishes_from(data, typed) if one(data, "reminder") else None,
            )
            told = consultation.circumstances_of(typed)
        return consultation.enrol_client(
            session,
            actor=actor,
            number=number,
            identity=identity,
            phone=phone if phone.number else None,
            region=site.region,
            circumstances=told,
            began_on=began_on,
            today=site.dose_day(now),
            at=now,
            route=route,
        )

    try:
        client = database.write(act)
    except Refused as refused:
        return _form(site, clock, refused=refused, typed=data, photo=photo)
    return Redirect(f"/consulting/clients/{client.id}?done=enrolled", status_code=303)


def _photo(data: Mapping[str, Any]) -> tuple[bytes | None, tuple[Any, ...]]:
    """The photo that was sent now, else the one that came back with the refused form, which is looked at again."""
    photo, refusals = sent_photo(data)
    if photo is not None or refusals or not (kept := one(data, _KEPT)):
        return photo, refusals
    try:
        return portrait(b64decode(kept, validate=True)), ()
    except BadInput as refused:
        return None, refused.refusals
    except ValueError:
        return None, ()


HANDLERS: list[ControllerRouterHandler] = [enrol_form, enrol]
