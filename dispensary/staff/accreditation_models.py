"""What somebody on the staff has been accredited for by an authority, such as to assess severity."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Id
from dispensary.units import AccountId, SiteId


class Accreditation(Base):
    """An account holds an accreditation at a site, from a day until it ends. It is added, and ended once."""

    __tablename__ = "accreditation"
    __table_args__ = (
        CheckConstraint("kind <> '' AND kind = lower(kind)", name="kind"),
        CheckConstraint("until_day >= from_day", name="ends_after_it_begins"),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", name="ended_by_somebody"),
        Index(None, "account_id", "site_id"),
    )

    id: Mapped[Id]
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    kind: Mapped[str]
    """What it is for, in the authority's words and small letters."""
    seen: Mapped[str]
    """The paper that was seen: its number, and who issued it."""
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    """Its last day."""
    given_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    given_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))


__all__ = ["Accreditation"]
