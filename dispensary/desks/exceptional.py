"""Not as usual at the counter: written down on one page, answered by a prescriber, given again, closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler

from dispensary.database import WriteSession
from dispensary.desks.counter import client_page
from dispensary.desks.noting import WRITES, somebody
from dispensary.desks.window import AtCounter, Opened, StandingBy, amount, choices
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff.rules import Act
from dispensary.supplies import exceptions
from dispensary.supplies.calls import record_call
from dispensary.supplies.exceptions_rules import ExceptionKind
from dispensary.supplies.models import DoseException
from dispensary.supplies.unusual import Unusual
from dispensary.units import ClientId
from dispensary.web import unusual_acts
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page
from dispensary.web.typed import LONGEST_NOTE, Typed
from dispensary.web.unusual_acts import exception_of, what_comes_next

_DONE = ("written", "called", "given", "closed")


@get("/counter/clients/{client_id:uuid}/unusual", sync_to_thread=True, guards=[requires_dispenser])
def unusual(
    client_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
    what: FromQuery[str] = "",
    about: FromQuery[UUID | None] = None,
    done: FromQuery[str] = "",
) -> Template:
    """What was not as usual, what comes next, and what can be written down. The look at the client is written down."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())
    return unusual_page(here, what=what, about=about, done=done if done in _DONE else "")


def unusual_page(
    here: AtCounter,
    *,
    what: str = "",
    about: UUID | None = None,
    done: str = "",
    refused: Refused | None = None,
    typed: Mapping[str, Any] | None = None,
) -> Template:
    """The page with one form open: of what is written down now (`what`), or of what is done about an exception."""

    def read(session: WriteSession) -> tuple[Opened, StandingBy]:
        found = here.opened(session)
        return found, here.standing_by(session, found)

    opened, standing_by = here.sees(read, seen_on="not as usual")
    window = opened.window
    possible = _possible(opened)
    chosen = what if what in possible and (refused or possible[ExceptionKind(what)]) else ""
    shown = _shown(opened, about) if not chosen else None
    return page(
        "counter/unusual.html",
        refused=refused,
        typed=typed,
        here_url=here.url,
        window=window,
        face=window.face,
        today=here.today,
        now=here.now,
        what=chosen,
        possible=possible,
        one=shown,
        next=what_comes_next(shown, here.today) if shown else (),
        others=[each for each in window.unusual if each is not shown],
        done=done,
        may_close=shown is not None and (not shown.row.blocks or here.actor.may(Act.ORDER)),
        poured_mg=_poured(opened),
        prescribers=choices(standing_by.prescribers, only_one_is_chosen=True),
        anybody=choices(standing_by.prescribers),
        seconds=choices(standing_by.seconds) if standing_by.seconds else [],
        needs_second=standing_by.needs_second,
        amount=amount,
    )


def _shown(opened: Opened, about: UUID | None) -> Unusual | None:
    """The exception that was asked for, or the first that waits for a prescriber, or else for the client."""
    window = opened.window
    asked = [each for each in window.unusual if each.row.id == about]
    still_open = [each for each in window.unusual if each.row.closed_at is None]
    return next(iter([*asked, *window.to_answer, *still_open]), None)


def _possible(opened: Opened) -> dict[ExceptionKind, bool]:
    """What can be written down now, in the order of the page: there must be a dose that it happened to."""
    window = opened.window
    due = window.due_mg is not None and all(refusal.code == "second-look" for refusal in window.refusals)
    poured = due or any(dose.kind == "observed" for dose in window.had_today)
    return {
        ExceptionKind.VOMITED: bool(window.had_today),
        ExceptionKind.INTOXICATED: True,
        ExceptionKind.REFUSED: window.due_mg is not None,
        ExceptionKind.PARTLY_TAKEN: poured,
        ExceptionKind.SPILLED: poured,
        ExceptionKind.LATE: True,
        ExceptionKind.TOP_UP: window.top_up.left_mg > 0,
        ExceptionKind.WRONG_DOSE: True,
    }


