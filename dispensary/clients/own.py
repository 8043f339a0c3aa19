"""A peer worker's own clients: those whom they have been given, and of each no more than keeping in touch takes.

Every function here asks anew whose client it is, in the query that reads: a page, an address or an id gives
nobody more.
What comes back has no dose, no result, no illness and no decision in it, and no sentence that somebody wrote about
treatment for those who treat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Select, or_, select

from dispensary.clients.client_key_models import ClientKey
from dispensary.clients.contacts import Contact, OthersContact, contacts_known_to
from dispensary.clients.goals import Goal, goals_of
from dispensary.clients.models import Client, LookedAfter, Task
from dispensary.clients.tasks import finish_task
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import NotAllowed, NotThere, Refusal
from dispensary.staff.rules import Act, Actor, Role
from dispensary.units import ClientId

_THEIRS = ("call", "recall")
"""Kinds of task that anybody who keeps in touch can do, whatever role they were opened for."""
_ERASED = ClientKey.erased_at.is_not(None)
_FOR_A_PEER = or_(Task.kind.in_(_THEIRS), Task.role == Role.PEER_WORKER.value)


@dataclass(frozen=True)
class OwnTask:
    """Something to do for a client of one's own."""

    id: UUID
    kind: str
    due_on: date
    sentence: str
    """What it says, where it was written for a peer worker; of other roles' tasks only the kind and the day."""


@dataclass(frozen=True)
class OwnClient:
    """A client as their peer worker knows them."""

    client_id: ClientId
    number: str
    called: str
    """The first of their names."""
    tasks: Sequence[OwnTask]


def own_clients(session: ReadSession, *, actor: Actor) -> list[OwnClient]:
    """Everybody whom the actor has been given at this site, whoever has the soonest task first, then by number."""
    rows = session.scalars(_own(actor)).all()
    session.vault.know([row.id for row in rows])
    found = [_read(session, row) for row in rows]
    return sorted(found, key=lambda one: (one.tasks[0].due_on if one.tasks else date.max, one.number))


def own_client(session: ReadSession, *, actor: Actor, client_id: ClientId) -> OwnClient:
    """One of them. Raises NotThere for everybody else's client as for nobody."""
    row = session.scalar(_own(actor).where(Client.id == client_id))
    if row is None:
        raise NotThere(Refusal("not-yours", "You have no such client.", "Look at your list again."))
    return _read(session, row)


def own_goals(session: ReadSession, *, actor: Actor, client_id: ClientId) -> list[Goal]:
    """What one of them wants to reach, in their own words; those that are open."""
    own_client(session, actor=actor, client_id=client_id)
    return [goal for goal in goals_of(session, client_id=client_id) if goal.state == "open"]


def own_contacts(session: ReadSession, *, actor: Actor, client_id: ClientId) -> list[Contact | OthersContact]:
    """How one of them was kept in touch with: the actor's own notes, and of everybody else's no word."""
    own_client(session, actor=actor, client_id=client_id)
    assert actor.account_id is not None, "nobody has clients of their own without an account"
    return contacts_known_to(session, client_id=client_id, account_id=actor.account_id)


def finish_own_task(
    session: WriteSession, *, actor: Actor, client_id: ClientId, task_id: UUID, outcome: str, at: datetime
) -> Task:
    """Says how a task for one of the actor's clients was done. Raises NotThere for any other task."""
    own_client(session, actor=actor, client_id=client_id)
    theirs = select(Task.id).where(Task.id == task_id, Task.client_id == client_id, _FOR_A_PEER)
    if session.scalar(theirs) is None:
        raise NotThere(Refusal("no-task", "There is no such open task.", "Look at the list again."))
    return finish_task(session, actor=actor, task_id=task_id, outcome=outcome, at=at)


def _own(actor: Actor) -> Select[Client]:
    if actor.account_id is None or not actor.may(Act.LOOK_AFTER_OWN):
        raise NotAllowed(
            Refusal("no-own-clients", "Your work at this site has no clients of your own.", "Ask an administrator.")
        )
    return (
        select(Client)
        .join(LookedAfter, LookedAfter.client_id == Client.id)
        .where(LookedAfter.account_id == actor.account_id, LookedAfter.ended_at.is_(None))
        .where(Client.site_id == actor.site_id)
        .where(~select(ClientKey.client_id).where(ClientKey.client_id == Client.id, _ERASED).exists())
        .order_by(Client.number)
    )


def _read(session: ReadSession, row: Client) -> OwnClient:
    open_ones = select(Task).where(Task.client_id == row.id, Task.done_at.is_(None), _FOR_A_PEER)
    tasks = session.scalars(open_ones.order_by(Task.due_on, Task.opened_at, Task.id))
    name = session.vault.open("client.name", row.id, row.name_sealed)
    return OwnClient(
        client_id=ClientId(row.id),
        number=row.number,
        called=name.split()[0] if name.split() else row.number,
        tasks=[
            OwnTask(each.id, each.kind, each.due_on, each.sentence if each.role == Role.PEER_WORKER.value else "")
            for each in tasks
        ],
    )
