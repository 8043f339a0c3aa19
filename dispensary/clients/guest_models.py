"""Tables of guest stays: for some dose days another site of the programme gives a client their doses."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Computed, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Days, Id
from dispensary.units import AccountId, ClientId, SiteId


class GuestStay(Base):
    """The dose days on which a client is a guest at another site: asked for, verified or refused by home, over by date.

    While home has verified it, PostgreSQL lets no other counter than the guest site's give a dose for one of its days.
    """

    __tablename__ = "guest_stay"
    __table_args__ = (
        ExcludeConstraint(
            ("client_id", "="),
            ("days", "&&"),
            name="guest_stay_no_overlap",
            using="gist",
            where=text("refused_at IS NULL"),
        ),
        Index(None, "client_id"),
        Index("ix_guest_stay_guest", "guest_site_id", "until_day"),
        Index("ix_guest_stay_home", "home_site_id", "until_day"),
        CheckConstraint("guest_site_id <> home_site_id", name="elsewhere"),
        CheckConstraint(
            "CASE WHEN satellite THEN until_day = '9999-12-31' ELSE until_day - from_day BETWEEN 1 AND 28 END",
            name="length",
        ),
        CheckConstraint("NOT satellite OR verified_at IS NOT NULL", name="satellite_is_agreed"),
        CheckConstraint("asked_at_site_id IN (home_site_id, guest_site_id)", name="asked_by_either"),
        CheckConstraint("reason <> ''", name="has_reason"),
        CheckConstraint(
            "(verified_at IS NULL) = (verified_by IS NULL) AND (verified_at IS NULL) = (confirmed IS NULL)",
            name="verified_by_somebody",
        ),
        CheckConstraint(
            "(refused_at IS NULL) = (refused_by IS NULL) AND (refused_at IS NULL) = (refusal = '')",
            name="refused_with_reason",
        ),
        CheckConstraint("verified_at IS NULL OR refused_at IS NULL", name="one_answer"),
        CheckConstraint(
            "(ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (ended_on IS NULL)"
            " AND (ended_at IS NULL) = (end_reason = '')",
            name="ended_with_reason",
        ),
        CheckConstraint("ended_on BETWEEN from_day AND until_day", name="ended_within"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    home_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    guest_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    from_day: Mapped[date]
    """The first dose day at the guest site; moved on by the answer where earlier days had closed by then."""
    until_day: Mapped[date]
    """The first dose day at home again, as it was agreed."""
    days: Mapped[Days] = mapped_column(Computed("daterange(from_day, coalesce(ended_on, until_day), '[)')"))
    """The dose days of the guest site, as they are after an early end."""
    satellite: Mapped[bool] = mapped_column(default=False)
    """Doses are given at a satellite of home from now on: agreed as it is written, and without a last day."""
    bottles: Mapped[bool]
    """Whether bottles may be given there too, within the decision of home; else the client takes each dose there."""
    reason: Mapped[str]
    asked_at_site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    asked_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    asked_at: Mapped[datetime]
    verified_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Somebody of the home site."""
    verified_at: Mapped[datetime | None]
    confirmed: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """What home confirmed: order, last dose, bottles at home, holds, as they were then."""
    refused_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    refused_at: Mapped[datetime | None]
    refusal: Mapped[str] = mapped_column(default="")
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ended_at: Mapped[datetime | None]
    ended_on: Mapped[date | None]
    """The first dose day at home again, when it was ended before its time."""
    end_reason: Mapped[str] = mapped_column(default="")


class GuestSetting(Base):
    """For how many days a site lets its clients be guests elsewhere."""

    __tablename__ = "guest_setting"
    __table_args__ = (CheckConstraint("longest_days BETWEEN 1 AND 28", name="longest_days"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    longest_days: Mapped[int] = mapped_column(SmallInteger)
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
