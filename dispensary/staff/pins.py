"""A person's counter PIN: set by their own hand after their password, and counted before it is looked at.

It opens nothing by itself. At a screen at which its person has signed in with the password it brings them back, and in
a colleague's form it says that they stand by. A PIN is six digits, so what keeps it is the count: five wrong ones in a
row, at whichever screens, and it is not heard until its person has signed in with the password.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import audit
from dispensary.staff.models import Account
from dispensary.staff.pin_rules import WRONG_PINS, pin_fits
from dispensary.staff.rules import Actor
from dispensary.staff.service import (
    kept_password,
    password_hash,
    password_is_right,
    refuse_unless_runs_all_sites_of,
)
from dispensary.staff.shift_models import CounterPin
from dispensary.units import AccountId


def set_pin(session: WriteSession, *, actor: Actor, password: str, pin: str, again: str, at: datetime) -> None:
    """Sets the actor's own PIN, whatever it was before. Raises BadInput with everything that is wrong.

    The password is asked for, since whoever finds an open screen would otherwise have a way back to it. Its caller has
    counted the attempt (`attempts.count_attempt`) and takes the count back when this did not raise.
    """
    assert actor.account_id is not None, "a PIN is a person's"
    account = session.get_one(Account, actor.account_id)
    faults = list(pin_fits(pin, again))
    if not password_is_right(kept_password(session, account.id), password):
        faults.append(Refusal("wrong-password", "The password is not right.", field="password"))
    if faults:
        raise BadInput(*faults)
    kept = session.get(CounterPin, account.id)
    if kept is None:
        kept = CounterPin(account_id=AccountId(account.id), pin_hash="", wrong=0, set_at=at)
        session.add(kept)
    kept.pin_hash, kept.wrong, kept.set_at = password_hash(pin), 0, at
    session.flush()
    audit.record(session, actor=actor, act="set PIN", subject="account", subject_id=account.id, at=at)


def remove_pin(session: WriteSession, *, actor: Actor, account_id: AccountId, at: datetime) -> None:
    """Takes somebody's PIN away: its own person, or an administrator of all their sites. Nobody sets another's."""
    if actor.account_id != account_id:
        refuse_unless_runs_all_sites_of(session, actor, account_id)
    gone = session.execute(delete(CounterPin).where(CounterPin.account_id == account_id).returning(CounterPin.set_at))
    if gone.all():
        audit.record(session, actor=actor, act="remove PIN", subject="account", subject_id=account_id, at=at)


def has_pin(session: ReadSession, account_id: AccountId) -> bool:
    """Whether the person has a PIN that is heard."""
    heard = select(CounterPin.account_id).where(CounterPin.account_id == account_id, CounterPin.wrong < WRONG_PINS)
    return session.scalar(heard) is not None


def count_pin(session: WriteSession, *, account_id: AccountId) -> str | None:
    """Counts a guess and returns the hash to compare it with; nothing when the PIN is not heard, or there is none.

    Commit it before it is compared (`password_is_right`): a thousand guesses at once are then five.
    """
    return session.scalar(
        update(CounterPin)
        .where(CounterPin.account_id == account_id, CounterPin.wrong < WRONG_PINS)
        .values(wrong=CounterPin.wrong + 1)
        .returning(CounterPin.pin_hash)
    )


def forget_wrong(session: WriteSession, *, account_id: AccountId) -> None:
    """The person has proved who they are: the count begins anew."""
    session.execute(update(CounterPin).where(CounterPin.account_id == account_id).values(wrong=0))
