"""Tables of the evaluation room: what the records of a client's closed days say, counted as they close.

They say nothing that the records do not say, and can be counted from them again at any time to the same rows.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import ClientId


class FactClient(Base):
    """How far a client's closed days are counted, and what of them is one figure."""

    __tablename__ = "fact_client"
    __table_args__ = (Index("ix_fact_client_touched", "client_id", postgresql_where=text("touched")),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    through: Mapped[date]
    """The client's last closed dose day when they were counted: all days up to it are in, and no later one."""
    known_at: Mapped[datetime]
    """When the last of what was counted came on record. For an earlier moment the records are read."""
    first_day: Mapped[date | None]
    """The first day with a dose; nothing when there is none."""
    last_day: Mapped[date | None]
    """The last day with a dose."""
    first_home: Mapped[date | None]
    """The first day with a take-home dose."""
    touched: Mapped[bool] = mapped_column(default=False)
    """Something was learned of a counted day since: the client is counted anew, and until then read from records."""


class FactGap(Base):
    """Two or more whole days in a row without a dose, between two days with one. No rule of a gap has fewer."""

    __tablename__ = "fact_gap"
    __table_args__ = (CheckConstraint("next_day - last_day > 2", name="days"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    next_day: Mapped[date] = mapped_column(primary_key=True)
    """The day with a dose after it."""
    last_day: Mapped[date]
    """The last day with a dose before it."""


class FactMonth(Base):
    """How many of a client's dose days in a calendar month are of each kind."""

    __tablename__ = "fact_month"
    __table_args__ = (CheckConstraint("covered <= ordered AND carried <= dosed", name="parts"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    month: Mapped[date] = mapped_column(primary_key=True)
    """Its first day."""
    ordered: Mapped[int] = mapped_column(SmallInteger)
    """Closed days with an order in force and no portion held."""
    covered: Mapped[int] = mapped_column(SmallInteger)
    """Those of them of which the client had every portion."""
    held: Mapped[int] = mapped_column(SmallInteger)
    """Closed days with a held portion."""
    open: Mapped[int] = mapped_column(SmallInteger)
    """Days with a dose that were never closed."""
    dosed: Mapped[int] = mapped_column(SmallInteger)
    """Days with a dose, closed or not."""
    carried: Mapped[int] = mapped_column(SmallInteger)
    """Those of them with a take-home dose."""
