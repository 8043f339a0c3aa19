"""Tables of the roll-up: what each closed day of a site comes to, and the programme's own figures for reading them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Integer, Numeric, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class FactSiteDay(Base):
    """A closed dose day of a site in counts. Names nobody; counted again with each close for a week."""

    __tablename__ = "fact_site_day"
    __table_args__ = (
        CheckConstraint("least(active, began, ended, doses, waits, wait_seconds, alerts_late) >= 0", name="counts"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    dose_day: Mapped[date] = mapped_column(primary_key=True)
    closed_at: Mapped[datetime]
    active: Mapped[int] = mapped_column(Integer)
    """Clients of the site in treatment at the end of the day."""
    began: Mapped[int] = mapped_column(Integer)
    """Stays that began on the day."""
    ended: Mapped[int] = mapped_column(Integer)
    """Stays whose first day without treatment it was."""
    doses: Mapped[int] = mapped_column(Integer)
    """Portions handed over here on the day, taken at the counter or carried home."""
    waits: Mapped[int] = mapped_column(Integer)
    """Visits that were called to a window."""
    wait_seconds: Mapped[int] = mapped_column(BigInteger)
    """From arrival to call, of all of them together."""
    alerts_late: Mapped[int] = mapped_column(Integer)
    """Alerts that were open as the day closed and had been passed on, since nobody had read them in time."""


class FactStockDay(Base):
    """A product in a site's safe on a closed dose day, in mL."""

    __tablename__ = "fact_stock_day"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    dose_day: Mapped[date] = mapped_column(primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    out_ml: Mapped[Decimal] = mapped_column(Numeric(10, 3))
    """Supplied to clients on the day, less what was corrected of it."""
    left_ml: Mapped[Decimal] = mapped_column(Numeric(10, 3))
    """In the safe as the day closed, without lots that had expired."""


class ProgrammeSetting(Base):
    """From when a site's stock is low, how far it is filled up, what its giver keeps, and when a site is off-line."""

    __tablename__ = "programme_setting"
    __table_args__ = (
        CheckConstraint("only_one = 1", name="only_one"),
        CheckConstraint(
            "1 <= low_days AND low_days <= target_days AND target_days <= keep_days AND keep_days <= 365", name="days"
        ),
        CheckConstraint("silent_hours BETWEEN 1 AND 240", name="silent_hours"),
    )

    only_one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    low_days: Mapped[int] = mapped_column(SmallInteger)
    target_days: Mapped[int] = mapped_column(SmallInteger)
    keep_days: Mapped[int] = mapped_column(SmallInteger)
    silent_hours: Mapped[int] = mapped_column(SmallInteger)
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
