"""Tables of what became of each bottle, of supplies that were voided, and of the site's rule for full bottles."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest
from dispensary.units import AccountId, SiteId


class BottleEvent(Base):
    """One line of a bottle's record: the state that it came into, when, by whom. PostgreSQL moves the bottle by it."""

    __tablename__ = "bottle_event"
    __table_args__ = (
        CheckConstraint("state NOT IN ('lost', 'destroyed', 'back_in_stock', 'void') OR note <> ''", name="has_note"),
        CheckConstraint("state <> 'destroyed' OR second_id IS NOT NULL", name="destroyed_by_two"),
        CheckConstraint("second_id <> account_id", name="two_are_two"),
    )

    bottle_id: Mapped[UUID] = mapped_column(ForeignKey("bottle.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    state: Mapped[str]
    at: Mapped[datetime]
    account_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody when the program itself did it at night."""
    second_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    dose_id: Mapped[UUID | None] = mapped_column(ForeignKey("dose.id"))
    """The dose that the bottle became when it was handed over."""
    note: Mapped[str] = mapped_column(default="")


class SupplyVoid(Base):
    """A supply that was entered in error: why, by whom, and who stood by when bottles had left the counter."""

    __tablename__ = "supply_void"
    __table_args__ = (
        UniqueConstraint("site_id", "key"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint("second_id <> account_id", name="two_are_two"),
    )

    supply_id: Mapped[UUID] = mapped_column(ForeignKey("supply.id"), primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    key: Mapped[str]
    request_sha256: Mapped[Digest]
    reason: Mapped[str]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    second_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


class BottleSetting(Base):
    """What a site does with bottles that come back full."""

    __tablename__ = "bottle_setting"
    __table_args__ = (CheckConstraint("full_returns IN ('destroy', 'restock')", name="full_returns"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    full_returns: Mapped[str] = mapped_column(default="destroy")
    """`destroy`, or `restock` where the site's law lets a sealed bottle go back into the safe."""
    source: Mapped[str] = mapped_column(default="")
    """Where that rule stands, in the site's own words."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
