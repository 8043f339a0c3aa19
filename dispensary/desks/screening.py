"""Asking a client by an instrument: the form, what it came to, on paper, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.care.instrument_setting import Used, in_use, may_use, the_instrument
from dispensary.care.instruments import Asks, instruments, questions, words_of
from dispensary.care.screenings import LONGEST_REASON, screen, screening_of, take_back
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks.care import band_word, caring, requires_carer, said
from dispensary.desks.consulting import acts_of
from dispensary.desks.window import AtCounter
from dispensary.refusals import NotAllowed, NotThere, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.supplies.printing.screening import empty_pdf, filled_pdf
from dispensary.units import ClientId
from dispensary.web.consultation import looked_at
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import gettext

_CLIENT = "/care/clients/{client_id:uuid}"


def _form(
    here: AtCounter, key: str, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        used = the_instrument(session, key, site_id=here.site.id)
        if refusal := may_use(session, used, actor=here.actor, today=here.today):
            raise NotAllowed(refusal)
        return {"used": used, "face": face_at(session, site_id=here.site.id, client_id=here.client_id)}

    found = here.sees(read, seen_on=f"screening: {key}")
    return page("care/ask.html", **said(here), **found, **form_of(found["used"]), refused=refused, typed=typed)


def form_of(used: Used) -> dict[str, Any]:
    """What the form of an instrument is given: its questions in their groups, and how they are laid out."""
    asked = questions(used.instrument)
    return {
        "groups": [(group, list(each)) for group, each in groupby(asked, key=lambda each: each.group)],
        "by_substance": used.instrument.asks is Asks.SUBSTANCES,
        "by_week": used.instrument.asks is Asks.WEEKS,
    }


def typed_answers(instrument: str, data: Form) -> dict[str, str]:
    """What was typed of each question; nothing for an instrument that there is not."""
    known = instruments().get(instrument)
    return {each.name: one(data, each.name) for each in questions(known)} if known else {}


@get(f"{_CLIENT}/ask/{{instrument:str}}", sync_to_thread=True, guards=[requires_carer])
def form(
    client_id: FromPath[UUID],
    instrument: FromPath[str],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Template:
    """The questions, or the topics of an instrument whose words are not the program's to show."""
    return _form(AtCounter(database, actor, site, ClientId(client_id), clock()), instrument)


@post(f"{_CLIENT}/ask/{{instrument:str}}", sync_to_thread=True, guards=[requires_carer])
def answer(
    client_id: FromPath[UUID],
    instrument: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Keeps what was answered, and shows what it came to."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> UUID:
        with Typed(data) as typed:
            taken_on = typed.day("taken_on")
        return screen(
            session,
            actor=actor,
            client_id=here.client_id,
            instrument=instrument,
            answers=typed_answers(instrument, data),
            taken_on=taken_on,
            key=key_of(data),
            today=here.today,
            at=here.now,
        ).id

    return done_or_again(
        database,
        act,
        then=lambda screening_id: f"{caring(here)}/screenings/{screening_id}",
        else_again=lambda why: _form(here, instrument, refused=why, typed=data),
    )


def _result(
    here: AtCounter, screening_id: UUID, *, refused: Refused | None = None, typed: Mapping[str, Any] | None = None
) -> Template:
    def read(session: ReadSession) -> dict[str, Any]:
        return {
            "face": face_at(session, site_id=here.site.id, client_id=here.client_id),
            "opened": screening_of(session, client_id=here.client_id, screening_id=screening_id),
        }

    found = here.sees(read, seen_on="screening")
    opened = found["opened"]
    asked = [
        (": ".join(map(gettext, filter(None, (each.group, each.label)))), gettext(dict(each.choices).get(told, told)))
        for each in questions(opened.taken.instrument)
        if (told := opened.answers.get(each.name))
    ]
    return page(
        "care/result.html",
        **said(here),
        **found,
        asked=asked,
        words_of=words_of,
        longest=LONGEST_REASON,
        refused=refused,
        typed=typed,
    )


@get(f"{_CLIENT}/screenings/{{screening_id:uuid}}", sync_to_thread=True, guards=[requires_carer])
def result(
    client_id: FromPath[UUID],
    screening_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Template:
    """What it came to, and every answer."""
    return _result(AtCounter(database, actor, site, ClientId(client_id), clock()), screening_id)


@post(f"{_CLIENT}/screenings/{{screening_id:uuid}}/take-back", sync_to_thread=True, guards=[requires_carer])
def void(
    client_id: FromPath[UUID],
    screening_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back what was entered in error."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            reason = typed.text("void_reason", most=LONGEST_REASON)
        take_back(session, actor=actor, client_id=here.client_id, screening_id=screening_id, reason=reason, at=here.now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{caring(here)}?done=taken-back",
        else_again=lambda why: _result(here, screening_id, refused=why, typed=data),
    )


@get(f"{_CLIENT}/screenings/{{screening_id:uuid}}/paper.pdf", sync_to_thread=True, guards=[requires_carer])
def paper(
    client_id: FromPath[UUID],
    screening_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[bytes]:
    """A screening on paper. Each time that it is printed is written down."""
    now = clock()

    def act(session: WriteSession) -> bytes:
        face = face_at(session, site_id=site.id, client_id=ClientId(client_id))
        opened = screening_of(session, client_id=ClientId(client_id), screening_id=screening_id)
        looked_at(session, actor=actor, client_id=ClientId(client_id), at=now, page="screening on paper")
        return filled_pdf(site=session.get_one(Site, site.id), face=face, opened=opened, printed_at=now)

    return pdf(database.write(act), "screening.pdf")


@get("/care/instruments", sync_to_thread=True, guards=[requires_carer])
def listed(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Template:
    """Which instruments there are, who asks by them here, whose words they are, and the empty form of each."""
    with database.reading() as session:
        used = in_use(session, site_id=site.id)
        refusals = {
            key: may_use(session, each, actor=actor, today=site.dose_day(clock())) for key, each in used.items()
        }
    return page("care/instruments.html", used=used, may_not=refusals, can=acts_of(actor), band_word=band_word)


@get("/care/instruments/{instrument:str}/paper.pdf", sync_to_thread=True, guards=[requires_carer])
def empty_paper(instrument: FromPath[str], database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The form with nothing filled in."""
    known = instruments().get(instrument)
    if known is None:
        raise NotThere(Refusal("no-instrument", "There is no such instrument.", "Look at the list of them."))
    with database.reading() as session:
        place = session.get_one(Site, site.id)
        return pdf(empty_pdf(site=place, instrument=known, printed_at=clock()), f"{known.key}.pdf")


HANDLERS: list[ControllerRouterHandler] = [form, answer, result, void, paper, listed, empty_paper]
