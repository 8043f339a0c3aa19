"""The tables of acts that must happen once: what was done about the queue under a key, and where closures sent people.

What the tables themselves hold to: an act is done once under its key, a booking has one case in a closure, and a case
is settled once and for good.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from scheduling.models import Base, Id, PlaceId


class CaseState(StrEnum):
    """What came of a booking whose day was closed. Only `open` is left for another state."""

    OPEN = "open"
    """Nobody has looked yet where it goes."""
    MOVED = "moved"
    BESIDE = "beside"
    """Its holder comes on the day where it would have gone anyway: it was dropped."""
    ASKED = "asked"
    """There was nowhere to move it: its holder is asked to choose, or called."""
    GONE = "gone"
    """Its holder gave it up or moved it first, or the day was opened again."""


class QueueAct(Base):
    """What was done about the queue under a key, and to whom: the same key again finds it, and does nothing more."""

    __tablename__ = "queue_act"
    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"), primary_key=True)
    key: Mapped[UUID] = mapped_column(primary_key=True)
    act: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visit.id"))
    done_at: Mapped[datetime]


class ClosureCase(Base):
    """A booking whose day was closed, and what came of it.

    It outlives its closure: whoever opens the day again reads here whom the closure had sent elsewhere.
    """

    __tablename__ = "closure_case"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'moved', 'beside', 'asked', 'gone')", name="state"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(state = 'moved') = (moved_to IS NOT NULL)", name="moved"),
        CheckConstraint("restored_at IS NULL OR state IN ('moved', 'beside')", name="restored"),
        UniqueConstraint("closure_id", "booking_id"),
        Index("ix_closure_case_open", "place_id", postgresql_where=text("state = 'open'")),
        Index(None, "booking_id"),
    )

    id: Mapped[Id]
    place_id: Mapped[PlaceId]
    closure_id: Mapped[UUID]
    """A closure that was opened again is gone; its cases are not."""
    booking_id: Mapped[UUID] = mapped_column(ForeignKey("booking.id"))
    state: Mapped[str] = mapped_column(default=CaseState.OPEN)
    settled_at: Mapped[datetime | None]
    moved_to: Mapped[UUID | None] = mapped_column(ForeignKey("booking.id"))
    restored_at: Mapped[datetime | None]
    """When the day was opened again, and its holder was offered it back, or given it."""
