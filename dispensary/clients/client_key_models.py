"""The key that each client has of their own, and the register of clients who were erased."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class ClientKey(Base):
    """A random key under which what names or describes one client is sealed; itself sealed under a key of the house.

    Backups leave this table out: it lies beside them in a file of its own, of which only the newest few are kept.
    """

    __tablename__ = "client_key"
    __table_args__ = (
        CheckConstraint("(wrapped_sealed IS NULL) = (erased_at IS NOT NULL)", name="gone_when_erased"),
        Index("ix_client_key_erased", "erased_at", postgresql_where=text("erased_at IS NOT NULL")),
    )

    client_id: Mapped[ClientId] = mapped_column(
        ForeignKey("client.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    wrapped_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """Nothing once the client is erased: then nobody opens what was sealed under it."""
    erased_at: Mapped[datetime | None]


class Erasure(Base):
    """That what named a client was made unreadable for good, by whom, and on what ground."""

    __tablename__ = "erasure"
    __table_args__ = (
        CheckConstraint("ground IN ('period_ended', 'request', 'order')", name="ground"),
        CheckConstraint("account_id <> second_id", name="by_two"),
        Index(None, "site_id", "at"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    at: Mapped[datetime]
    ground: Mapped[str]
    authority_sealed: Mapped[Sealed]
    """What the ground can be looked up by: the law, the letter, the order."""
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    second_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
