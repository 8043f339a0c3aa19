"""The table of schedules, offers and pathways that a programme brings beside those that come with the program."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base


class CareDocument(Base):
    """A schedule, an offer or a pathway as it was published. It affects nobody until a site uses it."""

    __tablename__ = "care_document"
    __table_args__ = (
        CheckConstraint("kind IN ('plan', 'offer', 'pathway')", name="kind"),
        CheckConstraint("key <> ''", name="key"),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    words: Mapped[str]
    """As JSON, in the shape of the files that come with the program."""
    published_at: Mapped[datetime]
