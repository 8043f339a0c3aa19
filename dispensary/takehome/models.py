"""Tables of the take-home room: versions of policies, what they said of a client, what the doctor decided."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Days, Digest, Id
from dispensary.units import AccountId, ClientId, SiteId


class PolicyVersion(Base):
    """A published version of a policy, kept word for word, so that an old assessment can be replayed."""

    __tablename__ = "policy_version"
    __table_args__ = (UniqueConstraint("policy", "version"),)

    id: Mapped[Id]
    policy: Mapped[str]
    version: Mapped[str]
    document: Mapped[str]
    """The TOML as it was published."""
    sha256: Mapped[Digest]
    status: Mapped[str]
    published_at: Mapped[datetime]


class PolicyAdoption(Base):
    """A site follows a version of a policy on these days; one at a time."""

    __tablename__ = "policy_adoption"
    __table_args__ = (
        ExcludeConstraint(("site_id", "="), ("days", "&&"), name="policy_adoption_no_overlap", using="gist"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    policy_version_id: Mapped[UUID] = mapped_column(ForeignKey("policy_version.id"))
    days: Mapped[Days]
    adopted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    adopted_at: Mapped[datetime]


class Assessment(Base):
    """What a policy says of one client on one day, with its inputs, so that it can be replayed to the same answer."""

    __tablename__ = "assessment"
    __table_args__ = (Index(None, "client_id", "on_day"),)

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    policy_version_id: Mapped[UUID] = mapped_column(ForeignKey("policy_version.id"))
    on_day: Mapped[date]
    inputs: Mapped[dict[str, Any]]
    inputs_sha256: Mapped[Digest]
    result: Mapped[dict[str, Any]]
    level: Mapped[str]
    made_at: Mapped[datetime]
    made_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


class Decision(Base):
    """What the doctor decided on an assessment: how many bottles, on which days, and why where it differs from it."""

    __tablename__ = "decision"
    __table_args__ = (
        ExcludeConstraint(
            ("episode_id", "="),
            ("days", "&&"),
            name="decision_no_overlap",
            using="gist",
            where=text("voided_at IS NULL"),
        ),
        CheckConstraint("per_supply BETWEEN 0 AND 28", name="per_supply"),
        CheckConstraint("per_week BETWEEN 0 AND 7", name="per_week"),
        CheckConstraint("NOT differs OR reason <> ''", name="difference_has_reason"),
        Index(None, "client_id"),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    episode_id: Mapped[UUID] = mapped_column(ForeignKey("episode.id"))
    assessment_id: Mapped[UUID] = mapped_column(ForeignKey("assessment.id"))
    days: Mapped[Days]
    per_supply: Mapped[int] = mapped_column(SmallInteger)
    """Take-home dose days handed over at once, at most; closed days apart where the policy says so."""
    per_week: Mapped[int | None] = mapped_column(SmallInteger)
    """Take-home dose days from Monday to Sunday, at most."""
    closed_days_apart: Mapped[bool]
    differs: Mapped[bool]
    """Whether it allows something other than the assessment."""
    reason: Mapped[str] = mapped_column(default="")
    decided_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    decided_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """Set when another decision took its place before its first day."""
