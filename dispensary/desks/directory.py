"""Referrals of which nobody hears, and the directory of places: kept by hand, or taken from a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath, FromQuery, MultipartBody
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.centre_rules import LARGEST_FILE, LONGEST, Place
from dispensary.care.centres import SERVICES, centres_of, close_centre, import_centres, keep_centre
from dispensary.care.referral_words import LONGEST_WORDS, Heard, cascades, note_word, still_open
from dispensary.care.settings import reminders_of
from dispensary.clients.queries import faces
from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import Consultation, acts_of, client_page, plain_day
from dispensary.refusals import Refused
from dispensary.staff.queries import Place as Site
from dispensary.staff.rules import Act, Actor
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.templating import page
from dispensary.web.typed import Typed

CENTRES = "/care/centres"
_KEEPS = requires(Act.ENROL, Act.RUN_SITE)


@get("/care/referrals", sync_to_thread=True, guards=[requires(Act.ENROL)])
def referrals(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """Open referrals: first those without word for longer than the site's days, then the others."""
    today = site.dose_day(clock())
    with database.reading() as session:
        rows = still_open(session, site_id=site.id)
        known = faces(session, {ClientId(row.referral.client_id) for row in rows})
        days = reminders_of(session, site.id).lost_days
        counted = cascades(session, site_id=site.id, since=today.replace(month=1, day=1), today=today)
    shown = [(row, known[face]) for row in rows if (face := ClientId(row.referral.client_id)) in known]
    return page(
        "care/referrals.html",
        lost=[each for each in shown if each[0].lost(today, days)],
        others=[each for each in shown if not each[0].lost(today, days)],
        days=days,
        counted=counted,
        today=today,
        plain_day=plain_day,
        can=acts_of(actor),
    )


@post(
    "/consulting/clients/{client_id:uuid}/referrals/{referral_id:uuid}/words",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
)
def hear(
    client_id: FromPath[UUID],
    referral_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down that the place expects them, is full, or what was told of it."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            heard = typed.choice("heard", Heard)
            words = typed.text("words", most=LONGEST_WORDS, required=False)
            on = typed.day("heard_on")
        note_word(
            session,
            actor=actor,
            client_id=here.client_id,
            referral_id=referral_id,
            heard=heard,
            words=words,
            on=on,
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return here.does(
        act, then="?done=heard#referrals", else_again=lambda why: client_page(here, refused=why, typed=data)
    )


def _centres(
    database: Database,
    actor: Actor,
    site: Site,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        centres = centres_of(session, site_id=site.id)
    return page(
        "care/centres.html",
        centres=centres,
        counts={service: sum(service in each.services for each in centres) for service in SERVICES},
        done=done,
        refused=refused,
        typed={name: value for name, value in (typed or {}).items() if not isinstance(value, UploadFile)},
        longest=LONGEST,
        can=acts_of(actor),
    )


@get(CENTRES, sync_to_thread=True, guards=[_KEEPS])
def directory(database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[str] = "") -> Template:
    """The places by name, each with what it offers. It names no client."""
    return _centres(database, actor, site, done=done)


@post(CENTRES, sync_to_thread=True, guards=[_KEEPS])
def keep(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Puts a place in, or changes the one of this code."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            place = Place(
                typed.text("code", most=LONGEST["code"]),
                " ".join(typed.text("name", most=LONGEST["name"]).split()),
                tuple(several(data, "services")),
                typed.text("address", most=LONGEST["address"], required=False),
                typed.text("phone", most=LONGEST["phone"], required=False),
            )
        return keep_centre(session, actor=actor, place=place, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{CENTRES}?done=kept",
        else_again=lambda why: _centres(database, actor, site, refused=why, typed=data),
    )


@post(f"{CENTRES}/file", sync_to_thread=True, guards=[_KEEPS])
def take_file(
    data: MultipartBody[dict[str, Any]], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Takes a CSV file in, all of it or nothing."""
    sent = data.get("file")
    content = sent.file.read(LARGEST_FILE + 1) if isinstance(sent, UploadFile) else b""

    def act(session: WriteSession) -> int:
        return import_centres(session, actor=actor, content=content, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{CENTRES}?done=file",
        else_again=lambda why: _centres(database, actor, site, refused=why, typed=data),
    )


@post(f"{CENTRES}/{{centre_id:uuid}}/close", sync_to_thread=True, guards=[_KEEPS])
def close(
    centre_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Offers a place no more."""

    def act(session: WriteSession) -> None:
        close_centre(session, actor=actor, centre_id=centre_id, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{CENTRES}?done=closed",
        else_again=lambda why: _centres(database, actor, site, refused=why),
    )


HANDLERS: list[ControllerRouterHandler] = [referrals, hear, directory, keep, take_file, close]
