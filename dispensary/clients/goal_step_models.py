"""Tables of the steps to a goal, of when each was done or taken back, and of what its client says of it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId


class GoalStep(Base):
    """A step to a goal, in the client's own words, at its place among the others."""

    __tablename__ = "goal_step"
    __table_args__ = (
        UniqueConstraint("goal_id", "place", deferrable=True, initially="DEFERRED"),
        CheckConstraint("place BETWEEN 1 AND 99", name="place"),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    goal_id: Mapped[UUID] = mapped_column(ForeignKey("client_goal.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    place: Mapped[int] = mapped_column(SmallInteger)
    words_sealed: Mapped[Sealed]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class GoalStepMark(Base):
    """A step was done on a day, or that was taken back. It is added and never changed; the last one holds."""

    __tablename__ = "goal_step_mark"
    __table_args__ = (CheckConstraint("done = (seq % 2 = 1) AND seq > 0", name="done_then_taken_back"),)

    step_id: Mapped[UUID] = mapped_column(ForeignKey("goal_step.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    done: Mapped[bool]
    on_day: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class GoalWord(Base):
    """What a client says of a goal as it goes, in their own words. It is added and never changed."""

    __tablename__ = "goal_word"
    __table_args__ = (Index(None, "client_id"), Index(None, "goal_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it was said once."""
    goal_id: Mapped[UUID] = mapped_column(ForeignKey("client_goal.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    words_sealed: Mapped[Sealed]
    said_on: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
