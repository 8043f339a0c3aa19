"""Erasing a client at the desk: who was erased, erasing one by number, and whose time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.numbers import client_numbered
from dispensary.clients.rules import plain_number
from dispensary.database import Database, WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.erasing.letting_go import due
from dispensary.erasing.rules import LONGEST_WORDS, Ground
from dispensary.erasing.service import erase, erasures_at
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.staff.queries import Place
from dispensary.staff.retention import figure_of
from dispensary.staff.retention_rules import Kind
from dispensary.staff.rules import Act, Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_eraser
from dispensary.web.templating import page
from dispensary.web.typed import Typed
from dispensary.words import _

_PAGE = "/disclosure/erasing"


def ground_words() -> dict[Ground, str]:
    """Why a client may be erased, as pages say it."""
    return {
        Ground.PERIOD_ENDED: _("Kept as long as the law asks"),
        Ground.REQUEST: _("The client asked, by right"),
        Ground.ORDER: _("A court or office ordered it"),
    }


def _page(
    database: Database,
    actor: Actor,
    site: Place,
    today: date,
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        return page(
            "disclosure/erasing.html",
            erased=erasures_at(session, site_id=site.id),
            years=figure_of(session, site_id=site.id, kind=Kind.CLIENTS),
            due=due(session, site_id=site.id, today=today),
            seconds=choices(who_can_stand_by(session, actor=actor)),
            grounds=ground_words(),
            done=done if done in ("erased",) else "",
            may_set=actor.may(Act.RUN_SITE),
            longest=LONGEST_WORDS,
            refused=refused,
            typed=typed,
        )


@get(_PAGE, sync_to_thread=True, guards=[requires_eraser])
def erasing(
    database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock, done: FromQuery[str] = ""
) -> Template:
    """Who was erased here, by number, and the form to erase somebody."""
    return _page(database, actor, site, site.dose_day(clock()), done=done)


@post(_PAGE, sync_to_thread=True, guards=[requires_eraser])
def erase_client(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Erases the client with this number. Refused, the page comes again with every reason and all but the PIN."""
    now = clock()

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            number = typed.text("number", most=40)
            again = typed.text("again", most=40)
            ground = typed.choice("ground", Ground)
            authority = typed.text("authority", most=LONGEST_WORDS)
            second_id = somebody(typed, data, "second_id")
        if plain_number(number) != plain_number(again):
            raise BadInput(
                Refusal("other-number", "The two numbers are not the same.", "Look at the card again.", field="again")
            )
        return erase(
            session,
            actor=actor,
            client_id=client_numbered(session, site_id=site.id, number=number),
            ground=ground,
            authority=authority,
            second_id=second_id,
            pin=secret(data, "second_pin"),
            today=site.dose_day(now),
            at=now,
        )

    return done_or_again(
        database,
        act,
        then=lambda _: f"{_PAGE}?done=erased",
        else_again=lambda why: _page(database, actor, site, site.dose_day(now), refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [erasing, erase_client]
