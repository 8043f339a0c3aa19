"""A site's own questions: written in the office, typed in from paper by who works with clients, answered on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from babel import Locale, UnknownLocaleError
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.survey_rules import LEAST_SHOWN, LONGEST_DOCUMENT, Questions
from dispensary.clients.surveys import (
    TYPES_IN,
    Told,
    answer,
    asked_by,
    asked_now,
    close_survey,
    last_told,
    open_survey,
    shipped_questions,
    told_by_surveys,
    told_to_all,
    type_in,
)
from dispensary.database import Database, WriteSession
from dispensary.desks.consulting import acts_of
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, place
from dispensary.staff.rules import Actor
from dispensary.supplies.printing.asked_on_paper import Sheet, asked_pdf
from dispensary.supplies.printing.told_us import SaidOf, survey_told_pdf
from dispensary.units import SiteId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires, requires_administrator
from dispensary.web.guessing import Guesses
from dispensary.web.signed_in import address_of
from dispensary.web.templating import page
from dispensary.words import _, language, spoken

HERE, OFFICE = "/care/survey", "/office/survey"
_WHO = requires(*TYPES_IN)
_HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


def _named(tag: str) -> str:
    """A language in its own words; its tag where nobody knows it."""
    try:
        return Locale.parse(tag).get_display_name() or tag
    except (UnknownLocaleError, ValueError):
        return tag


def _given(questions: Questions, data: Mapping[str, Any]) -> dict[str, str]:
    return {each.name: one(data, each.name) for each in questions.asked}


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    now: datetime,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        asked = asked_now(session, site_id=site.id)
        told = told_by_surveys(session, site_id=site.id, today=site.dose_day(now))
    return page(
        "care/survey.html",
        asked=asked,
        told=told,
        read_in=asked.questions.language_for(language()) if asked else "",
        languages=[(tag, _named(tag)) for tag in asked.questions.languages] if asked else [],
        named=_named,
        least=LEAST_SHOWN,
        done=done,
        refused=refused,
        typed=typed,
        reads=language(),
        can=acts_of(actor),
    )


@get(HERE, sync_to_thread=True, guards=[_WHO])
def survey(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """What is asked now, a sheet of paper to type in, and what was answered so far. It is about nobody."""
    return _page(database, actor, site, clock(), done=done)


@post(HERE, sync_to_thread=True, guards=[_WHO])
def take_sheet(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps what stands on one sheet."""
    now = clock()

    def act(session: WriteSession) -> None:
        asked = asked_now(session, site_id=site.id)
        given = _given(asked.questions, data) if asked else {}
        type_in(session, actor=actor, given=given, today=site.dose_day(now), at=now)

    return done_or_again(
        database,
        act,
        then=lambda _: f"{HERE}?done=typed",
        else_again=lambda why: _page(database, actor, site, now, refused=why, typed=data),
    )


