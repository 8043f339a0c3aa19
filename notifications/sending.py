"""Sending what is due: a message is claimed, handed over with no transaction open, and its outcome written down.

A message is never handed over twice by us. Whoever claims it holds it alone (`SKIP LOCKED`); a hold runs out after
`rules.HOLD`, and what a dead sender held is unknown; what is unknown is looked up at the gateway before anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from time import sleep

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from notifications.claiming import Held, claim
from notifications.gateways import Accepted, Gateway, Rejected, Seen, Unknown
from notifications.models import Message, State
from notifications.pacing import slow_down
from notifications.queries import opted_out_since
from notifications.rules import HOLD, LOOK_UP_AFTER, wait_before_next
from notifications.sealing import Vault
from notifications.service import NOT_TAKEN, OPTED_OUT, move, opt_out
from notifications.waiting import QUIET_HOURS

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
    waiting: int = 0
    """Put off by quiet hours or because the day's money is spent."""
    given_back: int = 0
    """Not reached while the hold lasted, or while the gateway would take more; or the clash of two look-ups."""
    more: bool = False
    """As many were due as one round takes: there may be more."""

    def counts(self) -> dict[str, int]:
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "more"}

    def __str__(self) -> str:
        return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in self.counts().items())


def send_due(
    begin: Begin,
    *,
    vault: Vault,
    gateway: Gateway,
    now: Callable[[], datetime],
    batch: int = 50,
    pause: Callable[[float], object] = sleep,
) -> Sent:
    """Sends up to `batch` messages that are due, and says what became of them. Without `more` it was all of them.

    `begin` opens a unit of work; none is open while the gateway is called. Many senders may run at once, and go by one
    clock where the gateway has a rate; `pause` waits so many seconds for a turn. A sender that is killed leaves its
    messages claimed; after `rules.HOLD` another one looks them up.
    """
    started = now()
    with begin() as session:
        claimed = claim(session, vault=vault, gateway=gateway, now=started, batch=batch)
    done = Sent(
        claimed=claimed.seen,
        failed=claimed.failed,
        expired=claimed.expired,
        waiting=claimed.waiting,
        more=claimed.full,
    )
    enough = False
    for number, message in enumerate(claimed.held):
        if not enough and (early := (claimed.turns.of(number) - now()).total_seconds()) > 0:
            pause(early)
        if enough or now() > started + HOLD - _SAFETY:
            with begin() as session:
                _give_back(session, message, now())
            done.given_back += 1
            continue
        enough = _see_through(begin, gateway, message, now, done)
    done.more = done.more and not enough
    if done.claimed:
        log.info("texts sent", extra=done.counts())
    return done


def _see_through(begin: Begin, gateway: Gateway, message: Held, now: Callable[[], datetime], done: Sent) -> bool:
    """Looks up, sends and records one message; says whether the gateway wants no more for now."""
    if message.look_up_first:
        seen = _looked_up(gateway, message)
        try:
            with begin() as session:
                if isinstance(seen, Unknown):
                    _record(session, gateway, message, seen, now(), done)
                    return False
                if _found(session, gateway, message, seen, now(), done) or _too_late(session, message, now(), done):
                    return False
        except IntegrityError:  # another sender recognised the same text at the same moment; it is one text, and theirs
            with begin() as session:
                _give_back(session, message, now())
            done.given_back += 1
            return False
    moment = now()
    if message.valid_until <= moment:
        with begin() as session:
            _end(session, message, State.EXPIRED, None, moment)
        done.expired += 1
        return False
    outcome = _handed_over(gateway, message, moment)
    with begin() as session:
        _record(session, gateway, message, outcome, now(), done)
    return isinstance(outcome, Rejected) and outcome.slow_down


