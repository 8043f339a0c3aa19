"""Tables of the prescribing room."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Days, Digest, Id
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams, SiteId


class DoseOrder(Base):
    """A prescriber's order: how much, in how many portions, on which dose days.

    The orders of an episode follow each other without overlap; where one ends and no other begins, somebody said why.
    """

    __tablename__ = "dose_order"
    __table_args__ = (
        CheckConstraint("mg > 0", name="mg"),
        CheckConstraint("cardinality(portions) BETWEEN 1 AND 4", name="portions"),
        CheckConstraint(
            "cardinality(places) = cardinality(portions) AND places <@ ARRAY['supervised', 'take_home']", name="places"
        ),
        CheckConstraint("NOT isempty(days) AND NOT lower_inf(days)", name="days"),
        CheckConstraint("upper_inf(days) OR end_reason IS NOT NULL", name="end_has_reason"),
        CheckConstraint("(end_reason IS NULL) = (ended_at IS NULL)", name="end_has_moment"),
        CheckConstraint("end_reason IN ('superseded', 'stopped', 'as_written', 'exit')", name="end_reason"),
        ExcludeConstraint(
            ("episode_id", "="),
            ("days", "&&"),
            name="dose_order_no_overlap",
            using="gist",
            where=text("voided_at IS NULL"),
        ),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    days: Mapped[Days]
    mg: Mapped[Milligrams]
    """The whole day's dose."""
    portions: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric(7, 2)))
    """The day's dose in the order in which it is taken; one entry when it is not split. They add up to mg."""
    places: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    """Where each portion is taken on a day on which the client comes: `supervised` or `take_home`.

    Nothing means the first at the counter, the others as the take-home decision allows.
    """
    plan_id: Mapped[UUID | None] = mapped_column(ForeignKey("dose_plan.id"))
    """The plan that it was signed with, as one of several."""
    end_reason: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    """When the end was set: doses handed over before it may lie behind the end."""
    reason: Mapped[str]
    ordered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    ordered_at: Mapped[datetime]
    origin: Mapped[str] = mapped_column(default="clinic")
    voided_at: Mapped[datetime | None]
    """Set when a future order was replaced before its first day."""


class DosePlan(Base):
    """A series of dated orders that a prescriber signed as one: an induction, a titration, a taper, a split."""

    __tablename__ = "dose_plan"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('induction', 'titration', 'stabilisation', 'taper', 'split', 'weekdays')", name="kind"
        ),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    guideline: Mapped[str | None]
    """Whose limits the steps were held against, with its version; nothing when the site follows none."""
    guideline_version: Mapped[str | None]
    steps: Mapped[list[Any]] = mapped_column(JSONB)
    """As they were signed: first day, mg, portions, and what the guideline said of each."""
    reason: Mapped[str]
    signed_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    signed_at: Mapped[datetime]


class Reduction(Base):
    """Less than the order, agreed with the prescriber by telephone; it holds until the prescriber orders again."""

    __tablename__ = "reduction"
    __table_args__ = (
        CheckConstraint("mg > 0", name="mg"),
        Index("uq_reduction_open", "client_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[Id]
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    from_day: Mapped[date]
    mg: Mapped[Milligrams]
    """The most that a day's portions may add up to."""
    ruling: Mapped[dict[str, Any]]
    """What the site's guideline said, with its version and source, as the pharmacist read it."""
    agreed_with: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    said: Mapped[str]
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by_order: Mapped[UUID | None] = mapped_column(ForeignKey("dose_order.id"))


class GuidelineAdoption(Base):
    """A site follows a dosing guideline for one topic on these days, kept word for word as it was adopted."""

    __tablename__ = "guideline_adoption"
    __table_args__ = (
        ExcludeConstraint(
            ("site_id", "="),
            ("topic", "="),
            ("days", "&&"),
            name="guideline_adoption_no_overlap",
            using="gist",
        ),
        CheckConstraint(
            "topic IN ('induction', 'taper', 'split', 'missed', 'vomited', 'wrong_dose', 'prescription')", name="topic"
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    topic: Mapped[str]
    guideline: Mapped[str]
    version: Mapped[str]
    document: Mapped[str]
    sha256: Mapped[Digest]
    days: Mapped[Days]
    adopted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    adopted_at: Mapped[datetime]


class Hold(Base):
    """A prescriber withholds doses from a day on, with a reason, until somebody releases it or it ends."""

    __tablename__ = "hold"
    __table_args__ = (
        Index(None, "client_id"),
        Index("ix_hold_open", "placed_at", postgresql_where=text("released_at IS NULL")),
        CheckConstraint("reason <> ''", name="has_reason"),
    )

    id: Mapped[Id]
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    days: Mapped[Days]
    reason: Mapped[str]
    placed_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    placed_at: Mapped[datetime]
    released_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    released_at: Mapped[datetime | None]
    release_reason: Mapped[str] = mapped_column(default="")


class DayOutcome(Base):
    """What became of a portion of a dose day, frozen when the day closed, from the order then in force."""

    __tablename__ = "day_outcome"
    __table_args__ = (
        CheckConstraint("outcome IN ('observed', 'take_home', 'missed', 'held')", name="outcome"),
        Index(None, "site_id", "dose_day"),
    )

    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"), primary_key=True)
    dose_day: Mapped[DoseDay] = mapped_column(primary_key=True)
    portion: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    portions: Mapped[int] = mapped_column(SmallInteger)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    order_id: Mapped[UUID] = mapped_column(ForeignKey("dose_order.id"))
    ordered_mg: Mapped[Milligrams]
    given_mg: Mapped[Milligrams]
    outcome: Mapped[str]
    frozen_at: Mapped[datetime]