@get(f"{HERE}/paper.pdf", sync_to_thread=True, guards=[_WHO])
def paper(database: TheDatabase, site: TheSite, clock: TheClock, tongue: FromQuery[str] = "") -> Response[bytes]:
    """The questions on a sheet of paper, to be filled in by hand and put into a box."""
    with database.reading() as session:
        asked = asked_now(session, site_id=site.id)
        if asked is None:
            raise NotThere(Refusal("no-survey-open", "Nothing is asked now.", "The administrator opens a survey."))
        chosen = asked.questions.language_for(tongue)
        sheet = Sheet(
            chosen,
            asked.questions.title[chosen],
            [(each.says[chosen], [choice.says[chosen] for choice in each.choices]) for each in asked.questions.asked],
        )
        content = asked_pdf(sheet, site=session.get_one(Site, site.id), printed_at=clock())
    headers = {"content-disposition": f'inline; filename="questions-{site.code}-{chosen}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


def _office(
    database: Database,
    site: Place,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        asked = asked_now(session, site_id=site.id)
    return page(
        "office/survey.html",
        asked=asked,
        read_in=asked.questions.language_for(language()) if asked else "",
        document=asked.survey.document if asked else shipped_questions(),
        longest=LONGEST_DOCUMENT,
        done=done,
        refused=refused,
        typed=typed,
    )


@get(OFFICE, sync_to_thread=True, guards=[requires_administrator])
def written(database: TheDatabase, site: TheSite, done: FromQuery[str] = "") -> Template:
    """What the site asks, as a document to change."""
    return _office(database, site, done=done)


@post(OFFICE, sync_to_thread=True, guards=[requires_administrator])
def open_it(
    data: Form, database: TheDatabase, settings: TheSettings, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Asks what stands in the document from now on."""

    def act(session: WriteSession) -> None:
        document, address = one(data, "document"), settings.public_base_url.rstrip("/")
        open_survey(session, actor=actor, document=document, address=address, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{OFFICE}?done=opened",
        else_again=lambda why: _office(database, site, refused=why, typed=data),
    )


@post(f"{OFFICE}/close", sync_to_thread=True, guards=[requires_administrator])
def close_it(database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Asks nothing any more; what was answered stays."""

    def act(session: WriteSession) -> None:
        close_survey(session, actor=actor, at=clock())

    return done_or_again(
        database,
        act,
        then=lambda _: f"{OFFICE}?done=closed",
        else_again=lambda why: _office(database, site, refused=why),
    )


def _gone() -> Template:
    return page("survey/gone.html", headers=_HEADERS, status=404)


@get("/s/{ticket:str}", sync_to_thread=True)
def asked_on_phone(
    ticket: FromPath[str],
    request: Request[Any, Any, Any],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
    tongue: FromQuery[str] = "",
) -> Template:
    """The questions behind the link of a text. A wrong, used or old one is answered alike: there is nothing here."""
    now, address = clock(), address_of(request, settings)
    guesses: Guesses = request.app.state.guesses
    if guesses.too_many(address, now):
        return _gone()
    try:
        return _phone(database, ticket, now, tongue=tongue)
    except NotThere:
        guesses.wrong(address, now)
        return _gone()


def _phone(
    database: Database,
    ticket: str,
    now: datetime,
    *,
    tongue: str,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        questions = asked_by(session, ticket=ticket, at=now).questions
    read_in = questions.language_for(tongue or language())
    with spoken(read_in):
        promise = _("Nobody is told who answered what. Leave out what you do not want to answer.")
        send = _("Send")
    return page(
        "survey/phone.html",
        headers=_HEADERS,
        ticket=ticket,
        questions=questions,
        read_in=read_in,
        promise=promise,
        send=send,
        languages=[(tag, _named(tag)) for tag in questions.languages],
        refused=refused,
        typed=typed,
    )


@post("/s/{ticket:str}", sync_to_thread=True, status_code=200)
def answered_on_phone(
    ticket: FromPath[str],
    data: Form,
    request: Request[Any, Any, Any],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """Takes the answers, once, and says thank you. Nothing says which answers were whose."""
    now, address = clock(), address_of(request, settings)
    guesses: Guesses = request.app.state.guesses
    if guesses.too_many(address, now):
        return _gone()

    def act(session: WriteSession) -> Told | None:
        asked = asked_by(session, ticket=ticket, at=now)
        site_id = SiteId(asked.survey.site_id)
        today = place(session, site_id).dose_day(now)
        answer(session, ticket=ticket, given=_given(asked.questions, data), today=today, at=now)
        return last_told(session, site_id=site_id, today=today)

    try:
        before = database.write(act)
    except NotThere:
        guesses.wrong(address, now)
        return _gone()
    except Refused as refused:
        return _phone(database, ticket, now, tongue=one(data, "tongue"), refused=refused, typed=data)
    with spoken(one(data, "tongue")):
        thanks, kept = _("Thank you"), _("Your answers are kept without your name. You can close this page.")
        others = _("What others told us before") if before else ""
        return page(
            "survey/thanks.html",
            headers=_HEADERS,
            read_in=language(),
            thanks=thanks,
            kept=kept,
            others=others,
            told_at=f"/s/told/{before.survey.id}?tongue={language()}" if before else "",
        )


@get("/s/told/{survey_id:uuid}", sync_to_thread=True)
def told_on_phone(
    survey_id: FromPath[UUID],
    request: Request[Any, Any, Any],
    database: TheDatabase,
    settings: TheSettings,
    clock: TheClock,
    tongue: FromQuery[str] = "",
) -> Template:
    """What came of a survey that is over, for anybody who has its address: counts, and nothing of whose they are.

    One that never was, is still open or has too few answers is answered alike: there is nothing here.
    """
    now, address = clock(), address_of(request, settings)
    guesses: Guesses = request.app.state.guesses
    if guesses.too_many(address, now):
        return _gone()
    try:
        with database.reading() as session:
            told = told_to_all(session, survey_id=survey_id, on=lambda site_id: place(session, site_id).dose_day(now))
    except NotThere:
        guesses.wrong(address, now)
        return _gone()
    read_in = told.questions.language_for(tongue or language())
    with spoken(read_in):
        return page(
            "survey/told.html",
            headers=_HEADERS,
            told=told,
            read_in=read_in,
            people=_("What you told us: %(people)s people", people=told.results.people),
            few=_("Too few have answered so far."),
            promise=_("Counts of whole months, of five people or more. Nobody knows who answered what."),
            languages=[(tag, _named(tag)) for tag in told.questions.languages],
        )


@get(f"{HERE}/{{survey_id:uuid}}/poster.pdf", sync_to_thread=True, guards=[_WHO])
def poster(
    survey_id: FromPath[UUID],
    database: TheDatabase,
    settings: TheSettings,
    site: TheSite,
    clock: TheClock,
    tongue: FromQuery[str] = "",
) -> Response[bytes]:
    """What came of a survey that is over, on a sheet for the waiting room, in a language of it. It is about nobody."""
    now = clock()
    with database.reading() as session:
        told = told_to_all(session, survey_id=survey_id, on=lambda _site: site.dose_day(now))
        if told.survey.site_id != site.id:
            raise NotThere(Refusal("no-results", "There is nothing here.", "Look at the list of surveys."))
        read_in = told.questions.language_for(tongue)
        base = settings.public_base_url.rstrip("/")
        content = survey_told_pdf(
            told.questions.title[read_in],
            [
                SaidOf(
                    each.asked.says[read_in],
                    [(choice.says[read_in], n) for choice, n in zip(each.asked.choices, each.counts, strict=False)],
                )
                for each in told.results.counted
            ],
            people=told.results.people,
            address=f"{base}/s/told/{survey_id}" if base else "",
            read_in=read_in,
            site=session.get_one(Site, site.id),
            printed_at=now,
        )
    headers = {"content-disposition": f'inline; filename="told-us-{site.code}-{read_in}.pdf"'}
    return Response(content, media_type="application/pdf", headers=headers)


HANDLERS: list[ControllerRouterHandler] = [
    survey,
    take_sheet,
    paper,
    written,
    open_it,
    close_it,
    asked_on_phone,
    answered_on_phone,
    told_on_phone,
    poster,
]
