"""Tables of a clinic's news and of the texts that carried it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, SiteId


class News(Base):
    """Words that a site sent to those of its clients who asked for news. They are never changed."""

    __tablename__ = "news"
    __table_args__ = (
        CheckConstraint("length(words) BETWEEN 1 AND 160", name="words"),
        Index(None, "site_id", "sent_at"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    words: Mapped[str]
    written_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    sent_at: Mapped[datetime]


class NewsText(Base):
    """A text in the outbox that carried a piece of news. Whose it was, the outbox knows until it is wiped."""

    __tablename__ = "news_text"
    __table_args__ = (Index(None, "news_id"),)

    message_id: Mapped[UUID] = mapped_column(primary_key=True)
    news_id: Mapped[UUID] = mapped_column(ForeignKey("news.id"))