def _too_late(session: Session, message: Held, now: datetime, done: Sent) -> bool:
    """Whether a message that the gateway surely has not may not be sent now: its number opted out, or it is night."""
    sleeps = message.sleeps_until
    if opted_out_since(session, _index_of(session, message)) is not None:
        _end(session, message, State.FAILED, OPTED_OUT, now)
        done.failed += 1
    elif sleeps is not None and message.valid_until <= sleeps:
        _end(session, message, State.EXPIRED, QUIET_HOURS, now)
        done.expired += 1
    elif sleeps is not None:
        _put_down(session, message, {"next_attempt_at": sleeps, "error_code": QUIET_HOURS}, now)
        done.waiting += 1
    else:
        return False
    return True


def _end(session: Session, message: Held, state: State, code: str | None, now: datetime) -> None:
    move(session, message_id=message.id, state=state, code=code, provider_id=None, now=now, not_taken=True)


def _handed_over(gateway: Gateway, message: Held, now: datetime) -> Accepted | Rejected | Unknown:
    valid = max(1, int((message.valid_until - now).total_seconds()))
    try:
        return gateway.send(message.to, message.body, message.id, valid)
    except Exception as reason:  # whatever it was, the text may have gone out
        log.error("a gateway failed", extra={"gateway": gateway.name, "failure": type(reason).__name__})
        return Unknown(type(reason).__name__)


def _looked_up(gateway: Gateway, message: Held) -> Sequence[Seen] | Unknown:
    try:
        return gateway.look_up(message.to, message.body, message.id, message.created_at)
    except Exception as reason:
        log.error("a gateway failed", extra={"gateway": gateway.name, "failure": type(reason).__name__})
        return Unknown(type(reason).__name__)


def _found(session: Session, gateway: Gateway, message: Held, seen: Sequence[Seen], now: datetime, done: Sent) -> bool:
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


def _index_of(session: Session, message: Held) -> bytes:
    """The digest of its number as it is now: keys may have been exchanged while it was in hand."""
    return session.scalars(select(Message.phone_index).where(Message.id == message.id)).one()


def _record(
    session: Session, gateway: Gateway, message: Held, outcome: Accepted | Rejected | Unknown, now: datetime, done: Sent
) -> None:
    match outcome:
        case Accepted(provider_id):
            _by_itself(session)
            move(session, message_id=message.id, state=State.SENT, code=None, provider_id=provider_id, now=now)
            done.sent += 1
        case Rejected(code, permanent, opted_out, too_many):
            wait = None if permanent else wait_before_next(message.attempts)
            if too_many:
                slow_down(session, gateway.name, now)
            if opted_out:
                opt_out(session, index=_index_of(session, message), now=now)
            if wait is None:
                _end(session, message, State.FAILED, code, now)
                done.failed += 1
            else:
                later = {"error_code": code, "next_attempt_at": _next(message, now, wait), **NOT_TAKEN}
                _put_down(session, message, later, now)
                done.retried += 1
        case Unknown(reason, for_good):
            wait = None if for_good else wait_before_next(message.attempts)
            again = None if wait is None else _next(message, now, max(wait, LOOK_UP_AFTER))
            _put_down(session, message, {"state": State.UNKNOWN, "error_code": reason, "next_attempt_at": again}, now)
            done.unknown += 1


def _by_itself(session: Session) -> None:
    """Has PostgreSQL keep the one statement of this unit at once: no BEGIN and no COMMIT travel beside it."""
    session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})


def _next(message: Held, now: datetime, wait: timedelta) -> datetime:
    """The next try, or the end of the message's use when that comes first, so that reception hears of it then."""
    return min(now + wait, message.valid_until) if message.valid_until > now else now + wait


def _give_back(session: Session, message: Held, now: datetime) -> None:
    """Lets go of a message that was not touched: that counts as no try."""
    _put_down(session, message, {"next_attempt_at": now, "attempts": message.attempts - 1}, now)


def _put_down(session: Session, message: Held, values: Mapping[str, object], now: datetime) -> None:
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
