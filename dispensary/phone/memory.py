"""What a phone was last asked or offered, as this house means it, and how many texts in a row nobody understood."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import exists, select

from dispensary.database import ReadSession, WriteSession
from notifications import conversation
from notifications.commands import Verb
from notifications.models import Message, State
from notifications.sealing import phone_digests

REPLY = "reply:"
"""How the reason of every text begins that answers another."""
CONFIRM_WITHIN = timedelta(hours=1)
"""An OK that comes later than this confirms nothing."""


class Ask(StrEnum):
    """What the phone was told last that its next text may answer."""

    SLOT = "slot"
    """Free times, to be chosen by number."""
    BOOKING = "booking"
    """Bookings, to be chosen by number."""
    TIME = "time"
    """For which day and time?"""
    REGULAR = "regular"
    """Shall it be booked every week? OK does it."""
    CONFIRM = "confirm"
    """Shall it be done? OK does it."""
    INSTEAD = "instead"
    """There is a booking on that day already; MOVE takes it to the time that was wanted."""
    ELSEWHEN = "elsewhen"
    """Not then; SLOTS shows what is free near it."""
    FEEDBACK = "feedback"
    """And the wait? A digit says how long it felt."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A question or an offer, kept as ids and moments alone."""

    ask: Ask
    do: Verb
    """What is done with the answer: book, move or drop."""
    since: datetime
    holder: UUID | None = None
    """Whose the booking is to be, when that is known."""
    booking: UUID | None = None
    """The booking that is to be moved or dropped."""
    starts: tuple[datetime, ...] = ()
    """The slots on offer, in the order of their numbers; or the one that is meant."""
    bookings: tuple[UUID, ...] = ()
    """The bookings to choose from, in the order of their numbers and of `starts`."""
    day: date | None = None
    time: time | None = None
    either_half: bool = False
    full: datetime | None = None
    """The full slot that they wanted, for LIST to wait for."""
    every: tuple[int, ...] = ()
    """The weekdays that are wanted every week."""
    answer: UUID | None = None
    """What was answered to the first question, for the second to be added to."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that is known of a phone between two of its texts."""

    asked: Asked | None = None
    missed: int = 0
    """Texts in a row that were not understood."""
    said: UUID | None = None
    """Our last answer. The ids of messages are in the order in which they were queued."""
    held: UUID | None = None
    """A text that came in and waits for the PIN of whoever wrote it."""


def recall(session: ReadSession, *, phone: str, at: datetime) -> Memory:
    """What this phone was last asked or offered. A question that has gone stale is not among it.

    An OK answers the latest text that asks for one. So a question counts no more once anything but a reply was sent to
    the phone: “OK” to a reminder must not give up the booking that it reminds of.
    """
    kept: dict[str, Any] | None = conversation.recall(session, vault=session.vault, phone=phone, now=at)
    memory = msgspec.convert(kept, Memory) if kept is not None else Memory()
    asked = memory.asked
    if asked is None or asked.ask not in (Ask.CONFIRM, Ask.REGULAR):
        return memory
    stale = at - asked.since > CONFIRM_WITHIN or written_to_since(session, phone, memory.said)
    return msgspec.structs.replace(memory, asked=None) if stale else memory


def written_to_since(session: ReadSession, phone: str, said: UUID | None) -> bool:
    """Whether a text was queued to this phone after that message that answered nothing, such as a reminder.

    A question that was never sent, as to a phone that wants no texts, is as good as one that others have followed.
    """
    if said is None:
        return True
    of_our_own = exists().where(
        Message.phone_index.in_(phone_digests(session.vault, phone)),
        Message.id > said,
        ~Message.reason_key.startswith(REPLY, autoescape=True),
    )
    return bool(session.scalar(select(of_our_own)))


@dataclass(frozen=True)
class Told:
    """A text of ours that answered nothing, such as a reminder."""

    kind: str
    recipient_id: UUID | None
    at: datetime


def told_since(session: ReadSession, phone: str, said: UUID | None, *, kinds: Collection[str] = ()) -> Told | None:
    """The latest text to this phone since that message that answered nothing; of these kinds alone, when any is named.

    One that expired, or was taken back before anybody read it, is none.
    """
    newest = select(Message.kind, Message.recipient_id, Message.created_at).where(
        Message.phone_index.in_(phone_digests(session.vault, phone)),
        ~Message.reason_key.startswith(REPLY, autoescape=True),
        Message.state != State.EXPIRED,
    )
    if said is not None:
        newest = newest.where(Message.id > said)
    if kinds:
        newest = newest.where(Message.kind.in_(kinds))
    row = session.execute(newest.order_by(Message.id.desc()).limit(1)).first()
    return Told(*row) if row is not None else None


def keep(session: WriteSession, *, phone: str, memory: Memory, at: datetime) -> None:
    """Keeps this for the phone's next text, in place of what was kept before."""
    if memory.asked is None and not memory.missed and memory.held is None:
        conversation.forget(session, vault=session.vault, phone=phone)
    else:
        conversation.remember(session, vault=session.vault, phone=phone, state=msgspec.to_builtins(memory), now=at)
