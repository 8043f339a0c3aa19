"""Removing what names a person from texts that are over; what is left counts them and tells no person from another."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, or_, select, union, update
from sqlalchemy.orm import Session

from notifications.models import Contact, Conversation, Inbound, Message, State
from notifications.places import rules_of
from notifications.queries import OPTED_IN_OUTCOME, OPTED_OUT_OUTCOME
from notifications.sealing import Vault, forgotten_reason
from notifications.service import NOT_TAKEN, WITHDRAWN

AT_ONCE = 500


def wipe_messages(
    session: Session,
    *,
    vault: Vault,
    place_id: UUID | None,
    now: datetime,
    most: int = AT_ONCE,
    keeping: Collection[UUID] = (),
) -> int:
    """Wipes up to `most` texts of a place that are over and older than it keeps them, and says how many.

    The number, the words, whose they were and what they were about go; the kind, the states and times, the segments and
    what they cost stay. A text for the same reason is still not queued a second time. With nothing as the place, the
    texts to numbers that nobody is known by. Texts of the recipients that are named to be kept stay, and so do those
    to a number of theirs of which nobody knows whom they were for.
    """
    before = now - timedelta(days=rules_of(session, place_id).keep_days)
    over = (
        select(Message.id, Message.reason_key)
        .where(
            Message.wiped_at.is_(None),
            Message.next_attempt_at.is_(None),
            Message.created_at < before,
            Message.valid_until < now,
            Message.place_id == place_id if place_id is not None else Message.place_id.is_(None),
        )
        .where(*_of_others(session, keeping))
        .order_by(Message.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return _wiped(session, vault, session.execute(over).all(), now)


def _wiped(session: Session, vault: Vault, rows: Sequence[Any], now: datetime) -> int:
    if rows:
        session.execute(
            update(Message),
            [
                {
                    "id": message_id,
                    "reason_key": forgotten_reason(vault, reason_key),
                    "recipient_id": None,
                    "phone_sealed": b"",
                    "phone_index": b"",
                    "body_sealed": b"",
                    "wiped_at": now,
                }
                for message_id, reason_key in rows
            ],
        )
    return len(rows)


def forget_recipient(
    session: Session,
    *,
    vault: Vault,
    recipient_id: UUID,
    now: datetime,
    whatever_is_on_its_way: bool = False,
) -> bool:
    """Leaves nothing that says how this recipient is reached or what was written to them and by them, at any age.

    What waits to be sent is withdrawn. What came while others had the number too is theirs as well, and stays as long
    as texts are kept. False, with nothing done, while a sender has a text to them in hand and it matters.
    """
    contact = session.get(Contact, recipient_id, with_for_update=True)
    theirs = select(Message.id, Message.reason_key, Message.state).where(Message.recipient_id == recipient_id)
    texts = session.execute(theirs.with_for_update()).all()
    if not whatever_is_on_its_way and any(each.state in (State.SENDING, State.UNKNOWN) for each in texts):
        return False
    session.execute(
        update(Message)
        .where(Message.recipient_id == recipient_id, Message.next_attempt_at.is_not(None))
        .values(state=State.EXPIRED, error_code=WITHDRAWN, next_attempt_at=None, changed_at=now, **NOT_TAKEN)
    )
    _wiped(session, vault, [(each.id, each.reason_key) for each in texts], now)
    _wipe_from(session, [Inbound.recipient_id == recipient_id, Inbound.wiped_at.is_(None)], now)
    if contact is not None:
        index = contact.phone_index
        shared = select(Contact.recipient_id).where(Contact.phone_index == index, Contact.recipient_id != recipient_id)
        if session.scalar(shared.limit(1)) is None:
            _wipe_from(session, [Inbound.phone_index == index, Inbound.wiped_at.is_(None)], now)
            session.execute(delete(Conversation).where(Conversation.phone_index == index))
        session.execute(delete(Contact).where(Contact.recipient_id == recipient_id))
    return True


def _of_others(session: Session, keeping: Collection[UUID]) -> list[ColumnElement[bool]]:
    if not keeping:
        return []
    theirs = and_(Message.recipient_id.is_(None), Message.phone_index.in_(_numbers_of(session, keeping)))
    return [or_(Message.recipient_id.is_(None), Message.recipient_id.not_in(keeping)), ~theirs]


def _numbers_of(session: Session, recipients: Collection[UUID]) -> Sequence[bytes]:
    """The digests of every number at which these are reached, or were by a text that still says so."""
    now = select(Contact.phone_index).where(Contact.recipient_id.in_(recipients))
    before = select(Message.phone_index).where(Message.recipient_id.in_(recipients), Message.wiped_at.is_(None))
    return session.scalars(union(now, before)).all()


def wipe_inbound(session: Session, *, keep_days: int, now: datetime, keeping: Collection[UUID] = ()) -> int:
    """Wipes the texts that came in and are older than so many days, and says how many.

    The digest of a number that opted out or in again stays: nobody reads a number from it, and the wish is honoured.
    What came from a number of the recipients that are named to be kept stays whole, also where they share it.
    """
    before = now - timedelta(days=keep_days)
    old: list[ColumnElement[bool]] = [Inbound.wiped_at.is_(None), Inbound.received_at < before]
    if keeping:
        old.append(Inbound.phone_index.not_in(_numbers_of(session, keeping)))
    return _wipe_from(session, old, now)


def _wipe_from(session: Session, old: list[ColumnElement[bool]], now: datetime) -> int:
    wishes = Inbound.outcome.in_((OPTED_OUT_OUTCOME, OPTED_IN_OUTCOME))
    nothing = {"phone_sealed": b"", "body_sealed": b"", "recipient_id": None, "wiped_at": now}
    session.execute(update(Inbound).where(*old, wishes).values(**nothing))
    wiped = session.scalars(update(Inbound).where(*old).values(phone_index=b"", **nothing).returning(Inbound.id)).all()
    return len(wiped)


def end_conversations(session: Session, *, now: datetime) -> None:
    """Removes what phones were asked and can no longer answer."""
    session.execute(delete(Conversation).where(Conversation.expires_at < now))
