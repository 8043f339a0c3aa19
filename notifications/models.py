"""The tables of this house: whom to write to, the outbox, what came in, and what a phone was last asked.

Numbers and texts are sealed; `phone_index` is the keyed digest by which a number is found. What the tables themselves
hold to: a text is queued once per reason and moment, an inbound message is kept once per gateway, and the state of a
message never goes back.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import uuid_utils.compat
from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Numeric,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
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


class State(StrEnum):
    """How far a message has come. It only moves on (see `notifications.rules.RANK`)."""

    QUEUED = "queued"
    """It waits for its first try."""
    SENDING = "sending"
    """A sender has it in hand, or was told by the gateway to try again later."""
    UNKNOWN = "unknown"
    """A try ended without an answer. It is looked up at the gateway before anything else is done with it."""
    SENT = "sent"
    """The gateway took it."""
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    """The network gave up on it."""
    FAILED = "failed"
    """The gateway refused it, or the tries came to their end."""
    EXPIRED = "expired"
    """It would have come too late to be of use, and was not sent."""


class Wording(StrEnum):
    COVERT = "covert"
    """The text says when, and nothing of who writes."""
    OPEN = "open"
    """The text begins with the name under which the place writes."""


Sealed = Annotated[bytes, mapped_column(BYTEA)]
Digest = Annotated[bytes, mapped_column(BYTEA)]

_STATES = ", ".join(f"'{state}'" for state in State)
LOST = (
    f"state IN ('{State.FAILED}', '{State.UNDELIVERED}', '{State.EXPIRED}')"
    f" OR (state = '{State.UNKNOWN}' AND next_attempt_at IS NULL)"
)
"""A text that was not or may not have been received: reception tells the client some other way."""
_WORDINGS = ", ".join(f"'{wording}'" for wording in Wording)


class Base(DeclarativeBase):
    """The tables of this house. Moments are timestamptz."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: DateTime(timezone=True),
        UUID: Uuid,
        str: Text,
        int: Integer,
        dict[str, Any]: JSONB,
    }


class Contact(Base):
    """The number, language and wishes of one recipient. Several recipients may share one phone."""

    __tablename__ = "contact"
    __table_args__ = (
        CheckConstraint(f"wording IN ({_WORDINGS})", name="wording"),
        Index(None, "phone_index"),
        Index("ix_contact_opted_out", "opted_out_at", postgresql_where=text("opted_out_at IS NOT NULL")),
    )

    recipient_id: Mapped[UUID] = mapped_column(primary_key=True)
    phone_sealed: Mapped[Sealed]
    phone_index: Mapped[Digest]
    language: Mapped[str]
    wording: Mapped[str]
    consented_at: Mapped[datetime | None]
    """When the recipient agreed to texts. Without it nothing is queued."""
    opted_out_at: Mapped[datetime | None]
    """When the number asked for no more texts. It is the number's wish: all who share the phone have it."""
    changed_at: Mapped[datetime]
    place_id: Mapped[UUID | None]
    """Whose rules hold for texts to them. Nothing: the house's own."""


class Message(Base):
    """A text in the outbox, with all that became of it."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint(f"state IN ({_STATES})", name="state"),
        CheckConstraint("provider_id IS NOT NULL OR state NOT IN ('sent', 'delivered', 'undelivered')", name="sent"),
        CheckConstraint("attempts >= 0", name="attempts"),
        CheckConstraint("segments >= 1", name="segments"),
        UniqueConstraint("reason_key"),
        UniqueConstraint("gateway", "provider_id"),
        Index("ix_message_due", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
        Index(None, "phone_index", "created_at"),
        Index(None, "recipient_id"),
        Index(None, "state", "changed_at"),
        Index(None, "created_at"),
        Index(None, "place_id", "created_at"),
        Index("ix_message_lost", "recipient_id", "changed_at", postgresql_where=text(LOST)),
        Index("ix_message_charged", "place_id", "charged_on", postgresql_where=text("charged_on IS NOT NULL")),
        CheckConstraint("(charged_on IS NULL) = (charge IS NULL)", name="charged"),
        CheckConstraint(
            "wiped_at IS NULL OR (next_attempt_at IS NULL AND recipient_id IS NULL"
            " AND phone_sealed = '' AND phone_index = '' AND body_sealed = '')",
            name="wiped",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    recipient_id: Mapped[UUID | None]
    """Nothing for a reply to a number that nobody here is known by."""
    phone_sealed: Mapped[Sealed]
    phone_index: Mapped[Digest]
    kind: Mapped[str]
    reason_key: Mapped[str]
    """What the text is about and the moment it is about: a second text with the same key is not queued."""
    language: Mapped[str]
    body_sealed: Mapped[Sealed]
    segments: Mapped[int] = mapped_column(SmallInteger)
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(SmallInteger)
    """How often a sender took it in hand; the number also tells one hold of it from the next."""
    next_attempt_at: Mapped[datetime | None]
    """When a sender looks at it next: to send, to look up, or because a hold ran out. Nothing once that is over."""
    claimed_at: Mapped[datetime | None]
    """When a sender took it in hand; nothing while nobody has it."""
    gateway: Mapped[str | None]
    provider_id: Mapped[str | None]
    error_code: Mapped[str | None]
    valid_until: Mapped[datetime]
    """After this moment it is not sent: a reminder after its slot is worse than none."""
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    place_id: Mapped[UUID | None]
    """Whose rules hold for it. Nothing: the house's own."""
    zone: Mapped[str]
    """The time zone in which its quiet hours and its day are counted."""
    is_reply: Mapped[bool]
    """It answers somebody who has just written: it goes at any hour, and on any day."""
    sent_at: Mapped[datetime | None]
    """When the gateway was known to have taken it."""
    charged_on: Mapped[date | None]
    """The local day whose money it is counted in, from when a sender takes it in hand until it surely was not taken."""
    charge: Mapped[Decimal | None] = mapped_column(Numeric(12, 4))
    """Its segments at the price of that day, nought where none was set."""
    wiped_at: Mapped[datetime | None]
    """When its number, its words and whose it was were removed; what is left tells no person from another."""


