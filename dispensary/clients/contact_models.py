"""That somebody was in touch with a client, or tried to, what they said; and whether they want visits at home."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.contact_rules import CAME_OF, HOW, WHY
from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class ContactNote(Base):
    """A contact with a client outside the counter. It is added, and taken back once."""

    __tablename__ = "contact_note"
    __table_args__ = (
        Index(None, "client_id", "at"),
        CheckConstraint(f"how IN ({HOW})", name="how"),
        CheckConstraint(f"came_of IN ('', {CAME_OF})", name="came_of"),
        CheckConstraint(f"why IN ('', {WHY})", name="why"),
        CheckConstraint("reached OR (came_of = '' AND why = '')", name="said_by_whom_was_reached"),
        *taken_back_once(),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one contact."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
    reached: Mapped[bool]
    words_sealed: Mapped[Sealed]
    how: Mapped[str] = mapped_column(default="talk")
    came_of: Mapped[str] = mapped_column(default="")
    """What they mean to do; empty when nobody asked, or nobody was reached."""
    why: Mapped[str] = mapped_column(default="")
    """The client's own reason for not coming; empty when they gave none."""
    stops: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    """Whether nobody follows them up after this, for the reason that the words give, until the next contact."""
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]


class VisitWish(Base):
    """Whether a client wants to be visited at home, and where. The newest counts; it is added and never changed."""

    __tablename__ = "visit_wish"
    __table_args__ = (
        Index(None, "client_id", "noted_at"),
        CheckConstraint("agreed = (where_sealed IS NOT NULL)", name="where_if_agreed"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    agreed: Mapped[bool]
    where_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Where, and how whoever comes is to behave there, as the client said it."""
    said_on: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]


class FollowUpSetting(Base):
    """From which day without a dose a site writes, calls and visits; without a row, the house's own figures hold."""

    __tablename__ = "follow_up_setting"
    __table_args__ = (
        CheckConstraint("text_day BETWEEN 1 AND 60", name="text_day"),
        CheckConstraint("call_day BETWEEN 1 AND 60", name="call_day"),
        CheckConstraint("visit_day BETWEEN 1 AND 60", name="visit_day"),
        CheckConstraint("again_days BETWEEN 1 AND 60", name="again_days"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    text_day: Mapped[int | None] = mapped_column(SmallInteger)
    """The whole days without a dose after which a text goes out by itself; nothing for none."""
    call_day: Mapped[int | None] = mapped_column(SmallInteger)
    visit_day: Mapped[int | None] = mapped_column(SmallInteger)
    again_days: Mapped[int] = mapped_column(SmallInteger, server_default=text("7"))
    """The days after a try, or a talk after which they did not come, when the next is due."""


__all__ = ["ContactNote", "FollowUpSetting", "VisitWish"]
