"""A second factor where no page of sign-in asks for it: the code is counted, kept so, and then heard."""

from __future__ import annotations

from datetime import datetime

from dispensary.database import Database
from dispensary.refusals import BadInput
from dispensary.staff import attempts, factors
from dispensary.staff.audit import record
from dispensary.staff.factor_rules import code_missing
from dispensary.staff.queries import sites_of
from dispensary.staff.rules import Actor
from dispensary.units import AccountId


def hear_factor(database: Database, *, account_id: AccountId, code: str, address: str, at: datetime) -> None:
    """Hears a code of the authenticator, or a recovery code, where the account has a second factor; else nothing.

    Its caller has heard the password or the PIN. Raises TooManyGuesses, and BadInput for a code that is missing, wrong
    or was heard before.
    """
    with database.reading() as session:
        if not factors.asked_for(session, account_id):
            return
    if not code.strip():
        raise BadInput(code_missing())
    with database.writing() as session:
        attempt = attempts.count_code(session, account_id=account_id, address=address, at=at)
    try:
        with database.writing() as session:
            factors.hear(session, account_id=account_id, typed=code, at=at)
            attempts.take_back(session, attempt)
    except BadInput:
        write_down_at_first_site(database, account_id, factors.WRONG, at)
        raise


def write_down_at_first_site(database: Database, account_id: AccountId, act: str, at: datetime) -> None:
    """Keeps what was tried at an account and refused, at the first of its sites by code."""
    with database.writing() as session:
        where = sites_of(session, account_id)
        if where:
            session.look_across(each.id for each in where)
            actor = Actor(account_id, where[0].id, frozenset())
            record(session, actor=actor, act=act, subject="account", subject_id=account_id, at=at)
