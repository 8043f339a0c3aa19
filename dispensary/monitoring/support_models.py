"""The table of adherence support: what helped somebody to take their medicines, and when."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class SupportKind(StrEnum):
    """What was offered, and taken up."""

    COUNSELLING = "counselling"
    PEER = "peer"
    """Somebody who takes the same medicines stands by."""
    REMINDERS = "reminders"
    TOGETHER = "together"
    """The medicines are handed over together with methadone."""


class AdherenceSupport(Base):
    """Support on a day. Never changed: what was written down by mistake is taken back, with a reason.

    Viral loads are judged by it: the treatment fails only when they stayed high in spite of support.
    """

    __tablename__ = "adherence_support"
    __table_args__ = (
        CheckConstraint("kind IN ('counselling', 'peer', 'reminders', 'together')", name="kind"),
        CheckConstraint("(voided_at IS NULL) = (void_reason = '')", name="taken_back_with_reason"),
        CheckConstraint("voided_at IS NOT NULL OR voided_by IS NULL", name="taken_back_by_somebody"),
        UniqueConstraint("client_id", "source_key"),
        Index(None, "client_id", "on_day"),
        Index(None, "site_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    on_day: Mapped[date]
    kind: Mapped[str]
    note: Mapped[str]
    source_key: Mapped[str]
    """What names the same entry when its form is sent again."""
    given_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str] = mapped_column(default="")
