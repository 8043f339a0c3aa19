"""Taking due messages in hand: each by one sender alone, unless it is too late for it, too early, or too dear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.orm import Session

from notifications.gateways import Gateway
from notifications.models import Message, State
from notifications.pacing import Turns, room, take_turns
from notifications.places import rules_of_all, spent
from notifications.queries import opted_out_since
from notifications.rules import HOLD
from notifications.sealing import MESSAGE_BODY, MESSAGE_PHONE, Vault
from notifications.service import OPTED_OUT, move
from notifications.waiting import (
    DEFAULTS,
    PRICE_CAP,
    QUIET_HOURS,
    TextRules,
    day_after,
    has_to_wait,
    sleeps_until,
)

_MONEY_LOCK = 0x7E47
"""The first half of the advisory lock that the claims of one place with a cap take, one after the other."""


@dataclass(frozen=True, repr=False)
class Held:
    """A message in this sender's hand. `attempts` tells this hold from a later one of the same message."""

    id: UUID
    attempts: int
    to: str
    body: str
    look_up_first: bool
    sleeps_until: datetime | None
    """When the quiet hours end that it is in; only one that is looked up first may be in them."""
    created_at: datetime
    valid_until: datetime


@dataclass
class Claimed:
    """What one look at the outbox took in hand, with the turn of each, and what it put off or ended."""

    held: list[Held]
    turns: Turns
    seen: int = 0
    expired: int = 0
    failed: int = 0
    waiting: int = 0
    full: bool = False
    """As many were due as one look takes: there may be more."""


def claim(session: Session, *, vault: Vault, gateway: Gateway, now: datetime, batch: int) -> Claimed:
    """Takes due messages in hand, oldest first, so that no other sender can (`SKIP LOCKED`).

    One whose time is over expires. One that is due in quiet hours, or on a day whose money is spent, is due after them;
    when that is too late for it, it expires at once, so that reception hears of it while there is time. One to a number
    that has opted out meanwhile fails. A message that another gateway may have taken is left alone, since this one
    could not look it up; once its time is over, it is reception's.
    """
    most = room(session, gateway, now, batch)
    if not most:
        return Claimed([], Turns(now, timedelta()))
    _leave_to_reception(session, gateway, now)
    ours = or_(
        Message.gateway.is_(None),
        Message.gateway == gateway.name,
        and_(Message.state == State.SENDING, Message.claimed_at.is_(None)),
    )
    due = (
        select(Message)
        .where(Message.next_attempt_at <= now, ours)
        .order_by(Message.next_attempt_at, Message.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    messages = session.scalars(due).all()
    money = _Money(session, messages, now)
    claimed = Claimed([], Turns(now, timedelta()), seen=len(messages), full=len(messages) == most)
    for message in messages:
        _take(session, vault, gateway, message, now, money, claimed)
    session.flush()
    claimed.turns = take_turns(session, gateway, now, len(claimed.held))
    return claimed


def _take(
    session: Session, vault: Vault, gateway: Gateway, message: Message, now: datetime, money: _Money, claimed: Claimed
) -> None:
    left_by_the_dead = message.state == State.SENDING and message.claimed_at is not None
    look_up_first = left_by_the_dead or message.state == State.UNKNOWN
    rules = money.rules_of(message)
    sleeps = sleeps_until(
        rules,
        now,
        zone_of(message.zone),
        kind=message.kind,
        reply=message.is_reply,
        valid_until=message.valid_until,
    )
    if not look_up_first:
        if message.valid_until <= now:
            _end(session, message, State.EXPIRED, None, now)
            claimed.expired += 1
            return
        if message.attempts and opted_out_since(session, message.phone_index) is not None:
            _end(session, message, State.FAILED, OPTED_OUT, now)
            claimed.failed += 1
            return
        waits = (sleeps, QUIET_HOURS) if sleeps else money.charge(message)
        if waits is not None:
            until, reason = waits
            if message.valid_until <= until:
                _end(session, message, State.EXPIRED, reason, now)
                claimed.expired += 1
            else:
                message.next_attempt_at, message.error_code, message.changed_at = until, reason, now
                claimed.waiting += 1
            return
    message.state = State.UNKNOWN if look_up_first else State.SENDING
    message.gateway = gateway.name
    message.attempts += 1
    message.claimed_at = now
    message.next_attempt_at = now + HOLD
    message.changed_at = now
    claimed.held.append(
        Held(
            message.id,
            message.attempts,
            vault.open(MESSAGE_PHONE, message.id, message.phone_sealed),
            vault.open(MESSAGE_BODY, message.id, message.body_sealed),
            look_up_first,
            sleeps,
            message.created_at,
            message.valid_until,
        )
    )


def _end(session: Session, message: Message, state: State, code: str | None, now: datetime) -> None:
    move(session, message_id=message.id, state=state, code=code, provider_id=None, now=now, not_taken=True)


def _leave_to_reception(session: Session, gateway: Gateway, now: datetime) -> None:
    """Ends the waiting of what another gateway may have taken, when its time is over: nobody here can look it up."""
    others = (
        select(Message.id)
        .where(
            Message.next_attempt_at <= now,
            Message.valid_until <= now,
            Message.gateway != gateway.name,
            or_(Message.state == State.UNKNOWN, and_(Message.state == State.SENDING, Message.claimed_at.is_not(None))),
        )
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(Message)
        .where(Message.id.in_(others.scalar_subquery()))
        .values(state=State.UNKNOWN, next_attempt_at=None, claimed_at=None, changed_at=now)
        .execution_options(synchronize_session=False)
    )


class _Money:
    """What the places of a claim have set, and what they have spent: exact, since their claims wait for each other."""

    def __init__(self, session: Session, messages: Sequence[Message], now: datetime) -> None:
        self._session = session
        self._now = now
        self._rules = rules_of_all(session, {m.place_id for m in messages if m.place_id is not None})
        self._spent: dict[tuple[UUID, date], Decimal] = {}
        _one_after_the_other(session, (place for place, rules in self._rules.items() if rules.cap is not None))

    def rules_of(self, message: Message) -> TextRules:
        return self._rules.get(message.place_id, DEFAULTS) if message.place_id is not None else DEFAULTS

    def charge(self, message: Message) -> tuple[datetime, str] | None:
        """Counts a text in its day's money, once; or says until when it waits, and why."""
        if message.charged_on is not None:
            return None
        rules, zone = self.rules_of(message), zone_of(message.zone)
        day = self._now.astimezone(zone).date()
        cost = message.segments * (rules.price or Decimal(0))
        if rules.cap is not None and message.place_id is not None:
            so_far = self._so_far(message.place_id, day)
            if has_to_wait(rules, message.kind, reply=message.is_reply, spent=so_far, charge=cost):
                return day_after(rules, self._now, zone), PRICE_CAP
            self._spent[message.place_id, day] = so_far + cost
        message.charged_on, message.charge = day, cost
        return None

    def _so_far(self, place_id: UUID, day: date) -> Decimal:
        if (place_id, day) not in self._spent:
            self._spent[place_id, day] = spent(self._session, place_id=place_id, day=day)
        return self._spent[place_id, day]


def _one_after_the_other(session: Session, places: Iterable[UUID]) -> None:
    for place in sorted(places):
        key = int.from_bytes(place.bytes[-4:], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(_MONEY_LOCK, key)))


@lru_cache
def zone_of(name: str) -> ZoneInfo:
    return ZoneInfo(name)
