"""The tables of what is asked for ahead: standing bookings, the waiting list with its offers, and a place's rules.

What the tables themselves hold to: a holder has one standing booking a weekday at a time, waits once for a day, is
never offered two places at once, and an offer ends once and for good.
"""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from scheduling.models import Base, Id, PlaceId, Small


class WaitState(StrEnum):
    """What became of a wish for a place. Only `waiting` is left for another state."""

    WAITING = "waiting"
    MET = "met"
    WITHDRAWN = "withdrawn"
    OVER = "over"
    """The day passed."""


class OfferState(StrEnum):
    """What became of an offer. Only `open` is left for another state, once."""

    OPEN = "open"
    TAKEN = "taken"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """Its time passed without an answer."""
    WITHDRAWN = "withdrawn"


class BookingRule(Base):
    """What a place has set for bookings. Without a row it is as `scheduling.rules.BookingRules` has it."""

    __tablename__ = "booking_rule"
    __table_args__ = (
        CheckConstraint("most_open BETWEEN 1 AND 400", name="most_open"),
        CheckConstraint("offer_minutes BETWEEN 5 AND 1440", name="offer_minutes"),
        CheckConstraint("offers_until > offers_from", name="offers"),
    )

    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"), primary_key=True)
    most_open: Mapped[int | None]
    """So many bookings of a holder may be open at once, standing ones not counted; nothing for as many as they like."""
    offer_minutes: Mapped[Small]
    """An offered place is kept for so many minutes."""
    offers_from: Mapped[time]
    """Places are offered from this time of day on, and until `offers_until`: nobody is woken for one."""
    offers_until: Mapped[time]


class Standing(Base):
    """A weekday and a time that a holder wants every week from a day until (not including) another, or until they say.

    Bookings are made from it up to the horizon. In the days of its pause none is.
    """

    __tablename__ = "standing"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("until_day >= from_day", name="until_after_from"),
        CheckConstraint("paused_until > paused_from", name="pause"),
        CheckConstraint("paused_until IS NULL OR paused_from IS NOT NULL", name="pause_begins"),
        ExcludeConstraint(
            ("holder_id", "="),
            ("place_id", "="),
            ("weekday", "="),
            (text("daterange(from_day, until_day)"), "&&"),
            name="ex_standing_one_a_weekday",
            using="gist",
        ),
        Index(None, "place_id"),
    )

    id: Mapped[Id]
    holder_id: Mapped[UUID]
    place_id: Mapped[PlaceId]
    weekday: Mapped[Small]
    """0 is Monday."""
    at: Mapped[time]
    """The start of the slot on the place's own clock."""
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    """The first day on which it no longer counts."""
    paused_from: Mapped[date | None]
    paused_until: Mapped[date | None]
    """The first day on which it counts again; nothing while nobody knows."""
    channel: Mapped[str]
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]


class StandingSkip(Base):
    """One day that a holder gave up of a standing booking, which goes on: none is made for that day again."""

    __tablename__ = "standing_skip"

    standing_id: Mapped[UUID] = mapped_column(ForeignKey("standing.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class Wait(Base):
    """A wish for a place on a full day, or in one full slot of it."""

    __tablename__ = "wait"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'met', 'withdrawn', 'over')", name="state"),
        CheckConstraint("(state = 'waiting') = (settled_at IS NULL)", name="settled"),
        Index(
            "uq_wait_one_a_day",
            "holder_id",
            "place_id",
            "day",
            unique=True,
            postgresql_where=text("state = 'waiting'"),
        ),
        Index("ix_wait_in_line", "place_id", "day", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[Id]
    place_id: Mapped[PlaceId]
    holder_id: Mapped[UUID]
    day: Mapped[date]
    starts_at: Mapped[datetime | None]
    """The slot that is wanted; nothing for whichever of the day."""
    groups: Mapped[list[str]] = mapped_column(ARRAY(Text))
    """Whose held places the holder may have, as it was when they asked."""
    channel: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=WaitState.WAITING)
    settled_at: Mapped[datetime | None]


class Offer(Base):
    """A place that is kept for the first in line until they answer or its time is over."""

    __tablename__ = "offer"
    __table_args__ = (
        ForeignKeyConstraint(["place_id", "starts_at"], ["slot.place_id", "slot.starts_at"]),
        CheckConstraint("state IN ('open', 'taken', 'declined', 'lapsed', 'withdrawn')", name="state"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        CheckConstraint("(state = 'taken') = (booking_id IS NOT NULL)", name="taken_is_booked"),
        CheckConstraint("expires_at > made_at", name="expires"),
        Index("uq_offer_one_open", "holder_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_offer_open", "place_id", "expires_at", postgresql_where=text("state = 'open'")),
        Index(None, "wait_id"),
        Index(None, "place_id", "starts_at"),
    )

    id: Mapped[Id]
    wait_id: Mapped[UUID] = mapped_column(ForeignKey("wait.id"))
    place_id: Mapped[PlaceId]
    holder_id: Mapped[UUID]
    starts_at: Mapped[datetime]
    share: Mapped[str]
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=OfferState.OPEN)
    settled_at: Mapped[datetime | None]
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("booking.id"))
