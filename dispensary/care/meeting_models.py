"""Tables of group sessions: that one was held, how many came, and which clients were among them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class GroupMeeting(Base):
    """A group session that was held. It is added, and taken back once with everybody who came."""

    __tablename__ = "group_meeting"
    __table_args__ = (
        CheckConstraint("about IN ('support', 'learning', 'family', 'work', 'community')", name="about"),
        CheckConstraint("others BETWEEN 0 AND 200", name="others"),
        *taken_back_once(),
        Index(None, "site_id", "on_day"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it was held once."""
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    on_day: Mapped[date]
    about: Mapped[str]
    others: Mapped[int] = mapped_column(SmallInteger)
    """How many came besides the clients who are named: family, neighbours, clients who did not want to be written down.
    """
    led_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]


class GroupAttendance(Base):
    """That a client was there. It is added, and taken back once."""

    __tablename__ = "group_attendance"
    __table_args__ = (Index(None, "client_id", "on_day"), *taken_back_once())

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("group_meeting.id"), primary_key=True)
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), index=True)
    on_day: Mapped[date]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]
