"""The table of the number that a site's clients write to, as it stands on paper for them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import SiteId


class PhoneLine(Base):
    """A site's own number for texts. Without its row, paper leaves a line on which the number is written by hand."""

    __tablename__ = "phone_line"
    __table_args__ = (CheckConstraint(r"number ~ '^(\+[0-9]{7,15}|[0-9]{3,8})$'", name="number"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    number: Mapped[str]
    """E.164, or a short code as it is dialled."""


__all__ = ["PhoneLine"]
