"""Opening a site's sealed code over the web: the code first, then each of the two people, each counted apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from dispensary.database import Database
from dispensary.refusals import BadInput, NotThere, Refusal, Refused
from dispensary.staff import attempts, glass, pins, sessions, stations
from dispensary.staff.pin_rules import PIN_DIGITS
from dispensary.staff.proving import hear_factor
from dispensary.staff.queries import Place, account_by_name
from dispensary.staff.rules import plain_username
from dispensary.staff.service import password_is_right
from dispensary.units import AccountId

log = structlog.get_logger("dispensary.glass")


@dataclass(frozen=True)
class Typed:
    """What one of the two typed: their account name, and their password, or the PIN where they are in the shift.

    Where the account has a second factor, `code` is of their authenticator, or a recovery code. A PIN asks for none:
    who is in the shift of this browser has proved it there.
    """

    which: str
    username: str
    secret: str
    code: str = ""


def break_glass(
    database: Database, *, code: str, people: Sequence[Typed], presented: str | None, address: str, at: datetime
) -> tuple[Place, datetime]:
    """Opens the code for the first of the two. Raises TooManyGuesses, NotThere, and BadInput with a field for each.

    A wrong code is refused before anybody's secret is looked at, so that nobody without it learns anything of a
    password here; five of them from an address close this door to it, for the right code too.
    """
    with database.writing() as session:
        attempt = attempts.count_glass(session, address=address, at=at)
    with database.reading() as session:
        try:
            site = glass.site_of_code(session, code=code)
        except NotThere:
            log.warning("a sealed code was wrong")
            raise
    with database.writing() as session:
        attempts.take_back(session, attempt)  # it was no guess; each of the two is counted by themselves
    found: list[AccountId] = []
    faults: list[Refusal] = []
    for person in people:
        try:
            found.append(_proven(database, person, presented=presented, address=address, at=at))
        except Refused as refused:
            first = refused.first
            of = "code" if first.field == "code" else "secret"
            faults.append(
                Refusal(first.code, first.sentence, first.remedy, first.evidence, field=f"{person.which}_{of}")
            )
    if faults:
        raise BadInput(*faults)
    with database.writing() as session:
        opened = glass.open_glass(session, code=code, first=found[0], second=found[1], at=at)
    log.warning("a sealed code was opened", site=site.code, account=str(found[0]), beside=str(found[1]))
    return opened


def _proven(database: Database, person: Typed, *, presented: str | None, address: str, at: datetime) -> AccountId:
    """Whose name and secret these are: a PIN at a browser in whose shift they are, else password and second factor."""
    if presented and re.fullmatch(rf"[0-9]{{{PIN_DIGITS}}}", person.secret):
        with database.reading() as session:
            shift = stations.shift_of(session, token=presented, at=at)
            by_name = account_by_name(session, plain_username(person.username))
        here = [one for one in shift.people if one.account_id == by_name and one.by_pin] if shift else []
        if here:
            return _by_pin(database, here[0].account_id, person.secret)
    with database.writing() as session:
        attempt = attempts.count_attempt(session, username=person.username, address=address, at=at)
    with database.writing() as session:
        account_id = AccountId(sessions.proven(session, attempt=attempt, password=person.secret).id)
    hear_factor(database, account_id=account_id, code=person.code, address=address, at=at)
    return account_id


def _by_pin(database: Database, account_id: AccountId, pin: str) -> AccountId:
    with database.writing() as session:
        kept = pins.count_pin(session, account_id=account_id)
    if not password_is_right(kept, pin):
        raise BadInput(Refusal("wrong-pin", "This is not their PIN.", "Type it again, or the password."))
    with database.writing() as session:
        pins.forget_wrong(session, account_id=account_id)
    return account_id
