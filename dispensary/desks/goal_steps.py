"""Steps to a client's goals: at the page of whoever treats them, and at their own peer worker's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from litestar import post
from litestar.params import FromPath
from litestar.response import Response
from litestar.types import ControllerRouterHandler

from dispensary.clients.goal_steps import LONGEST_STEP, add_step, finish_step, step_earlier, take_step_back
from dispensary.clients.own import own_client
from dispensary.database import WriteSession
from dispensary.desks import peers
from dispensary.desks.consulting import Consultation, client_page
from dispensary.refusals import NotThere, Refusal
from dispensary.staff.rules import Act
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_peer_worker
from dispensary.web.typed import Typed

_requires_noter = requires(Act.ENROL)


def _adding(here: Consultation, goal_id: UUID, data: Form) -> Callable[[WriteSession], None]:
    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            words = typed.text("step", most=LONGEST_STEP)
        add_step(session, actor=here.actor, client_id=here.client_id, goal_id=goal_id, words=words, at=here.now)

    return act


def _saying(here: Consultation, step_id: UUID, said: str, data: Form) -> Callable[[WriteSession], None]:
    """What was pressed at a step: `done` on a day, that taken `back`, or the step put `earlier`."""
    about: dict[str, Any] = {"actor": here.actor, "client_id": here.client_id, "step_id": step_id, "at": here.now}

    def act(session: WriteSession) -> None:
        if said == "done":
            with Typed(data) as typed:
                on_day = typed.day("on_day")
            finish_step(session, on_day=on_day, today=here.today, **about)
        elif said == "back":
            take_step_back(session, today=here.today, **about)
        elif said == "earlier":
            step_earlier(session, **about)
        else:
            raise NotThere(Refusal("no-page", "There is no such page.", "Look at the client's page again."))

    return act


@post("/consulting/clients/{client_id:uuid}/goals/{goal_id:uuid}/steps", sync_to_thread=True, guards=[_requires_noter])
def add(
    client_id: FromPath[UUID],
    goal_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Keeps a step to a goal."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    kept = {**data, "goal_id": str(goal_id)}
    return here.does(
        _adding(here, goal_id, data),
        then="?done=goal#goals",
        else_again=lambda why: client_page(here, refused=why, typed=kept),
    )


@post(
    "/consulting/clients/{client_id:uuid}/steps/{step_id:uuid}/{said:str}",
    sync_to_thread=True,
    guards=[_requires_noter],
)
def say(
    client_id: FromPath[UUID],
    step_id: FromPath[UUID],
    said: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says that a step is done, or is not after all; or puts it before another."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    kept = {**data, "step_id": str(step_id)}
    return here.does(
        _saying(here, step_id, said, data),
        then="?done=goal#goals",
        else_again=lambda why: client_page(here, refused=why, typed=kept),
    )


def _of_ones_own(here: Consultation, act: Callable[[WriteSession], None], data: dict[str, Any]) -> Response[Any]:
    """Does it for one of the actor's own clients; anybody else's is nobody."""

    def theirs(session: WriteSession) -> None:
        own_client(session, actor=here.actor, client_id=here.client_id)
        act(session)

    return done_or_again(
        here.database,
        theirs,
        then=lambda _: f"/peers/clients/{here.client_id}?done=step",
        else_again=lambda why: peers.again(here.database, here.actor, here.site, here.client_id, here.now, why, data),
    )


@post("/peers/clients/{client_id:uuid}/goals/{goal_id:uuid}/steps", sync_to_thread=True, guards=[requires_peer_worker])
def add_own(
    client_id: FromPath[UUID],
    goal_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Keeps a step to a goal of one's own client."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return _of_ones_own(here, _adding(here, goal_id, data), {**data, "goal_id": str(goal_id)})


@post(
    "/peers/clients/{client_id:uuid}/steps/{step_id:uuid}/{said:str}",
    sync_to_thread=True,
    guards=[requires_peer_worker],
)
def say_own(
    client_id: FromPath[UUID],
    step_id: FromPath[UUID],
    said: FromPath[str],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says of a step of one's own client what `say` does."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())
    return _of_ones_own(here, _saying(here, step_id, said, data), {**data, "step_id": str(step_id)})


HANDLERS: list[ControllerRouterHandler] = [add, say, add_own, say_own]
