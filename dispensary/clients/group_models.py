"""Tables of whom a site holds places for: what was noted of a client, and for how long somebody is new."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class ClientGroup(Base):
    """A client may have places that are held for this group. `new` is not here: it follows from the episode."""

    __tablename__ = "client_group"
    __table_args__ = (CheckConstraint("word IN ('pregnant', 'shift')", name="word"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class GroupSetting(Base):
    """What a site has set about groups; without a row, somebody is new for `groups.NEW_DAYS`."""

    __tablename__ = "group_setting"
    __table_args__ = (CheckConstraint("new_days BETWEEN 0 AND 365", name="new_days"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    new_days: Mapped[int] = mapped_column(SmallInteger)
    """A client is new on so many days from the first of their episode on; 0 for never."""
