"""Choosing one's own password over the web: what proves the right to it is counted first, and then looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from dispensary.database import Database
from dispensary.refusals import NotThere
from dispensary.staff import attempts, invitations
from dispensary.staff.invitations import Invited, digest_of_code
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor
from dispensary.staff.service import set_password


@contextmanager
def counted(database: Database, *, digest: bytes, address: str, at: datetime) -> Iterator[None]:
    """Counts a code from paper for itself and for its address, and takes the count back unless it was wrong.

    Wrong is what raises NotThere. Anything else that is refused, such as a password that is too short, is no guess.
    Raises TooManyGuesses, before the block runs.
    """
    with database.writing() as session:
        attempt = attempts.count_invitation(session, digest=digest, address=address, at=at)
    try:
        yield
    except NotThere:
        raise
    except Exception:
        _forget(database, attempt)
        raise
    _forget(database, attempt)


def _forget(database: Database, attempt: attempts.Attempt) -> None:
    with database.writing() as session:
        attempts.take_back(session, attempt)


def look_at_invitation(database: Database, *, code: str, address: str, at: datetime) -> Invited:
    """Whom a code invites. Raises TooManyGuesses, NotThere."""
    with counted(database, digest=digest_of_code(code), address=address, at=at), database.reading() as session:
        return invitations.invited_by(session, code=code, at=at)


def accept_invitation(
    database: Database, *, code: str, password: str, again: str, address: str, at: datetime
) -> Invited:
    """Uses the code up and sets the password. Raises TooManyGuesses, NotThere, BadInput."""
    with counted(database, digest=digest_of_code(code), address=address, at=at), database.writing() as session:
        return invitations.accept(session, code=code, password=password, again=again, at=at)


def change_own_password(
    database: Database, *, actor: Actor, current: str, password: str, address: str, at: datetime
) -> None:
    """Counts the current password as a sign-in's, then sets the new one. Raises TooManyGuesses, BadInput."""
    with database.writing() as session:
        username = session.get_one(Account, actor.account_id).username
        attempt = attempts.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        set_password(session, actor=actor, password=password, current=current, at=at)
        attempts.take_back(session, attempt)
