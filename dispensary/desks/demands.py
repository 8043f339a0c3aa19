"""Somebody asks about a person: what to say, writing it down, and that it was; the named person's own pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.consent_rules import Information
from dispensary.clients.consent_words import information
from dispensary.clients.demand_rules import Asker, Sentence, Shown, Step, document
from dispensary.clients.demands import (
    LONGEST_WORDS,
    Heard,
    answer_by_order,
    demand_of,
    demands_entered,
    enter_demand,
    take_step,
    who_answers,
)
from dispensary.clients.numbers import client_numbered
from dispensary.database import Database, WriteSession
from dispensary.desks.telling import kinds_in, period_in, what_of
from dispensary.desks.window import AtCounter
from dispensary.refusals import NotAllowed, NotThere, Refused
from dispensary.staff.models import Site
from dispensary.staff.queries import Place, names_of
from dispensary.staff.rules import Act, Actor
from dispensary.staff.text_languages import text_languages
from dispensary.supplies.printing.disclosure import disclosure_pdf
from dispensary.supplies.printing.sentence import sentence_pdf
from dispensary.supplies.told import USUAL_DAYS
from dispensary.units import SiteId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of, one, several
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires
from dispensary.web.paper import pdf
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import SOURCE, _, language

_PAGE = "/demands"
_requires = requires(Act.ENTER_DEMAND)


def askers() -> dict[Asker, str]:
    return {
        Asker.POLICE: _("police"),
        Asker.PROSECUTOR: _("a prosecutor"),
        Asker.COURT: _("a court"),
        Asker.AUTHORITY: _("another authority"),
        Asker.FAMILY: _("family"),
        Asker.EMPLOYER: _("an employer"),
        Asker.PRESS: _("the press"),
        Asker.OTHER: _("somebody else"),
    }


def papers() -> dict[Shown, str]:
    return {
        Shown.NOTHING: _("nothing"),
        Shown.LETTER: _("a letter"),
        Shown.WARRANT: _("a warrant, subpoena or summons"),
        Shown.COURT_ORDER: _("a court's order"),
    }


def steps() -> dict[Step, str]:
    return {
        Step.NEITHER: _("said: neither yes nor no"),
        Step.REFUSED: _("refused"),
        Step.ANSWERED: _("answered with the minimum"),
        Step.COUNSEL: _("sent on to counsel"),
        Step.CLOSED: _("closed"),
    }


def _sentences(database: Database, site: Place) -> list[Sentence]:
    """The language of whoever reads, English, and those of the site's texts, as far as the sentence has them."""
    with database.reading() as session:
        texts = [spoken.tag for spoken in text_languages(session, site_id=SiteId(site.id)) if spoken.on]
    known = document().sentences
    return [known[each] for each in dict.fromkeys([language(), SOURCE, *texts]) if each in known]


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    *,
    done: int | None = None,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    sentences = _sentences(database, site)
    with database.reading() as session:
        answers = who_answers(session, site_id=site.id)
        return page(
            "reception/demands.html",
            sentence=sentences[0],
            others=sentences[1:],
            askers=[(key.value, word) for key, word in askers().items()],
            papers=[(key.value, word) for key, word in papers().items()],
            entered=demands_entered(session, site_id=site.id),
            answers=names_of(session, [answers])[answers] if answers else "",
            mine=answers is not None and answers == actor.account_id,
            done=done,
            longest=LONGEST_WORDS,
            refused=refused,
            typed=typed,
        )


@get(_PAGE, sync_to_thread=True, guards=[_requires])
def demands(database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[int | None] = None) -> Template:
    """The sentence to say, the form to write a demand down, and that demands were entered. It looks for nobody."""
    return _page(database, actor, site, done=done)


