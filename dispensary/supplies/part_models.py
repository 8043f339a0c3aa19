"""What each lot gave of a dose that was poured from more than one."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import Milligrams, Millilitres


class DosePart(Base):
    """A lot's share of an observed dose. Only doses from several lots have parts, and these add up to the dose."""

    __tablename__ = "dose_part"
    __table_args__ = (
        CheckConstraint("mg > 0 AND ml > 0", name="amount"),
        Index(None, "lot_id"),
    )

    dose_id: Mapped[UUID] = mapped_column(ForeignKey("dose.id"), primary_key=True)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"), primary_key=True)
    mg: Mapped[Milligrams]
    ml: Mapped[Millilitres]
