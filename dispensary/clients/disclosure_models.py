"""The disclosure register: what of a client's record left the programme, to whom, why, and on what ground."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class Release(Base):
    """Something that somebody gave out, of one client or of many. It is only ever added to."""

    __tablename__ = "release"
    __table_args__ = (
        CheckConstraint("ground IN ('consent', 'research', 'audit')", name="ground"),
        CheckConstraint("what <> ''", name="says_what"),
        Index(None, "site_id", "at"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    at: Mapped[datetime]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    what: Mapped[str]
    """Which records, of which days."""
    ground: Mapped[str]
    authority_sealed: Mapped[Sealed]
    """What the ground can be looked up by: who approved the study and under which number, which agreement."""
    recipient_sealed: Mapped[Sealed]
    reason_sealed: Mapped[Sealed]


class Disclosure(Base):
    """That a release was about a client."""

    __tablename__ = "disclosure"
    __table_args__ = (Index(None, "client_id"),)

    release_id: Mapped[Id] = mapped_column(ForeignKey("release.id"), primary_key=True)
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
