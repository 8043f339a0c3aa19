"""Tables of an outage: how a site's downtime pack is made, and what was entered afterwards from paper."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, SiteId


class DowntimeSetting(Base):
    """How a site's downtime pack is made. Without a row, or without a password, none is made."""

    __tablename__ = "downtime_setting"
    __table_args__ = (CheckConstraint("days_ahead BETWEEN 1 AND 7", name="days_ahead"),)

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    password_sealed: Mapped[bytes | None] = mapped_column(BYTEA)
    """The words that open a pack: sealed, since the program itself must lock each new pack with them."""
    days_ahead: Mapped[int] = mapped_column(SmallInteger, default=3)
    """How many dose days after today a pack lists."""
    copy_to: Mapped[str] = mapped_column(default="")
    """A folder that each pack is copied to, on another disk or computer; empty for none."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class LateEntry(Base):
    """A supply was written on paper during an outage and entered afterwards: when, by whom, against which rules.

    The supply itself says what the paper says: when it was handed over and by whom.
    """

    __tablename__ = "late_entry"
    __table_args__ = (
        Index(None, "site_id", "recorded_at"),
        CheckConstraint("line BETWEEN 1 AND 999", name="line"),
        CheckConstraint("NOT beyond_decision OR conflicts <> '{}'", name="beyond_is_named"),
    )

    supply_id: Mapped[UUID] = mapped_column(ForeignKey("supply.id"), primary_key=True)
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    recorded_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    sheet: Mapped[str] = mapped_column(default="")
    """What the sheet of paper is called."""
    line: Mapped[int | None] = mapped_column(SmallInteger)
    witnessed_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    """Who saw it, by the paper."""
    conflicts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What of it is against a rule: a code and the sentence that was shown before it was kept."""
    beyond_decision: Mapped[bool] = mapped_column(default=False)
    """Whether bottles were carried away that no take-home decision allowed: they cover their days all the same."""


__all__ = ["DowntimeSetting", "LateEntry"]
