"""Erasing a client at the desk: who was erased, erasing one by number, and for how many years records are kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar import get, post
from litestar.params import FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.clients.legal_holds import client_numbered
from dispensary.clients.rules import plain_number
from dispensary.database import Database, WriteSession
from dispensary.desks.noting import somebody
from dispensary.desks.window import choices
from dispensary.erasing.rules import LONGEST_WORDS, YEARS, Ground
from dispensary.erasing.service import erase, erasures_at, set_period
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.countersign import who_can_stand_by
from dispensary.staff.models import Site
from dispensary.staff.queries import Place
from dispensary.staff.rules import Act, Actor
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, secret
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_administrator, requires_eraser
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
    *,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    with database.reading() as session:
        return page(
            "disclosure/erasing.html",
            erased=erasures_at(session, site_id=site.id),
            years=session.get_one(Site, site.id).keep_years,
            seconds=choices(who_can_stand_by(session, actor=actor)),
            grounds=ground_words(),
            done=done if done in ("erased", "period") else "",
            may_set=actor.may(Act.RUN_SITE),
            longest=LONGEST_WORDS,
            bounds=YEARS,
            refused=refused,
            typed=typed,
        )


@get(_PAGE, sync_to_thread=True, guards=[requires_eraser])
def erasing(database: TheDatabase, actor: TheActor, site: TheSite, done: FromQuery[str] = "") -> Template:
    """Who was erased here, by number, and the form to erase somebody."""
    return _page(database, actor, site, done=done)


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
        else_again=lambda why: _page(database, actor, site, refused=why, typed=data),
    )


@post(f"{_PAGE}/period", sync_to_thread=True, guards=[requires_administrator])
def set_years(data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock) -> Response[Any]:
    """Sets for how many years the site keeps a record after the last day of treatment."""

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            years = typed.whole("years", *YEARS)
        set_period(session, actor=actor, years=years, at=clock())
        return None

    return done_or_again(
        database,
        act,
        then=lambda _: f"{_PAGE}?done=period",
        else_again=lambda why: _page(database, actor, site, refused=why, typed=data),
    )


HANDLERS: list[ControllerRouterHandler] = [erasing, erase_client, set_years]
