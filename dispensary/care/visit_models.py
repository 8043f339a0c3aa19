"""Tables of visits at home, planned by day and by who goes; and of who is on call."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class HomeVisit(Base):
    """Somebody is to go to a client's home on a day, by their consent. What was found stands in the contact's note."""

    __tablename__ = "home_visit"
    __table_args__ = (
        CheckConstraint("purpose IN ('look', 'doses', 'stopped', 'other')", name="purpose"),
        CheckConstraint("state IN ('planned', 'done', 'not_met', 'called_off')", name="state"),
        CheckConstraint("(state = 'planned') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
        CheckConstraint("(state IN ('done', 'not_met')) = (note_id IS NOT NULL)", name="went_there_has_note"),
        CheckConstraint("turn BETWEEN 1 AND 99", name="turn"),
        Index(
            "uq_home_visit_planned",
            "client_id",
            "on_day",
            unique=True,
            postgresql_where=text("state = 'planned'"),
        ),
        Index(None, "site_id", "on_day"),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    on_day: Mapped[date]
    visitor_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    turn: Mapped[int] = mapped_column(SmallInteger)
    """In which turn of the round, as whoever plans it knows the way."""
    purpose: Mapped[str]
    planned_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    planned_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="planned")
    note_id: Mapped[UUID | None] = mapped_column(ForeignKey("contact_note.id"))
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]


class OnCall(Base):
    """Who of the staff can be called on which days, and at which number."""

    __tablename__ = "on_call"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="days"),
        CheckConstraint("phone <> ''", name="phone"),
        Index(None, "site_id", "last_day"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    first_day: Mapped[date]
    last_day: Mapped[date]
    phone: Mapped[str]
    """A number of the clinic, by which they are reached."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
