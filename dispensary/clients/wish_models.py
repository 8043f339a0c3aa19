"""Tables of what clients want to be texted about, and of what a site has set about when it writes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class TextWish(Base):
    """What a client said about one group of texts; without a row, the most careful answer holds."""

    __tablename__ = "text_wish"
    __table_args__ = (
        CheckConstraint("word IN ('bookings', 'reminder', 'missed', 'reviews', 'news', 'feedback')", name="word"),
        CheckConstraint("hours IS NULL OR (word = 'reminder' AND wanted AND hours BETWEEN 1 AND 24)", name="hours"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)
    wanted: Mapped[bool]
    hours: Mapped[int | None] = mapped_column(SmallInteger)
    """A reminder so many hours before the time; nothing for the evening before."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class SendingSetting(Base):
    """What a site has set about texts that it sends of itself; without a row, `wish_rules.REVIEW_DAYS` holds."""

    __tablename__ = "sending_setting"
    __table_args__ = (CheckConstraint("review_days BETWEEN 1 AND 30", name="review_days"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    review_days: Mapped[int] = mapped_column(SmallInteger)
    """How many days before a review is due its client is told."""
