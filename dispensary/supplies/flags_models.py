"""Tables of stop flags: what stops a dose or a bottle, or is said first, until its owner clears it; and the answers."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Days, Id
from dispensary.units import AccountId, ClientId, SiteId


class StopFlag(Base):
    """What stands at a client for the counter to obey or to say, until its owner clears it or its days are over."""

    __tablename__ = "stop_flag"
    __table_args__ = (
        Index(None, "client_id", "set_at"),
        Index("ix_stop_flag_live", "client_id", postgresql_where=text("cleared_at IS NULL")),
        CheckConstraint("kind IN ('stop_dose', 'stop_bottles', 'say_first')", name="kind"),
        CheckConstraint("sentence <> ''", name="has_sentence"),
        CheckConstraint("NOT isempty(days) AND NOT lower_inf(days)", name="days"),
        CheckConstraint("owner_role IN ('doctor', 'pharmacist', 'nurse')", name="owner_role"),
        CheckConstraint("num_nonnulls(owner_id, owner_role) = 1", name="one_owner"),
        CheckConstraint(
            "(cleared_at IS NULL) = (cleared_by IS NULL) AND (cleared_at IS NULL) = (clear_reason = '')",
            name="cleared_by_somebody",
        ),
    )

    id: Mapped[Id]
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    kind: Mapped[str]
    """`stop_dose` and `stop_bottles` withhold; `say_first` is a message and withholds nothing."""
    sentence: Mapped[str]
    days: Mapped[Days]
    """The dose days on which it stands; without an end it stands until it is cleared."""
    owner_id: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    owner_role: Mapped[str | None]
    """Anybody with this role at the site may clear it; else `owner_id` alone."""
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]
    cleared_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    cleared_at: Mapped[datetime | None]
    clear_reason: Mapped[str] = mapped_column(default="")


class FlagAnswer(Base):
    """What became of a message at the counter: it was said, or it is to be said another time."""

    __tablename__ = "flag_answer"
    __table_args__ = (
        Index(None, "flag_id"),
        Index("uq_flag_answer_said", "flag_id", unique=True, postgresql_where=text("said AND NOT twice")),
    )

    id: Mapped[Id]
    flag_id: Mapped[UUID] = mapped_column(ForeignKey("stop_flag.id"))
    supply_id: Mapped[UUID | None] = mapped_column(ForeignKey("supply.id"))
    """The hand-over at which it was answered; nothing when nothing was handed over."""
    said: Mapped[bool]
    answered_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    answered_at: Mapped[datetime]
    twice: Mapped[bool] = mapped_column(default=False, server_default="false")
    """Whether it had been said at another site already, while one of them was apart."""