def _poured(opened: Opened) -> Decimal | None:
    """The portion that was taken at the counter last today, or else the one that is due now."""
    taken = (dose.mg for dose in opened.window.had_today if dose.kind == "observed")
    return next(taken, opened.window.due_mg)


@post("/counter/clients/{client_id:uuid}/unusual/{what:str}", sync_to_thread=True, guards=[requires_dispenser])
def note(
    client_id: FromPath[UUID],
    what: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down what happened, once for the form's key, and shows what comes next."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())
    write = WRITES.get(what)
    if write is None:
        raise NotThere(Refusal("no-page", "There is no such page.", "Open the client again."))
    return here.does(
        lambda session: write(session, here, data),
        then=lambda written: f"{here.url}/unusual?about={written}&done=written",
        else_again=lambda why: unusual_page(here, what=what, refused=why, typed=data),
    )


@post(
    "/counter/clients/{client_id:uuid}/exceptions/{exception_id:uuid}/call",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def called(
    client_id: FromPath[UUID],
    exception_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Writes down which prescriber was called, what they said, and what they allowed to be given again."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> DoseException:
        with Typed(data) as typed:
            mg = typed.milligrams("mg") if one(data, "mg") else None
            prescriber_id = somebody(typed, data, "prescriber_id")
            said = typed.text("said", most=LONGEST_NOTE, required=False)
        exception_of(session, actor=actor, client_id=here.client_id, exception_id=exception_id)
        return exceptions.answer(
            session,
            actor=actor,
            exception_id=exception_id,
            prescriber_id=prescriber_id,
            said=said,
            allowed_mg=mg,
            beyond=one(data, "beyond") == "yes",
            at=here.now,
        )

    return _goes_on(here, act, exception_id, "called", data)


@post(
    "/counter/clients/{client_id:uuid}/exceptions/{exception_id:uuid}/give",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def give_again(
    client_id: FromPath[UUID],
    exception_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Gives again what a prescriber allowed of a vomited dose, once."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        exception_of(session, actor=actor, client_id=here.client_id, exception_id=exception_id)
        return unusual_acts.give_again(
            session,
            actor=actor,
            exception_id=exception_id,
            identified_by=one(data, "identified_by"),
            well=one(data, "well") == "yes",
            key=str(key_of(data)),
            today=here.today,
            at=here.now,
        )

    return _goes_on(here, act, exception_id, "given", data)


@post(
    "/counter/clients/{client_id:uuid}/exceptions/{exception_id:uuid}/close",
    sync_to_thread=True,
    guards=[requires_dispenser],
)
def close(
    client_id: FromPath[UUID],
    exception_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says how it ended; where it blocks the next dose, a prescriber alone does."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> DoseException:
        with Typed(data) as typed:
            outcome = typed.text("outcome", most=LONGEST_NOTE, required=False)
        exception_of(session, actor=actor, client_id=here.client_id, exception_id=exception_id)
        return exceptions.close(session, actor=actor, exception_id=exception_id, outcome=outcome, at=here.now)

    return _goes_on(here, act, exception_id, "closed", data)


def _goes_on(
    here: AtCounter, act: Callable[[WriteSession], object], about: UUID, done: str, data: Mapping[str, Any]
) -> Response[Any]:
    return here.does(
        act,
        then=lambda _: f"{here.url}/unusual?about={about}&done={done}",
        else_again=lambda why: unusual_page(here, about=about, refused=why, typed=data),
    )


@post("/counter/clients/{client_id:uuid}/call", sync_to_thread=True, guards=[requires_dispenser])
def call(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down that a prescriber agreed to less after missed days; the screen then has the smaller dose."""
    here = AtCounter(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            mg = typed.milligrams("mg")
            prescriber_id = somebody(typed, data, "prescriber_id")
            said = typed.text("said", most=LONGEST_NOTE, required=False)
        return record_call(
            session,
            actor=actor,
            client_id=here.client_id,
            prescriber_id=prescriber_id,
            said=said,
            mg=mg,
            today=here.today,
            at=here.now,
        )

    return here.does(act, then=lambda _: here.url, else_again=lambda why: client_page(here, refused=why, typed=data))


HANDLERS: list[ControllerRouterHandler] = [unusual, note, called, give_again, close, call]
