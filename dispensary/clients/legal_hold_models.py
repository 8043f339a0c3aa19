"""Legal holds: whose record nobody may erase or wipe while an authority's order, or a case, asks that it be kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class LegalHold(Base):
    """That a client's record is kept as it is. It is lifted once, and never changed otherwise."""

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by IS NULL) AND (lifted_at IS NULL) = (lift_reason_sealed IS NULL)",
            name="lifted_by_somebody",
        ),
        CheckConstraint("lifted_at >= set_at", name="lifted_after_set"),
        Index("ix_legal_hold_standing", "client_id", postgresql_where=text("lifted_at IS NULL")),
        Index(None, "client_id"),
        Index(None, "site_id", "set_at"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    reason_sealed: Mapped[Sealed]
    authority_sealed: Mapped[Sealed]
    """Whose order or which case it is, with what it can be looked up by."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
    lifted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    lifted_at: Mapped[datetime | None]
    lift_reason_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
