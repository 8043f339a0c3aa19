"""Tables of the stock room: lots and the register, to which lines are only ever added."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, Millilitres, SiteId, Strength


class RegisterBook(Base):
    """The controlled-drug register of one site and product, with its running balance."""

    __tablename__ = "register_book"
    __table_args__ = (
        UniqueConstraint("site_id", "product"),
        CheckConstraint("balance >= 0", name="balance_not_negative"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    product: Mapped[str]
    """For example `methadone 5 mg/mL`: a register has one part for each strength."""
    lines: Mapped[int] = mapped_column(BigInteger, default=0)
    balance: Mapped[Millilitres] = mapped_column(default=Decimal(0))


class Lot(Base):
    """A batch in the safe. Its balance is moved by register lines alone."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("balance >= 0", name="balance_not_negative"),
        CheckConstraint("bottled BETWEEN 0 AND balance", name="bottled_is_there"),
        CheckConstraint("strength > 0", name="strength"),
        CheckConstraint("opened_by IS NULL OR opened_at IS NOT NULL", name="opened_at_a_moment"),
        Index(None, "book_id"),
        UniqueConstraint("site_id", "batch"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    book_id: Mapped[UUID] = mapped_column(ForeignKey("register_book.id"))
    batch: Mapped[str]
    strength: Mapped[Strength]
    expires_on: Mapped[date]
    balance: Mapped[Millilitres] = mapped_column(default=Decimal(0))
    bottled: Mapped[Millilitres] = mapped_column(default=Decimal(0))
    """What of the balance stands in prepared bottles. Moved by the bottles alone."""
    received_at: Mapped[datetime]
    opened_at: Mapped[datetime | None]
    """When its first bottle was opened: said so, or at the latest when something was poured from it."""
    opened_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class RegisterLine(Base):
    """One movement. PostgreSQL numbers it and computes both balances; nothing changes or deletes it afterwards."""

    __tablename__ = "register_line"
    __table_args__ = (
        UniqueConstraint("book_id", "seq"),
        UniqueConstraint("corrects_id"),
        CheckConstraint(
            "kind IN ('received', 'supplied', 'corrected', 'counted', 'destroyed', 'lost', 'note', 'sent', 'returned')",
            name="kind",
        ),
        CheckConstraint("(kind = 'note') = (ml = 0)", name="moves_or_notes"),
        CheckConstraint("(kind = 'corrected') = (corrects_id IS NOT NULL)", name="corrects_a_line"),
        CheckConstraint("kind IN ('received', 'supplied') OR reason <> ''", name="has_reason"),
        CheckConstraint("kind <> 'supplied' OR supply_id IS NOT NULL", name="supplied_to_somebody"),
        CheckConstraint("kind <> 'destroyed' OR second_id IS NOT NULL", name="destroyed_by_two"),
        CheckConstraint("second_id <> account_id", name="two_are_two"),
        CheckConstraint("kind <> 'sent' OR transfer_id IS NOT NULL", name="sent_somewhere"),
        Index(
            "uq_register_line_transfer",
            "transfer_id",
            "kind",
            unique=True,
            postgresql_where=text("transfer_id IS NOT NULL"),
        ),
        Index(None, "lot_id"),
        Index(None, "supply_id"),
        Index(None, "book_id", "dose_day"),
    )

    id: Mapped[Id]
    book_id: Mapped[UUID] = mapped_column(ForeignKey("register_book.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    at: Mapped[datetime]
    dose_day: Mapped[date]
    """The site's dose day on which the line was written."""
    kind: Mapped[str]
    ml: Mapped[Millilitres]
    """What came in (above zero) or went out (below)."""
    consumed_ml: Mapped[Decimal] = mapped_column(Numeric(10, 3), default=Decimal(0))
    taken_home_ml: Mapped[Decimal] = mapped_column(Numeric(10, 3), default=Decimal(0))
    balance: Mapped[Millilitres]
    """The book's balance after the line."""
    lot_balance: Mapped[Millilitres]
    supply_id: Mapped[UUID | None]
    corrects_id: Mapped[UUID | None] = mapped_column(ForeignKey("register_line.id"))
    transfer_id: Mapped[UUID | None] = mapped_column(ForeignKey("stock_transfer.id"))
    """The transfer between sites by which it was sent, received, found short or over, or taken back."""
    reason: Mapped[str] = mapped_column(default="")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    second_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class StockCount(Base):
    """What was measured in the safe against what the register said. A difference is never absorbed silently."""

    __tablename__ = "stock_count"
    __table_args__ = (
        Index(None, "site_id", "dose_day"),
        CheckConstraint("difference = measured - expected", name="difference"),
        CheckConstraint("difference = 0 OR reason <> ''", name="difference_has_reason"),
        CheckConstraint("judged IN ('as_expected', 'within', 'beyond')", name="judged"),
        CheckConstraint("judged IS NULL OR (judged = 'as_expected') = (difference = 0)", name="judged_by_difference"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    lot_id: Mapped[UUID] = mapped_column(ForeignKey("lot.id"))
    dose_day: Mapped[date]
    at: Mapped[datetime]
    expected: Mapped[Millilitres]
    measured: Mapped[Millilitres]
    difference: Mapped[Decimal] = mapped_column(Numeric(10, 3))
    reason: Mapped[str] = mapped_column(default="")
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    throughput: Mapped[Millilitres | None]
    """What was supplied from the lot since the count before."""
    tolerance: Mapped[Millilitres | None]
    """By how much this count could differ, by the site's own figures; nothing where it has none."""
    judged: Mapped[str | None]
    """`as_expected`, `within` the tolerance or `beyond` it; nothing for a count of before counts were judged."""
