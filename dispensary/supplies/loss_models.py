"""Tables of bottles reported lost, stolen or damaged, of checks before handing over, and of recalls at random."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Digest, Id
from dispensary.units import AccountId, ClientId, SiteId


class BottleReport(Base):
    """What a client told of bottles that are lost, stolen or damaged, and what the prescriber decided. Kept whole."""

    __tablename__ = "bottle_report"
    __table_args__ = (
        UniqueConstraint("site_id", "key"),
        CheckConstraint("what IN ('lost', 'stolen', 'damaged')", name="what"),
        CheckConstraint("told <> ''", name="told"),
        CheckConstraint("decision IN ('stays', 'given_again')", name="decision"),
        CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by IS NULL)"
            " AND (decision IS NULL) = (said = '')",
            name="decided_whole",
        ),
        Index(None, "client_id"),
        Index("ix_bottle_report_open", "site_id", postgresql_where=text("decided_at IS NULL")),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    what: Mapped[str]
    told: Mapped[str]
    """What happened, as the client tells it."""
    police_number: Mapped[str] = mapped_column(default="")
    key: Mapped[str]
    request_sha256: Mapped[Digest]
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
    decision: Mapped[str | None]
    """`stays`: nothing is given in their place. `given_again`: the days may be given again, at the counter or home."""
    said: Mapped[str] = mapped_column(default="")
    """Why, as the prescriber says to the client."""
    decided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime | None]


class ReportedBottle(Base):
    """A bottle that a report is about: of one report at most."""

    __tablename__ = "reported_bottle"
    __table_args__ = (Index(None, "report_id"),)

    bottle_id: Mapped[UUID] = mapped_column(ForeignKey("bottle.id"), primary_key=True)
    report_id: Mapped[UUID] = mapped_column(ForeignKey("bottle_report.id"))


class PackingSetting(Base):
    """Whether a second person checks each prepared bottle before it may be handed over, at a site."""

    __tablename__ = "packing_setting"

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    second_check: Mapped[bool]
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class RecallSetting(Base):
    """How often a site calls bottles back at random, from how many on. Without a row it calls nobody back at random."""

    __tablename__ = "recall_setting"
    __table_args__ = (
        CheckConstraint("from_bottles BETWEEN 1 AND 28", name="from_bottles"),
        CheckConstraint("per_year BETWEEN 1 AND 12", name="per_year"),
        CheckConstraint("within_days BETWEEN 1 AND 7", name="within_days"),
        CheckConstraint("source <> ''", name="source"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    from_bottles: Mapped[int] = mapped_column(SmallInteger)
    per_year: Mapped[int] = mapped_column(SmallInteger)
    within_days: Mapped[int] = mapped_column(SmallInteger)
    """In how many days the bottles are to be brought."""
    source: Mapped[str]
    """The rule that asks for it, in the site's own words."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
