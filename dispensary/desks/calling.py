"""The counter calls: the next one by one key, again, and not there; and which window this counter is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response, Template
from litestar.types import ControllerRouterHandler

import scheduling.waiting
from dispensary.phone import queueing
from dispensary.refusals import BadInput, Refusal, Refused
from dispensary.staff.rules import Actor
from dispensary.web.at_window import window_at, window_cookie
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSettings, TheSite
from dispensary.web.guards import requires_dispenser
from dispensary.web.templating import page


@post("/counter/next", sync_to_thread=True, guards=[requires_dispenser])
def call_next(
    data: Form, request: Request[Any, Any, Any], database: TheDatabase, actor: TheActor, clock: TheClock
) -> Redirect:
    """Calls whoever is next in the queue to this window, and opens them; pressed again, it opens the same person."""
    return next_to(window_at(request), key_of(data), database, actor, clock())


def next_to(window: int, key: UUID, database: TheDatabase, actor: Actor, now: datetime) -> Redirect:
    """The page of whom this window has called under this key, or the counter's when nobody waits."""
    visit = database.write(lambda session: queueing.call_next(session, actor=actor, window=window, key=key, at=now))
    return Redirect("/counter" if visit is None else f"/counter/clients/{visit.holder_id}", status_code=303)


@post("/counter/visits/{visit_id:uuid}/again", sync_to_thread=True, guards=[requires_dispenser])
def again(
    visit_id: FromPath[UUID],
    data: Form,
    request: Request[Any, Any, Any],
    database: TheDatabase,
    actor: TheActor,
    clock: TheClock,
) -> Redirect:
    """Calls them once more, to this window, and stays on their page."""
    now, window, key = clock(), window_at(request), key_of(data)
    visit = database.write(
        lambda session: queueing.call_again(session, actor=actor, visit_id=visit_id, window=window, key=key, at=now)
    )
    return Redirect(f"/counter/clients/{visit.holder_id}", status_code=303)


@post("/counter/visits/{visit_id:uuid}/skip", sync_to_thread=True, guards=[requires_dispenser])
def skip(visit_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """They are not there: back into the queue, and to the counter, where one key calls the next."""
    now, key = clock(), key_of(data)
    database.write(lambda session: queueing.not_there(session, actor=actor, visit_id=visit_id, key=key, at=now))
    return Redirect("/counter", status_code=303)


@get("/counter/window", sync_to_thread=True, guards=[requires_dispenser])
def window_form(request: Request[Any, Any, Any], database: TheDatabase, site: TheSite, clock: TheClock) -> Template:
    """Which window this is."""
    return _window_page(request, database, site, clock())


def _window_page(
    request: Request[Any, Any, Any],
    database: TheDatabase,
    site: TheSite,
    now: datetime,
    refused: Refused | None = None,
) -> Template:
    with database.reading() as session:
        many = scheduling.waiting.windows_of(session, site.id, site.dose_day(now))
        rules = scheduling.waiting.queue_rules(session, site.id)
    windows = [(str(number), rules.name_of(number)) for number in range(1, many + 1)]
    return page("counter/window.html", refused=refused, windows=windows, chosen=str(window_at(request)))


@post("/counter/window", sync_to_thread=True, guards=[requires_dispenser])
def choose_window(
    data: Form,
    request: Request[Any, Any, Any],
    database: TheDatabase,
    site: TheSite,
    settings: TheSettings,
    clock: TheClock,
) -> Response[Any]:
    """From now on this browser calls to that window."""
    now, typed = clock(), one(data, "window")
    with database.reading() as session:
        many = scheduling.waiting.windows_of(session, site.id, site.dose_day(now))
    if not (typed.isascii() and typed.isdigit() and len(typed) < 3 and 1 <= int(typed) <= many):
        words = Refusal("no-window", "There is no such window.", "Choose one of these.", field="window")
        return _window_page(request, database, site, now, BadInput(words))
    return Redirect("/counter", status_code=303, cookies=[window_cookie(int(typed), settings)])


HANDLERS: list[ControllerRouterHandler] = [call_next, again, skip, window_form, choose_window]
