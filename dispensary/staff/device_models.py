"""Tables of what stands in the waiting room by itself: a kiosk, or a screen with numbers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, SiteId


class Device(Base):
    """A browser that was bound to one thing at one site, and can do nothing else; nobody is signed in at it."""

    __tablename__ = "device"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        CheckConstraint("kind IN ('kiosk', 'screen')", name="kind"),
        Index(None, "site_id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    name: Mapped[str]
    """Where it stands, as staff call it."""
    token_digest: Mapped[Digest]
    """By which the browser's own cookie is known; the token is kept nowhere else."""
    bound_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    bound_at: Mapped[datetime]
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]
    """Since when its cookie opens nothing."""


__all__ = ["Device"]
