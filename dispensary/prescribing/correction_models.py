"""The table of what was learned of a closed day after it had closed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from dispensary.columns import Base
from dispensary.units import AccountId, ClientId, DoseDay, Milligrams


class DayCorrection(Base):
    """A closed day's portion was otherwise than it was frozen: a supply was voided or entered late, a bottle came back.

    The frozen row stands; the view `day_as_known` shows it as the last correction says. What the order was is never
    corrected: only what was given.
    """

    __tablename__ = "day_correction"
    __table_args__ = (
        ForeignKeyConstraint(
            ["client_id", "dose_day", "portion"],
            ["day_outcome.client_id", "day_outcome.dose_day", "day_outcome.portion"],
            name="fk_day_correction_day_outcome",
        ),
        CheckConstraint("outcome IN ('observed', 'take_home', 'missed', 'held')", name="outcome"),
        CheckConstraint("(outcome IN ('observed', 'take_home')) = (given_mg > 0)", name="given"),
        CheckConstraint("reason <> ''", name="has_reason"),
    )

    client_id: Mapped[ClientId] = mapped_column(primary_key=True)
    dose_day: Mapped[DoseDay] = mapped_column(primary_key=True)
    portion: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    no: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    outcome: Mapped[str]
    given_mg: Mapped[Milligrams]
    reason: Mapped[str]
    supply_id: Mapped[UUID | None]
    """The supply that was voided or entered late; nothing for a bottle that came back full."""
    account_id: Mapped[AccountId] = mapped_column(ForeignKey("account.id"))
    at: Mapped[datetime]
