"""Tables of the monitoring room."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Alert(Base):
    """Something that a named role must act on; it stays until somebody resolves it with a reason."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_open_cause", "client_id", "cause", unique=True, postgresql_where=text("resolved_at IS NULL")),
        Index("ix_alert_open_site", "site_id", "role", postgresql_where=text("resolved_at IS NULL")),
        CheckConstraint("severity IN ('info', 'warning', 'urgent')", name="severity"),
        CheckConstraint("resolved_at IS NULL OR resolution <> ''", name="resolved_with_reason"),
        CheckConstraint("NOT dismissed OR resolved_at IS NOT NULL", name="dismissed_is_resolved"),
        CheckConstraint("(read_at IS NULL) = (read_by IS NULL)", name="read_by_somebody"),
        Index("ix_alert_late", "site_id", "escalated_at", postgresql_where=text("escalated_at IS NOT NULL")),
        Index("ix_alert_of_rule", "client_id", "cause", "opened_at"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    cause: Mapped[str]
    """What it is about, once: a second alert for the same cause is not opened while the first is open."""
    severity: Mapped[str]
    role: Mapped[str]
    sentence: Mapped[str]
    opened_at: Mapped[datetime]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    resolution: Mapped[str] = mapped_column(default="")
    rule: Mapped[str] = mapped_column(default="")
    """The rule of health that opened it, such as `qtc`; empty for an alert of another room."""
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The finding that it rests on, with its figures, source and the ids of the results."""
    advice: Mapped[str] = mapped_column(default="")
    read_at: Mapped[datetime | None]
    """When somebody of its role said that they have read it; it stays open."""
    read_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    raised_at: Mapped[datetime | None]
    """When it last became graver while it was open."""
    escalated_at: Mapped[datetime | None]
    """When it went to the next role too, because nobody had read it in time."""
    escalated_to: Mapped[str] = mapped_column(default="")
    dismissed: Mapped[bool] = mapped_column(default=False)
    """Closed because it was not worth acting on, which speaks against its rule."""


class Condition(Base):
    """A condition that decides what is watched: what tests are due, which medicines matter. Seen by those who treat."""

    __tablename__ = "client_condition"
    __table_args__ = (
        CheckConstraint("kind IN ('hiv', 'hepatitis_b', 'hepatitis_c', 'tuberculosis', 'pregnancy')", name="kind"),
        CheckConstraint("ended_on >= noted_on", name="ends_after_it_was_noted"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    noted_on: Mapped[date]
    noted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_on: Mapped[date | None]
    """The first day without it, as after a cure."""
