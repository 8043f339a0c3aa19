"""What a client wants to reach, in their own words; and who of the staff looks after a client."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, update

from dispensary.clients.goal_steps import Said, Step, said_of, steps_of
from dispensary.clients.models import ClientGoal, LookedAfter
from dispensary.clients.service import lock_client
from dispensary.clients.taken_back import GOAL, changed_since, keep_taken_back
from dispensary.clients.taken_back_rules import Wrong
from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.queries import works_at
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
    """Gives the client to somebody who works at the site, beside whoever has them. Given again they are found given.

    Raises NotThere.
    """
    lock_client(session, client_id, actor.site_id)
    if not works_at(session, account_id=account_id, site_id=actor.site_id):
        raise NotThere(Refusal("no-account", "Nobody of this account works here.", "Choose a colleague."))
    if account_id in looked_after_by(session, [client_id]).get(client_id, ()):
        return
    given = {"account_id": account_id, "assigned_by": _person(actor), "assigned_at": at}
    session.add(LookedAfter(id=new_id(), client_id=client_id, **given))
    session.flush()
    audit.record(
        session,
        actor=actor,
        act="assigned client",
        subject="client",
        subject_id=client_id,
        at=at,
        details={"to": account_id},
    )


def unassign(session: WriteSession, *, actor: Actor, client_id: ClientId, account_id: AccountId, at: datetime) -> None:
    """Somebody has the client no more; that they had stays on record. Does nothing where they had not.

    Raises NotThere for another site's client.
    """
    lock_client(session, client_id, actor.site_id)
    given_up = session.scalars(
        update(LookedAfter)
        .where(LookedAfter.client_id == client_id, LookedAfter.account_id == account_id)
        .where(LookedAfter.ended_at.is_(None))
        .values(ended_at=at, ended_by=_person(actor))
        .returning(LookedAfter.id)
    ).all()
    if given_up:
        audit.record(
            session,
            actor=actor,
            act="unassigned client",
            subject="client",
            subject_id=client_id,
            at=at,
            details={"from": account_id},
        )


@dataclass(frozen=True)
class Keeps:
    """Somebody who looks after a client now."""

    name: str
    since: datetime


def looked_after_by(
    session: ReadSession, clients: Collection[ClientId]
) -> Mapping[ClientId, Mapping[AccountId, Keeps]]:
    """Who of the staff looks after each of these clients now, who has them longest first; nothing for nobody."""
    rows = session.execute(
        select(LookedAfter.client_id, LookedAfter.account_id, Account.name, LookedAfter.assigned_at)
        .join(Account, Account.id == LookedAfter.account_id)
        .where(LookedAfter.client_id.in_(list(clients)), LookedAfter.ended_at.is_(None))
        .order_by(LookedAfter.assigned_at, LookedAfter.id)
    )
    found: dict[ClientId, dict[AccountId, Keeps]] = {}
    for client_id, account_id, name, since in rows:
        found.setdefault(client_id, {})[account_id] = Keeps(name, since)
    return found


@dataclass(frozen=True)
class Kept:
    """That somebody looked after a client, and does no more."""

    name: str
    since: datetime
    until: datetime


def looked_after_before(session: ReadSession, *, client_id: ClientId) -> list[Kept]:
    """Who looked after a client once, the newest first."""
    rows = session.execute(
        select(Account.name, LookedAfter.assigned_at, LookedAfter.ended_at)
        .join(Account, Account.id == LookedAfter.account_id)
        .where(LookedAfter.client_id == client_id, LookedAfter.ended_at.is_not(None))
        .order_by(LookedAfter.ended_at.desc(), LookedAfter.id)
    )
    return [Kept(name, since, until) for name, since, until in rows if until is not None]


def _person(actor: Actor) -> AccountId:
    assert actor.account_id is not None, "goals and assignments are made by people"
    return actor.account_id
