"""Tables of sessions: a plan that was begun with a client, and each of its sessions."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, Time, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class SessionState(StrEnum):
    """What became of a session."""

    PLANNED = "planned"
    ATTENDED = "attended"
    NOT_ATTENDED = "not_attended"
    CALLED_OFF = "called_off"
    """By either side beforehand: it was not agreed any more, and nobody missed it."""


class PlanBegun(Base):
    """A plan of sessions was begun with a client who agreed to it. It ends when they, or the last session, end it."""

    __tablename__ = "session_plan"
    __table_args__ = (
        CheckConstraint("minutes BETWEEN 5 AND 240", name="minutes"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
        Index(None, "client_id"),
        Index(None, "site_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one plan."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    plan: Mapped[str]
    minutes: Mapped[int] = mapped_column(SmallInteger)
    begun_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    begun_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class PlanSession(Base):
    """One session. Its day can be moved while it is planned; what became of it can be corrected, never removed."""

    __tablename__ = "plan_session"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'attended', 'not_attended', 'called_off')", name="state"),
        CheckConstraint("(state = 'planned') = (marked_at IS NULL)", name="marked_at_a_moment"),
        CheckConstraint("(marked_at IS NULL) = (marked_by IS NULL)", name="marked_by_somebody"),
        UniqueConstraint("plan_id", "seq"),
        Index(None, "client_id", "on_day"),
        Index(None, "site_id", "on_day"),
    )

    id: Mapped[Id]
    plan_id: Mapped[UUID] = mapped_column(ForeignKey("session_plan.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    seq: Mapped[int] = mapped_column(SmallInteger)
    on_day: Mapped[date]
    at_time: Mapped[time | None] = mapped_column(Time)
    """On the site's clock; nothing where any time of the day will do."""
    state: Mapped[str] = mapped_column(default="planned")
    marked_at: Mapped[datetime | None]
    marked_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


__all__ = ["PlanBegun", "PlanSession", "SessionState"]
