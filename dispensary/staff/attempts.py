"""Counting guesses in the database, before anybody looks at them: at a password, at a code, at a passkey.

Each guess counts for what it is about (a name, an account's second factor) and for the address that it came from, so
that neither many addresses nor many names make a guesser faster. Addresses have one count for all kinds together.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, insert, select, text

from dispensary.database import WriteSession
from dispensary.refusals import Refusal, Refused
from dispensary.staff.models import SignInAttempt
from dispensary.staff.rules import GUESSING_WINDOW, plain_username, too_many_guesses
from dispensary.units import AccountId, new_id


class TooManyGuesses(Refused):
    """So much was guessed wrong at this or from this address that nothing more is heard for a while."""

    status = 429


@dataclass(frozen=True)
class Attempt:
    """A guess that was counted and may be heard."""

    username: str
    """The name that was typed, for a password; else nothing."""
    name_row: UUID
    address_row: UUID
    name_subjects: Collection[bytes]
    """The digests of whom it was about: several while keys are exchanged."""


def count_attempt(session: WriteSession, *, username: str, address: str, at: datetime) -> Attempt:
    """Counts a sign-in for its name and its address, or raises TooManyGuesses. Commit it before the password is read.

    Names that no account has are counted alike. Exact under any number of guesses at once: each waits for the one
    before with the same name or address.
    """
    username = plain_username(username)[:200]
    sentence = "Too many sign-ins with this name or from this place have failed."
    remedy = "If you have forgotten the password, ask an administrator."
    return _count(session, ("sign-in name", username), username, address, at, sentence, remedy)


def count_code(session: WriteSession, *, account_id: AccountId, address: str, at: datetime) -> Attempt:
    """Counts a code of somebody's authenticator, or a recovery code, in the same way. Commit it before it is read."""
    sentence = "Too many wrong codes were typed for this account or from this place."
    remedy = "If your phone is lost, use a recovery code, or ask an administrator."
    return _count(session, ("second factor", str(account_id)), "", address, at, sentence, remedy)


def count_invitation(session: WriteSession, *, digest: bytes, address: str, at: datetime) -> Attempt:
    """Counts a code from paper, of an invitation, in the same way. Commit it before it is looked up."""
    return _count(session, ("code from paper", digest.hex()), "", address, at, "Too many codes were wrong.", "")


def count_glass(session: WriteSession, *, address: str, at: datetime) -> Attempt:
    """Counts a sealed code for its address alone, whichever code it is: five, and no more is heard from there."""
    return _count(session, ("sealed code from", address), "", address, at, "Too many codes were wrong.", "")


def count_passkey(session: WriteSession, *, address: str, at: datetime) -> Attempt:
    """Counts an answer that says it is a passkey's: whose it is, nobody knows yet, so the address counts alone."""
    sentence = "Too many sign-ins from this place have failed."
    return _count(session, ("passkey of", str(new_id())), "", address, at, sentence, "")


def _count(
    session: WriteSession, about: tuple[str, str], username: str, address: str, at: datetime, sentence: str, remedy: str
) -> Attempt:
    for_name = session.vault.blinds(*about)
    from_address = session.vault.blinds("sign-in address", address)
    for subject in sorted((_oldest(for_name), _oldest(from_address))):
        key = int.from_bytes(subject[:8], "big", signed=True)
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    rows = session.execute(
        select(SignInAttempt.subject, SignInAttempt.at).where(
            SignInAttempt.subject.in_([*for_name, *from_address]), SignInAttempt.at > at - GUESSING_WINDOW
        )
    ).all()
    at_name = [when for subject, when in rows if subject in for_name]
    at_address = [when for subject, when in rows if subject in from_address]
    names, first_for_name = len(at_name), min(at_name, default=at)
    addresses, first_from_address = len(at_address), min(at_address, default=at)
    if too_many_guesses(for_name=names, from_address=addresses):
        # It opens when the oldest failure that counts is 15 minutes old; of two closed doors, when the later one does.
        closed = [first_for_name] if too_many_guesses(for_name=names, from_address=0) else []
        closed += [first_from_address] if too_many_guesses(for_name=0, from_address=addresses) else []
        minutes = max(1, -int((at - max(closed) - GUESSING_WINDOW).total_seconds() // 60))
        wait = f"Wait {minutes} minutes, then try again. {remedy}".strip()
        raise TooManyGuesses(Refusal("too-many-guesses", sentence, wait, {"minutes": minutes}))
    attempt = Attempt(username, new_id(), new_id(), for_name)
    session.execute(
        insert(SignInAttempt),
        [
            {"id": attempt.name_row, "subject": for_name[0], "at": at},
            {"id": attempt.address_row, "subject": from_address[0], "at": at},
        ],
    )
    return attempt


def _oldest(digests: Collection[bytes]) -> bytes:
    """That of the oldest key: every program has it, also in the second in which one of them knows a newer key."""
    return min(digests, key=lambda digest: (len(digest), digest))


def take_back(session: WriteSession, attempt: Attempt) -> None:
    """It was right: it was no guess, and what was guessed at the same before is forgotten."""
    session.execute(
        delete(SignInAttempt).where(
            SignInAttempt.subject.in_(attempt.name_subjects) | (SignInAttempt.id == attempt.address_row)
        )
    )


def take_back_alone(session: WriteSession, attempt: Attempt) -> None:
    """It was right, and not all that is asked for: this one was no guess, and what was guessed before stays counted."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.id.in_([attempt.name_row, attempt.address_row])))


def forget_name(session: WriteSession, *, username: str) -> None:
    """The person of this name has proved who they are: what was guessed at it before is forgotten."""
    subjects = session.vault.blinds("sign-in name", username)
    session.execute(delete(SignInAttempt).where(SignInAttempt.subject.in_(subjects)))


def forget_old(session: WriteSession, *, at: datetime) -> int:
    """Deletes attempts that no longer count; returns how many rows."""
    old = delete(SignInAttempt).where(SignInAttempt.at <= at - GUESSING_WINDOW).returning(SignInAttempt.id)
    return len(session.execute(old).all())
