"""The table of how long a site keeps each kind of record."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class RetentionPeriod(Base):
    """A site's own figure for one kind of record. No row: nobody has said for how long, and it is kept."""

    __tablename__ = "retention_period"
    __table_args__ = (
        CheckConstraint("kind <> ''", name="kind"),
        CheckConstraint("figure BETWEEN 1 AND 3650", name="figure"),
        CheckConstraint("source <> ''", name="source"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    figure: Mapped[int] = mapped_column(SmallInteger)
    """Years or days, as the kind is counted."""
    source: Mapped[str]
    """The law, or who decided it, as the site wrote it."""
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody where it stood there before sources were asked for."""
    set_at: Mapped[datetime]


__all__ = ["RetentionPeriod"]
