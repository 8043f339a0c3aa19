"""Legal demands: who asked about whom, as they said it, and what was done. None of it is linked to a client."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id, Sealed
from dispensary.units import AccountId, SiteId


class LegalDemand(Base):
    """That somebody asked about a person. It is only ever added to, and says nothing of who is a client."""

    __tablename__ = "legal_demand"
    __table_args__ = (
        UniqueConstraint("site_id", "no"),
        UniqueConstraint("key"),
        CheckConstraint(
            "asker IN ('police', 'prosecutor', 'court', 'authority', 'family', 'employer', 'press', 'other')",
            name="asker",
        ),
        CheckConstraint("shown IN ('nothing', 'letter', 'warrant', 'court_order')", name="shown"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    no: Mapped[int]
    """Counted at the site."""
    asker: Mapped[str]
    who_sealed: Mapped[Sealed]
    """Their name, unit and number, as they gave them."""
    shown: Mapped[str]
    reference_sealed: Mapped[Sealed]
    about_sealed: Mapped[Sealed]
    """About whom, in the words of whoever asked. It was looked up nowhere."""
    wants_sealed: Mapped[Sealed]
    due_on: Mapped[date | None]
    received_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    received_at: Mapped[datetime]
    key: Mapped[UUID]
    """The form that entered it: pressed twice, it is one demand."""


class LegalDemandStep(Base):
    """Something that was done about a demand; the sentence by anybody, all else by the person whom the site named."""

    __tablename__ = "legal_demand_step"
    __table_args__ = (
        CheckConstraint("step IN ('neither', 'refused', 'answered', 'counsel', 'closed')", name="step"),
        CheckConstraint("(step = 'answered') = (release_id IS NOT NULL)", name="answered_on_the_register"),
        Index(None, "demand_id", "at"),
        Index("uq_legal_demand_step_closed", "demand_id", unique=True, postgresql_where=text("step = 'closed'")),
    )

    id: Mapped[Id]
    demand_id: Mapped[UUID] = mapped_column(ForeignKey("legal_demand.id"))
    step: Mapped[str]
    words_sealed: Mapped[Sealed]
    release_id: Mapped[UUID | None] = mapped_column(ForeignKey("release.id"))
    done_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]


class DemandSetting(Base):
    """Who answers demands for a site: one person, by name. Without the row nobody can but by the sentence."""

    __tablename__ = "demand_setting"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    answers_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
