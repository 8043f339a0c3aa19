"""The table of what is carried to a home: bottles out with somebody of the staff, until they are answered for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Carrying(Base):
    """A prepared pickup on its way to a client's home: who counted it out, who carries it, and how it ended."""

    __tablename__ = "carrying"
    __table_args__ = (
        Index("uq_carrying_open", "pickup_id", unique=True, postgresql_where=text("state IN ('counted', 'out')")),
        Index("ix_carrying_open", "site_id", postgresql_where=text("state IN ('counted', 'out')")),
        Index(None, "pickup_id"),
        Index(None, "carrier_id"),
        CheckConstraint("state IN ('counted', 'out', 'delivered', 'brought_back', 'called_off')", name="state"),
        CheckConstraint("bottles > 0", name="bottles"),
        CheckConstraint("carrier_id <> counted_out_by", name="two_people_out"),
        CheckConstraint("state <> 'brought_back' OR ended_by <> carrier_id", name="two_people_in"),
        CheckConstraint("(state IN ('counted', 'out')) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
        CheckConstraint("state NOT IN ('out', 'delivered', 'brought_back') OR taken_at IS NOT NULL", name="taken"),
        CheckConstraint("(state = 'delivered') = (happened_at IS NOT NULL)", name="happened"),
        CheckConstraint("state NOT IN ('brought_back', 'called_off') OR note <> ''", name="undone_has_reason"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    pickup_id: Mapped[UUID] = mapped_column(ForeignKey("pickup.id"))
    carrier_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    bottles: Mapped[int] = mapped_column(SmallInteger)
    """As the pharmacist counted them out, and the carrier confirmed."""
    state: Mapped[str]
    """`counted` out, and not yet confirmed by the carrier; `out`; `delivered`; `brought_back`; `called_off` unmoved."""
    counted_out_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    counted_out_at: Mapped[datetime]
    taken_at: Mapped[datetime | None]
    """When the carrier confirmed the count: from then on they answer for the bottles."""
    happened_at: Mapped[datetime | None]
    """When they were handed over; earlier than `ended_at` where it was entered late."""
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]
    note: Mapped[str] = mapped_column(default="")
