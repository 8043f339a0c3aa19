"""The tables of a place's time: its hours and closures, the slots that were booked, bookings, visits and tickets.

A slot has a row only once somebody booked it; every other slot follows from the hours. What the tables themselves hold
to: a slot never has more bookings and offers than its capacity, nor any that stand in a place held for others, a holder
has at most one booking a day at a place that was not given up, a booking leaves the state `booked` once and for good,
and a time stamp of a visit is written once.
"""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import (
    CheckConstraint,
    Date,
    DateTime,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> UUID:
    """A UUID version 7: unique without asking the database, and in order of creation."""
    return uuid_utils.compat.uuid7()


class BookingState(StrEnum):
    """What became of a booking. Only `booked` is left for another state, once."""

    BOOKED = "booked"
    DROPPED = "dropped"
    MOVED = "moved"
    ARRIVED = "arrived"
    MISSED = "missed"


Id = Annotated[UUID, mapped_column(Uuid, primary_key=True, default=new_id)]
PlaceId = Annotated[UUID, mapped_column(Uuid, ForeignKey("place.id"))]
Small = Annotated[int, mapped_column(SmallInteger)]

WAITS = "at_window IS NULL AND started_at IS NULL AND ended_at IS NULL AND aside_at IS NULL"
"""A visit whose holder can be called."""

HOLDS_A_PLACE = "state IN ('booked', 'arrived', 'missed')"
"""A booking counts in its slot, and is its holder's one of that day, unless it was dropped or moved."""


class Base(DeclarativeBase):
    """The tables of this house. Moments are timestamptz, days the place's local dates, hours its wall clock."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        date: Date,
        time: Time,
        UUID: Uuid,
        str: Text,
        int: Integer,
        dict[str, Any]: JSONB,
        BookingState: Enum(
            BookingState,
            native_enum=False,
            create_constraint=False,
            length=10,
            values_callable=lambda states: [state.value for state in states],
        ),
    }


class Place(Base):
    """Somewhere with opening hours. Its id is the caller's, opaque to this house."""

    __tablename__ = "place"
    __table_args__ = (
        CheckConstraint("lead_minutes BETWEEN 0 AND 20160", name="lead"),
        CheckConstraint("horizon_days BETWEEN 1 AND 400", name="horizon"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    zone: Mapped[str]
    """An IANA time zone, such as Asia/Kuala_Lumpur."""
    lead_minutes: Mapped[Small]
    """A slot can be booked until this many minutes before it starts."""
    horizon_days: Mapped[Small]
    """A slot can be booked at most this many days ahead."""


class Opening(Base):
    """One stretch of one weekday's hours, in force from a day until (not including) another; history stays."""

    __tablename__ = "opening"
    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday"),
        CheckConstraint("closes > opens", name="closes_after_it_opens"),
        CheckConstraint("slot_minutes BETWEEN 1 AND 1440", name="slot_minutes"),
        CheckConstraint("capacity >= 1", name="capacity"),
        CheckConstraint("windows >= 1", name="windows"),
        CheckConstraint("shares_fit(capacity, 0, held, '{}'::jsonb)", name="held"),
        CheckConstraint("until_day >= from_day", name="until_after_from"),
        ExcludeConstraint(
            ("place_id", "="),
            ("weekday", "="),
            (text("daterange(from_day, until_day)"), "&&"),
            (text("int4range(extract(epoch FROM opens)::integer, extract(epoch FROM closes)::integer)"), "&&"),
            name="ex_opening_no_overlap",
            using="gist",
        ),
    )

    id: Mapped[Id]
    place_id: Mapped[PlaceId]
    weekday: Mapped[Small]
    """0 is Monday."""
    opens: Mapped[time]
    closes: Mapped[time]
    slot_minutes: Mapped[Small]
    capacity: Mapped[Small]
    """How many people one slot takes."""
    windows: Mapped[Small]
    """How many counters serve at once."""
    held: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """How many of a slot's places are held for whom: a neutral word and a number each. Zero holds nothing."""
    from_day: Mapped[date]
    until_day: Mapped[date | None]
    """The first day on which it no longer counts; equal to `from_day` when it was replaced before it began."""


class Closure(Base):
    """Days, from the first to the last inclusive, on which the place stays shut whatever its hours say."""

    __tablename__ = "closure"
    __table_args__ = (
        CheckConstraint("last_day >= first_day", name="last_after_first"),
        Index(None, "place_id", "first_day"),
    )

    id: Mapped[Id]
    place_id: Mapped[PlaceId]
    first_day: Mapped[date]
    last_day: Mapped[date]
    reason: Mapped[str]


class Slot(Base):
    """A slot that somebody booked or was offered: how many places it has and how many are taken.

    `capacity` and `held` are what the hours said when a place was last taken, as far as what was taken before left room
    for it. Whoever takes a place holds the row while they look, so that any number of simultaneous bookings stops at
    the capacity; and the table refuses a row in which places held for some are taken by others.
    """

    __tablename__ = "slot"
    __table_args__ = (
        CheckConstraint("booked >= 0 AND booked <= capacity", name="within_capacity"),
        CheckConstraint("shares_fit(capacity, booked, held, held_booked)", name="shares"),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index(None, "place_id", "day"),
    )

    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"), primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(primary_key=True)
    ends_at: Mapped[datetime]
    day: Mapped[date]
    capacity: Mapped[Small]
    booked: Mapped[Small]
    """By bookings that hold a place, and by offers that wait for an answer."""
    held: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Of the capacity, how many places are held for whom."""
    held_booked: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Of the held places, how many are taken."""


class Booking(Base):
    """A holder's place in a slot, and what became of it. A move ends one booking and makes another."""

    __tablename__ = "booking"
    __table_args__ = (
        ForeignKeyConstraint(["place_id", "starts_at"], ["slot.place_id", "slot.starts_at"]),
        CheckConstraint("state IN ('booked', 'dropped', 'moved', 'arrived', 'missed')", name="state"),
        CheckConstraint("share <> '' OR NOT given", name="given_is_held"),
        UniqueConstraint("moved_from"),
        Index(
            "uq_booking_one_a_day",
            "holder_id",
            "place_id",
            "day",
            unique=True,
            postgresql_where=text(HOLDS_A_PLACE),
        ),
        Index(None, "place_id", "day"),
        Index(None, "place_id", "starts_at"),
        Index(None, "holder_id", "starts_at"),
        Index("ix_booking_to_come", "starts_at", postgresql_where=text("state = 'booked'")),
        Index("ix_booking_standing", "standing_id", postgresql_where=text("standing_id IS NOT NULL")),
    )

    id: Mapped[Id]
    holder_id: Mapped[UUID]
    place_id: Mapped[PlaceId]
    starts_at: Mapped[datetime]
    day: Mapped[date]
    state: Mapped[BookingState] = mapped_column(default=BookingState.BOOKED)
    channel: Mapped[str]
    """By what way it was made, such as `text` or `desk`."""
    made_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    """When it took its present state."""
    moved_from: Mapped[UUID | None] = mapped_column(ForeignKey("booking.id"))
    share: Mapped[str] = mapped_column(default="")
    """For whom the place that it takes was held; empty for a place that is open to all."""
    given: Mapped[bool] = mapped_column(default=False)
    """Whether somebody gave that held place to a holder for whom it was not held."""
    standing_id: Mapped[UUID | None] = mapped_column(ForeignKey("standing.id"))
    """The standing booking that it was made from."""


class TicketCounter(Base):
    """The last ticket given at a place on a day. Its row is locked by each check-in, so that tickets have no gaps."""

    __tablename__ = "ticket_counter"
    __table_args__ = (CheckConstraint("last >= 0", name="last"),)

    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    last: Mapped[int]


class QueueSetting(Base):
    """How a place calls those who wait; without a row what `scheduling.queue_rules` says of each figure holds."""

    __tablename__ = "queue_setting"
    __table_args__ = (
        CheckConstraint("walk_in_minutes BETWEEN 0 AND 240", name="walk_in_minutes"),
        CheckConstraint("back_minutes BETWEEN 0 AND 60", name="back_minutes"),
        CheckConstraint("most_skips BETWEEN 1 AND 9", name="most_skips"),
        CheckConstraint("missed_in_a_row BETWEEN 1 AND 30", name="missed_in_a_row"),
    )

    place_id: Mapped[UUID] = mapped_column(ForeignKey("place.id"), primary_key=True)
    walk_in_minutes: Mapped[Small]
    """So many minutes after they came, somebody without a booking stands as if their booked time began then."""
    back_minutes: Mapped[Small]
    """Who was called and was not there is called again after so many minutes, or when nobody else waits."""
    most_skips: Mapped[Small]
    """After so many calls in vain nobody calls them any more until a person was asked."""
    missed_in_a_row: Mapped[Small]
    """After so many bookings in a row that a holder did not come to, the caller is told."""
    groups: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    """The words that may be given at arrival, and by how many minutes each comes sooner: [{word, minutes}]."""
    windows: Mapped[list[str]] = mapped_column(JSONB)
    """The names of the windows, the first one's first; a window without a name has its number alone."""


class Visit(Base):
    """Somebody who came, under an anonymous ticket number; each time stamp is written once.

    Who has a window was called to it, or is served at it; who has none waits, unless they were set aside or have left.
    """

    __tablename__ = "visit"
    __table_args__ = (
        CheckConstraint("ticket >= 1", name="ticket"),
        CheckConstraint("at_window >= 1", name="at_window"),
        CheckConstraint("priority BETWEEN 0 AND 480", name="priority"),
        CheckConstraint("calls >= 0 AND skips BETWEEN 0 AND calls", name="skips_within_calls"),
        CheckConstraint("(calls > 0) = (last_called_at IS NOT NULL)", name="called_when_counted"),
        CheckConstraint("aside_at IS NULL OR at_window IS NULL", name="aside_at_no_window"),
        CheckConstraint("NOT left_unserved OR ended_at IS NOT NULL", name="left_has_ended"),
        UniqueConstraint("place_id", "day", "ticket"),
        UniqueConstraint("booking_id"),
        Index(
            "uq_visit_one_open",
            "holder_id",
            "place_id",
            "day",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index(
            "ix_visit_waiting",
            "place_id",
            "day",
            postgresql_where=text(WAITS),
        ),
    )

    id: Mapped[Id]
    place_id: Mapped[PlaceId]
    holder_id: Mapped[UUID]
    day: Mapped[date]
    ticket: Mapped[int]
    booking_id: Mapped[UUID | None] = mapped_column(ForeignKey("booking.id"))
    at_window: Mapped[Small | None]
    arrived_at: Mapped[datetime]
    called_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    group_word: Mapped[str] = mapped_column(default="")
    """A word given at arrival for why they come sooner; this house reads nothing into it."""
    priority: Mapped[Small] = mapped_column(default=0)
    """By how many minutes they come sooner."""
    calls: Mapped[Small] = mapped_column(default=0)
    """How often they were called."""
    last_called_at: Mapped[datetime | None]
    skips: Mapped[Small] = mapped_column(default=0)
    """How often they were called and were not there."""
    back_at: Mapped[datetime | None]
    """Until then others are called first."""
    aside_at: Mapped[datetime | None]
    """Since when nobody calls them until a person was asked: they were not there too often."""
    left_unserved: Mapped[bool] = mapped_column(default=False)
    """The visit ended, and they were not served."""
