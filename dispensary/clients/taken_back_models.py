"""The table of what was taken back and is open again, and what holds of rows that are taken back as a whole."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_rules import Wrong
from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId

_WHYS = ", ".join(f"'{each.value}'" for each in Wrong)


def taken_back_once() -> tuple[CheckConstraint, ...]:
    """What holds of a row that is taken back by somebody for a reason, or not at all."""
    return (
        CheckConstraint("num_nonnulls(voided_at, voided_by, void_reason) IN (0, 3)", name="taken_back_whole"),
        CheckConstraint(f"void_reason IN ({_WHYS})", name="void_reason"),
    )


class EntryTakenBack(Base):
    """What became of something was entered in error: it is open again, and this says what stood there until then.

    It is added and never changed. Figures as they were known in between are made of it.
    """

    __tablename__ = "entry_taken_back"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(referral_id, home_visit_id, session_id, plan_id, goal_id) = 1", name="of_one_thing"
        ),
        CheckConstraint("was <> ''", name="was"),
        CheckConstraint("said_at <= back_at", name="said_before"),
        CheckConstraint("(said_at IS NULL) = (goal_id IS NOT NULL)", name="said_at_a_moment"),
        CheckConstraint(f"why IN ({_WHYS})", name="why"),
        UniqueConstraint("referral_id", "said_at"),
        UniqueConstraint("home_visit_id", "said_at"),
        UniqueConstraint("session_id", "said_at"),
        UniqueConstraint("plan_id", "said_at"),
        Index(None, "client_id"),
        Index(None, "site_id"),
        Index(None, "goal_id"),
        Index(None, "note_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    referral_id: Mapped[UUID | None] = mapped_column(ForeignKey("referral.id"))
    home_visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("home_visit.id"))
    session_id: Mapped[UUID | None] = mapped_column(ForeignKey("plan_session.id"))
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("session_plan.id"))
    goal_id: Mapped[UUID | None] = mapped_column(ForeignKey("client_goal.id"))
    was: Mapped[str]
    """What had become of it, in the word of its own table."""
    was_on: Mapped[date | None]
    """On which day, where it has one: when they went, when a goal was closed."""
    said_at: Mapped[datetime | None]
    """Since when it stood there; of a goal the day alone is kept."""
    said_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    note_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_note.id"))
    """The contact that a visit was written down with, which is taken back with it."""
    back_at: Mapped[datetime]
    back_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    why: Mapped[str]
