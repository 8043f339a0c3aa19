"""The table of records that may be one person's twice."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId


class DoubleEnrolment(Base):
    """Two clients, both in treatment, of whom a digest is the same; until somebody who runs both sites has said why."""

    __tablename__ = "double_enrolment"
    __table_args__ = (
        UniqueConstraint("client_id", "other_id"),
        CheckConstraint("client_id < other_id", name="two"),
        CheckConstraint("by_kind IN ('national_id', 'person')", name="by_kind"),
        CheckConstraint(
            "outcome IN ('two_people', 'one_person_left', 'one_person_moved', 'typed_wrongly')", name="outcome"
        ),
        CheckConstraint("num_nonnulls(outcome, resolved_by, resolved_at) IN (0, 3)", name="resolved"),
        Index(None, "other_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    other_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    by_kind: Mapped[str]
    """What is the same: the national id, or the whole name with the day of birth."""
    found_at: Mapped[datetime]
    outcome: Mapped[str | None]
    """Why there are two. One of a list, since words about a client would have to be sealed."""
    resolved_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    resolved_at: Mapped[datetime | None]
