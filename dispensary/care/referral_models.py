"""The table of referrals: to which place a client was sent for what, and what became of it."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Service(StrEnum):
    """What somebody is referred for."""

    HIV_TEST = "hiv_test"
    ART = "art"
    HEPATITIS_C = "hepatitis_c"
    TUBERCULOSIS = "tuberculosis"
    STI = "sti"
    MENTAL_HEALTH = "mental_health"
    HOSPITAL = "hospital"
    LEGAL_AID = "legal_aid"
    SUPPORT_GROUP = "support_group"
    VOCATIONAL = "vocational"


class Outcome(StrEnum):
    """What became of a referral."""

    ATTENDED = "attended"
    NOT_ATTENDED = "not_attended"
    WITHDRAWN = "withdrawn"
    """The client does not want it any more, which costs them nothing."""


_SERVICES = ", ".join(f"'{each.value}'" for each in Service)


class Referral(Base):
    """A client was sent somewhere with their consent. It is closed once, and never changed otherwise."""

    __tablename__ = "referral"
    __table_args__ = (
        CheckConstraint(f"service IN ({_SERVICES})", name="service"),
        CheckConstraint("place <> ''", name="place"),
        CheckConstraint("outcome IN ('', 'attended', 'not_attended', 'withdrawn')", name="outcome"),
        CheckConstraint("(outcome = '') = (closed_at IS NULL)", name="closed_with_outcome"),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed_by_somebody"),
        CheckConstraint("(outcome = 'attended') = (attended_on IS NOT NULL)", name="attended_on_a_day"),
        CheckConstraint("attended_on >= sent_on", name="attended_after_sent"),
        Index(None, "client_id", "sent_on"),
        Index(None, "site_id"),
        Index(None, "centre_id"),
        Index(
            "uq_referral_open",
            "client_id",
            "service",
            text("lower(place)"),
            unique=True,
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    service: Mapped[str]
    place: Mapped[str]
    """The name of the place, as staff write it; of no person there."""
    centre_id: Mapped[UUID | None] = mapped_column(ForeignKey("health_centre.id"))
    """The place of the site's directory that has this name; nothing where it has none."""
    sent_on: Mapped[date]
    sent_at: Mapped[datetime]
    sent_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    ask_on: Mapped[date]
    """From when whoever follows it up asks the client whether they went."""
    outcome: Mapped[str] = mapped_column(default="")
    attended_on: Mapped[date | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
