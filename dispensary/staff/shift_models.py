"""Tables of a counter that several people share: their PINs, the browsers that they share, and when a screen closes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, SiteId


class CounterPin(Base):
    """The six digits by which a person comes back to a screen, or stands by a colleague. Set by their own hand."""

    __tablename__ = "counter_pin"
    __table_args__ = (CheckConstraint("wrong BETWEEN 0 AND 5", name="wrong"),)

    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"), primary_key=True)
    pin_hash: Mapped[str]
    """argon2id, as a password's."""
    wrong: Mapped[int] = mapped_column(SmallInteger, default=0)
    """Wrong PINs since the last right one, at whichever screen; at five it is not heard until the next sign-in."""
    set_at: Mapped[datetime]


class Station(Base):
    """A browser at which people have signed in. Whoever changes who is there locks its row first."""

    __tablename__ = "station"

    id: Mapped[Id]
    began_at: Mapped[datetime]


class ShiftSetting(Base):
    """After how many minutes without a touch a site's screens close; a site without a row has the product's figure."""

    __tablename__ = "shift_setting"
    __table_args__ = (CheckConstraint("lock_after_minutes BETWEEN 1 AND 10", name="lock_after_minutes"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    lock_after_minutes: Mapped[int] = mapped_column(SmallInteger)


__all__ = ["CounterPin", "ShiftSetting", "Station"]
