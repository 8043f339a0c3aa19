"""That somebody spoke with a client, or tried to, and what is worth knowing of it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class ContactNote(Base):
    """A contact with a client outside the counter. It is added and never changed."""

    __tablename__ = "contact_note"
    __table_args__ = (Index(None, "client_id", "at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one contact."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
    reached: Mapped[bool]
    words_sealed: Mapped[Sealed]


__all__ = ["ContactNote"]
