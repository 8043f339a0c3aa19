"""Proving who one is over the web: a count, kept first, and then the look at what was typed, each in its own unit."""

from __future__ import annotations

from datetime import datetime

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import pins, sessions, stations
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.staff.service import password_is_right
from dispensary.units import AccountId


def enter(
    database: Database,
    *,
    username: str,
    password: str,
    address: str,
    at: datetime,
    presented: str | None,
    program: bool = False,
) -> str:
    """Counts the sign-in, then hears it, and returns the new token. Raises TooManyGuesses, NotSignedIn, NotAllowed."""
    with database.writing() as session:
        attempt = sessions.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        token, _ = sessions.sign_in(
            session, attempt=attempt, password=password, at=at, presented=presented, program=program
        )
    return token


def set_own_pin(
    database: Database, *, actor: Actor, password: str, pin: str, again: str, address: str, at: datetime
) -> None:
    """Counts the password as a sign-in's, then sets the PIN. Raises TooManyGuesses, BadInput."""
    with database.writing() as session:
        username = session.get_one(Account, actor.account_id).username
        attempt = sessions.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        pins.set_pin(session, actor=actor, password=password, pin=pin, again=again, at=at)
        sessions.take_back(session, attempt)


def come_back(
    database: Database, *, presented: str, account_id: AccountId, secret: str, address: str, at: datetime
) -> str:
    """Puts somebody of a browser's shift in front of it, by PIN or password, and returns their new token.

    Raises BadInput when it is not theirs, TooManyGuesses, and Refused as `stations.come_back`.
    """
    attempt, kept = None, None
    with database.writing() as session:
        shift = stations.shift_of(session, token=presented, at=at)
        person = next((one for one in shift.people if one.account_id == account_id), None) if shift else None
        if person is None:
            raise stations.not_in_shift()
        if person.by_pin:
            kept = pins.count_pin(session, account_id=account_id)
        else:
            account = session.get_one(Account, account_id)
            kept = account.password_hash
            attempt = sessions.count_attempt(session, username=account.username, address=address, at=at)
    if not password_is_right(kept, secret):
        raise BadInput(
            Refusal("wrong-pin", "This is not your PIN.", "Type it again.", field="secret")
            if person.by_pin
            else Refusal("wrong-password", "This is not your password.", "Type it again.", field="secret")
        )
    with database.writing() as session:
        pins.forget_wrong(session, account_id=account_id)
        if attempt is not None:
            sessions.take_back(session, attempt)
        return stations.come_back(session, presented=presented, account_id=account_id, at=at)
