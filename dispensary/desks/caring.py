"""What is done around the doses: goals, tasks, who takes a client on, reports, an order stopped or printed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath
from litestar.response import Redirect, Response
from litestar.types import ControllerRouterHandler

from dispensary.clients.goals import LONGEST_GOAL, assign, close_goal, reopen_goal, set_goal, unassign
from dispensary.clients.models import Task
from dispensary.clients.rules import EntryRoute
from dispensary.clients.service import begin_episode, lock_client
from dispensary.clients.taken_back_rules import Wrong
from dispensary.clients.tasks import finish_task, open_task
from dispensary.database import WriteSession
from dispensary.desks.consulting import Consultation, client_page
from dispensary.desks.dosing import bottles_of
from dispensary.monitoring.doubles import look_for
from dispensary.monitoring.reports import Reported, report
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Act, Role
from dispensary.supplies.exceptions import close
from dispensary.supplies.models import DoseException
from dispensary.supplies.recalls import call_back
from dispensary.units import AccountId, ClientId
from dispensary.web import caring_acts
from dispensary.web.forms import Form, key_of, one
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader, requires_prescriber
from dispensary.web.typed import LONGEST_NOTE, Typed


@post("/consulting/clients/{client_id:uuid}/goals", sync_to_thread=True, guards=[requires(Act.ENROL)])
def add_goal(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Keeps what the client wants to reach."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            words = typed.text("goal", most=LONGEST_GOAL)
        return set_goal(session, actor=actor, client_id=here.client_id, words=words, today=here.today, at=here.now)

    return here.does(act, then="?done=goal#goals", else_again=lambda why: client_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/goals/{goal_id:uuid}/close",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
)
def end_goal(
    client_id: FromPath[UUID],
    goal_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Notes that a goal was reached, or let go."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        return close_goal(
            session,
            actor=actor,
            client_id=here.client_id,
            goal_id=goal_id,
            state=one(data, "state"),
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="?done=goal#goals", else_again=lambda why: client_page(here, refused=why))


@post(
    "/consulting/clients/{client_id:uuid}/goals/{goal_id:uuid}/reopen",
    sync_to_thread=True,
    guards=[requires(Act.ENROL)],
)
def open_goal_again(
    client_id: FromPath[UUID],
    goal_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Takes back that it was reached or let go, which was entered in error."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            why = typed.choice("why", Wrong)
            seen = typed.text("seen", most=20)
        reopen_goal(session, actor=actor, client_id=here.client_id, goal_id=goal_id, seen=seen, why=why, at=here.now)

    return here.does(
        act, then="?done=reopened#goals", else_again=lambda why: client_page(here, refused=why, typed=data)
    )


@post("/consulting/clients/{client_id:uuid}/tasks", sync_to_thread=True, guards=[requires(Act.ENROL)])
def add_task(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Writes down something that a doctor, a nurse or the counter must do by a day."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            sentence = typed.text("sentence", most=LONGEST_NOTE)
            due_on = typed.day("due_on")
            role = typed.choice("role", Role)
        lock_client(session, here.client_id, actor.site_id)
        opened = open_task(
            session,
            site_id=actor.site_id,
            client_id=here.client_id,
            role=role,
            kind="other",
            sentence=sentence,
            due_on=due_on,
            opened_by=actor.account_id,
            at=here.now,
        )
        if opened:
            audit.record(session, actor=actor, act="opened task", subject="client", subject_id=client_id, at=here.now)

    return here.does(act, then="?done=task#tasks", else_again=lambda why: client_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/tasks/{task_id:uuid}/done",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def task_done(
    client_id: FromPath[UUID],
    task_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says how a task was done, and goes back to the list or the client's page, whence it was said."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            outcome = typed.text("outcome", most=LONGEST_NOTE)
        task = session.get(Task, task_id)
        if task is None or task.client_id != here.client_id:
            raise NotThere(Refusal("no-task", "There is no such open task.", "Look at the list again."))
        return finish_task(session, actor=actor, task_id=task_id, outcome=outcome, at=here.now)

    answer = here.does(
        act, then="?done=task-done#tasks", else_again=lambda why: client_page(here, refused=why, typed=data)
    )
    back = _within_consulting(data)
    return Redirect(back, status_code=303) if back and isinstance(answer, Redirect) else answer


@post("/consulting/assign", sync_to_thread=True, guards=[requires(Act.ENROL)])
def give_to(data: Form, database: TheDatabase, actor: TheActor, clock: TheClock) -> Redirect:
    """Gives a client to oneself or a colleague beside whoever has them, or takes them from one, by one press."""
    ends = bool(one(data, "unassign"))
    who, _, to = one(data, "unassign" if ends else "assign").partition(":")
    try:
        client_id, account_id = ClientId(UUID(who)), AccountId(UUID(to))
    except ValueError:
        raise BadInput(
            Refusal("no-id", "The page has lost what this is about.", "Open the page again.", field="assign")
        ) from None
    now = clock()

    def act(session: WriteSession) -> None:
        does = unassign if ends else assign
        does(session, actor=actor, client_id=client_id, account_id=account_id, at=now)

    database.write(act)
    return Redirect(_within_consulting(data) or "/consulting", status_code=303)


def _within_consulting(data: Mapping[str, Any]) -> str:
    """The page of this desk that the form came from; nothing when it names another place."""
    back = one(data, "back")
    return back if back.startswith("/consulting") and "\\" not in back else ""


@post("/consulting/clients/{client_id:uuid}/report", sync_to_thread=True, guards=[requires_client_reader])
def tell(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Tells the doctors what was reported. Nothing else changes by it."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            what = typed.choice("reported", Reported)
            words = typed.text("report_words", most=LONGEST_NOTE)
        report(session, actor=actor, client_id=here.client_id, what=what, words=words, key=key_of(data), at=here.now)

    return here.does(act, then="?done=reported", else_again=lambda why: client_page(here, refused=why, typed=data))


@post("/consulting/clients/{client_id:uuid}/stop", sync_to_thread=True, guards=[requires_prescriber])
def stop(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Stops what is ordered from a day on, for a reason."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> None:
        with Typed(data) as typed:
            from_day = typed.day("stop_from")
            reason = typed.text("stop_reason", most=LONGEST_NOTE)
            seen = typed.id("stop_seen")
        caring_acts.stop(
            session,
            actor=actor,
            client_id=here.client_id,
            from_day=from_day,
            reason=reason,
            seen=seen,
            bottles=bottles_of(data, "stop_bottles"),
            today=here.today,
            at=here.now,
        )

    return here.does(act, then="?done=stopped", else_again=lambda why: client_page(here, refused=why, typed=data))


@post("/consulting/clients/{client_id:uuid}/begin", sync_to_thread=True, guards=[requires(Act.ENROL)])
def begin(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Begins a new stay of somebody who had left."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            began_on = typed.day("began_on")
            route = typed.choice_or_none("route", EntryRoute)
        begin_episode(
            session,
            actor=actor,
            client_id=here.client_id,
            began_on=began_on,
            today=here.today,
            at=here.now,
            route=route,
        )
        return look_for(session, actor=actor, client_id=here.client_id, at=here.now)

    return here.does(act, then="?done=began", else_again=lambda why: client_page(here, refused=why, typed=data))


@post("/consulting/clients/{client_id:uuid}/recall", sync_to_thread=True, guards=[requires(Act.ENROL)])
def recall(
    client_id: FromPath[UUID], data: Form, database: TheDatabase, actor: TheActor, site: TheSite, clock: TheClock
) -> Response[Any]:
    """Calls the bottles at home back, to be counted."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            bring_by = typed.day("bring_by")
        return call_back(
            session,
            actor=actor,
            client_id=here.client_id,
            cause="check",
            from_day=here.today,
            bring_by=bring_by,
            at=here.now,
        )

    return here.does(act, then="?done=called-back", else_again=lambda why: client_page(here, refused=why, typed=data))


