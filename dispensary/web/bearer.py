"""A program that brings a token in place of a cookie: on /api alone, never with both, and not faster than it may.

A browser never sends a token by itself, so a request with one needs no form's token against forgery (forgery.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from uuid import UUID

from litestar.types import Scope

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import tokens
from dispensary.staff.attempts import TooManyGuesses
from dispensary.staff.entry_rules import TOKEN_REQUESTS
from dispensary.staff.sessions import SignedIn
from dispensary.web.guards import not_signed_in

_MINUTE = timedelta(minutes=1)
_SCHEME = "bearer "


class TooFast(TooManyGuesses):
    """This token has asked for so much within a minute that no more is answered for the rest of it."""


@dataclass
class Pace:
    """Counts the requests of each token within a minute, in this process, and holds no more than the tokens in use."""

    most: int = TOKEN_REQUESTS
    _since: dict[UUID, tuple[datetime, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def count(self, token_id: UUID, at: datetime) -> bool:
        """Counts one; whether it is one too many."""
        with self._lock:
            began, asked = self._since.get(token_id, (at, 0))
            if not timedelta(0) <= at - began < _MINUTE:
                self._since = {one: each for one, each in self._since.items() if at - each[0] < _MINUTE}
                began, asked = at, 0
            self._since[token_id] = (began, asked + 1)
            return asked >= self.most


def bearer_of(scope: Scope) -> str | None:
    """The token that a request to /api brings, as it was sent; nothing on any other path."""
    if not scope["path"].startswith("/api/"):
        return None
    sent = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
    if not sent:
        return None
    text = sent[0].decode("latin-1")
    if len(sent) > 1 or not text.lower().startswith(_SCHEME):
        raise not_signed_in()
    return text[len(_SCHEME) :].strip()


def two_proofs() -> BadInput:
    """The refusal for a request that brings a sign-in and a token: whose act it is would be a guess."""
    return BadInput(
        Refusal(
            "two-sign-ins",
            "The request brings a sign-in and a token.",
            "Send one of them: the cookie, or the header Authorization.",
        )
    )


def who_brings(database: Database, pace: Pace, token: str, *, at: datetime) -> SignedIn:
    """Who is behind the token. Raises NotSignedIn, and TooFast."""
    found = database.glance(lambda glance: tokens.asking(glance, token=token, at=at))
    if found is None:
        raise not_signed_in()
    if pace.count(found.token_id, at):
        raise TooFast(
            Refusal(
                "too-fast",
                f"This token has asked more than {pace.most} times within a minute.",
                "Wait a minute, and ask more slowly.",
                {"minutes": 1},
            )
        )
    if found.stale:
        with database.writing() as session:
            tokens.mark_used(session, token_id=found.token_id, at=at)
    return found.who
