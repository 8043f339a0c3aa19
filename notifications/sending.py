"""Sending what is due: a message is claimed, handed over with no transaction open, and its outcome written down.

A message is never handed over twice by us. Whoever claims it holds it alone (`SKIP LOCKED`); a hold runs out after
`rules.HOLD`, and what a dead sender held is unknown; what is unknown is looked up at the gateway before anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifications.gateways import Accepted, Gateway, Rejected, Seen, Unknown
from notifications.models import Message, State
from notifications.rules import HOLD, LOOK_UP_AFTER, wait_before_next
from notifications.sealing import MESSAGE_BODY, MESSAGE_PHONE, Vault
from notifications.service import move, opt_out

log = logging.getLogger(__name__)

Begin = Callable[[], AbstractContextManager[Session]]
"""Opens a unit of work that commits when its block ends."""

_SAFETY = timedelta(minutes=1)
"""A hold with less than this left is given back: one call to a gateway must end within it."""


@dataclass
class Sent:
    """What one round did."""

    claimed: int = 0
    sent: int = 0
    retried: int = 0
    """Refused for now; another try is due later."""
    failed: int = 0
    unknown: int = 0
    """No answer; to be looked up."""
    expired: int = 0
    given_back: int = 0
    """Not reached while the hold lasted, or the clash of two look-ups."""

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, field.name)} {field.name.replace('_', ' ')}" for field in fields(self))


@dataclass(frozen=True)
class _Held:
    """A message in this sender's hand. `attempts` tells this hold from a later one of the same message."""

    id: UUID
    attempts: int
    to: str
    body: str
    look_up_first: bool
    created_at: datetime
    valid_until: datetime


def send_due(begin: Begin, *, vault: Vault, gateway: Gateway, now: Callable[[], datetime], batch: int = 50) -> Sent:
    """Sends up to `batch` messages that are due, and says what became of them. `claimed` below `batch` is the end.

    `begin` opens a unit of work; none is open while the gateway is called. Many senders may run at once. A sender that
    is killed leaves its messages claimed; after `rules.HOLD` another one looks them up.
    """
    started = now()
    done = Sent()
    with begin() as session:
        held = _claim(session, vault, gateway, started, batch, done)
    for message in held:
        if now() > started + HOLD - _SAFETY:
            with begin() as session:
                _give_back(session, message, now())
            done.given_back += 1
            continue
        _see_through(begin, gateway, message, now, done)
    if done.claimed:
        log.info("texts sent", extra={field.name: getattr(done, field.name) for field in fields(done)})
    return done


