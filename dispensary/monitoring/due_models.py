"""Tables of which test is due when, and of what a site has set about it."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class DueSetting(Base):
    """A site's own interval for a rule, or that it does not follow it; without a row the rule stands as it ships."""

    __tablename__ = "due_setting"
    __table_args__ = (
        CheckConstraint("every_months BETWEEN 1 AND 120", name="every_months"),
        CheckConstraint("every_months IS NOT NULL OR ignored", name="says_something"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    every_months: Mapped[int | None] = mapped_column(SmallInteger)
    ignored: Mapped[bool]
    reason: Mapped[str]
    """Who says so: a guideline, or the clinician who signs for it."""
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class DueTest(Base):
    """The next day on which a test of a client is due. Written anew each night and with each result."""

    __tablename__ = "test_due"
    __table_args__ = (Index(None, "site_id", "due_on"),)

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    test: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    due_on: Mapped[date]
    rule: Mapped[str]
    judged_on: Mapped[date]


class HealthSetting(Base):
    """What a site has set about judging results and about alerts; without a row, what the class says."""

    __tablename__ = "health_setting"
    __table_args__ = (
        CheckConstraint("adherence_percent BETWEEN 50 AND 100", name="adherence_percent"),
        CheckConstraint("urgent_hours BETWEEN 1 AND 720 AND warning_hours BETWEEN 1 AND 2160", name="hours"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    viral_load_version: Mapped[str] = mapped_column(default="WHO-2023")
    adherence_percent: Mapped[int] = mapped_column(SmallInteger, default=95)
    urgent_hours: Mapped[int] = mapped_column(SmallInteger, default=24)
    """After so many hours without anybody having read it, an urgent alert goes to the next role too."""
    warning_hours: Mapped[int] = mapped_column(SmallInteger, default=168)
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime | None]


class QuietRule(Base):
    """A rule of health whose warnings open no alert at a site; what is urgent still does."""

    __tablename__ = "quiet_rule"
    __table_args__ = (
        CheckConstraint("rule IN ('adherence', 'alt', 'apri', 'fib-4', 'qtc', 'viral-load')", name="rule"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    rule: Mapped[str] = mapped_column(primary_key=True)
    reason: Mapped[str]
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
