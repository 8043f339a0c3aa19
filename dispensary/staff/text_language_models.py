"""The table of languages in which a site has its texts written although nobody who speaks them has checked them yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class TextLanguage(Base):
    """A draft language that a site has accepted. Without its row the site's clients are written to in another."""

    __tablename__ = "text_language"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    accepted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody for the demonstration, which opened with it."""
    accepted_at: Mapped[datetime]


__all__ = ["TextLanguage"]
