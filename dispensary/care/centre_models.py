"""Tables of the referral directory, and of what a place or the client said between a referral and its outcome."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class HealthCentre(Base):
    """A place that clients of a site are referred to, with what it offers. It names no person there."""

    __tablename__ = "health_centre"
    __table_args__ = (
        Index("uq_health_centre_code", "site_id", text("lower(code)"), unique=True),
        Index("uq_health_centre_name", "site_id", text("lower(name)"), unique=True, postgresql_where=text("open")),
        CheckConstraint("code <> '' AND name <> ''", name="named"),
        CheckConstraint(
            "services <@ ARRAY['hiv_test', 'art', 'hepatitis_c', 'tuberculosis', 'sti', 'mental_health', 'hospital',"
            " 'legal_aid', 'support_group', 'vocational']::text[] AND cardinality(services) > 0",
            name="services",
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    code: Mapped[str]
    """The site's own short name of it, by which a file finds it again."""
    name: Mapped[str]
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    address: Mapped[str]
    phone: Mapped[str]
    open: Mapped[bool] = mapped_column(default=True)
    """Whether it still is offered to whoever refers."""
    changed_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    changed_at: Mapped[datetime]


class ReferralWord(Base):
    """What was heard of a referral before its outcome, or after. It is added and never changed."""

    __tablename__ = "referral_word"
    __table_args__ = (
        Index(None, "referral_id", "on_day"),
        Index(None, "client_id"),
        CheckConstraint("kind IN ('accepted', 'full', 'feedback')", name="kind"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one word."""
    referral_id: Mapped[UUID] = mapped_column(ForeignKey("referral.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    kind: Mapped[str]
    on_day: Mapped[date]
    words_sealed: Mapped[Sealed]
    noted_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    noted_at: Mapped[datetime]
