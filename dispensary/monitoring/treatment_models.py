"""Tables of other treatments and medicines beside methadone: regimens, their medicines, refills, and days to look."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Treatment(Base):
    """A treatment of HIV, tuberculosis or hepatitis C, from its first to its last day; its medicines may change."""

    __tablename__ = "treatment"
    __table_args__ = (
        CheckConstraint("kind IN ('art', 'tb', 'hcv')", name="kind"),
        CheckConstraint("stopped_on >= started_on", name="stops_after_it_started"),
        CheckConstraint("(stopped_on IS NULL) = (stop_reason = '')", name="stop_has_reason"),
        Index(None, "client_id"),
        Index(None, "site_id"),
        Index("uq_treatment_running", "client_id", "kind", unique=True, postgresql_where=text("stopped_on IS NULL")),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    started_on: Mapped[date]
    stopped_on: Mapped[date | None]
    """The first day without it."""
    stop_reason: Mapped[str]
    observed: Mapped[bool]
    """Whether doses of it are swallowed at the counter, before somebody's eyes."""
    entered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    entered_at: Mapped[datetime]


class Medication(Base):
    """A medicine or other substance that a client takes beside methadone, alone or as part of a treatment."""

    __tablename__ = "medication"
    __table_args__ = (
        CheckConstraint("substance <> ''", name="substance"),
        CheckConstraint("stopped_on >= started_on", name="stops_after_it_started"),
        CheckConstraint("(stopped_on IS NULL) = (stop_reason = '')", name="stop_has_reason"),
        Index("uq_medication_running", "client_id", "name", unique=True, postgresql_where=text("stopped_on IS NULL")),
        Index(None, "client_id"),
        Index(None, "site_id"),
        Index(None, "treatment_id"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    treatment_id: Mapped[UUID | None] = mapped_column(ForeignKey("treatment.id"))
    substance: Mapped[str]
    """As it was written."""
    name: Mapped[str]
    """As the table of interactions would have it."""
    started_on: Mapped[date]
    stopped_on: Mapped[date | None]
    """The first day without it."""
    stop_reason: Mapped[str]
    entered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    entered_at: Mapped[datetime]


class Refill(Base):
    """Medicine handed over for so many days, or a dose of it that was swallowed under observation. Never changed."""

    __tablename__ = "refill"
    __table_args__ = (
        CheckConstraint("days BETWEEN 1 AND 366", name="days"),
        CheckConstraint("NOT observed OR days = 1", name="observed_is_of_a_day"),
        CheckConstraint("(voided_at IS NULL) = (void_reason = '')", name="void_has_reason"),
        UniqueConstraint("medication_id", "source_key"),
        Index(None, "medication_id", "on_day"),
        Index(
            "uq_refill_observed_once",
            "medication_id",
            "on_day",
            unique=True,
            postgresql_where=text("observed AND voided_at IS NULL"),
        ),
        Index("ix_refill_supply_id", "supply_id", postgresql_where=text("supply_id IS NOT NULL")),
    )

    id: Mapped[Id]
    medication_id: Mapped[UUID] = mapped_column(ForeignKey("medication.id"))
    on_day: Mapped[date]
    days: Mapped[int] = mapped_column(SmallInteger)
    observed: Mapped[bool]
    supply_id: Mapped[UUID | None] = mapped_column(ForeignKey("supply.id"))
    """The hand-over of methadone that it came with."""
    source_key: Mapped[str]
    """What names the same hand-over when its form is sent again."""
    given_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    void_reason: Mapped[str] = mapped_column(default="")


class ScheduledLook(Base):
    """A day on which somebody looks at a client, because the effect of another medicine comes or goes."""

    __tablename__ = "scheduled_look"
    __table_args__ = (
        UniqueConstraint("medication_id", "moment", "on_day"),
        CheckConstraint("moment IN ('start', 'stop')", name="moment"),
        CheckConstraint("(done_at IS NULL) = (found = '')", name="done_says_what_was_found"),
        Index("ix_scheduled_look_open", "site_id", "on_day", postgresql_where=text("done_at IS NULL")),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    medication_id: Mapped[UUID] = mapped_column(ForeignKey("medication.id"))
    moment: Mapped[str]
    on_day: Mapped[date]
    why: Mapped[str]
    done_at: Mapped[datetime | None]
    done_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    found: Mapped[str]
    """What was seen; empty until somebody has looked."""
