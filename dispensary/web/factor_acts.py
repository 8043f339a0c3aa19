"""Changing one's own second factor: what proves is counted, in a unit of its own, and then heard with the act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dispensary.database import Database, WriteSession
from dispensary.refusals import BadInput
from dispensary.staff import attempts, factors, passkeys
from dispensary.staff.models import Account
from dispensary.staff.passkey_rules import Answer, NotProven, RelyingParty, read_answer
from dispensary.staff.passkeys import CountedBack, Purpose
from dispensary.staff.proving import write_down_at_first_site
from dispensary.staff.rules import Actor
from dispensary.units import AccountId

Kept = TypeVar("Kept")


@dataclass(frozen=True)
class Proof:
    """What somebody sent to prove that the account is theirs, and from where."""

    password: str
    code: str
    address: str
    credential: str = ""
    """What a passkey has signed, in place of a code."""
    party: RelyingParty | None = None


def by_proof(
    database: Database, *, actor: Actor, proof: Proof, at: datetime, act: Callable[[WriteSession], Kept]
) -> Kept:
    """Does the act when the password is right, and where there is a second factor its code or passkey too.

    The code that proved is used up with the act, and not without it. Raises TooManyGuesses and BadInput.
    """
    account_id = actor.account_id
    assert account_id is not None, "a second factor is a person's"
    with database.writing() as session:
        username = session.get_one(Account, account_id).username
        counted = [attempts.count_attempt(session, username=username, address=proof.address, at=at)]
        if factors.asked_for(session, account_id):
            counted.append(attempts.count_code(session, account_id=account_id, address=proof.address, at=at))
    answer = _answer(database, account_id, proof, at) if proof.credential else None
    try:
        with database.writing() as session:
            if answer is not None and proof.party is not None:
                signer = passkeys.whose(session, answer, party=proof.party, at=at)
                if signer.id != account_id:
                    raise BadInput(passkeys.refused())
            factors.prove(
                session,
                account_id=account_id,
                password=proof.password,
                code=proof.code,
                at=at,
                by_passkey=answer is not None,
            )
            for each in counted:
                attempts.take_back(session, each)
            return act(session)
    except NotProven:
        raise BadInput(passkeys.refused()) from None
    except CountedBack as copied:
        write_down_at_first_site(database, copied.account_id, "passkey counted back", at)
        raise BadInput(passkeys.refused()) from None
    except BadInput as reason:
        if reason.first.code == "wrong-code":
            write_down_at_first_site(database, account_id, factors.WRONG, at)
        raise


def _answer(database: Database, account_id: AccountId, proof: Proof, at: datetime) -> Answer:
    """What the passkey sent, whose challenge is used up by it. Raises BadInput."""
    try:
        answer = read_answer(proof.credential)
    except NotProven:
        raise BadInput(passkeys.refused()) from None
    with database.writing() as session:
        first = passkeys.take(session, answer, purpose=Purpose.PROVE, account_id=account_id, at=at)
    if not first or proof.party is None:
        raise BadInput(passkeys.refused())
    return answer


def confirm(
    database: Database, *, actor: Actor, address: str, at: datetime, act: Callable[[WriteSession], Kept]
) -> Kept:
    """Hears the first code of an authenticator that is being set up, counted too. Raises as `by_proof`."""
    assert actor.account_id is not None, "a second factor is a person's"
    with database.writing() as session:
        counted = attempts.count_code(session, account_id=actor.account_id, address=address, at=at)
    with database.writing() as session:
        kept = act(session)
        attempts.take_back(session, counted)
        return kept


def registered(
    database: Database,
    *,
    actor: Actor,
    party: RelyingParty | None,
    credential: str,
    name: str,
    keep: bytes,
    at: datetime,
) -> list[str]:
    """Keeps a passkey that the actor's device has made for a challenge of theirs, and uses that challenge up.

    Returns recovery codes where the account had none. Raises BadInput.
    """
    try:
        answer = read_answer(credential)
    except NotProven:
        raise BadInput(passkeys.not_made()) from None
    with database.writing() as session:
        first = passkeys.take(session, answer, purpose=Purpose.REGISTER, account_id=actor.account_id, at=at)
    if not first or party is None:
        raise BadInput(passkeys.not_made())
    with database.writing() as session:
        return passkeys.register(session, actor=actor, answer=answer, party=party, name=name, keep=keep, at=at)
