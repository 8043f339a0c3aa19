"""A client's goals: steps, what they say of them, and a sheet to take along; for who treats them and for their peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response, Template
from litestar.types import ControllerRouterHandler, Guard

from dispensary.clients.goal_steps import (
    LONGEST_SAID,
    LONGEST_STEP,
    add_step,
    finish_step,
    note_said,
    step_earlier,
    take_step_back,
)
from dispensary.clients.own import own_client
from dispensary.clients.queries import face_at
from dispensary.database import ReadSession, WriteSession
from dispensary.desks import peers
from dispensary.desks.consulting import Consultation, client_page
from dispensary.looks.asking import with_reason
from dispensary.refusals import NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.rules import Act
from dispensary.supplies.printing.fonts import NoLetters
from dispensary.supplies.printing.my_goals import goal_sheet, my_goals_pdf
from dispensary.units import ClientId
from dispensary.web.doing import done_or_again
from dispensary.web.forms import Form, key_of
from dispensary.web.given import TheActor, TheClock, TheDatabase, TheSite
from dispensary.web.guards import requires, requires_client_reader, requires_peer_worker
from dispensary.web.paper import no_letters, pdf
from dispensary.web.typed import Typed

Again = Callable[[Consultation, Refused, Mapping[str, Any]], Template]


def _add(session: WriteSession, here: Consultation, goal_id: UUID, data: Form) -> None:
    with Typed(data) as typed:
        words = typed.text("step", most=LONGEST_STEP)
    add_step(session, actor=here.actor, client_id=here.client_id, goal_id=goal_id, words=words, at=here.now)


def _note(session: WriteSession, here: Consultation, goal_id: UUID, data: Form) -> None:
    with Typed(data) as typed:
        words = typed.text("said", most=LONGEST_SAID)
    note_said(
        session,
        actor=here.actor,
        client_id=here.client_id,
        goal_id=goal_id,
        words=words,
        key=key_of(data),
        today=here.today,
        at=here.now,
    )


def _say(session: WriteSession, here: Consultation, step_id: UUID, said: str, data: Form) -> None:
    """What was pressed at a step: `done` on a day, that taken `back`, or the step put `earlier`."""
    about: dict[str, Any] = {"actor": here.actor, "client_id": here.client_id, "step_id": step_id, "at": here.now}
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


def _at(
    base: str, *, notes: Guard, reads: Guard, then: str, again: Again, own: bool = False
) -> list[ControllerRouterHandler]:
    """The pages at one desk, of the site's clients; with `own`, of one's own alone: anybody else's is nobody."""

    def theirs(session: ReadSession, here: Consultation) -> None:
        if own:
            own_client(session, actor=here.actor, client_id=here.client_id)
        else:
            face_at(session, site_id=here.site.id, client_id=here.client_id)

    def does(here: Consultation, act: Callable[[WriteSession], None], typed: Mapping[str, Any]) -> Response[Any]:
        def of_theirs(session: WriteSession) -> None:
            theirs(session, here)
            act(session)

        return done_or_again(
            here.database,
            of_theirs,
            then=lambda _: base.replace("{client_id:uuid}", str(here.client_id)) + then,
            else_again=lambda why: again(here, why, typed),
        )

    @post(f"{base}/goals/{{goal_id:uuid}}/steps", sync_to_thread=True, guards=[notes])
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
        return does(here, lambda session: _add(session, here, goal_id, data), {**data, "goal_id": str(goal_id)})

    @post(f"{base}/goals/{{goal_id:uuid}}/words", sync_to_thread=True, guards=[notes])
    def note(
        client_id: FromPath[UUID],
        goal_id: FromPath[UUID],
        data: Form,
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
    ) -> Response[Any]:
        """Keeps what the client says of a goal, or wrote on their sheet."""
        here = Consultation(database, actor, site, ClientId(client_id), clock())
        return does(here, lambda session: _note(session, here, goal_id, data), {**data, "said_of": str(goal_id)})

    @post(f"{base}/steps/{{step_id:uuid}}/{{said:str}}", sync_to_thread=True, guards=[notes])
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
        return does(here, lambda session: _say(session, here, step_id, said, data), {**data, "step_id": str(step_id)})

    @get(f"{base}/goals.pdf", sync_to_thread=True, guards=[reads])
    def on_paper(
        client_id: FromPath[UUID],
        database: TheDatabase,
        actor: TheActor,
        site: TheSite,
        clock: TheClock,
        also: FromQuery[list[UUID] | None] = None,
    ) -> Response[Any]:
        """What they want to reach on a sheet to take along, in their language; `also` what gives the place away.

        That it was printed is on the trail. The file's name says nothing.
        """
        here = Consultation(database, actor, site, ClientId(client_id), clock())
        with database.writing() as session:
            theirs(session, here)
            sheet = goal_sheet(
                session, site=site, client_id=here.client_id, also=frozenset(also or ()), today=here.today
            )
            try:
                content = my_goals_pdf(sheet)  # before the trail says that it was printed
            except NoLetters:
                raise no_letters() from None
            audit.record(
                session,
                actor=actor,
                act="printed goals",
                subject="client",
                subject_id=client_id,
                at=here.now,
                details=with_reason({"goals": len(sheet.goals)}),
            )
        return pdf(content, "page.pdf")

    return [add, note, say, on_paper]


HANDLERS: list[ControllerRouterHandler] = [
    *_at(
        "/consulting/clients/{client_id:uuid}",
        notes=requires(Act.ENROL),
        reads=requires_client_reader,
        then="?done=goal#goals",
        again=lambda here, why, typed: client_page(here, refused=why, typed=typed),
    ),
    *_at(
        "/peers/clients/{client_id:uuid}",
        notes=requires_peer_worker,
        reads=requires_peer_worker,
        then="?done=step",
        again=lambda here, why, typed: peers.again(
            here.database, here.actor, here.site, here.client_id, here.now, why, typed
        ),
        own=True,
    ),
]
