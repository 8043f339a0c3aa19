"""The chain of a client's orders: how one gives way to the next, and how it ends; no overlap, no gap unchosen."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import Range

from dispensary.clients.models import Task
from dispensary.database import ReadSession, WriteSession
from dispensary.prescribing.models import DoseOrder, DosePlan, Reduction
from dispensary.staff.rules import Actor
from dispensary.units import ClientId


def give_way(
    session: WriteSession, client_id: ClientId, episode_id: UUID, from_day: date, *, actor: Actor, at: datetime
) -> None:
    """What is ordered from a day on gives way to an order that the caller writes for that very day.

    An order that an earlier stay left open ends as that stay did.
    """
    for order in _reaching(session, client_id, from_day):
        _end(session, order, from_day, "superseded" if order.episode_id == episode_id else "exit", actor, at)
    session.flush()


def cut(
    session: WriteSession, client_id: ClientId, from_day: date, end_reason: str, *, actor: Actor, at: datetime
) -> None:
    """Nothing is ordered from a day on. What gave way on that day to an order that is set aside now ends for good."""
    for order in _reaching(session, client_id, from_day):
        _end(session, order, from_day, end_reason, actor, at)
    session.flush()
    session.execute(
        update(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
        .where(func.upper(DoseOrder.days) == from_day, DoseOrder.end_reason == "superseded")
        .values(end_reason=end_reason, ended_at=at)
    )


def running_on(session: ReadSession, *, client_id: ClientId, day: date) -> DoseOrder | None:
    """The order of a day, or the next one after it."""
    return session.scalar(
        select(DoseOrder)
        .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
        .where(func.coalesce(func.upper(DoseOrder.days), date.max) > day)
        .order_by(func.lower(DoseOrder.days))
        .limit(1)
    )


def end_reduction(session: WriteSession, *, client_id: ClientId, at: datetime, order: DoseOrder | None = None) -> None:
    """What was agreed by telephone ends, with the order that takes its place."""
    session.execute(
        update(Reduction)
        .where(Reduction.client_id == client_id, Reduction.ended_at.is_(None))
        .values(ended_at=at, ended_by_order=order.id if order else None)
    )


def _reaching(session: WriteSession, client_id: ClientId, day: date) -> list[DoseOrder]:
    return list(
        session.scalars(
            select(DoseOrder)
            .where(DoseOrder.client_id == client_id, DoseOrder.voided_at.is_(None))
            .where(func.coalesce(func.upper(DoseOrder.days), date.max) > day)
            .with_for_update()
        )
    )


def _end(session: WriteSession, order: DoseOrder, day: date, end_reason: str, actor: Actor, at: datetime) -> None:
    begins = order.days.lower
    if begins is not None and begins < day:
        order.days = Range(begins, day, bounds="[)")
        order.end_reason, order.ended_at = end_reason, at
        return
    order.voided_at = at
    if order.plan_id is not None and begins is not None:
        _forget_reviews(session, session.get_one(DosePlan, order.plan_id), begins, actor, at)


def _forget_reviews(session: WriteSession, plan: DosePlan, first_day: date, actor: Actor, at: datetime) -> None:
    """The reviews that belonged to a step which will not be taken are no work for anybody any more."""
    for step in plan.steps:
        if step["from"] != first_day.isoformat():
            continue
        for review in step.get("reviews", ()):
            session.execute(
                update(Task)
                .where(Task.client_id == plan.client_id, Task.kind == "review", Task.done_at.is_(None))
                .where(Task.due_on == date.fromisoformat(review["due"]), Task.sentence == review["sentence"])
                .values(done_by=actor.account_id, done_at=at, outcome="The plan was changed.")
            )
