"""What a site has otherwise than the house of what each role may do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class SitePermission(Base):
    """A role may, or may not, do an act at a site, other than at every other one. No row: as the house has it.

    It counts within the bounds of the program's own document (permissions.toml) and not beyond; who changed what before
    this stands in the audit trail.
    """

    __tablename__ = "site_permission"
    __table_args__ = (
        CheckConstraint("role <> '' AND act <> ''", name="says_who_and_what"),
        CheckConstraint("length(reason) >= 5", name="reason"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    role: Mapped[str] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)
    allowed: Mapped[bool]
    since: Mapped[datetime]
    set_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """None: on the command line, by the program itself."""
    reason: Mapped[str]


__all__ = ["SitePermission"]
