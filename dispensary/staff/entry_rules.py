"""Codes that a person types once, how long they open, and what a program's token may be. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispensary.refusals import Refusal
from dispensary.staff.rules import Role

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Digits and letters that are not mistaken for each other (Crockford's base 32): five bits each."""
_MISREAD = str.maketrans("OIL", "011")
GROUP = 4
INVITATION_LETTERS = 28
"""140 bits: nobody guesses one, however many are tried."""
GLASS_LETTERS = 20
"""100 bits, typed from paper by two people in a hurry."""

INVITED_DAYS = (1, 30)
DORMANT_DAYS = (7, 366)
GLASS_HOURS = (1, 12)


@dataclass(frozen=True)
class Entry:
    """A site's figures about its accounts, as the product has them."""

    invited_days: int = 7
    dormant_days: int = 45
    """CIS Controls 8.1, safeguard 5.3, has accounts looked at after 45 days without use."""
    glass_hours: int = 4
    """As long as a morning: time to let an administrator in again, and no more."""


OPENERS = frozenset({Role.PHARMACIST, Role.DOCTOR, Role.NURSE, Role.ADMINISTRATOR})
"""Whose word counts when the sealed code is opened: whoever treats, and whoever runs the site."""


def plain_code(typed: str) -> str:
    """A code as it is kept: capitals without blanks and dashes, O read as 0, I and L as 1."""
    return re.sub(r"[^0-9A-Z]", "", typed.upper()).translate(_MISREAD)[:64]


def spelled(code: str) -> str:
    """A code in groups of four, as it is printed and read out."""
    return "-".join(code[at : at + GROUP] for at in range(0, len(code), GROUP))


LONGEST_TOKEN_DAYS = 366
LONGEST_TOKEN_NAME = 60
TOKEN_MARK = "takehome_"  # noqa: S105 - what every token begins with, so that one that lies about is known as one
TOKEN_USE_EVERY = timedelta(minutes=1)
"""How finely the last use of a token is kept: a write for each request would cost more than it tells."""
TOKEN_REQUESTS = 600
"""So many requests of one token within a minute are answered; ten a second, for minutes on end."""


def token_fits(name: str, scopes: Collection[str], days: int, allowed: Collection[str]) -> tuple[Refusal, ...]:
    """Why this is no token: no name, nothing that it may do, more than its maker may, or no end within a year."""
    faults = []
    if not 1 <= len(name) <= LONGEST_TOKEN_NAME:
        faults.append(
            Refusal(
                "no-name",
                "Say what the token is for, so that it can be told from another.",
                f"Write 1 to {LONGEST_TOKEN_NAME} letters, such as Laboratory.",
                field="name",
            )
        )
    if not scopes:
        faults.append(Refusal("no-scope", "The token may do nothing.", "Tick what it may do.", field="scopes"))
    if set(scopes) - set(allowed):
        faults.append(
            Refusal(
                "scope-beyond",
                "A token may do no more than you may at this site.",
                "Leave out what is not your own work.",
                field="scopes",
            )
        )
    if not 1 <= days <= LONGEST_TOKEN_DAYS:
        faults.append(
            Refusal(
                "bad-days", f"A token works for 1 to {LONGEST_TOKEN_DAYS} days.", "Make a new one then.", field="days"
            )
        )
    return tuple(faults)


def asleep(last_seen: datetime, *, days: int, now: datetime) -> bool:
    """Whether somebody who was last seen then has not signed in for so many days."""
    return now - last_seen > timedelta(days=days)


TWO_PLACES_WITHIN = timedelta(minutes=10)
"""Nobody signs in at two sites so shortly after each other."""
LOOKED_BACK = timedelta(days=7)
"""For how long that is shown."""
