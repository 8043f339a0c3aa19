"""Who acts, accounts and their passwords, sign-ins and dose days. Pure. Who may do what stands in permission_rules."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from dispensary.refusals import Refusal
from dispensary.staff.common_passwords import easily_guessed
from dispensary.staff.permission_rules import AS_THE_HOUSE, Act, Own, Role, may
from dispensary.units import AccountId, DoseDay, SiteId


@dataclass(frozen=True)
class Actor:
    """Who acts, where: a signed-in account, or the program itself (no account) in a job or on the command line."""

    account_id: AccountId | None
    site_id: SiteId
    roles: frozenset[Role]
    name: str = ""
    initials: str = ""
    own: Own = AS_THE_HOUSE
    """What the site has otherwise than the house, as it stood when the request came."""
    scopes: frozenset[Act] | None = None
    """What a program's token may do at most; nothing is taken away from whoever acts themselves."""
    token_id: UUID | None = None
    by_glass: bool = False
    """Whether they are an administrator by an opened sealed code alone: to run the site, and for nothing else."""

    def may(self, act: Act) -> bool:
        """Whether the act is theirs, here and now: the one question that guards, pages and services ask."""
        roles = self.roles if act is Act.RUN_SITE or not self.by_glass else self.roles - {Role.ADMINISTRATOR}
        return (self.scopes is None or act in self.scopes) and may(roles, act, self.own)


def the_program(site_id: SiteId) -> Actor:
    """The program itself, at a site: jobs and the command line, which have passed no counter."""
    return Actor(None, site_id, frozenset(), "Takehome", "")


SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 128
"""Long enough for any phrase; a bound, so that hashing is never asked to eat a megabyte."""
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")


def plain_username(typed: str) -> str:
    """An account name as it is kept: lower case, no blanks around it, one form of each letter."""
    return unicodedata.normalize("NFKC", typed).strip().casefold()


def username_fits(username: str) -> Refusal | None:
    """Whether a (plain) account name can be kept: 2 to 40 letters, digits, dots, dashes."""
    if _USERNAME.fullmatch(username):
        return None
    return Refusal(
        "bad-username",
        "An account name has 2 to 40 small letters, digits, dots or dashes, and begins with a letter or digit.",
        field="username",
    )


def password_fits(password: str, *, username: str, around: Iterable[str] = ()) -> Refusal | None:
    """Whether a password may be kept: long, not one sign over and over, not the account name, not easily guessed.

    `around` are names that whoever guesses knows, such as the site's. No rule asks for digits or signs: length is what
    resists guessing, and what everybody has is refused (NIST SP 800-63B-4, 3.1.1.2; OWASP ASVS 5.0, 6.2.4 and 6.2.11).
    """
    if len(password) < SHORTEST_PASSWORD:
        return Refusal(
            "short-password",
            f"The password is too short: it needs {SHORTEST_PASSWORD} characters or more.",
            "Use a few words that belong together for you alone.",
            field="password",
        )
    if len(password) > LONGEST_PASSWORD:
        return Refusal("long-password", f"The password is longer than {LONGEST_PASSWORD} characters.", field="password")
    if len(set(password)) < 5 or username in password.casefold():
        return Refusal(
            "guessable-password",
            "This password is easily guessed: it repeats a few signs or holds the account name.",
            "Use a few words that belong together for you alone.",
            field="password",
        )
    if easily_guessed(password, (username, *around)):
        return Refusal(
            "common-password",
            "This password is easily guessed: many people have it or one like it, or it holds little but names.",
            "Use a few words that belong together for you alone.",
            field="password",
        )
    return None


GUESSES_PER_NAME = 5
GUESSES_PER_ADDRESS = 20
GUESSING_WINDOW = timedelta(minutes=15)
IDLE_LIMIT = timedelta(minutes=30)
LONGEST_SIGN_IN = timedelta(hours=12)


def too_many_guesses(*, for_name: int, from_address: int) -> bool:
    """Whether a sign-in is refused unheard, by the failures of the last 15 minutes."""
    return for_name >= GUESSES_PER_NAME or from_address >= GUESSES_PER_ADDRESS


def day_begins(zone: str, day_starts: time, day: date) -> datetime:
    """The moment (UTC) at which a dose day begins at a site.

    Where the clock goes back over the boundary, the day begins the first time; where it leaps over it, at the leap.
    """
    wall = datetime.combine(day, day_starts)
    place = ZoneInfo(zone)
    begins = wall.replace(tzinfo=place).astimezone(UTC)
    if begins.astimezone(place).replace(tzinfo=None) == wall:
        return begins
    early, late = wall.replace(tzinfo=place, fold=1).astimezone(UTC), begins  # the leap lies between the two
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (early, middle) if middle.astimezone(place).replace(tzinfo=None) >= wall else (middle, late)
    return late.replace(microsecond=0)


def dose_day(zone: str, day_starts: time, moment: datetime) -> DoseDay:
    """The dose day that a moment belongs to at a site: its local date, still yesterday's before the day boundary.

    Days follow each other without gap and never go back, also where the clock does.
    """
    today = moment.astimezone(ZoneInfo(zone)).date()
    for day in (today + timedelta(days=1), today):
        if day_begins(zone, day_starts, day) <= moment:
            return DoseDay(day)
    return DoseDay(today - timedelta(days=1))


__all__ = [
    "GUESSES_PER_ADDRESS",
    "GUESSES_PER_NAME",
    "GUESSING_WINDOW",
    "IDLE_LIMIT",
    "LONGEST_PASSWORD",
    "LONGEST_SIGN_IN",
    "SHORTEST_PASSWORD",
    "Act",
    "Actor",
    "Role",
    "day_begins",
    "dose_day",
    "may",
    "password_fits",
    "plain_username",
    "the_program",
    "too_many_guesses",
    "username_fits",
]
