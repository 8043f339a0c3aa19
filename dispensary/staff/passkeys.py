"""Passkeys of an account: made by its own person, signing in alone, counting forward, taken away by two proofs.

A challenge is a row that is deleted by whoever answers it, so that an answer counts once (`take`, which its caller
commits before the answer is believed). The server keeps public keys alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update

from dispensary.database import ReadSession, WriteSession
from dispensary.refusals import BadInput, NotThere, Refusal
from dispensary.staff import audit, factors
from dispensary.staff.attempts import TooManyGuesses
from dispensary.staff.factor_models import FactorReset, Passkey, PasskeyChallenge, PasskeyHolder
from dispensary.staff.models import Account
from dispensary.staff.passkey_rules import (
    CHALLENGE_BYTES,
    CHALLENGE_LASTS,
    LONGEST_NAME,
    MOST_CHALLENGES,
    MOST_PASSKEYS,
    Answer,
    NotProven,
    RelyingParty,
    made,
    signed,
    to_make,
    to_sign,
)
from dispensary.staff.rules import Actor
from dispensary.units import AccountId, new_id

_HANDLE_BYTES = 64


class Purpose(StrEnum):
    """What a challenge was made for; an answer to it counts for nothing else."""

    SIGN_IN = "sign in"
    REGISTER = "register"
    PROVE = "prove"


@dataclass(frozen=True)
class OnList:
    """A passkey as its person's page shows it."""

    id: UUID
    name: str
    made_at: datetime
    used_at: datetime | None


class CountedBack(Exception):
    """The passkey signed, with a count that it had passed already: there are two of it."""

    def __init__(self, account_id: AccountId, passkey_id: UUID) -> None:
        super().__init__("counted back")
        self.account_id = account_id
        self.passkey_id = passkey_id


def passkeys_of(session: ReadSession, account_id: AccountId) -> Sequence[OnList]:
    """The account's passkeys, oldest first."""
    rows = session.execute(
        select(Passkey.id, Passkey.name, Passkey.made_at, Passkey.used_at)
        .where(Passkey.account_id == account_id)
        .order_by(Passkey.made_at, Passkey.id)
    )
    return [OnList(*row) for row in rows]


def ask_to_sign_in(session: WriteSession, *, party: RelyingParty, address: str, at: datetime) -> dict[str, Any]:
    """What the browser of a stranger is asked to sign. Raises TooManyGuesses where an address asks without end."""
    return to_sign(party, challenge=_challenge(session, Purpose.SIGN_IN, None, address, at))


def ask_to_prove(
    session: WriteSession, *, party: RelyingParty, account_id: AccountId, address: str, at: datetime
) -> dict[str, Any]:
    """What a passkey of this account is asked to sign, in place of a code."""
    challenge = _challenge(session, Purpose.PROVE, account_id, address, at)
    return to_sign(party, challenge=challenge, known=_known(session, account_id))


def ask_to_register(
    session: WriteSession, *, party: RelyingParty, account_id: AccountId, address: str, at: datetime
) -> dict[str, Any]:
    """What a device is asked for a new passkey of this account, whose person has proved who they are.

    Raises BadInput where there are ten already.
    """
    known = _known(session, account_id)
    if len(known) >= MOST_PASSKEYS:
        raise BadInput(
            Refusal(
                "many-passkeys",
                f"There are {MOST_PASSKEYS} passkeys already.",
                "Remove one of a device that you no longer use.",
            )
        )
    handle = session.scalar(select(PasskeyHolder.handle).where(PasskeyHolder.account_id == account_id))
    if handle is None:
        handle = secrets.token_bytes(_HANDLE_BYTES)
        session.add(PasskeyHolder(account_id=account_id, handle=handle))
        session.flush()
    challenge = _challenge(session, Purpose.REGISTER, account_id, address, at)
    username = session.get_one(Account, account_id).username
    return to_make(party, challenge=challenge, handle=handle, username=username, known=known)


def _known(session: ReadSession, account_id: AccountId) -> list[bytes]:
    return list(session.scalars(select(Passkey.credential_id).where(Passkey.account_id == account_id)))


