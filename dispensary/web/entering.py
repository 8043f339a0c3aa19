"""Signing in over the web: the two units of work that page and API share."""

from __future__ import annotations

from datetime import datetime

from dispensary.database import Database
from dispensary.staff import sessions


def enter(
    database: Database, *, username: str, password: str, address: str, at: datetime, presented: str | None
) -> str:
    """Counts the sign-in, then hears it, and returns the new token. Raises TooManyGuesses, NotSignedIn, NotAllowed."""
    with database.writing() as session:
        attempt = sessions.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        token, _ = sessions.sign_in(session, attempt=attempt, password=password, at=at, presented=presented)
    return token