class Inbound(Base):
    """A text that came in, kept once, with what came of it."""

    __tablename__ = "inbound"
    __table_args__ = (
        UniqueConstraint("gateway", "message_id"),
        Index(None, "phone_index", "received_at"),
        Index("ix_inbound_kept", "received_at", postgresql_where=text("wiped_at IS NULL")),
        Index("ix_inbound_recipient_id", "recipient_id", postgresql_where=text("recipient_id IS NOT NULL")),
        CheckConstraint(
            "wiped_at IS NULL OR (phone_sealed = '' AND body_sealed = '' AND recipient_id IS NULL)", name="wiped"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    gateway: Mapped[str]
    message_id: Mapped[str]
    phone_sealed: Mapped[Sealed]
    phone_index: Mapped[Digest]
    body_sealed: Mapped[Sealed]
    recipient_id: Mapped[UUID | None]
    """Who had the number then, alone, and whose own key it lies under; nothing where several had it, or nobody."""
    received_at: Mapped[datetime]
    outcome: Mapped[str | None]
    """A word for what came of it, such as `booked` or `opted_out`."""
    reply_id: Mapped[UUID | None] = mapped_column(ForeignKey("message.id"))
    wiped_at: Mapped[datetime | None]
    """When its number and its words were removed. The digest of a number that opted out or in stays: it is honoured."""


class Conversation(Base):
    """What a phone was last offered or asked, until it is too old to be what an answer means."""

    __tablename__ = "conversation"

    phone_index: Mapped[Digest] = mapped_column(primary_key=True)
    state: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime]


class NumberExchange(Base):
    """Never has a row: one that is put in brings a number from one digest to another, in every table that has it.

    Whoever wires this house makes the guard that does it, since their own tables may have the number too.
    """

    __tablename__ = "number_exchange"

    was: Mapped[Digest] = mapped_column(primary_key=True)
    becomes: Mapped[Digest] = mapped_column(primary_key=True)


class PlaceRules(Base):
    """What a place has set for its texts; where it has no row, `waiting.DEFAULTS` holds."""

    __tablename__ = "text_rules"
    __table_args__ = (
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet"),
        CheckConstraint("price >= 0 AND cap >= 0", name="money"),
        CheckConstraint("cap IS NULL OR price IS NOT NULL", name="cap"),
        CheckConstraint("keep_days BETWEEN 7 AND 3650", name="keep_days"),
    )

    place_id: Mapped[UUID] = mapped_column(primary_key=True)
    quiet_from: Mapped[time | None]
    quiet_until: Mapped[time | None]
    price: Mapped[Decimal | None] = mapped_column(Numeric(10, 4))
    """What one segment costs, in `currency`."""
    currency: Mapped[str]
    cap: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    """The most that a day's texts may cost before those that can wait do so."""
    keep_days: Mapped[int] = mapped_column(SmallInteger)
    changed_at: Mapped[datetime]


class Pace(Base):
    """When the next text may go by a gateway: the one clock that all its senders go by, wherever they run."""

    __tablename__ = "gateway_pace"

    gateway: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime]
