"""The table of how clients work and live, each from a day on, as they told it."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class LifeStatus(Base):
    """What somebody said of their work or home, and from which day it is so. It is added, and taken back once."""

    __tablename__ = "life_status"
    __table_args__ = (
        Index(None, "client_id", "aspect", "from_day"),
        Index(None, "site_id"),
        CheckConstraint("aspect IN ('work', 'housing')", name="aspect"),
        CheckConstraint(
            "word IN ('employed', 'own', 'daily', 'studying', 'household', 'looking', 'unable', 'none', 'family',"
            " 'friends', 'shelter', 'street', 'institution')",
            name="word",
        ),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it was said once."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    aspect: Mapped[str]
    word: Mapped[str]
    from_day: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]
