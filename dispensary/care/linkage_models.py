"""Tables of testing and linkage: steps that no other record holds, and after how many days a site is reminded."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, SiteId


class LinkageStep(Base):
    """A step from the offer of a test to treatment, as somebody wrote it down. One in error is set aside, once."""

    __tablename__ = "linkage_step"
    __table_args__ = (
        Index(None, "client_id", "disease", "on_day"),
        Index(None, "site_id"),
        CheckConstraint("disease IN ('hiv', 'hcv', 'hbv', 'tb')", name="disease"),
        CheckConstraint(
            "step IN ('offered', 'declined', 'tested', 'result_given', 'linked', 'on_treatment')", name="step"
        ),
        CheckConstraint("(voided_at IS NULL) = (voided_by IS NULL)", name="voided_by_somebody"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one step."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    disease: Mapped[str]
    step: Mapped[str]
    on_day: Mapped[date]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    voided_at: Mapped[datetime | None]


class CareSetting(Base):
    """After how many days a site is reminded; without a row, the house's own figures hold."""

    __tablename__ = "care_setting"
    __table_args__ = (
        CheckConstraint("stuck_days BETWEEN 1 AND 365", name="stuck_days"),
        CheckConstraint("lost_days BETWEEN 1 AND 365", name="lost_days"),
        CheckConstraint("intake_days BETWEEN 1 AND 365", name="intake_days"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    stuck_days: Mapped[int] = mapped_column(SmallInteger)
    """After so many days without the next step from test to treatment."""
    lost_days: Mapped[int] = mapped_column(SmallInteger)
    """After so many days without word of a referral."""
    intake_days: Mapped[int] = mapped_column(SmallInteger, server_default=text("14"), default=14)
    """After so many days since somebody came from outside, who is not a client yet."""
