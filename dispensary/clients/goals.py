"""What a client wants to reach, in their own words; and who of the staff has taken a client on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from dispensary.clients.goal_steps import Said, Step, said_of, steps_of
from dispensary.clients.models import ClientAssignment, ClientGoal
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back import GOAL, changed_since, keep_taken_back
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import RoleGrant
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, ClientId, new_id
from notifications.discretion import reveals

LONGEST_GOAL = 500
CLOSED = ("reached", "let_go")


@dataclass(frozen=True)
class Goal:
    """A goal with its words opened."""

    id: UUID
    words: str
    state: str
    """`open`, `reached` or `let_go`."""
    set_on: date
    closed_on: date | None
    steps: Sequence[Step] = ()
    """In their order."""
    said: Sequence[Said] = ()
    """What the client says of it, the newest first."""

    @property
    def gives_away(self) -> str:
        """The first word of it, or of a step, that would tell on paper what it is about; empty when none does."""
        return next(filter(None, map(reveals, (self.words, *(step.words for step in self.steps)))), "")


def set_goal(
    session: WriteSession, *, actor: Actor, client_id: ClientId, words: str, today: date, at: datetime
) -> ClientGoal:
    """Keeps a goal in the client's own words, sealed. One that is open in the same words is found, not doubled.

    Raises BadInput without words, NotThere for another site's client.
    """
    if not words.strip() or len(words) > LONGEST_GOAL:
        raise BadInput(
            Refusal("goal", f"A goal has 1 to {LONGEST_GOAL} characters.", "Write what the client says.", field="goal")
        )
    lock_client(session, client_id, actor.site_id)
    for known in session.scalars(
        select(ClientGoal).where(ClientGoal.client_id == client_id, ClientGoal.state == "open")
    ):
        if _words(session, known) == words.strip():
            return known
    goal_id = new_id()
    goal = ClientGoal(
        id=goal_id,
        client_id=client_id,
        words_sealed=session.vault.seal("client_goal.words", goal_id, words.strip(), of=client_id),
        state="open",
        set_on=today,
        noted_by=_person(actor),
    )
    session.add(goal)
    session.flush()
    audit.record(session, actor=actor, act="set goal", subject="client", subject_id=client_id, at=at)
    return goal


def close_goal(
    session: WriteSession, *, actor: Actor, client_id: ClientId, goal_id: UUID, state: str, today: date, at: datetime
) -> ClientGoal:
    """Notes that a goal was reached or let go. A goal that is closed so already stays as it is.

    Raises BadInput for another state, NotThere for a goal of another client.
    """
    if state not in CLOSED:
        raise BadInput(Refusal("goal-state", "A goal is reached or let go.", "Choose one.", field="state"))
    lock_client(session, client_id, actor.site_id)
    goal = session.get(ClientGoal, goal_id, with_for_update=True)
    if goal is None or goal.client_id != client_id or goal.state not in ("open", state):
        raise NotThere(Refusal("no-goal", "There is no such open goal.", "Look at the client's page again."))
    if goal.state == "open":
        goal.state, goal.closed_on = state, today
        session.flush()
        audit.record(
            session,
            actor=actor,
            act="closed goal",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"state": state},
        )
    return goal


def reopen_goal(
    session: WriteSession, *, actor: Actor, client_id: ClientId, goal_id: UUID, seen: str, why: Wrong, at: datetime
) -> None:
    """That a goal was reached or let go is taken back: it is open again, with its steps. Open already, it stays.

    Raises Refused where it was closed otherwise since `seen`, or one in the same words is open; NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    goal = session.get(ClientGoal, goal_id, with_for_update=True)
    if goal is None or goal.client_id != client_id:
        raise NotThere(Refusal("no-goal", "There is no such goal.", "Look at the client's page again."))
    if goal.state == "open":
        return
    if goal.state != seen:
        raise changed_since()
    others = select(ClientGoal).where(ClientGoal.client_id == client_id, ClientGoal.state == "open")
    if any(_words(session, each) == _words(session, goal) for each in session.scalars(others)):
        raise Refused(Refusal("goal-open", "A goal in the same words is open.", "Go on with that one."))
    was = goal.state
    keep_taken_back(
        session,
        actor=actor,
        client_id=client_id,
        thing=GOAL,
        thing_id=goal.id,
        was=was,
        was_on=goal.closed_on,
        why=why,
        at=at,
    )
    goal.state, goal.closed_on = "open", None
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="opened goal again",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"goal": goal.id, "was": was, "why": why.value},
    )


def goals_of(session: ReadSession, *, client_id: ClientId) -> Sequence[Goal]:
    """The goals of a client: open ones first, then those that were closed last."""
    rows = session.scalars(select(ClientGoal).where(ClientGoal.client_id == client_id).order_by(ClientGoal.id)).all()
    steps = steps_of(session, goal_ids=[row.id for row in rows])
    said = said_of(session, goal_ids=[row.id for row in rows])
    goals = [
        Goal(
            row.id,
            _words(session, row),
            row.state,
            row.set_on,
            row.closed_on,
            steps.get(row.id, ()),
            said.get(row.id, ()),
        )
        for row in rows
    ]
    closed = [goal for goal in goals if goal.closed_on]
    return [
        *(goal for goal in goals if not goal.closed_on),
        *sorted(closed, key=lambda goal: goal.closed_on or date.min, reverse=True),
    ]


def _words(session: ReadSession, goal: ClientGoal) -> str:
    return session.vault.open("client_goal.words", goal.id, goal.words_sealed)


def assign(session: WriteSession, *, actor: Actor, client_id: ClientId, account_id: AccountId, at: datetime) -> None:
    """Gives the client to somebody who works at the site, in place of whoever had them. Raises NotThere."""
    lock_client(session, client_id, actor.site_id)
    works_here = select(RoleGrant.account_id).where(
        RoleGrant.account_id == account_id, RoleGrant.site_id == actor.site_id
    )
    if session.scalar(works_here.limit(1)) is None:
        raise NotThere(Refusal("no-account", "Nobody of this account works here.", "Choose a colleague."))
    known = session.get(ClientAssignment, client_id)
    if known is not None and known.account_id == account_id:
        return
    taken = {"account_id": account_id, "assigned_by": _person(actor), "assigned_at": at}
    session.execute(
        upsert(ClientAssignment)
        .values(client_id=client_id, **taken)
        .on_conflict_do_update(index_elements=["client_id"], set_=taken)
    )
    audit.record(
        session,
        actor=actor,
        act="assigned client",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"to": account_id},
    )


def unassign(session: WriteSession, *, actor: Actor, client_id: ClientId, at: datetime) -> None:
    """Nobody has the client any more. Does nothing when nobody had. Raises NotThere for another site's client."""
    lock_client(session, client_id, actor.site_id)
    given_up = session.execute(
        delete(ClientAssignment).where(ClientAssignment.client_id == client_id).returning(ClientAssignment.account_id)
    ).scalar_one_or_none()
    if given_up is not None:
        audit.record(
            session,
            actor=actor,
            act="unassigned client",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"from": given_up},
        )


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "goals and assignments are made by people"
    return actor.account_id