def _claim(session: Session, vault: Vault, gateway: Gateway, now: datetime, batch: int, done: Sent) -> Sequence[_Held]:
    """Takes due messages in hand, each by this sender alone; what would come too late expires instead.

    A message that another gateway may have taken is left alone: this one could not look it up.
    """
    ours = or_(
        Message.gateway.is_(None),
        Message.gateway == gateway.name,
        and_(Message.state == State.SENDING, Message.claimed_at.is_(None)),
    )
    due = (
        select(Message)
        .where(Message.next_attempt_at <= now, ours)
        .order_by(Message.next_attempt_at, Message.id)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    held = []
    for message in session.scalars(due).all():
        done.claimed += 1
        left_by_the_dead = message.state == State.SENDING and message.claimed_at is not None
        look_up_first = left_by_the_dead or message.state == State.UNKNOWN
        if message.valid_until <= now and not look_up_first:
            move(session, message_id=message.id, state=State.EXPIRED, code=None, provider_id=None, now=now)
            done.expired += 1
            continue
        message.state = State.UNKNOWN if look_up_first else State.SENDING
        message.gateway = gateway.name
        message.attempts += 1
        message.claimed_at = now
        message.next_attempt_at = now + HOLD
        message.changed_at = now
        held.append(
            _Held(
                message.id,
                message.attempts,
                vault.open(MESSAGE_PHONE, message.id, message.phone_sealed),
                vault.open(MESSAGE_BODY, message.id, message.body_sealed),
                look_up_first,
                message.created_at,
                message.valid_until,
            )
        )
    session.flush()
    return held


def _see_through(begin: Begin, gateway: Gateway, message: _Held, now: Callable[[], datetime], done: Sent) -> None:
    """Looks up, sends and records one message."""
    if message.look_up_first:
        seen = _looked_up(gateway, message)
        if isinstance(seen, Unknown):
            with begin() as session:
                _record(session, message, seen, now(), done)
            return
        try:
            with begin() as session:
                if _found(session, gateway, message, seen, now(), done):
                    return
        except IntegrityError:  # another sender recognised the same text at the same moment; it is one text, and theirs
            with begin() as session:
                _give_back(session, message, now())
            done.given_back += 1
            return
    moment = now()
    if message.valid_until <= moment:
        with begin() as session:
            move(session, message_id=message.id, state=State.EXPIRED, code=None, provider_id=None, now=moment)
        done.expired += 1
        return
    outcome = _handed_over(gateway, message, moment)
    with begin() as session:
        _record(session, message, outcome, now(), done)


def _handed_over(gateway: Gateway, message: _Held, now: datetime) -> Accepted | Rejected | Unknown:
    valid = max(1, int((message.valid_until - now).total_seconds()))
    try:
        return gateway.send(message.to, message.body, message.id, valid)
    except Exception as reason:  # whatever it was, the text may have gone out
        log.error("a gateway failed", extra={"gateway": gateway.name, "failure": type(reason).__name__})
        return Unknown(type(reason).__name__)


def _looked_up(gateway: Gateway, message: _Held) -> Sequence[Seen] | Unknown:
    try:
        return gateway.look_up(message.to, message.body, message.id, message.created_at)
    except Exception as reason:
        log.error("a gateway failed", extra={"gateway": gateway.name, "failure": type(reason).__name__})
        return Unknown(type(reason).__name__)


def _found(session: Session, gateway: Gateway, message: _Held, seen: Sequence[Seen], now: datetime, done: Sent) -> bool:
    """Whether one of the texts that the gateway shows is this message; then it is recorded as sent.

    A text that another message of ours is known to be is not this one. Two messages with the same words to the same
    shared phone are told apart by that.
    """
    taken = set(
        session.scalars(
            select(Message.provider_id).where(
                Message.gateway == gateway.name,
                Message.provider_id.in_([text.provider_id for text in seen]),
                Message.id != message.id,
            )
        )
    )
    ours = next((text for text in seen if text.provider_id not in taken), None)
    if ours is None:
        return False
    move(session, message_id=message.id, state=ours.state, code=ours.code, provider_id=ours.provider_id, now=now)
    if ours.state is State.FAILED:
        done.failed += 1
    else:
        done.sent += 1
    return True


def _record(
    session: Session, message: _Held, outcome: Accepted | Rejected | Unknown, now: datetime, done: Sent
) -> None:
    match outcome:
        case Accepted(provider_id):
            move(session, message_id=message.id, state=State.SENT, code=None, provider_id=provider_id, now=now)
            done.sent += 1
        case Rejected(code, permanent, opted_out):
            wait = None if permanent else wait_before_next(message.attempts)
            if opted_out:
                index = session.scalar(select(Message.phone_index).where(Message.id == message.id))
                assert index is not None, "messages are never deleted"
                opt_out(session, index=index, now=now)
            if wait is None:
                move(session, message_id=message.id, state=State.FAILED, code=code, provider_id=None, now=now)
                done.failed += 1
            else:
                _put_down(session, message, {"error_code": code, "next_attempt_at": _next(message, now, wait)}, now)
                done.retried += 1
        case Unknown(reason):
            wait = wait_before_next(message.attempts)
            again = None if wait is None else _next(message, now, max(wait, LOOK_UP_AFTER))
            _put_down(session, message, {"state": State.UNKNOWN, "error_code": reason, "next_attempt_at": again}, now)
            done.unknown += 1


def _next(message: _Held, now: datetime, wait: timedelta) -> datetime:
    """The next try, or the end of the message's use when that comes first, so that reception hears of it then."""
    return min(now + wait, message.valid_until) if message.valid_until > now else now + wait


def _give_back(session: Session, message: _Held, now: datetime) -> None:
    """Lets go of a message that was not touched."""
    _put_down(session, message, {"next_attempt_at": now}, now)


def _put_down(session: Session, message: _Held, values: dict[str, object], now: datetime) -> None:
    """Lets go of a message that is still open, if this sender still has it in hand.

    After a longer pause than the hold, another sender has it; and a report may have come in before our own answer.
    """
    session.execute(
        update(Message)
        .where(
            Message.id == message.id,
            Message.attempts == message.attempts,
            Message.state.in_((State.SENDING, State.UNKNOWN)),
        )
        .values(claimed_at=None, changed_at=now, **values)
    )
