"""Steps to a goal: noted in the client's words, put in their order, done on a day, and that taken back; and what the
client says of it as it goes.

What is taken back stays on record with the day on which it had been done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select

from dispensary.clients.goal_step_models import GoalStep, GoalStepMark, GoalWord
from dispensary.clients.models import ClientGoal
from dispensary.clients.service import lock_client
from dispensary.database import ReadSession, WriteSession
from dispensary.keys import ERASED
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.units import ClientId, new_id

LONGEST_STEP: Final = 300
LONGEST_SAID: Final = 1000
MOST_STEPS: Final = 20
"""Of one goal: the house's own bound, so that a list stays one that can be read."""


@dataclass(frozen=True)
class Mark:
    """That it was done, or that this was taken back."""

    done: bool
    on_day: date
    by: str


@dataclass(frozen=True)
class Step:
    """A step with its words opened, and what became of it, the newest last."""

    id: UUID
    words: str
    marks: tuple[Mark, ...]

    @property
    def done_on(self) -> date | None:
        """The day on which it was done; nothing while it is not, or was taken back."""
        return self.marks[-1].on_day if self.marks and self.marks[-1].done else None


@dataclass(frozen=True)
class Said:
    """What the client said of a goal, and who wrote it down."""

    words: str
    on: date
    by: str


def add_step(
    session: WriteSession, *, actor: Actor, client_id: ClientId, goal_id: UUID, words: str, at: datetime
) -> GoalStep:
    """Keeps a step after the others, sealed. One in the same words is found, not doubled.

    Raises BadInput without words or for one too many, NotThere for a goal that is closed or another client's.
    """
    if not words.strip() or len(words) > LONGEST_STEP:
        raise BadInput(
            Refusal("step", f"A step has 1 to {LONGEST_STEP} characters.", "Write what comes next.", field="step")
        )
    _lock(session, actor, client_id, goal_id)
    known = session.scalars(select(GoalStep).where(GoalStep.goal_id == goal_id).order_by(GoalStep.place)).all()
    for each in known:
        if _words(session, each) == words.strip():
            return each
    if len(known) >= MOST_STEPS:
        raise BadInput(
            Refusal("steps", f"A goal has at most {MOST_STEPS} steps.", "Make it a goal of its own.", field="step")
        )
    step_id = new_id()
    step = GoalStep(
        id=step_id,
        goal_id=goal_id,
        client_id=client_id,
        place=known[-1].place + 1 if known else 1,
        words_sealed=session.vault.seal("goal_step.words", step_id, words.strip(), of=client_id),
        noted_by=actor.account_id,
        noted_at=at,
    )
    session.add(step)
    session.flush()
    _write_down(session, actor, "set goal step", client_id, at, {"step": step_id})
    return step


def step_earlier(session: WriteSession, *, actor: Actor, client_id: ClientId, step_id: UUID, at: datetime) -> None:
    """Puts a step before the one that stands before it. The first one stays. Raises NotThere."""
    step = _step(session, actor, client_id, step_id)
    before = session.scalar(
        select(GoalStep)
        .where(GoalStep.goal_id == step.goal_id, GoalStep.place < step.place)
        .order_by(GoalStep.place.desc())
        .limit(1)
    )
    if before is None:
        return
    step.place, before.place = before.place, step.place
    session.flush()
    _write_down(session, actor, "moved goal step", client_id, at, {"step": step_id})


def finish_step(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    step_id: UUID,
    on_day: date,
    today: date,
    at: datetime,
) -> None:
    """Notes that a step was done on a day. Done so already, it stays.

    Raises BadInput for a day before its goal was set or after today, NotThere.
    """
    step = _step(session, actor, client_id, step_id)
    if not session.get_one(ClientGoal, step.goal_id).set_on <= on_day <= today:
        raise BadInput(
            Refusal("step-day", "It was done between the day of the goal and today.", "Correct it.", field="on_day")
        )
    _mark(session, actor, client_id, step, True, on_day, at)


def take_step_back(
    session: WriteSession, *, actor: Actor, client_id: ClientId, step_id: UUID, today: date, at: datetime
) -> None:
    """Says that a step was not done after all; when it was said to have been stays. Not done, it stays. NotThere."""
    _mark(session, actor, client_id, _step(session, actor, client_id, step_id), False, today, at)


