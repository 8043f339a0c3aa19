"""What a second factor is: codes of an authenticator and their steps, recovery codes, who must have one. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

import pyotp

from dispensary.refusals import Refusal

STEP_SECONDS = 30
"""How long an authenticator shows one code (RFC 6238, which all of them follow)."""
STEPS_AROUND = 1
"""A code of the step before or after is heard too: a phone's clock goes wrong, and a person types slowly."""
CODE_DIGITS = 6
HALF_LASTS = timedelta(minutes=5)
"""Between the password and the code: long enough to fetch a phone from a locker."""
SET_UP_WITHIN = timedelta(minutes=15)
"""Between the picture on the screen and the first code of the authenticator that read it."""
MOST_WRONG = 100
"""Wrong codes since the last sign-in, after which an authenticator is heard no more (NIST SP 800-63B-4, 3.2.2): whoever
has the password and the patience for five codes each quarter of an hour would guess one within months."""
WORTH_TELLING = 3
"""So many wrong codes are no slip of one's own finger: somebody has the password."""
RECOVERY_CODES = 10
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without those that are taken for each other on paper: I, L, O, 0, 1."""
_RECOVERY_LENGTH = 10
"""Just under 50 bits; each guess is counted."""
GRACE_DAYS = 7
GRACE_BOUNDS = (0, 60)


class Demand(StrEnum):
    """Who must have a second factor at a site."""

    OPTIONAL = "optional"
    ADMINISTRATORS = "administrators"
    ALL = "all"


def grace_fits(days: int) -> Refusal | None:
    """Whether so many days can be given to set up a second factor."""
    least, most = GRACE_BOUNDS
    if least <= days <= most:
        return None
    return Refusal("bad-grace", f"{least} to {most} days are given to set it up.", field="grace_days")


def fresh_secret() -> str:
    """A secret for an authenticator: 160 bits, as base32."""
    return pyotp.random_base32(32)


def in_groups(secret: str) -> str:
    """A secret as it is read from a screen and typed: four letters at a time."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def address_of_secret(secret: str, *, username: str, site: str) -> str:
    """What an authenticator reads from the QR code. It names the program, the site's code and the account."""
    return pyotp.TOTP(secret).provisioning_uri(name=f"{username} ({site})", issuer_name="Takehome")


def step_of(moment: datetime) -> int:
    """The step that a moment lies in."""
    return int(moment.timestamp()) // STEP_SECONDS


def code_of(secret: str, step: int) -> str:
    """The code that an authenticator shows during a step."""
    return pyotp.TOTP(secret).generate_otp(step)


def step_of_code(secret: str, typed: str, *, at: datetime) -> int | None:
    """The newest step around now of which this is the code; nothing when it is of none of them.

    All of them are compared, in the same time whichever it is.
    """
    now, found = step_of(at), None
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if hmac.compare_digest(code_of(secret, step).encode(), typed.encode()):
            found = step
    return found


def plain_code(typed: str) -> str:
    """A code without the blanks and dashes that people put in, in capitals."""
    return re.sub(r"[\s-]", "", typed).upper()[:40]


def is_of_authenticator(code: str) -> bool:
    """Whether a (plain) code has the form of an authenticator's; else it is tried as a recovery code."""
    return len(code) == CODE_DIGITS and code.isascii() and code.isdigit()


def fresh_recovery_codes() -> list[str]:
    """Ten new codes, each as it is printed: ABCDE-FGH23."""
    return [
        in_halves("".join(secrets.choice(_LETTERS) for _ in range(_RECOVERY_LENGTH))) for _ in range(RECOVERY_CODES)
    ]


def in_halves(code: str) -> str:
    """A recovery code as it is printed."""
    return f"{code[: _RECOVERY_LENGTH // 2]}-{code[_RECOVERY_LENGTH // 2 :]}"


def wrong_code() -> Refusal:
    """The refusal for a code that is not heard: wrong, too old, used already; the same for all of them."""
    return Refusal(
        "wrong-code",
        "This code is not right, or was used already.",
        "Wait for the next code of your authenticator, and type that one. A recovery code works once.",
        field="code",
    )


def guessed_out() -> Refusal:
    """The refusal for an authenticator that was guessed at too often."""
    return Refusal(
        "guessed-out",
        f"{MOST_WRONG} wrong codes were typed for this account: its authenticator is heard no more.",
        "Somebody has the password. Sign in by a recovery code or passkey and change it, or ask an administrator.",
        field="code",
    )


def factor_due() -> Refusal:
    """The refusal for whoever gives out names, where a second factor is demanded and theirs is not set up."""
    sentence = "The site demands a second factor, and this account has none."
    return Refusal("second-factor-due", sentence, "Set it up in a browser first, under “Your second factor”.")


def code_missing() -> Refusal:
    """The refusal for a password alone, on a page or a command line that has a place for the code."""
    return Refusal(
        "second-factor-needed",
        "This account has a second factor: the password alone is not enough.",
        "Type the code of the authenticator, or a recovery code, too.",
        field="code",
    )


def code_needed() -> Refusal:
    """The refusal for a right password alone, where a second factor is asked for too."""
    return Refusal(
        "second-factor-needed",
        "This account has a second factor: the password alone does not open it.",
        "Send the code of your authenticator, or a recovery code, as `code` too.",
        field="code",
    )
