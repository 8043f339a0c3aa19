"""Tables of the two questions after a visit: whom they were put to, and, apart from that, what was answered."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import ClientId, SiteId


class FeedbackQuestion(Base):
    """When a client was last asked, so that nobody is asked twice in a month. It never says what they answered."""

    __tablename__ = "feedback_question"
    __table_args__ = (CheckConstraint("waited BETWEEN 0 AND 60 AND waited % 10 = 0", name="waited"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    asked_at: Mapped[datetime]
    waited: Mapped[int | None] = mapped_column(SmallInteger)
    """How long they had waited on that visit, in whole tens of minutes, 60 for an hour and more."""
    open_until: Mapped[datetime | None]
    """Until when an answer is one to this; nothing once it was answered."""


class FeedbackAnswer(Base):
    """What somebody answered. Neither who, nor on which day: its id is drawn by chance and says no time."""

    __tablename__ = "feedback_answer"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month"),
        CheckConstraint("visit BETWEEN 1 AND 3", name="visit"),
        CheckConstraint("wait BETWEEN 1 AND 3", name="wait"),
        CheckConstraint("waited BETWEEN 0 AND 60 AND waited % 10 = 0", name="waited"),
        Index(None, "site_id", "month"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    month: Mapped[date]
    """The first of the month of the visit."""
    visit: Mapped[int] = mapped_column(SmallInteger)
    """1 good, 2 fair, 3 poor."""
    wait: Mapped[int | None] = mapped_column(SmallInteger)
    """1 short, 2 fair, 3 too long; nothing when only the first question was answered."""
    waited: Mapped[int | None] = mapped_column(SmallInteger)
    """How long they had waited, in whole tens of minutes up to 60; nothing when it is not known."""