def _challenge(
    session: WriteSession, purpose: Purpose, account_id: AccountId | None, address: str, at: datetime
) -> bytes:
    from_address = session.vault.blinds("passkey asked from", address)
    waiting = session.scalar(
        select(func.count())
        .select_from(PasskeyChallenge)
        .where(PasskeyChallenge.address_index.in_(from_address), PasskeyChallenge.ends_at > at)
    )
    if waiting is not None and waiting >= MOST_CHALLENGES:
        minutes = int(CHALLENGE_LASTS.total_seconds() // 60)
        raise TooManyGuesses(
            Refusal(
                "too-many-guesses",
                "Passkeys were asked for too often from this place.",
                f"Wait {minutes} minutes, or sign in with name and password.",
                {"minutes": minutes},
            )
        )
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    session.add(
        PasskeyChallenge(
            digest=_digest(challenge),
            purpose=purpose.value,
            account_id=account_id,
            address_index=from_address[0],
            ends_at=at + CHALLENGE_LASTS,
        )
    )
    session.flush()
    return challenge


def _digest(challenge: bytes) -> bytes:
    return sha256(challenge).digest()


def take(
    session: WriteSession, answer: Answer, *, purpose: Purpose, account_id: AccountId | None, at: datetime
) -> bool:
    """Whether this is the first answer to a challenge that was made for this, minutes ago at most.

    Commit it before the answer is believed: whatever becomes of it, a second one finds no challenge.
    """
    taken = session.execute(
        delete(PasskeyChallenge)
        .where(
            PasskeyChallenge.digest == _digest(answer.challenge),
            PasskeyChallenge.purpose == purpose.value,
            PasskeyChallenge.account_id.is_not_distinct_from(account_id),
            PasskeyChallenge.ends_at > at,
        )
        .returning(PasskeyChallenge.digest)
    )
    return taken.first() is not None


def whose(session: WriteSession, answer: Answer, *, party: RelyingParty, at: datetime) -> Account:
    """Whose passkey has signed this, whose challenge was taken. Raises NotProven, and CountedBack for a copy."""
    found = session.execute(
        select(Passkey, PasskeyHolder.handle, Account)
        .join(PasskeyHolder, PasskeyHolder.account_id == Passkey.account_id)
        .join(Account, Account.id == Passkey.account_id)
        .where(Passkey.credential_id == answer.credential_id, Account.left_at.is_(None))
    ).one_or_none()
    if found is None:
        raise NotProven("unknown passkey")
    passkey, handle, account = found
    if answer.handle is not None and answer.handle != handle:
        raise NotProven("another's passkey")
    count = signed(answer, challenge=answer.challenge, party=party, public_key=passkey.public_key).sign_count
    counted = session.execute(
        update(Passkey)
        .where(Passkey.id == passkey.id, (Passkey.sign_count < count) | ((Passkey.sign_count == 0) & (count == 0)))
        .values(sign_count=count, used_at=at)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    if counted.first() is None:
        raise CountedBack(AccountId(account.id), passkey.id)
    return account


def register(
    session: WriteSession,
    *,
    actor: Actor,
    answer: Answer,
    party: RelyingParty,
    name: str,
    keep: bytes,
    at: datetime,
) -> list[str]:
    """Keeps a new passkey, whose challenge was taken, and ends other sign-ins of the account.

    Returns recovery codes where the account had none. Raises BadInput for what no device of this person has made.
    """
    assert actor.account_id is not None, "a passkey is a person's"
    try:
        new = made(answer, challenge=answer.challenge, party=party)
    except NotProven:
        raise BadInput(not_made()) from None
    known = session.scalar(select(Passkey.id).where(Passkey.credential_id == new.credential_id))
    if known is not None:
        raise BadInput(not_made())
    codes = factors.first_recovery_codes(session, account_id=actor.account_id, at=at)
    session.add(
        Passkey(
            id=new_id(),
            account_id=actor.account_id,
            name=" ".join(name.split())[:LONGEST_NAME] or "Passkey",
            credential_id=new.credential_id,
            public_key=new.public_key,
            sign_count=new.sign_count,
            made_at=at,
        )
    )
    session.execute(delete(FactorReset).where(FactorReset.account_id == actor.account_id))
    session.flush()
    factors.end_others(session, account_id=actor.account_id, keep=keep)
    _write_down(session, actor, "register passkey", at)
    return codes


def remove(session: WriteSession, *, actor: Actor, passkey_id: UUID, keep: bytes, at: datetime) -> None:
    """Its own person takes a passkey away, after `factors.prove`; other sign-ins of theirs end. Raises NotThere."""
    assert actor.account_id is not None, "a passkey is a person's"
    gone = session.execute(
        delete(Passkey).where(Passkey.id == passkey_id, Passkey.account_id == actor.account_id).returning(Passkey.id)
    )
    if gone.first() is None:
        raise NotThere(Refusal("no-passkey", "There is no such passkey of yours.", "Look at the list again."))
    factors.forget_codes_of_nothing(session, account_id=actor.account_id)
    factors.end_others(session, account_id=actor.account_id, keep=keep)
    _write_down(session, actor, "remove passkey", at)


def not_made() -> Refusal:
    """The refusal for a new passkey that does not fit what was asked for."""
    return Refusal(
        "passkey-not-made",
        "The device has not made a passkey for this page.",
        "Begin again, and use a device that asks for your finger, face or its own PIN.",
    )


def refused() -> Refusal:
    """The refusal for an answer that opens no account here: the same whatever is wrong with it."""
    return Refusal(
        "passkey-refused",
        "This passkey does not open an account here.",
        "Sign in with name and password. If the passkey worked before, tell your administrator.",
    )


def _write_down(session: WriteSession, actor: Actor, act: str, at: datetime) -> None:
    audit.record(session, actor=actor, act=act, subject="account", subject_id=actor.account_id, at=at)
