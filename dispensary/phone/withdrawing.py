"""Taking back texts that nobody has tried to send yet, and knowing who may have had one already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select

import notifications.service
from dispensary.database import ReadSession, WriteSession
from dispensary.units import ClientId
from notifications.models import Message, State


def heard(session: ReadSession, keys: Sequence[str]) -> set[ClientId]:
    """To whom one of these texts may have gone."""
    out = (State.SENDING, State.UNKNOWN, State.SENT, State.DELIVERED)
    found = session.scalars(select(Message.recipient_id).where(Message.reason_key.in_(keys), Message.state.in_(out)))
    return {ClientId(each) for each in found if each is not None}


def waiting(session: WriteSession, which: ColumnElement[bool]) -> Sequence[Message]:
    """The texts of these that nobody has tried to send yet, locked.

    A sender that claims texts passes over what is locked here; one that it has claimed is not `queued` any more.
    """
    queued = select(Message).where(which, Message.state == State.QUEUED).order_by(Message.id)
    return session.scalars(queued.with_for_update()).all()


def withdraw(session: WriteSession, messages: Iterable[Message], at: datetime) -> set[ClientId]:
    """Takes texts back before they are sent; returns whose they were."""
    spared = set()
    for message in messages:
        notifications.service.move(
            session,
            message_id=message.id,
            state=State.EXPIRED,
            code=notifications.service.WITHDRAWN,
            provider_id=None,
            now=at,
        )
        assert message.recipient_id is not None, "a closure is told to somebody we know"
        spared.add(ClientId(message.recipient_id))
    return spared
