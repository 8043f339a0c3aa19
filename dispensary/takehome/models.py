"""Tables of the take-home room: versions of policies, what they said of a client, what the doctor decided."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
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
        CheckConstraint("kind IN ('grant', 'one_off', 'suspension', 'by_law')", name="kind"),
        CheckConstraint("(kind = 'by_law') = (decided_by IS NULL)", name="a_person_or_the_law"),
        CheckConstraint("consecutive BETWEEN 0 AND 28", name="consecutive"),
        CheckConstraint("weekdays <@ ARRAY[0, 1, 2, 3, 4, 5, 6]::smallint[]", name="weekdays"),
        CheckConstraint("kind <> 'suspension' OR review_on IS NOT NULL", name="suspension_is_reviewed"),
        CheckConstraint(
            "kind <> 'one_off' OR (occasion IN ('travel', 'holiday', 'illness', 'closure', 'work', 'other')"
            " AND NOT upper_inf(days))",
            name="one_off_has_occasion",
        ),
        CheckConstraint("naloxone IN ('given', 'declined', 'has_one')", name="naloxone"),
        Index(None, "client_id"),
        Index(None, "assessment_id"),
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
    closed_days_in_a_row: Mapped[int | None] = mapped_column(SmallInteger)
    """Of a run of closed days so many are kept apart, at most; nothing means all of them."""
    consecutive: Mapped[int | None] = mapped_column(SmallInteger)
    """Take-home dose days in a row, at most; nothing means no limit of its own."""
    weekdays: Mapped[list[int] | None] = mapped_column(ARRAY(SmallInteger))
    """The weekly pattern: only on these weekdays (Monday is 0) is the dose taken at home."""
    kind: Mapped[str] = mapped_column(default="grant")
    occasion: Mapped[str | None]
    """Of a one-off decision: what it is for."""
    review_on: Mapped[date | None]
    agreement_signed_on: Mapped[date | None]
    naloxone: Mapped[str | None]
    """What became of the naloxone that is offered at each start and renewal."""
    continues_id: Mapped[UUID | None] = mapped_column(ForeignKey("decision.id"))
    """The decision whose remaining days this one carries on after a one-off or a suspension."""
    differs: Mapped[bool]
    """Whether it allows something other than the assessment."""
    reason: Mapped[str] = mapped_column(default="")
    decided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody where a limit of the law cut a decision."""
    decided_at: Mapped[datetime]
    voided_at: Mapped[datetime | None]
    """Set when another decision took its place before its first day."""
