"""Tables about passes beside the pass itself: what a site has set for them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import SiteId


class PassSetting(Base):
    """What a site has set for passes and for who collects; without a row the defaults of `PassRules` hold."""

    __tablename__ = "pass_setting"
    __table_args__ = (CheckConstraint("agent_months BETWEEN 0 AND 12", name="agent_months"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    cards: Mapped[bool]
    """Whether printed cards are issued and open a pickup. A card is static: a picture of it opens as it does."""
    agent_months: Mapped[int] = mapped_column(SmallInteger)
    """For how many months at most a client may authorise somebody to collect; 0: for one collection at a time."""
