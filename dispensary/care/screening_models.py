"""Tables of screening: what a site has set of each instrument, what was asked of whom, and what it came to."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base, Sealed
from dispensary.units import AccountId, ClientId, SiteId


class InstrumentSetting(Base):
    """What a site has otherwise of an instrument. No row: as it ships, asked when somebody wants to, due never."""

    __tablename__ = "instrument_setting"
    __table_args__ = (
        CheckConstraint("every_months BETWEEN 1 AND 60", name="every_months"),
        CheckConstraint("positive_from BETWEEN 1 AND 20", name="positive_from"),
        CheckConstraint("risk_role IN ('doctor', 'nurse', 'pharmacist')", name="risk_role"),
        CheckConstraint("reason <> ''", name="reason"),
    )

    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"), primary_key=True)
    instrument: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[bool]
    every_months: Mapped[int | None] = mapped_column(SmallInteger)
    """From the beginning of a stay, and again so many months after the last; nothing: it is due never."""
    positive_from: Mapped[int | None] = mapped_column(SmallInteger)
    """The cut-off that this setting has found, for an instrument that has none for everywhere."""
    roles: Mapped[list[str]]
    accreditation: Mapped[str] = mapped_column(default="")
    """What whoever uses it must be accredited for; empty for nothing."""
    risk_role: Mapped[str] = mapped_column(default="doctor")
    """Whose alert it is when an answer says that somebody may end their life."""
    band_told: Mapped[bool] = mapped_column(server_default=text("false"), default=False)
    """Whether whoever asks without treating is told the band of the sum; without, only that it was asked."""
    reason: Mapped[str]
    set_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    set_at: Mapped[datetime]


class ScreeningTaken(Base):
    """An instrument was asked of a client on a day. Its answers are sealed; it is added, and taken back once."""

    __tablename__ = "screening"
    __table_args__ = (
        CheckConstraint("(voided_at IS NULL) = (voided_by IS NULL)", name="voided_by_somebody"),
        CheckConstraint("(voided_at IS NULL) = (void_reason_sealed IS NULL)", name="voided_with_reason"),
        Index(None, "client_id", "instrument", "taken_on"),
        Index(None, "site_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    """The key of the form: sent twice, it is one screening."""
    client_id: Mapped[ClientId] = mapped_column(ForeignKey("client.id"))
    site_id: Mapped[SiteId] = mapped_column(ForeignKey("site.id"))
    instrument: Mapped[str]
    taken_on: Mapped[date]
    taken_by: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    recorded_at: Mapped[datetime]
    answers_sealed: Mapped[Sealed]
    """The answers by their items, with the cut-off by which they were judged."""
    voided_at: Mapped[datetime | None]
    voided_by: Mapped[AccountId | None] = mapped_column(ForeignKey("account.id"))
    void_reason_sealed: Mapped[bytes | None] = mapped_column(BYTEA)


class ScreeningScore(Base):
    """What a part of a screening came to, for its course and for counting."""

    __tablename__ = "screening_score"

    screening_id: Mapped[UUID] = mapped_column(ForeignKey("screening.id"), primary_key=True)
    part: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[int] = mapped_column(SmallInteger)
    band: Mapped[str]


__all__ = ["InstrumentSetting", "ScreeningScore", "ScreeningTaken"]
