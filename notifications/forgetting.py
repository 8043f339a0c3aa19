"""Removing what names a person from texts that are over; what is left counts them and tells no person from another."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from notifications.models import Conversation, Inbound, Message
from notifications.places import rules_of
from notifications.queries import OPTED_IN_OUTCOME, OPTED_OUT_OUTCOME
from notifications.sealing import Vault, forgotten_reason

AT_ONCE = 500


def wipe_messages(session: Session, *, vault: Vault, place_id: UUID | None, now: datetime, most: int = AT_ONCE) -> int:
    """Wipes up to `most` texts of a place that are over and older than it keeps them, and says how many.

    The number, the words, whose they were and what they were about go; the kind, the states and times, the segments and
    what they cost stay. A text for the same reason is still not queued a second time. With nothing as the place, the
    texts to numbers that nobody is known by.
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
        .order_by(Message.created_at)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(over).all()
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


def wipe_inbound(session: Session, *, keep_days: int, now: datetime) -> int:
    """Wipes the texts that came in and are older than so many days, and says how many.

    The digest of a number that opted out or in again stays: nobody reads a number from it, and the wish is honoured.
    """
    before = now - timedelta(days=keep_days)
    old: list[ColumnElement[bool]] = [Inbound.wiped_at.is_(None), Inbound.received_at < before]
    wishes = Inbound.outcome.in_((OPTED_OUT_OUTCOME, OPTED_IN_OUTCOME))
    session.execute(update(Inbound).where(*old, wishes).values(phone_sealed=b"", body_sealed=b"", wiped_at=now))
    wiped = session.scalars(
        update(Inbound)
        .where(*old)
        .values(phone_sealed=b"", body_sealed=b"", phone_index=b"", wiped_at=now)
        .returning(Inbound.id)
    ).all()
    return len(wiped)


def end_conversations(session: Session, *, now: datetime) -> None:
    """Removes what phones were asked and can no longer answer."""
    session.execute(delete(Conversation).where(Conversation.expires_at < now))
