"""Asking by an instrument without treating: a peer worker their own clients, reception whoever is at the desk.

A site lets them for each instrument. They see the form; of what it came to no more than the site's setting says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler, Guard

from dispensary.care.instrument_setting import may_use, the_instrument
from dispensary.care.instruments import words_of
from dispensary.care.screenings import refuse_others_clients, screen, told_of
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.care import band_word
from dispensary.desks.screening import form_of, typed_answers
from dispensary.desks.window import AtCounter
from dispensary.refusals import NotAllowed, Refused
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_client_finder, requires_peer_worker
from dispensary.web.templating import page
from dispensary.web.typed import Typed


def _form(
    here: AtCounter, base: str, key: str, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        used = the_instrument(session, key, site_id=here.site.id)
        if refusal := may_use(session, used, actor=here.actor, today=here.today):
            raise NotAllowed(refusal)
        refuse_others_clients(session, used, actor=here.actor, client_id=here.client_id)
        face = face_at(session, site_id=here.site.id, client_id=here.client_id)
        # A peer worker knows them by the first of their names, here as on their own page.
        return {"used": used, "face": replace(face, name=face.name.split()[0]) if base.startswith("/peers") else face}

    found = here.sees(read, seen_on=f"screening: {key}")
    return page(
        "care/ask.html",
        here_url=base,
        today=here.today,
        **found,
        **form_of(found["used"]),
        refused=refused,
        typed=typed,
    )


def _answered(here: AtCounter, base: str, key: str, data: Form) -> Response[Any]:
    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            taken_on = typed.day("taken_on")
        return screen(
            session,
            actor=here.actor,
            client_id=here.client_id,
            instrument=key,
            answers=typed_answers(key, data),
            taken_on=taken_on,
            key=key_of(data),
            today=here.today,
            at=here.now,
        ).id

    return done_or_again(
        here.database,
        act,
        then=lambda screening_id: f"{base}/asked/{screening_id}",
        else_again=lambda why: _form(here, base, key, refused=why, typed=data),
    )


def _told(here: AtCounter, base: str, screening_id: UUID) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        told = told_of(session, actor=here.actor, client_id=here.client_id, screening_id=screening_id)
        return {"told": told, "face": face_at(session, site_id=here.site.id, client_id=here.client_id)}

    found = here.sees(read, seen_on="screening")
    return page("care/asked.html", here_url=base, band_word=band_word, words_of=words_of, **found)


def _at(base: str, guard: Guard) -> list[ControllerRouterHandler]:
    """The pages at one desk."""

    def here_url(client_id: UUID) -> str:
        return base.replace("{client_id:uuid}", str(client_id))

    @get(f"{base}/ask/{{instrument:str}}", sync_to_thread=True, guards=[guard])
    def form(
        client_id: FromPath[UUID],
        instrument: FromPath[str],
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Template:
        """The questions."""
        here = AtCounter(database, actor, site, ClientId(client_id), clock())
        return _form(here, here_url(client_id), instrument)

    @post(f"{base}/ask/{{instrument:str}}", sync_to_thread=True, guards=[guard])
    def answer(
        client_id: FromPath[UUID],
        instrument: FromPath[str],
        data: Form,
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Response[Any]:
        """Keeps what the client answered."""
        here = AtCounter(database, actor, site, ClientId(client_id), clock())
        return _answered(here, here_url(client_id), instrument, data)

    @get(f"{base}/asked/{{screening_id:uuid}}", sync_to_thread=True, guards=[guard])
    def told(
        client_id: FromPath[UUID],
        screening_id: FromPath[UUID],
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Template:
        """That it was asked, and the band where the site says so."""
        here = AtCounter(database, actor, site, ClientId(client_id), clock())
        return _told(here, here_url(client_id), screening_id)

    return [form, answer, told]


HANDLERS: list[ControllerRouterHandler] = [
    *_at("/peers/clients/{client_id:uuid}", requires_peer_worker),
    *_at("/reception/clients/{client_id:uuid}", requires_client_finder),
]