@post(_PAGE, sync_to_thread=True, guards=[_requires])
def add_demand(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Keeps a demand for the named person."""
    now = clock()

    def act(session: WriteSession) -> int:
        with Typed(data) as typed:
            heard = Heard(
                asker=typed.choice("asker", Asker),
                who=typed.text("who", most=LONGEST_WORDS, required=False),
                shown=typed.choice("shown", Shown),
                reference=typed.text("reference", most=LONGEST_WORDS, required=False),
                about=typed.text("about", most=LONGEST_WORDS, required=False),
                wants=typed.text("wants", most=LONGEST_WORDS, required=False),
                due_on=typed.day_or_none("due_on"),
            )
        said = one(data, "said") == "yes"
        return enter_demand(session, actor=actor, heard=heard, said=said, key=key_of(data), at=now).no

    return done_or_again(
        database,
        act,
        then=lambda no: f"{_PAGE}?done={no}",
        else_again=lambda why: _page(database, actor, site, refused=why, typed=data),
    )


@get(f"{_PAGE}/say.pdf", sync_to_thread=True, guards=[_requires])
def say(database: TheDatabase, site: TheSite, clock: TheClock) -> Response[bytes]:
    """The sentence on paper, to be shown, in the languages of the site."""
    return pdf(sentence_pdf(_sentences(database, site), printed_at=clock(), language=site.language), "sentence.pdf")


def _demand_page(
    database: Database,
    actor: Actor,
    demand_id: UUID,
    now: datetime,
    site: Place,
    *,
    done: bool = False,
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    found = database.write(lambda session: demand_of(session, actor=actor, demand_id=demand_id, at=now))
    today = site.dose_day(now)
    return page(
        "disclosure/demand.html",
        demand=found,
        paper=document().papers[found.heard.shown],
        asker=askers()[found.heard.asker],
        shown=papers()[found.heard.shown],
        steps=steps(),
        kinds=information(),
        first=today - USUAL_DAYS,
        last=today,
        longest=LONGEST_WORDS,
        done=done,
        refused=refused,
        typed=typed,
    )


@get(f"{_PAGE}/{{demand_id:uuid}}", sync_to_thread=True, guards=[_requires])
def demand(
    demand_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    done: FromQuery[bool] = False,
) -> Template:
    """A demand with every word of it, for the named person alone. That they read it is written down."""
    return _demand_page(database, actor, demand_id, clock(), site, done=done)


@post(f"{_PAGE}/{{demand_id:uuid}}/steps", sync_to_thread=True, guards=[_requires])
def add_step(
    demand_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Notes what the named person did about it."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            step = typed.choice("step", Step)
            words = typed.text("words", most=LONGEST_WORDS, required=False)
        return take_step(session, actor=actor, demand_id=demand_id, step=step, words=words, at=now)

    def again(why: Refused) -> Template:
        if isinstance(why, NotAllowed):
            raise why
        return _demand_page(database, actor, demand_id, now, site, refused=why, typed=data)

    return done_or_again(database, act, then=lambda _: f"{_PAGE}/{demand_id}?done=true", else_again=again)


@post(f"{_PAGE}/{{demand_id:uuid}}/answer.pdf", sync_to_thread=True, guards=[requires(Act.DISCLOSE)], status_code=200)
def answer(
    demand_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """The minimum that a court's order names, on paper, once its line on the register is kept."""
    now = clock()

    def act(session: WriteSession) -> bytes:
        client_id = client_numbered(session, site_id=site.id, number=one(data, "number"))
        period = period_in(data, AtCounter(database, actor, site, client_id, now))
        kinds = kinds_in(data)
        ordered = frozenset(Information(word) for word in several(data, "ordered") if word in list(Information))
        release = answer_by_order(
            session,
            actor=actor,
            demand_id=demand_id,
            client_id=client_id,
            ordered=ordered,
            kinds=kinds,
            what=what_of(kinds, period),
            key=key_of(data),
            at=now,
        )
        here = session.get_one(Site, site.id)
        return disclosure_pdf(session, site=here, client_id=client_id, release=release, period=period)

    try:
        return pdf(database.write(act), "in-confidence.pdf")
    except (NotThere, NotAllowed):
        raise
    except Refused as refused:
        return _demand_page(database, actor, demand_id, now, site, refused=refused, typed=data)


HANDLERS: list[ControllerRouterHandler] = [demands, add_demand, say, demand, add_step, answer]
