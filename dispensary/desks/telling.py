"""Telling something of a client on paper, from their page: by a consent, in an emergency, for a study or an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.consent_rules import Information
from dispensary.clients.consents import consents_of
from dispensary.clients.disclosing import Ground, Told
from dispensary.clients.disclosure_models import Release
from dispensary.clients.notices import notice_of
from dispensary.clients.queries import face_at
from dispensary.clients.telling import (
    LONGEST_WORDS,
    tell_by_consent,
    tell_in_emergency,
    tell_on_ground,
    write_what_it_was,
)
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.disclosing import said, sharing_page, url
from dispensary.desks.window import AtCounter
from dispensary.refusals import NotThere, Refused
from dispensary.staff.models import Site
from dispensary.staff.rules import Act
from dispensary.supplies.printing.disclosure import disclosure_pdf
from dispensary.supplies.told import LONGEST, USUAL_DAYS, Period
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, named, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import language

_PAGE = "/consulting/clients/{client_id:uuid}/disclosing"


def kinds_in(data: Mapping[str, Any]) -> frozenset[Information]:
    """The kinds of information that were ticked."""
    return frozenset(Information(word) for word in several(data, "kinds") if word in list(Information))


def period_in(data: Mapping[str, Any], here: AtCounter) -> Period:
    """The days that the paper is about. Raises BadInput where they are the wrong way round, or too many."""
    with Typed(data) as typed:
        first, last = typed.day("first"), typed.day("last")
        if last < first:
            typed.fault("last", "ends-before", "The last day is before the first.", "Correct one of them.")
        elif last - first > LONGEST:
            typed.fault("first", "too-many-days", "These are more than three years.", "Choose fewer days.")
    return Period(first, min(last, here.today), here.today)


def what_of(kinds: frozenset[Information], period: Period) -> str:
    """The line of the register: which kinds, of which days."""
    return f"{', '.join(kind for kind in Information if kind in kinds)}, {period.first} to {period.last}"


def paper_or_again(
    here: AtCounter,
    tell: Callable[[WriteSession, Period], Release],
    *,
    data: Mapping[str, Any],
    else_again: Callable[[Refused], Template],
) -> Response[Any]:
    """The paper, once its line on the register is kept; where either fails there is neither. Refused: the page."""

    def act(session: WriteSession) -> bytes:
        period = period_in(data, here)
        release = tell(session, period)
        site = session.get_one(Site, here.site.id)
        return disclosure_pdf(session, site=site, client_id=here.client_id, release=release, period=period)

    try:
        return pdf(here.database.write(act), "in-confidence.pdf")
    except NotThere:
        raise
    except Refused as refused:
        return else_again(refused)


def _usual(here: AtCounter) -> tuple[date, date]:
    return here.today - USUAL_DAYS, here.today


def _tell_page(
    here: AtCounter, *, chosen: str = "", refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        found = consents_of(session, client_id=here.client_id)
        return {
            "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
            "consents": [each for each in found if each.holds(here.today)],
            "notice": notice_of(session, site_id=here.site.id).said(language()),
        }

    first, last = _usual(here)
    return page(
        "disclosure/tell.html",
        **said(here),
        **here.sees(read, seen_on="tell"),
        chosen=chosen,
        first=first,
        last=last,
        refused=refused,
        typed=typed,
    )


@get(f"{_PAGE}/tell", sync_to_thread=True, guards=[requires(Act.DISCLOSE)])
def tell_form(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    consent: FromQuery[str] = "",
) -> Template:
    """On what ground, what, of which days."""
    return _tell_page(AtCounter(database, actor, site, ClientId(client_id), clock()), chosen=consent)


@post(f"{_PAGE}/tell.pdf", sync_to_thread=True, guards=[requires(Act.DISCLOSE)], status_code=200)
def tell(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The paper by a consent, or for a study or an audit."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def line(session: WriteSession, period: Period) -> Release:
        kinds, key = kinds_in(data), key_of(data)
        if consent_id := named(data, "on"):
            return tell_by_consent(
                session,
                actor=actor,
                client_id=here.client_id,
                consent_id=consent_id,
                kinds=kinds,
                event_not_come=one(data, "event_not_come") == "yes",
                what=what_of(kinds, period),
                key=key,
                today=here.today,
                at=here.now,
            )
        with Typed({**data, "ground": one(data, "on")}) as typed:
            ground = typed.choice("ground", Ground)
        told = Told(one(data, "recipient"), one(data, "reason"), ground, one(data, "authority"))
        return tell_on_ground(
            session,
            actor=actor,
            client_id=here.client_id,
            told=told,
            kinds=kinds,
            what=what_of(kinds, period),
            key=key,
            at=here.now,
        )

    return paper_or_again(here, line, data=data, else_again=lambda why: _tell_page(here, refused=why, typed=data))


def _emergency_page(
    here: AtCounter, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    face = here.sees(lambda s: face_at(s, site_id=here.site.id, client_id=here.client_id), seen_on="emergency")
    first, last = _usual(here)
    return page(
        "disclosure/emergency.html", **said(here), face=face, first=first, last=last, refused=refused, typed=typed
    )


@get(f"{_PAGE}/emergency", sync_to_thread=True, guards=[requires(Act.TELL_EMERGENCY)])
def emergency_form(
    client_id: FromPath[UUID], database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Template:
    """Who is told; the rest is filled in."""
    return _emergency_page(AtCounter(database, actor, site, ClientId(client_id), clock()))


@post(f"{_PAGE}/emergency.pdf", sync_to_thread=True, guards=[requires(Act.TELL_EMERGENCY)], status_code=200)
def emergency(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The paper for whoever treats the client now; what it was is written afterwards."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def line(session: WriteSession, period: Period) -> Release:
        kinds = kinds_in(data)
        return tell_in_emergency(
            session,
            actor=actor,
            client_id=here.client_id,
            recipient=one(data, "recipient"),
            kinds=kinds,
            what=what_of(kinds, period),
            key=key_of(data),
            today=here.today,
            at=here.now,
        )

    return paper_or_again(here, line, data=data, else_again=lambda why: _emergency_page(here, refused=why, typed=data))


@post(f"{_PAGE}/releases/{{release_id:uuid}}/words", sync_to_thread=True, guards=[requires(Act.TELL_EMERGENCY)])
def what_it_was(
    client_id: FromPath[UUID],
    release_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """What the emergency was, written down afterwards."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            words = typed.text("words", most=LONGEST_WORDS)
        return write_what_it_was(
            session, actor=actor, client_id=here.client_id, release_id=release_id, words=words, at=here.now
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{url(here.client_id)}?done=written",
        else_again=lambda why: sharing_page(here, refused=why, typed={**data, "release": str(release_id)}),
    )


HANDLERS: list[ControllerRouterHandler] = [tell_form, tell, emergency_form, emergency, what_it_was]
