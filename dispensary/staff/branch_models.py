"""Tables of the programme's tree: its areas, and roles that count at a whole branch. Sites hang on it (models.py)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, SiteId


class Area(Base):
    """A part of the programme: the country, a province of it, a district of a province. Sites lie in any of them."""

    __tablename__ = "area"
    __table_args__ = (
        UniqueConstraint("code"),
        CheckConstraint("kind IN ('country', 'province', 'district')", name="kind"),
        CheckConstraint("(kind = 'country') = (parent_id IS NULL)", name="root"),
        CheckConstraint("code ~ '^[A-Z0-9-]{1,12}$'", name="code"),
        CheckConstraint("name <> ''", name="name"),
        Index(None, "parent_id"),
        Index("uq_area_country", "kind", unique=True, postgresql_where=text("kind = 'country'")),
    )

    id: Mapped[Id]
    parent_id: Mapped[UUID | None] = mapped_column(ForeignKey("area.id"))
    kind: Mapped[str]
    code: Mapped[str]
    name: Mapped[str]
    zone: Mapped[str | None]
    """What a site that is opened under it has, unless it says otherwise; nothing where the area above says it."""
    language: Mapped[str | None]
    """Likewise."""
    made_at: Mapped[datetime]


class BranchGrant(Base):
    """An account has a role at every site of a branch: of an area, or of a main site with its satellites.

    PostgreSQL keeps a `role_grant` for each of those sites, and lets it follow whenever the tree changes.
    """

    __tablename__ = "branch_grant"
    __table_args__ = (
        UniqueConstraint(
            "account_id", "area_id", "site_id", "role", name="uq_branch_grant", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("num_nonnulls(area_id, site_id) = 1", name="one_branch"),
        Index(None, "area_id"),
        Index(None, "site_id"),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    area_id: Mapped[UUID | None] = mapped_column(ForeignKey("area.id"))
    site_id: Mapped[SiteId | None] = mapped_column(ForeignKey("site.id"))
    """The main site."""
    role: Mapped[str]
    granted_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Nobody: on the command line."""
    granted_at: Mapped[datetime]
