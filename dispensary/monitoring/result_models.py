"""Tables of what was measured, by whom, and within which limits."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, ClientId, SiteId


class Laboratory(Base):
    """Where results of a site come from."""

    __tablename__ = "laboratory"
    __table_args__ = (UniqueConstraint("site_id", "name"), CheckConstraint("name <> ''", name="name"))

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    name: Mapped[str]


class LaboratoryLimit(Base):
    """A laboratory's own reference limits of a test, in the unit that is kept."""

    __tablename__ = "laboratory_limit"
    __table_args__ = (
        CheckConstraint("sex IN ('', 'male', 'female')", name="sex"),
        CheckConstraint("upper > 0", name="upper_is_above_zero"),
        CheckConstraint("lower IS NOT NULL OR upper IS NOT NULL", name="has_a_limit"),
        CheckConstraint("lower < upper", name="lower_is_below_upper"),
    )

    laboratory_id: Mapped[UUID] = mapped_column(ForeignKey("laboratory.id"), primary_key=True)
    analyte: Mapped[str] = mapped_column(primary_key=True)
    sex: Mapped[str] = mapped_column(primary_key=True)
    """Of whom the limits are; empty for everybody."""
    lower: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    upper: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))


class HealthResult(Base):
    """One value of one test. It is never changed: a correction is another row that names the one it replaces.

    A row without a value takes the one that it replaces back.
    """

    __tablename__ = "health_result"
    __table_args__ = (
        CheckConstraint("comparator IN ('', '<', '>')", name="comparator"),
        CheckConstraint("source IN ('hand', 'csv', 'fhir', 'hl7')", name="source"),
        CheckConstraint("num_nonnulls(number, choice) < 2", name="one_value"),
        CheckConstraint("num_nonnulls(number, choice) = 1 OR replaces IS NOT NULL", name="has_value"),
        CheckConstraint("(replaces IS NULL) = (reason = '')", name="correction_has_reason"),
        CheckConstraint("formula IN ('', 'Bazett', 'Fridericia')", name="formula"),
        UniqueConstraint("replaces"),
        UniqueConstraint("client_id", "source_key"),
        Index(None, "client_id", "analyte", "taken_on"),
        Index(None, "site_id", "taken_on"),
    )

    id: Mapped[Id]
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    analyte: Mapped[str]
    taken_on: Mapped[date]
    """The day on which the blood was drawn, or the test or ECG was done."""
    number: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    """In the unit that is kept of this test."""
    comparator: Mapped[str]
    choice: Mapped[str | None]
    lower: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    upper: Mapped[Decimal | None] = mapped_column(Numeric(16, 6))
    """The laboratory's limits on that day, in the unit that is kept."""
    laboratory_id: Mapped[UUID | None] = mapped_column(ForeignKey("laboratory.id"))
    panel: Mapped[UUID]
    """What was measured at once, such as the QT and the heart rate of one ECG, has one panel."""
    formula: Mapped[str]
    """By which formula a reported QTc was corrected; empty when not stated, and for any other test."""
    typed: Mapped[str]
    """The value and unit as they were typed or sent."""
    source: Mapped[str]
    source_key: Mapped[str]
    """What names the same result when it is sent or typed again."""
    replaces: Mapped[UUID | None] = mapped_column(ForeignKey("health_result.id"))
    reason: Mapped[str]
    """Why it replaces another; empty for a first entry."""
    entered_at: Mapped[datetime]
    entered_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