def note_said(
    session: WriteSession,
    *,
    actor: Actor,
    client_id: ClientId,
    goal_id: UUID,
    words: str,
    key: UUID,
    today: date,
    at: datetime,
) -> None:
    """Keeps what the client says of an open goal, sealed. The same key again is the same words.

    Raises BadInput without words, NotThere for a goal that is closed or another client's.
    """
    if not words.strip() or len(words) > LONGEST_SAID:
        raise BadInput(
            Refusal("said", f"It has 1 to {LONGEST_SAID} characters.", "Write what the client says.", field="said")
        )
    _lock(session, actor, client_id, goal_id)
    if session.get(GoalWord, key) is not None:
        return
    session.add(
        GoalWord(
            id=key,
            goal_id=goal_id,
            client_id=client_id,
            words_sealed=session.vault.seal("goal_word.words", key, words.strip(), of=client_id),
            said_on=today,
            noted_by=actor.account_id,
            noted_at=at,
        )
    )
    session.flush()
    _write_down(session, actor, "noted words about goal", client_id, at, {"goal": goal_id})


def said_of(session: ReadSession, *, goal_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Said]]:
    """What was said of each of these goals, the newest first; none of a goal of which nothing was."""
    found: dict[UUID, list[Said]] = {}
    if not goal_ids:
        return found
    kept = select(GoalWord, Account.name).join(Account, Account.id == GoalWord.noted_by)
    for row, by in session.execute(kept.where(GoalWord.goal_id.in_(goal_ids)).order_by(GoalWord.noted_at.desc())):
        words = session.vault.open_unless_erased("goal_word.words", row.id, row.words_sealed, gone=ERASED)
        found.setdefault(row.goal_id, []).append(Said(words, row.said_on, by))
    return found


def steps_of(session: ReadSession, *, goal_ids: Collection[UUID]) -> Mapping[UUID, Sequence[Step]]:
    """The steps of each of these goals in their order; none of a goal that has none."""
    if not goal_ids:
        return {}
    rows = session.scalars(select(GoalStep).where(GoalStep.goal_id.in_(goal_ids)).order_by(GoalStep.place)).all()
    marks: dict[UUID, list[Mark]] = {}
    if rows:
        said = select(GoalStepMark, Account.name).join(Account, Account.id == GoalStepMark.noted_by)
        for mark, by in session.execute(
            said.where(GoalStepMark.step_id.in_([row.id for row in rows])).order_by(GoalStepMark.seq)
        ):
            marks.setdefault(mark.step_id, []).append(Mark(mark.done, mark.on_day, by))
    found: dict[UUID, list[Step]] = {}
    for row in rows:
        step = Step(row.id, _words(session, row), tuple(marks.get(row.id, ())))
        found.setdefault(row.goal_id, []).append(step)
    return found


def _mark(
    session: WriteSession, actor: Actor, client_id: ClientId, step: GoalStep, done: bool, on_day: date, at: datetime
) -> None:
    last = session.scalar(
        select(GoalStepMark).where(GoalStepMark.step_id == step.id).order_by(GoalStepMark.seq.desc()).limit(1)
    )
    if done == (last is not None and last.done):
        return
    assert actor.account_id is not None, "people note steps"
    seq = last.seq + 1 if last else 1
    session.add(
        GoalStepMark(step_id=step.id, seq=seq, done=done, on_day=on_day, noted_by=actor.account_id, noted_at=at)
    )
    session.flush()
    _write_down(session, actor, "did goal step" if done else "took goal step back", client_id, at, {"step": step.id})


def _lock(session: WriteSession, actor: Actor, client_id: ClientId, goal_id: UUID) -> None:
    lock_client(session, client_id, actor.site_id)
    goal = session.get(ClientGoal, goal_id, with_for_update=True)
    if goal is None or goal.client_id != client_id or goal.state != "open":
        raise NotThere(Refusal("no-goal", "There is no such open goal.", "Look at the client's page again."))


def _step(session: WriteSession, actor: Actor, client_id: ClientId, step_id: UUID) -> GoalStep:
    goal_id = session.scalar(select(GoalStep.goal_id).where(GoalStep.id == step_id, GoalStep.client_id == client_id))
    if goal_id is None:
        raise NotThere(Refusal("no-step", "There is no such step.", "Look at the client's page again."))
    _lock(session, actor, client_id, goal_id)
    return session.get_one(GoalStep, step_id, with_for_update=True)


def _words(session: ReadSession, step: GoalStep) -> str:
    return session.vault.open("goal_step.words", step.id, step.words_sealed)


def _write_down(
    session: WriteSession, actor: Actor, act: str, client_id: ClientId, at: datetime, details: dict[str, object]
) -> None:
    audit.record(session, actor=actor, act=act, subject="client", subject_id=client_id, at=at, details=details)
