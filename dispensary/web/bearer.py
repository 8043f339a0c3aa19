"""A program that brings a token in place of a cookie: on /api alone, never with both, and not faster than it may.

A browser never sends a token by itself, so a request with one needs no form's token against forgery (forgery.py).
"""

from __future__ import annotations

from datetime import datetime

from litestar.types import Scope

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import tokens
from dispensary.staff.attempts import TooManyGuesses
from dispensary.staff.entry_rules import TOKEN_REQUESTS
from dispensary.staff.sessions import SignedIn
from dispensary.web.guards import not_signed_in

_SCHEME = "bearer "


class TooFast(TooManyGuesses):
    """This token has asked for so much within a minute that no more is answered for the rest of it."""


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


def who_brings(database: Database, token: str, *, at: datetime) -> SignedIn:
    """Who is behind the token. Raises NotSignedIn, and TooFast."""
    found = database.glance(lambda glance: tokens.asking(glance, token=token, at=at))
    if found is None:
        raise not_signed_in()
    with database.writing() as session:
        if found.stale:
            tokens.mark_used(session, token_id=found.token_id, at=at)
        fast = tokens.too_fast(session, token_id=found.token_id, at=at)
    if fast:
        raise TooFast(
            Refusal(
                "too-fast",
                f"This token has asked more than {TOKEN_REQUESTS} times within a minute.",
                "Wait a minute, and ask more slowly.",
                {"minutes": 1},
            )
        )
    return found.who
