"""Changing one's own second factor: both proofs are counted, in a unit of their own, and then heard with the act."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from dispensary.database import Database, WriteSession
from dispensary.staff import attempts, factors
from dispensary.staff.models import Account
from dispensary.staff.rules import Actor

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Proof:
    """What somebody typed to prove that the account is theirs, and from where."""

    password: str
    code: str
    address: str


def by_proof(
    database: Database, *, actor: Actor, proof: Proof, at: datetime, act: Callable[[WriteSession], Answer]
) -> Answer:
    """Does the act when password, and code where one is asked for, are right. Raises TooManyGuesses and BadInput.

    The code that proved is used up with the act, and not without it.
    """
    assert actor.account_id is not None, "a second factor is a person's"
    with database.writing() as session:
        username = session.get_one(Account, actor.account_id).username
        counted = [attempts.count_attempt(session, username=username, address=proof.address, at=at)]
        if factors.asked_for(session, actor.account_id):
            counted.append(attempts.count_code(session, account_id=actor.account_id, address=proof.address, at=at))
    with database.writing() as session:
        factors.prove(session, account_id=actor.account_id, password=proof.password, code=proof.code, at=at)
        for each in counted:
            attempts.take_back(session, each)
        return act(session)


def confirm(
    database: Database, *, actor: Actor, address: str, at: datetime, act: Callable[[WriteSession], Answer]
) -> Answer:
    """Hears the first code of an authenticator that is being set up, counted too. Raises as `by_proof`."""
    assert actor.account_id is not None, "a second factor is a person's"
    with database.writing() as session:
        counted = attempts.count_code(session, account_id=actor.account_id, address=address, at=at)
    with database.writing() as session:
        answer = act(session)
        attempts.take_back(session, counted)
        return answer
