"""What a role must do for a client by a day, and how it was done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.clients.models import Task
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.rules import Actor, Role
from dispensary.units import AccountId, ClientId, SiteId, new_id

KINDS = ("review", "call", "recall", "other")


def open_task(
    session: WriteSession,
    *,
    site_id: SiteId,
    client_id: ClientId,
    role: Role,
    kind: str,
    sentence: str,
    due_on: date,
    opened_by: AccountId | None,
    at: datetime,
) -> bool:
    """Opens a task for a role, unless the same one for the same day is open already. Returns whether it was opened.

    It is part of an act that has its own entry in the audit trail. `kind` is one of KINDS. Raises BadInput without a
    sentence.
    """
    if not sentence.strip():
        raise BadInput(Refusal("sentence", "Say what is to be done.", "Write a sentence.", field="sentence"))
    opened = session.execute(
        upsert(Task)
        .values(
            id=new_id(),
            site_id=site_id,
            client_id=client_id,
            role=role.value,
            kind=kind,
            sentence=sentence.strip(),
            due_on=due_on,
            opened_by=opened_by,
            opened_at=at,
            outcome="",
        )
        .on_conflict_do_nothing(
            index_elements=["client_id", "kind", "due_on", "sentence"], index_where=text("done_at IS NULL")
        )
        .returning(Task.id)
    )
    return opened.scalar_one_or_none() is not None


def finish_task(session: WriteSession, *, actor: Actor, task_id: UUID, outcome: str, at: datetime) -> Task:
    """Says how a task was done. Sent again by the same person with the same words it is found done.

    Raises BadInput without an outcome, and NotThere for a task of another site or one that was done before.
    """
    if not outcome.strip():
        raise BadInput(Refusal("outcome", "Say how it was done.", "Write a sentence.", field="outcome"))
    task = session.get(Task, task_id, with_for_update=True)
    if task is None or task.site_id != actor.site_id:
        raise _no_task()
    if task.done_at is not None:
        if (task.done_by, task.outcome) == (actor.account_id, outcome.strip()):
            return task
        raise _no_task()
    task.done_by, task.done_at, task.outcome = actor.account_id, at, outcome.strip()
    session.flush()
    details = {"kind": task.kind, "due_on": task.due_on}
    audit.record(
        session, actor=actor, act="did task", subject="client", subject_id=task.client_id, at=at, details=details
    )
    return task


def end_tasks(session: WriteSession, *, actor: Actor, client_id: ClientId, outcome: str, at: datetime) -> None:
    """Closes what is open about a client whose stay ends; it is part of that act and its entry in the audit trail.

    A recall stays: bottles that are out must still come back.
    """
    session.execute(
        update(Task)
        .where(Task.client_id == client_id, Task.done_at.is_(None), Task.kind != "recall")
        .values(done_by=actor.account_id, done_at=at, outcome=outcome)
    )


def _no_task() -> NotThere:
    return NotThere(Refusal("no-task", "There is no such open task.", "Look at the list again."))


def tasks_open(
    session: ReadSession, *, site_id: SiteId, role: Role | None = None, until: date | None = None
) -> Sequence[Task]:
    """The open tasks of a site, the soonest first; of one role, or due by a day, when asked."""
    wanted = select(Task).where(Task.site_id == site_id, Task.done_at.is_(None))
    if role is not None:
        wanted = wanted.where(Task.role == role.value)
    if until is not None:
        wanted = wanted.where(Task.due_on <= until)
    return session.scalars(wanted.order_by(Task.due_on, Task.opened_at, Task.id)).all()


def tasks_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Task]:
    """The open tasks about a client, the soonest first."""
    return session.scalars(
        select(Task)
        .where(Task.client_id == client_id, Task.done_at.is_(None))
        .order_by(Task.due_on, Task.opened_at, Task.id)
    ).all()