@post(
    "/consulting/clients/{client_id:uuid}/exceptions/{exception_id:uuid}/review",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def review(
    client_id: FromPath[UUID],
    exception_id: FromPath[UUID],
    data: Form,
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[Any]:
    """Says how something that was not as usual ended; where it blocks the next dose, a prescriber alone does."""
    here = Consultation(database, actor, site, ClientId(client_id), clock())

    def act(session: WriteSession) -> object:
        with Typed(data) as typed:
            outcome = typed.text("review_outcome", most=LONGEST_NOTE)
        happened = session.get(DoseException, exception_id)
        if happened is None or happened.client_id != here.client_id:
            raise NotThere(Refusal("no-exception", "There is no such thing to review.", "Open the client again."))
        return close(session, actor=actor, exception_id=exception_id, outcome=outcome, at=here.now)

    return here.does(act, then="?done=exception", else_again=lambda why: client_page(here, refused=why, typed=data))


@get(
    "/consulting/clients/{client_id:uuid}/orders/{order_id:uuid}/prescription.pdf",
    sync_to_thread=True,
    guards=[requires_client_reader],
)
def prescription(
    client_id: FromPath[UUID],
    order_id: FromPath[UUID],
    database: TheDatabase,
    actor: TheActor,
    site: TheSite,
    clock: TheClock,
) -> Response[bytes]:
    """An order on paper. Each time that it is printed is written down."""
    now = clock()
    name, content = database.write(
        lambda session: caring_acts.printed_order(
            session,
            actor=actor,
            client_id=ClientId(client_id),
            order_id=order_id,
            today=site.dose_day(now),
            at=now,
        )
    )
    return Response(
        content,
        media_type="application/pdf",
        headers={"content-disposition": f'inline; filename="{name}"', "cache-control": "no-store"},
    )


HANDLERS: list[ControllerRouterHandler] = [
    add_goal,
    end_goal,
    open_goal_again,
    add_task,
    task_done,
    give_to,
    tell,
    stop,
    begin,
    recall,
    review,
    prescription,
]
