"""Tables of offers: which pathway a site follows, what was offered to whom, and whether they wanted it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class Answer(StrEnum):
    """What a client said to an offer."""

    OPEN = ""
    """They are still thinking about it."""
    ACCEPTED = "accepted"
    DECLINED = "declined"
    """Which costs them nothing, and of which nobody asks why."""


class Settled(StrEnum):
    """How what a client wanted ended where nothing was begun here."""

    SEEN_TO = "seen_to"
    """In another way than by what the program knows."""
    NOT_WANTED = "not_wanted"
    """They want it no more, of which nobody asks why."""


class PathwaySetting(Base):
    """Which pathway a site follows. No row: none, and staff offer what they see fit."""

    __tablename__ = "pathway_setting"
    __table_args__ = (CheckConstraint("reason <> ''", name="reason"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    pathway: Mapped[str]
    """Empty for none."""
    reason: Mapped[str]
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class ServiceOffer(Base):
    """Something was offered to a client. It is answered once; whoever thinks otherwise later is offered it anew.

    What was wanted stays in sight until it begins; where it does not begin here, it is settled once.
    """

    __tablename__ = "service_offer"
    __table_args__ = (
        CheckConstraint("answer IN ('', 'accepted', 'declined')", name="answer"),
        CheckConstraint("(answer = '') = (answered_at IS NULL)", name="answered_at_a_moment"),
        CheckConstraint("(answered_at IS NULL) = (answered_by IS NULL)", name="answered_to_somebody"),
        CheckConstraint("settled_how IN ('seen_to', 'not_wanted')", name="settled_how"),
        CheckConstraint(
            "num_nonnulls(settled_how, settled_at, settled_by) = (CASE WHEN settled_at IS NULL THEN 0 ELSE 3 END)",
            name="settled_by_somebody",
        ),
        CheckConstraint("settled_at IS NULL OR answer = 'accepted'", name="settled_where_wanted"),
        Index(None, "client_id", "offered_on"),
        Index(None, "site_id"),
        Index(None, "screening_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one offer."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    screening_id: Mapped[UUID | None] = mapped_column(ForeignKey("screening.id"))
    """What it followed from; nothing where staff offered it by themselves."""
    offer: Mapped[str]
    offered_on: Mapped[date]
    offered_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    offered_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(default="")
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    settled_how: Mapped[str | None]
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


__all__ = ["Answer", "PathwaySetting", "ServiceOffer", "Settled"]
