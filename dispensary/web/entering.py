"""Proving who one is over the web: a count, kept first, and then the look at what was typed, each in its own unit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dispensary.database import Database
from dispensary.refusals import BadInput, Refusal
from dispensary.staff import attempts, factors, half_signed, passkeys, pins, sessions, stations
from dispensary.staff.factor_rules import code_needed
from dispensary.staff.models import Account
from dispensary.staff.passkey_rules import NotProven, RelyingParty, read_answer
from dispensary.staff.passkeys import CountedBack, Purpose
from dispensary.staff.proving import write_down_at_first_site
from dispensary.staff.rules import Actor
from dispensary.staff.service import kept_password, password_is_right
from dispensary.units import AccountId


@dataclass(frozen=True)
class Entered:
    """Somebody is signed in by this token."""

    token: str
    account_id: AccountId
    by: str = "password"


@dataclass(frozen=True)
class HalfEntered:
    """The password was right, and the account has a second factor: this token opens the page of the code alone."""

    token: str


def enter(
    database: Database, *, username: str, password: str, address: str, at: datetime, presented: str | None
) -> Entered | HalfEntered:
    """Counts the sign-in, then hears the password. Raises TooManyGuesses, NotSignedIn, NotAllowed.

    Only whose password was right learns whether there is a second factor.
    """
    with database.writing() as session:
        attempt = attempts.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        account = sessions.of_password(session, attempt=attempt, password=password)
        attempts.take_back_alone(session, attempt)
        if factors.asked_for(session, account.id):
            return HalfEntered(half_signed.keep_half(session, account_id=account.id, presented=presented, at=at))
        token = sessions.let_in(session, account=account, by="password", at=at, presented=presented)
        return Entered(token, account.id)


def enter_by_code(
    database: Database, *, half: str | None, code: str, address: str, at: datetime, presented: str | None
) -> Entered:
    """Counts the code, then hears it, and uses up what was half. Raises TooManyGuesses, BadInput, and NotSignedIn."""
    with database.writing() as session:
        known = half_signed.half_of(session, token=half, presented=presented, at=at)
        if known is None or half is None:
            raise half_signed.begin_anew()
        attempt = attempts.count_code(session, account_id=known.account_id, address=address, at=at)
    try:
        with database.writing() as session:
            by = factors.hear(session, account_id=known.account_id, typed=code, at=at)
            account = half_signed.finish(session, token=half, presented=presented, at=at)
            attempts.take_back(session, attempt)
            token = sessions.let_in(session, account=account, by=by, at=at, presented=presented)
            return Entered(token, account.id, by)
    except BadInput:
        write_down_at_first_site(database, known.account_id, factors.WRONG, at)
        raise


def enter_as_program(
    database: Database, *, username: str, password: str, code: str, address: str, at: datetime, presented: str | None
) -> str:
    """Signs a program in for /api: password, and code where the account has a second factor, at once.

    Returns the new token. Raises as `enter` and `enter_by_code`, and NotSignedIn where a code is needed and none came.
    """
    with database.writing() as session:
        attempt = attempts.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        account = sessions.of_password(session, attempt=attempt, password=password)
        attempts.take_back_alone(session, attempt)
        asked_for = factors.asked_for(session, account.id)
        if not asked_for:
            return sessions.let_in(session, account=account, by="password", at=at, presented=presented, program=True)
    if not code:
        raise sessions.NotSignedIn(code_needed())
    with database.writing() as session:
        attempt = attempts.count_code(session, account_id=account.id, address=address, at=at)
    try:
        with database.writing() as session:
            by = factors.hear(session, account_id=account.id, typed=code, at=at)
            attempts.take_back(session, attempt)
            account = session.get_one(Account, account.id)
            return sessions.let_in(session, account=account, by=by, at=at, presented=presented, program=True)
    except BadInput:
        write_down_at_first_site(database, account.id, factors.WRONG, at)
        raise


def enter_by_passkey(
    database: Database,
    *,
    party: RelyingParty | None,
    credential: str,
    address: str,
    at: datetime,
    presented: str | None,
) -> Entered:
    """Signs in whoever's passkey has signed this: it is both, what they have and who they are.

    The answer is counted, then its challenge used up, then it is believed, each in a unit of work of its own. Raises
    TooManyGuesses, NotSignedIn (the same whatever is wrong) and NotAllowed.
    """
    with database.writing() as session:
        attempt = attempts.count_passkey(session, address=address, at=at)
    try:
        answer = read_answer(credential)
        with database.writing() as session:
            first = passkeys.take(session, answer, purpose=Purpose.SIGN_IN, account_id=None, at=at)
        if party is None or not first or answer.handle is None:
            raise NotProven("no challenge")
        with database.writing() as session:
            account = passkeys.whose(session, answer, party=party, at=at)
            attempts.take_back(session, attempt)
            token = sessions.let_in(session, account=account, by="passkey", at=at, presented=presented)
            return Entered(token, account.id, "passkey")
    except NotProven:
        raise sessions.NotSignedIn(passkeys.refused()) from None
    except CountedBack as copied:
        write_down_at_first_site(database, copied.account_id, "passkey counted back", at)
        raise sessions.NotSignedIn(passkeys.refused()) from None


def set_own_pin(
    database: Database, *, actor: Actor, password: str, pin: str, again: str, address: str, at: datetime
) -> None:
    """Counts the password as a sign-in's, then sets the PIN. Raises TooManyGuesses, BadInput."""
    with database.writing() as session:
        username = session.get_one(Account, actor.account_id).username
        attempt = attempts.count_attempt(session, username=username, address=address, at=at)
    with database.writing() as session:
        pins.set_pin(session, actor=actor, password=password, pin=pin, again=again, at=at)
        attempts.take_back(session, attempt)


def come_back(
    database: Database, *, presented: str, account_id: AccountId, secret: str, address: str, at: datetime
) -> str:
    """Puts somebody of a browser's shift in front of it, by PIN or password, and returns their new token.

    Raises BadInput when it is not theirs, TooManyGuesses, and Refused as `stations.come_back`.
    """
    attempt, kept = None, None
    with database.writing() as session:
        shift = stations.shift_of(session, token=presented, at=at)
        person = next((one for one in shift.people if one.account_id == account_id), None) if shift else None
        if person is None:
            raise stations.not_in_shift()
        if person.by_pin:
            kept = pins.count_pin(session, account_id=account_id)
        else:
            account = session.get_one(Account, account_id)
            kept = kept_password(session, account_id)
            attempt = attempts.count_attempt(session, username=account.username, address=address, at=at)
    if not password_is_right(kept, secret):
        raise BadInput(
            Refusal("wrong-pin", "This is not your PIN.", "Type it again.", field="secret")
            if person.by_pin
            else Refusal("wrong-password", "This is not your password.", "Type it again.", field="secret")
        )
    with database.writing() as session:
        pins.forget_wrong(session, account_id=account_id)
        if attempt is not None:
            attempts.take_back(session, attempt)
        return stations.come_back(session, presented=presented, account_id=account_id, at=at)
