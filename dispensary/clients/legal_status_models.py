"""The table of how clients stand with the law, as they told it. It jails somebody if it is read by others."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.clients.taken_back_models import taken_back_once
from dispensary.columns import Base, Sealed
from dispensary.units import AccountId, ClientId


class LegalStatusNote(Base):
    """Somebody told how they stand with the law. It is added, and taken back once.

    What they said and from which day it is so are sealed together under their own key. It is seen at their home alone.
    """

    __tablename__ = "legal_status"
    __table_args__ = (Index(None, "client_id"), *taken_back_once())

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it was said once."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    said_sealed: Mapped[Sealed]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """When it was taken back as entered in error; since then it counts nowhere."""
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason: Mapped[str | None]
