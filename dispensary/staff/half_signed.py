"""Half signed in: the password was right, the second factor is still asked for.

It opens the page of the code and nothing else. Its token is none of a sign-in: it lives in a table of its own, five
minutes at most, and its cookie goes to that page alone. It counts only in a browser whose sign-in cookie holds what it
held when the password came.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import Refusal
from dispensary.staff.factor_models import HalfSignIn
from dispensary.staff.factor_rules import HALF_LASTS
from dispensary.staff.models import Account
from dispensary.staff.sessions import NotSignedIn
from dispensary.staff.stations import digest_of
from dispensary.units import AccountId


@dataclass(frozen=True)
class Half:
    """Who is half signed in, as the page of the code says it."""

    account_id: AccountId
    username: str


def keep_half(session: WriteSession, *, account_id: AccountId, presented: str | None, at: datetime) -> str:
    """Keeps that the password was right, and returns the new token for it."""
    token = secrets.token_urlsafe(32)
    session.add(
        HalfSignIn(
            token_digest=digest_of(token),
            account_id=account_id,
            presented_digest=digest_of(presented or ""),
            began_at=at,
            ends_at=at + HALF_LASTS,
        )
    )
    session.flush()
    return token


def half_of(session: ReadSession, *, token: str | None, presented: str | None, at: datetime) -> Half | None:
    """Who is half signed in by this token in this browser; nothing when it is unknown, used, or too old."""
    row = session.execute(
        select(HalfSignIn.account_id, Account.username)
        .join(Account, Account.id == HalfSignIn.account_id)
        .where(
            HalfSignIn.token_digest == digest_of(token or ""),
            HalfSignIn.presented_digest == digest_of(presented or ""),
            HalfSignIn.ends_at > at,
            Account.left_at.is_(None),
        )
    ).one_or_none()
    return Half(*row) if row else None


def finish(session: WriteSession, *, token: str, presented: str | None, at: datetime) -> Account:
    """Whose half it was: it is used up now, by one request alone. Raises NotSignedIn."""
    half = half_of(session, token=token, presented=presented, at=at)
    used = session.execute(
        delete(HalfSignIn)
        .where(HalfSignIn.token_digest == digest_of(token), HalfSignIn.ends_at > at)
        .returning(HalfSignIn.account_id)
    )
    if half is None or used.first() is None:
        raise begin_anew()
    return session.get_one(Account, half.account_id)


def begin_anew() -> NotSignedIn:
    """The refusal for a code that comes too late, or in another browser."""
    return NotSignedIn(
        Refusal(
            "begin-anew",
            "Too much time has passed since the password, or it was typed in another window.",
            "Type name and password again.",
        )
    )
