"""Proving who one is over the web: a count, kept first, and then the look at what was typed, each in its own unit."""

from __future__ import annotations

from datetime import datetime

from dispensary.database import Database
from dispensary.staff import pins, sessions
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor


def enter(
    database: Database, *, username: str, password: str, address: str, at: datetime, presented: str | None
) -> str:
    """Counts the sign-in, then hears it, and returns the new token. Raises TooManyGuesses, NotSignedIn, NotAllowed."""
    with database.writing() as session:
        attempt = sessions.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        token, _ = sessions.sign_in(session, attempt=attempt, password=password, at=at, presented=presented)
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
