"""Tables of the phone line's PINs: who has one at which number, what a number was told last, who moves to another."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, CheckConstraint, DateTime, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Sealed
from dispensary.units import AccountId, ClientId


class PhonePin(Base):
    """A client's PIN at the number that they have. Nobody else at that number has the same."""

    __tablename__ = "phone_pin"
    __table_args__ = (
        UniqueConstraint("client_id", "phone_index"),
        UniqueConstraint("pin_digest"),
        Index(None, "phone_index"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    phone_index: Mapped[Digest]
    """The number that it holds for: the client's own, as in `contact`."""
    pin_digest: Mapped[Digest]
    """A keyed digest of the number and the PIN: the same PIN at another number has another one."""
    set_at: Mapped[datetime]
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Who stood at the desk with them; nothing where it came along to a new number by text."""


class PinGate(Base):
    """What is known of a number with PINs: for whom it is open, and how often a wrong one came."""

    __tablename__ = "pin_gate"
    __table_args__ = (
        ForeignKeyConstraint(
            ["open_for", "phone_index"], ["phone_pin.client_id", "phone_pin.phone_index"], onupdate="CASCADE"
        ),
        CheckConstraint("cardinality(wrong_at) <= 5", name="wrong"),
        CheckConstraint("(open_for IS NULL) = (open_until IS NULL)", name="open"),
        CheckConstraint("shut_until IS NULL OR open_for IS NULL", name="shut"),
    )

    phone_index: Mapped[Digest] = mapped_column(primary_key=True)
    wrong_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    """When wrong PINs came within the last hour."""
    shut_until: Mapped[datetime | None]
    open_for: Mapped[ClientId | None]
    """Whose PIN came last."""
    open_until: Mapped[datetime | None]


class NumberChange(Base):
    """A client asked by text, with their PIN, to be reached at another number, which has not agreed yet."""

    __tablename__ = "number_change"
    __table_args__ = (
        UniqueConstraint("phone_index"),
        CheckConstraint("expires_at > asked_at", name="expires"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("phone_pin.client_id", ondelete="CASCADE"), primary_key=True)
    phone_sealed: Mapped[Sealed]
    phone_index: Mapped[Digest]
    pin_digest: Mapped[Digest]
    """Their PIN as it will be kept at the new number."""
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
